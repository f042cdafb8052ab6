# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench attention`: attention alone, dense, causal and over blocks, against the attention of ONNX Runtime,
OpenVINO and torch on the same pairs, and against the machine's multiply-add peak. Standard library only: what is timed
runs in processes of its own."""

import statistics
import sys

from benchmarks import attention_cases as cases
from benchmarks import attention_patterns as patterns
from benchmarks.environment import BenchError
from benchmarks.machine import FmaPeak, describe, first_cpus
from benchmarks.results import Results, Verdicts, table
from benchmarks.speed import check_same, measure_peaks
from benchmarks.workers import Workers, alternate, median_of_runs

LENGTHS = (1024, 4096, 16384, 65536)
# Who can compute which pairs. The engines that would compute every pair of a sparse case under a mask are not asked:
# that is their dense time, and more.
PEERS = {
    "dense": ["torch SDPA", "ORT MHA", "OpenVINO SDPA"],
    "causal": ["torch SDPA", "ORT MHA", "OpenVINO SDPA"],
    "local_strided": ["FlexAttention", "ORT SparseAttention"],
    "local_global": ["FlexAttention"],
}
# Longer ones take minutes a run, or more memory than there is: dense attention of 64k is 70 TFLOP.
LONGEST = {"dense": 16384, "causal": 16384, "ORT SparseAttention": 4096, "FlexAttention": 16384, "ORT MHA": 16384}
DENSITIES = (0.05, 0.1, 0.25, 0.5)
WANTED_SHARE = {"dense": 0.82, "causal": 0.78, "local_strided": 0.75, "local_global": 0.75}
FULL_ROWS = 8  # key blocks a row from which the share of a sparse case counts


def peers_of(pattern, length):
    return [name for name in PEERS[pattern] if length <= LONGEST.get(name, length)]


class Comparison:
    """Cases one after the other on one number of threads, every engine in turn."""

    def __init__(self, environment, results, peak, threads, rounds, burst):
        self.environment, self.results, self.peak = environment, results, peak
        self.threads, self.rounds, self.burst = threads, rounds, burst
        self.rows = []

    def plan(self, name, case):
        specification, graph = cases.write(self.environment.work / "attention", name, case)
        plan = self.environment.plans / f"attention-{name}.plan"
        return str(specification), str(self.environment.compile(graph, plan, "--target=host"))

    def measure(self, workers, case, engines):
        """Seconds by engine, and the share of the peak that ours reached."""
        name = f"{case['pattern']}-{case['length']}" + (f"-{case['density']}" if "density" in case else "")
        specification, plan = self.plan(name, case)
        # A run of the long cases takes seconds: fewer rounds measure as much.
        rounds = self.rounds if cases.operations(case) < 3e10 else max(2, self.rounds // 3)

        def ask(engine):
            file = plan if engine == "tamis" else specification
            return workers[engine].ask(file=file, floats=cases.feeds(case), seconds=self.burst)

        check_same({engine: ask(engine)["sample"] for engine in ["tamis", *engines]}, name)
        actions = {engine: lambda engine=engine: ask(engine) for engine in ["tamis", *engines]}
        bursts = alternate({"peak": lambda: self.peak.measure(self.threads, self.burst), **actions}, rounds)
        seconds = {engine: median_of_runs(bursts[engine]) for engine in actions}
        rates = [cases.operations(case) / median_of_runs([reply]) / 1e9 for reply in bursts["tamis"]]
        share = statistics.median(rate / p["gflops"] for rate, p in zip(rates, bursts["peak"]))
        better = min(engines, key=seconds.get, default=None)
        ratio = seconds[better] / seconds["tamis"] if better else None
        self.results.add(
            "attention", case=case, threads=self.threads, share=share, ratio=ratio, better=better,
            milliseconds={engine: value * 1e3 for engine, value in seconds.items()},
        )  # fmt: skip
        self.rows.append(
            [
                name, self.threads, f"{seconds['tamis'] * 1e3:.1f}", f"{statistics.median(rates):.0f}", f"{share:.1%}",
                f"{seconds[better] * 1e3:.1f}" if better else "", f"{ratio:.2f}" if better else "", better or "",
            ]
        )  # fmt: skip
        print(f"  {name}, {self.threads} threads: {share:.1%} of the peak"
              + (f", {ratio:.2f} times {better}" if better else ""), file=sys.stderr, flush=True)  # fmt: skip
        return seconds["tamis"], share, ratio

    def print(self):
        table(["case", "threads", "tamis ms", "GFLOP/s", "of peak", "best peer ms", "ratio", "peer"], self.rows)


def judge_case(verdicts, case, threads, share, ratio):
    pattern, length = case["pattern"], case["length"]
    name = f"{pattern} at {length}, {threads} thread{'s' * (threads > 1)}"
    is_sparse = pattern in ("local_strided", "local_global")
    blocks = statistics.mean(map(len, cases.rows_of_blocks(case)))
    if ratio and (length in (4096, 16384)):
        wanted = 2 if is_sparse else 1.05
        verdicts.judge(f"{name}, ratio to the best peer", ratio >= wanted, f"{ratio:.2f}", f"at least {wanted}")
    if threads == 1 and length >= 4096 and (not is_sparse or blocks >= FULL_ROWS):
        wanted = WANTED_SHARE[pattern]
        verdicts.judge(f"{name}, share of the peak", share >= wanted, f"{share:.1%}", f"at least {wanted:.0%}")


def compare(environment, results, verdicts, peak, threads, arguments, rounds, burst):
    comparison = Comparison(environment, results, peak, threads, rounds, burst)
    wanted = [
        {"pattern": pattern, "length": length}
        for length in LENGTHS
        for pattern in PEERS
        if length <= LONGEST.get(pattern, length) and (not arguments.lengths or length in arguments.lengths)
    ]
    engines = sorted({name for case in wanted for name in peers_of(case["pattern"], case["length"])})
    found, peers = [], []
    with Workers(environment, ["tamis", *engines], threads) as workers:
        for case in wanted:
            seconds, share, ratio = comparison.measure(workers, case, peers_of(case["pattern"], case["length"]))
            found.append((case, share, ratio))
            peers.append((case, ratio and ratio * seconds))
        # What a share of the pairs costs, as a share of the dense time, in the same rounds' weather.
        costs = []
        if threads == 1 and (not arguments.lengths or 4096 in arguments.lengths):
            dense, _, _ = comparison.measure(workers, {"pattern": "dense", "length": 4096}, [])
            for density in DENSITIES:
                case = {"pattern": "random", "length": 4096, "density": density}
                seconds, _, _ = comparison.measure(workers, case, [])
                costs.append((density, cases.pairs(case) / 4096**2, seconds / dense))
    comparison.print()
    print()
    for case, share, ratio in found:
        judge_case(verdicts, case, threads, share, ratio)
    for density, exact, cost in costs:
        verdicts.judge(
            f"cost at density {density}, of dense", cost <= 1.25 * exact, f"{cost:.3f}", f"at most {1.25 * exact:.3f}"
        )
    dense_peers = {case["length"]: peer for case, peer in peers if case["pattern"] == "dense" and peer}
    lengths = [length for length in LENGTHS if not arguments.lengths or length in arguments.lengths]
    patterns.compare(environment, results, verdicts, threads, lengths, dense_peers, 3 * rounds)


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    results = Results(environment, "attention")
    verdicts = Verdicts(results)
    machine = describe()
    results.add("machine", **machine)
    first_cpus(max(arguments.threads))
    rounds = arguments.rounds or (3 if arguments.quick else 7)
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, {' '.join(machine['features'])}")
    peak = FmaPeak(environment)
    measure_peaks(peak, arguments.threads, 1, "before", results)
    for threads in arguments.threads:
        print(f"\nattention, 8 heads x 64, f32, {rounds} rounds")
        try:
            compare(environment, results, verdicts, peak, threads, arguments, rounds, 0.1 if arguments.quick else 0.3)
        except BenchError as error:
            print(error)
            verdicts.judge(f"attention, {threads} threads", False, "not measured", "measured")
    print()
    measure_peaks(peak, arguments.threads, 1, "after", results)
    return verdicts.exit_status()
