# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench speed`: MiniLM-L6 in f32 against ONNX Runtime and OpenVINO, and single kernels against the machine's
multiply-add peak. Standard library only: what is timed runs in processes of its own."""

import statistics
import sys

from benchmarks import kernels, speed_precision
from benchmarks.environment import BenchError
from benchmarks.machine import FmaPeak, describe, first_cpus
from benchmarks.results import Results, Verdicts, table
from benchmarks.workers import Worker, Workers, alternate, median_of_runs

CASES = [(batch, length) for batch in (1, 8, 32) for length in (16, 128, 256)]
QUICK_CASES = [(1, 16), (1, 256), (8, 128)]
PEERS = {"onnxruntime": "minilm-l6-fused.onnx", "openvino": "minilm-l6-opset18.onnx"}
OURS = "minilm-l6-opset18.onnx"
WANTED_MEAN, WANTED_WORST = 0.9, 0.75
# All engines run the same f32 model: more than rounding between them means that one computes something else.
SAME = 1e-3


def operations(batch, length):
    """Floating-point operations of MiniLM-L6: 6 layers, width 384, feed-forward 1536; products alone."""
    return batch * 6 * (2 * length * (4 * 384 * 384 + 2 * 384 * 1536) + 4 * length * length * 384)


def measure_peaks(peak, thread_counts, seconds, when, results):
    found = {}
    for threads in thread_counts:
        found[threads] = peak.measure(threads, seconds)
        results.add("peak", when=when, threads=threads, **found[threads])
    print(
        f"f32 multiply-add peak {when}: "
        + ", ".join(
            f"{threads} thread{'s' * (threads > 1)} {p['gflops']:.0f} GFLOP/s (best {p['best']:.0f}, {p['isa']})"
            for threads, p in found.items()
        ),
        flush=True,
    )
    return found


def check_same(samples, what):
    """Fails when engines disagree; `samples` is name -> numbers, the first name is the judge."""
    (judge, wanted), *others = samples.items()
    bound = SAME * max(1.0, max(map(abs, wanted)))
    for name, found in others:
        # Written so that a NaN counts as apart.
        if len(found) != len(wanted) or not all(abs(a - b) <= bound for a, b in zip(found, wanted)):
            raise BenchError(
                f"{what}: {name} and {judge} differ by more than {bound:.1e}; their times cannot be compared"
            )


def compare_model(environment, results, thread_counts, cases, rounds, burst):
    """The table of MiniLM-L6; returns the ratios to the better peer, (threads, batch, length) -> ratio."""
    files = {name: str(environment.model(file)) for name, file in PEERS.items()}
    files["tamis"] = str(environment.compile(environment.model(OURS), environment.plans / "speed-minilm-l6.plan"))
    ratios, rows = {}, []
    for threads in thread_counts:
        with Workers(environment, files, threads) as workers:
            for batch, length in cases:
                seconds = burst * (1 if batch * length < 4000 else 2)

                def ask(name):
                    return workers[name].ask(file=files[name], tokens=[batch, length], seconds=seconds)

                first = {name: ask(name) for name in files}
                check_same({name: reply["sample"] for name, reply in first.items()}, f"{batch}x{length}")
                bursts = alternate({name: lambda name=name: ask(name) for name in files}, rounds)
                median = {name: median_of_runs(replies) for name, replies in bursts.items()}
                better = min(PEERS, key=median.get)
                ratio = ratios[threads, batch, length] = median[better] / median["tamis"]
                rate = operations(batch, length) / median["tamis"] / 1e9
                rows.append(
                    [
                        f"{batch}x{length}",
                        threads,
                        *(f"{median[name] * 1e3:.2f}" for name in (*PEERS, "tamis")),
                        f"{rate:.0f}",
                        f"{ratio:.2f}",
                        better,
                    ]
                )
                results.add(
                    "model",
                    threads=threads,
                    batch=batch,
                    length=length,
                    ratio=ratio,
                    better=better,
                    gflops=rate,
                    milliseconds={name: value * 1e3 for name, value in median.items()},
                    runs={name: sum(len(r["times"]) for r in replies) for name, replies in bursts.items()},
                )
                print(
                    f"  {batch}x{length}, {threads} threads: ratio {ratio:.2f} to {better}", file=sys.stderr, flush=True
                )
    table(
        ["batch x length", "threads", "onnxruntime ms", "openvino ms", "tamis ms", "tamis GFLOP/s", "ratio", "to"], rows
    )
    return ratios


def compare_kernels(environment, results, peak, rounds, burst):
    """The table of kernels, one thread; returns name -> (share of the peak, wanted share)."""
    graphs = kernels.write(environment.work / "kernels")
    plans = {
        name: str(environment.compile(graph, environment.plans / f"kernel-{name}.plan"))
        for name, graph in graphs.items()
    }
    with Workers(environment, ["tamis"], 1) as workers:

        def ask(name):
            return workers["tamis"].ask(file=plans[name], floats=kernels.KERNELS[name][0], seconds=burst)

        judge = Worker(environment, "numpy", 1)
        try:
            for name, (inputs, _, _) in kernels.KERNELS.items():
                wanted = judge.ask(file=str(graphs[name]), floats=inputs, seconds=0)["sample"]
                check_same({"double precision": wanted, "tamis": ask(name)["sample"]}, f"kernel {name}")
        finally:
            judge.close()
        actions = {name: lambda name=name: ask(name) for name in plans}
        bursts = alternate({"peak": lambda: peak.measure(1, burst), **actions}, rounds)
    shares, rows = {}, []
    for name, (_, work, wanted) in kernels.KERNELS.items():
        rates = [work / median_of_runs([reply]) / 1e9 for reply in bursts[name]]
        # Each round's rate over the same round's peak: the clock and the neighbours of a shared machine drift.
        share = statistics.median(rate / p["gflops"] for rate, p in zip(rates, bursts["peak"]))
        shares[name] = share, wanted
        best = max(p["gflops"] for p in bursts["peak"])
        rows.append(
            [
                name,
                f"{work / statistics.median(rates) / 1e6:.3f}",
                f"{statistics.median(rates):.1f}",
                f"{share:.1%}",
                f"{statistics.median(rates) / best:.1%}",
                f"{wanted:.0%}",
            ]
        )
        results.add(
            "kernel",
            name=name,
            gflops=rates,
            share=share,
            wanted=wanted,
            peak_gflops=[p["gflops"] for p in bursts["peak"]],
        )
    print("\nkernels, one thread")
    table(["kernel", "ms", "GFLOP/s", "of peak", "of best peak", "wanted"], rows)
    return shares


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    environment.ensure_models()
    results = Results(environment, "speed")
    verdicts = Verdicts(results)
    machine = describe()
    results.add("machine", **machine)
    thread_counts = arguments.threads
    first_cpus(max(thread_counts))
    rounds = arguments.rounds or (3 if arguments.quick else 9)
    burst = 0.1 if arguments.quick else 0.3
    cases = [case for case in CASES if not arguments.cases or "{}x{}".format(*case) in arguments.cases]
    if arguments.quick and arguments.precision and not arguments.cases:
        cases = QUICK_CASES
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, {' '.join(machine['features'])}")
    if machine["load"] > 0.5:
        print(f"warning: the load of this machine is {machine['load']:.1f}; what else runs disturbs the figures")

    if arguments.precision:
        speed_precision.run(environment, arguments, results, verdicts, cases, rounds, burst)
        return verdicts.exit_status()
    peak = FmaPeak(environment)
    measure_peaks(peak, thread_counts, 1, "before", results)
    shares, ratios = {}, {}
    if arguments.what != "model":
        try:
            shares = compare_kernels(environment, results, peak, rounds, burst)
        except BenchError as error:  # the model can still be measured
            print(error)
            verdicts.judge("kernels", False, "not measured", "a share of the peak each")
    if arguments.what != "kernels":
        print(f"\nMiniLM-L6 f32, {rounds} rounds")
        ratios = compare_model(environment, results, thread_counts, cases, rounds, burst)
    print()
    measure_peaks(peak, thread_counts, 1, "after", results)
    print()
    if ratios:
        mean = statistics.geometric_mean(ratios.values())
        worst = min(ratios, key=ratios.get)
        verdicts.judge(
            "MiniLM-L6, geometric mean of the ratio to the better peer",
            mean >= WANTED_MEAN,
            f"{mean:.3f}",
            f"at least {WANTED_MEAN}",
        )
        verdicts.judge(
            "MiniLM-L6, worst case",
            ratios[worst] >= WANTED_WORST,
            f"{ratios[worst]:.3f} at {worst[1]}x{worst[2]}, {worst[0]} threads",
            f"at least {WANTED_WORST}",
        )
    for name, (share, wanted) in shares.items():
        verdicts.judge(f"kernel {name}, share of the peak", share >= wanted, f"{share:.1%}", f"at least {wanted:.0%}")
    return verdicts.exit_status()
