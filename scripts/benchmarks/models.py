# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench models`: every model compiled once, run at many sizes, compared with ONNX Runtime; spellings of one
model compared in speed."""

import json
import subprocess

from benchmarks.environment import MODELS, BenchError
from benchmarks.results import Results, Verdicts, table
from benchmarks.workers import Workers, alternate, median_of_runs

BATCHES = [1, 8, 32]
LENGTHS = [1, 16, 128, 256, 512]
BOUND = 1e-4
# Spellings of one model are one model: their plans may differ in speed by noise alone.
SAME_SPEED = 1.1
SPEED_CASES = [(1, 16), (1, 128), (8, 128)]


def plan_name(model):
    return "".join(letter if letter.isalnum() else "-" for letter in model).strip("-").replace("--", "-") + ".plan"


def judge_plans(environment, chosen, batches, lengths, threads):
    """Runs accuracy.py; yields its cases."""
    request = {
        "library": str(environment.library),
        "threads": threads,
        "batches": batches,
        "lengths": lengths,
        "models": [
            {"name": name, "plan": str(environment.plans / plan_name(name)), "judge": str(environment.model(judge))}
            for name, (_, judge) in chosen.items()
        ],
    }
    path = environment.work / "accuracy.json"
    path.write_text(json.dumps(request))
    log = environment.work / "logs" / "accuracy.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as errors:
        command, variables = environment.script("accuracy", path)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
        for line in process.stdout:
            yield json.loads(line)
    if process.wait():
        raise BenchError(
            f"accuracy.py ended with status {process.returncode}; the end of {log}:\n"
            + log.read_text(errors="replace")[-1500:]
        )


def cell(case):
    if "error" in case:
        return "error"
    if "refused" in case:
        return "refused"
    return f"{max(case['differences'].values()):.1e}"


def compare_speed(environment, names, threads, rounds, seconds, results):
    """Milliseconds of each spelling, visited in turn; the largest ratio of two medians over the cases."""
    plans = {name: str(environment.plans / plan_name(name)) for name in names}
    medians = {name: [] for name in names}
    worst = 1.0
    with Workers(environment, ["tamis"], threads) as workers:
        for case in SPEED_CASES:

            def ask(name, case=case):
                return workers["tamis"].ask(file=plans[name], tokens=list(case), seconds=seconds)

            for name in names:
                ask(name)  # what the first run of a shape prepares is not timed
            bursts = alternate({name: lambda name=name: ask(name) for name in names}, rounds)
            for name in names:
                medians[name].append(median_of_runs(bursts[name]) * 1e3)
            now = [medians[name][-1] for name in names]
            worst = max(worst, max(now) / min(now))
    print(f"\nmilliseconds, {threads} threads, {rounds} rounds in turn")
    table(
        ["spelling", *(f"{batch}x{length}" for batch, length in SPEED_CASES)],
        [[name, *(f"{value:.2f}" for value in medians[name])] for name in names],
    )
    results.add("speed", threads=threads, cases=SPEED_CASES, milliseconds=medians)
    return worst


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    environment.ensure_models()
    chosen = {name: pair for name, pair in MODELS.items() if arguments.only in name}
    if not chosen:
        raise BenchError(f"no model's name contains '{arguments.only}'; they are {', '.join(MODELS)}")
    batches, lengths = ([1, 8], [1, 16, 128]) if arguments.quick else (BATCHES, LENGTHS)
    results = Results(environment, "models")
    verdicts = Verdicts(results)

    compiled = {}
    for name, pair in chosen.items():
        try:
            environment.compile(environment.model(pair[0]), environment.plans / plan_name(name))
            compiled[name] = pair
        except BenchError as error:
            print(error)
            verdicts.judge(name, False, "does not compile", "a plan")

    cases = list(judge_plans(environment, compiled, batches, lengths, arguments.threads)) if compiled else []
    for case in cases:
        results.add("accuracy", **case)
    rows = []
    for name in compiled:
        for batch in batches:
            row = [case for case in cases if case["model"] == name and case["batch"] == batch]
            rows.append([name, batch, *map(cell, row)])
    print("\nlargest absolute difference to ONNX Runtime f32, over all outputs and all that is not padding")
    table(["model", "batch", *(f"length {length}" for length in lengths)], rows)
    print()
    for name in compiled:
        mine = [case for case in cases if case["model"] == name]
        errors = [f"{c['batch']}x{c['length']}: {c['error']}" for c in mine if "error" in c]
        judged = [c for c in mine if "differences" in c]
        refused = [f"{c['batch']}x{c['length']}" for c in mine if "refused" in c]
        if refused:
            print(f"note  {name}: ONNX Runtime refuses {', '.join(refused)}")
        unjudged = sorted({output for c in judged for output in c["unjudged"]})
        if unjudged:
            print(f"note  {name}: not an output of the judge: {', '.join(unjudged)}")
        worst = max((d for c in judged for d in c["differences"].values()), default=float("inf"))
        found = errors[0] if errors else f"{worst:.1e} over {len(judged)} sizes"
        verdicts.judge(name, not errors and worst <= BOUND, found, f"at most {BOUND:.0e}")
    spellings = [name for name in compiled if name.startswith("minilm-l6")]
    if len(spellings) > 1:
        rounds, seconds = (3, 0.1) if arguments.quick else (9, 0.3)
        ratio = compare_speed(environment, spellings, arguments.threads, rounds, seconds, results)
        print()
        verdicts.judge(f"speed of {len(spellings)} spellings of minilm-l6", ratio <= SAME_SPEED,
                       f"slowest {ratio:.2f} x fastest", f"at most {SAME_SPEED} x")  # fmt: skip
    return verdicts.exit_status()
