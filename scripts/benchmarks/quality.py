# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench quality`: what each pattern of sparse attention, and each kind of quantized weights, does to the
embeddings of real text."""

import json
import subprocess

from benchmarks import texts
from benchmarks.environment import BenchError
from benchmarks.results import Results, Verdicts, table

LENGTHS = [256, 512]
MODEL = "minilm-l6"
AUTO = "auto"
# Patterns at their defaults, or as small as these lengths ask for. Without vertical_slash, which wants causal order.
PATTERNS = [
    "window(size=64, sinks=4)",
    "local_global",
    "local_global(block=32)",
    "top_k(k=32)",
    "fraction(share=0.3)",
    "block_top_k(block=32, k=4)",
    "block_top_k(block=32, mass=0.9)",
    "block_top_k(block=32, k=4, similarity=0.1)",
    "page_bounds(k=8)",
    "antidiagonal(block=32, stride=8)",
    "ann",
    "ann(method=pq)",
    "indexer",
    "compressed_selected_window(block=32, k=3, compress=8, window=32)",
    "gate_quantile",
    "dynamic_gate",
    "token_activation",
    "focus_aware",
    "linear",
]
# --max-error=1% promises this of every passage that calibration never saw.
AUTO_COSINE = 0.99


def file_name(pattern, length):
    word = "".join(letter if letter.isalnum() else "-" for letter in pattern).strip("-")
    return f"quality-{word.replace('--', '-')}-{length}"


def run_script(environment, command, request):
    """Runs passages.py; gives the objects it prints."""
    path = environment.work / f"passages-{command}.json"
    path.write_text(json.dumps(request))
    words, variables = environment.script("passages", command, path)
    done = subprocess.run(words, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise BenchError(f"passages.py {command} ended with status {done.returncode}:\n{done.stderr[-1500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def cut(environment, length, pairs, calibration):
    """Two archives: passages to judge by and passages to calibrate with."""
    judged = environment.work / f"passages-{length}-{pairs}.npz"
    calibrating = environment.work / f"calibration-{length}-{calibration}.npz"
    if not (judged.exists() and calibrating.exists()):
        request = {"length": length, "pairs": pairs, "calibration": calibration}
        request.update(texts=texts.read(environment), judged=str(judged), calibrating=str(calibrating))
        run_script(environment, "cut", request)
    return judged, calibrating


def compile_plan(environment, pattern, length, calibrating):
    """The plan, and what the compiler reports of its choice: of `auto` alone."""
    name = file_name(pattern, length)
    report = environment.plans / f"{name}.json"
    options = ["--target=host", "--quiet"]
    if pattern != "dense":
        options += [f"--attention={pattern}", f"--calibrate={calibrating}"]
    if pattern == AUTO:
        options += ["--max-error=1%", f"--report={report}"]
    plan = environment.compile(environment.model(MODEL), environment.plans / f"{name}.plan", *options)
    return plan, json.loads(report.read_text()) if report.exists() else {}


def pairs_kept(report):
    """The share of the pairs of dense attention that are read, over all layers and heads."""
    heads = [heads for layer in report["layers"] for heads in layer]
    return sum(h["count"] * h["pairs"] for h in heads) / sum(h["count"] for h in heads)


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    environment.ensure_models()
    results = Results(environment, "quality")
    verdicts = Verdicts(results)
    if arguments.what != "weights":
        run_attention(environment, arguments, results, verdicts)
    if arguments.what != "attention":
        from benchmarks import quality_quantized

        quality_quantized.run(environment, arguments, results, verdicts)
    return verdicts.exit_status()


def run_attention(environment, arguments, results, verdicts):
    pairs, calibration = (12, 2) if arguments.quick else (40, 6)
    lengths = arguments.lengths or (LENGTHS[:1] if arguments.quick else LENGTHS)
    chosen = [p for p in [*PATTERNS, AUTO] if arguments.only in p]
    for length in lengths:
        judged, calibrating = cut(environment, length, pairs, calibration)
        plans, reports = {}, {}
        for pattern in ["dense", *chosen]:
            try:
                plan, reports[pattern] = compile_plan(environment, pattern, length, calibrating)
                plans[pattern] = str(plan)
            except BenchError as error:
                print(error)
                verdicts.judge(f"{pattern}, {length} tokens", False, "does not compile", "a plan")
        request = {"library": str(environment.library), "threads": arguments.threads, "plans": plans}
        request.update(passages=str(judged), dense="dense")
        found = {figures["name"]: figures for figures in run_script(environment, "embed", request)}
        print(f"\nMiniLM-L6, {6 * pairs} passages of {length} tokens, mean of the tokens, beside dense attention")
        rows = []
        for pattern, figures in found.items():
            results.add("quality", length=length, **figures)
            ratio = found["dense"]["seconds"] / figures["seconds"]
            rows.append([pattern, f"{figures['cosine']:.4f}", f"{figures['worst']:.4f}"])
            rows[-1] += [f"{100 * figures['agreement']:.1f}%", f"{ratio:.2f}"]
        table(["attention", "cosine", "worst", "same nearest", "dense/time"], rows)
        print()
        for pattern, figures in found.items():
            if not figures["finite"]:
                verdicts.judge(f"{pattern}, {length} tokens", False, "not finite", "numbers")
        if AUTO in found:
            worst, kept = found[AUTO]["worst"], pairs_kept(reports[AUTO])
            text = f"cosine {worst:.4f} at worst, {100 * kept:.1f}% of the pairs kept"
            wanted = f"at least {AUTO_COSINE} of every passage"
            verdicts.judge(f"auto within 1%, {length} tokens", worst >= AUTO_COSINE, text, wanted)
