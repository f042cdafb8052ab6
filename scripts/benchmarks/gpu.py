# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench gpu`: do plans for GPUs give the right answers? Each is run by the PTX interpreter with all its checks.
Standard library only."""

import json
import subprocess

from benchmarks.environment import BenchError
from benchmarks.results import Results, Verdicts, table

MODELS = {"L3": "paraphrase-minilm-l3.onnx", "L6": "minilm-l6-opset17.onnx"}
# Small enough that 128 tokens are selected from.
PATTERNS = {
    "dense": "",
    "local_global": "local_global(block=16)",
    "top_k": "top_k(k=16)",
    "block_top_k": "block_top_k(k=4, block=16)",
}
BATCHES, LENGTHS = [1, 2], [1, 16, 128]
BOUND = 2e-3


def compile_plan(environment, model, pattern, target):
    """A plan with code for this CPU, which judges sparse attention, and for the GPU."""
    options = [f"--target=host,cuda:{target}"]
    if PATTERNS[pattern]:
        options.append(f"--attention={PATTERNS[pattern]}")
    plan = environment.plans / f"gpu-{target}-{model}-{pattern}.plan"
    return environment.compile(environment.model(MODELS[model]), plan, *options)


def cases_of(environment, arguments):
    """Compiles, runs gpu_accuracy.py, and yields its cases as they come."""
    plans = []
    for model in MODELS:
        for pattern in PATTERNS:
            name = f"{model}, {pattern}"
            if arguments.only not in name:
                continue
            plan = compile_plan(environment, model, pattern, arguments.target)
            judge = None if PATTERNS[pattern] else str(environment.model(MODELS[model]))
            plans.append({"name": name, "plan": str(plan), "judge": judge})
    if not plans:
        raise BenchError(f"no plan's name contains '{arguments.only}'; they are such as 'L3, top_k'")
    request = {
        "tamis": str(environment.built("bin/tamis")),
        "target": arguments.target,
        "folder": str(environment.work / "gpu"),
        "batches": BATCHES,
        "lengths": LENGTHS[:2] if arguments.quick else LENGTHS,
        "plans": plans,
    }
    path = environment.work / "gpu.json"
    path.write_text(json.dumps(request))
    log = environment.work / "logs" / "gpu.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command, variables = environment.script("gpu_accuracy", path)
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
        for line in process.stdout:
            yield json.loads(line)
    if process.wait():
        text = log.read_text(errors="replace")[-1500:]
        raise BenchError(f"gpu_accuracy.py ended with status {process.returncode}; the end of {log}:\n{text}")


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    environment.ensure_models()
    results = Results(environment, "gpu")
    verdicts = Verdicts(results)
    cases = []
    for case in cases_of(environment, arguments):
        results.add("accuracy", target=arguments.target, **case)
        cases.append(case)
        name = f"{case['name']}, {case['batch']}x{case['length']}, {arguments.target}"
        judge = "ONNX Runtime" if case["judged"] else "the CPU's plan"
        if "error" in case:
            verdicts.judge(name, False, case["error"], "an answer, and no report")
        else:
            found = f"{case['difference']:.1e} of {judge}"
            verdicts.judge(name, case["difference"] <= BOUND, found, f"at most {BOUND:.0e}, and no report")
    sizes = sorted({(case["length"], case["batch"]) for case in cases})
    rows = []
    for name in dict.fromkeys(case["name"] for case in cases):
        own = {(c["length"], c["batch"]): c for c in cases if c["name"] == name}
        rows.append([name, *(f"{own[size]['difference']:.1e}" if "error" not in own[size] else "-" for size in sizes)])
    print("\nlength of the difference, relative to the answer's, over what is not padding; the worst output")
    table(["plan", *(f"{batch}x{length}" for length, batch in sizes)], rows)
    return verdicts.exit_status()
