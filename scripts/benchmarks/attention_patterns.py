# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole patterns of sparse attention, as `tamis compile --attention=PATTERN` makes them: how long selecting takes beside
attending, how many pairs are multiplied, how far ahead of the dense peers that is, and what is kept of dense attention in a
trained model. Standard library only."""

import array
import json
import random
import subprocess

from benchmarks import attention_cases as cases
from benchmarks import quality
from benchmarks.environment import BenchError
from benchmarks.kernels import write_safetensors
from benchmarks.machine import first_cpus
from benchmarks.results import table

HEADS, SIZE, WIDTH = cases.HEADS, cases.SIZE, cases.WIDTH
# `text`: as on the command line. `pooled`: blocks, pages or key tokens are picked by blocks of queries. `most_pairs`: at a
# length, of one head. `ahead`: of the best dense peer. `weights`: of the pattern's own, random. `article`: what the articles
# give for it, on models and machines of theirs. `trained`: the same for texts of 256 tokens, where that differs.
PATTERNS = {
    "window": {"text": "window(size=512, sinks=4)", "trained": "window(size=64, sinks=4)"},
    "local_global": {
        "text": "local_global(block=64, key_tokens=2)",
        "pooled": True,
        "most_pairs": {1024: 100_000},
        "ahead": {16384: 15},
        "article": "100,000 of 1,048,576 products at 1024",
    },
    "block_top_k": {"text": "block_top_k(k=8)", "trained": "block_top_k(block=32, k=4)", "pooled": True},
    "block_top_k by mass": {"text": "block_top_k(mass=0.9)", "trained": "block_top_k(block=32, mass=0.9)", "pooled": True},
    "block_top_k, similarity": {
        "text": "block_top_k(k=8, similarity=0.1)",
        "trained": "block_top_k(block=32, k=4, similarity=0.1)",
        "pooled": True,
    },
    "antidiagonal": {
        "text": "antidiagonal(block=128, stride=16)",
        "trained": "antidiagonal(block=32, stride=8)",
        "pooled": True,
    },
    "page_bounds": {"text": "page_bounds(k=32, block=64)", "trained": "page_bounds(k=8)", "pooled": True},
    "vertical_slash": {"text": "vertical_slash(vertical=100, slash=800)", "causal": True, "pooled": True},
    "top_k": {"text": "top_k(k=32)"},
    "fraction": {"text": "fraction(share=0.3)", "article": "2.3 times as fast"},
    "ann, lsh": {"text": "ann(k=32)"},
    "ann, pq": {"text": "ann(k=32, method=pq)", "weights": {"codebook": [HEADS, 8, 16, SIZE // 8]}},
    "indexer": {
        "text": "indexer(k=32)",
        "weights": {"query": [WIDTH, 128], "key": [WIDTH, 32], "head": [WIDTH, 4]},
    },
    "compressed_selected_window": {
        "text": "compressed_selected_window(k=8, window=256)",
        "trained": "compressed_selected_window(block=32, k=3, compress=8, window=32)",
        "weights": {"gate": [WIDTH, 3 * HEADS], "bias": [3 * HEADS]},
    },
    "gate_quantile": {
        "text": "gate_quantile(quantile=0.7)",
        "weights": {"gate": [1, WIDTH]},
        "article": "60-80% fewer products",
    },
    "dynamic_gate": {"text": "dynamic_gate(mass=0.9)", "weights": {"gate": [1, WIDTH]}},
    "token_activation": {
        "text": "token_activation(share=0.15)",
        "weights": {"gate": [1, WIDTH]},
        "article": "12-15% of tokens active",
    },
    "focus_aware": {
        "text": "focus_aware(skip=0.63)",
        "weights": {"focus": [3, WIDTH], "bias": [1]},
        "article": "63% fewer products",
    },
    "linear": {"text": "linear"},
}
# Kernels that attend; all others of a plan select.
ATTENDS = ("sparse_attention", "attention", "attend_at", "linear_attention")
JUDGED_LENGTH, MOST_SELECTION = 16384, 0.2
LONGEST = 16384  # of all patterns; those that are judged at a length go beyond
TRAINED_LENGTH = 256


def profile(environment, plan, threads, repetitions):
    """The measurement of one number of threads as `tamis bench --json` prints it."""
    command = [environment.built("bin/tamis"), "bench", plan, "--json", "--profile", "--warmup", "1"]
    command += ["--threads", str(threads), "--repetitions", str(repetitions)]
    cpus = ",".join(map(str, first_cpus(threads)))
    done = subprocess.run(["taskset", "-c", cpus, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"tamis bench {plan.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)["measurements"][0]


def file_name(name):
    return name.replace(",", "").replace(" ", "-")


def write_weights(environment, name):
    """Weights of the pattern's own, normal and small as those of trained models; the option that names them."""
    wanted = PATTERNS[name].get("weights")
    if not wanted:
        return []
    source = random.Random(1)
    tensors = {}
    for weight, shape in wanted.items():
        count = 1
        for size in shape:
            count *= size
        tensors[f"attention.0.{weight}"] = (shape, array.array("f", (source.gauss(0, 0.05) for _ in range(count))))
    path = environment.work / "attention" / f"weights-{file_name(name)}.safetensors"
    write_safetensors(path, tensors, "F32")
    return [f"--attention-weights={path}"]


def measure(environment, name, length, threads, repetitions):
    """{"seconds", "selection": its share of them, "pairs": of one head, as the compiler counts them}"""
    pattern = PATTERNS[name]
    case = {"pattern": "causal" if pattern.get("causal") else "dense", "length": length}
    _, graph = cases.write(environment.work / "attention", f"{case['pattern']}-{length}", case)
    plan = environment.plans / f"attention-pattern-{file_name(name)}-{length}.plan"
    options = [f"--attention={pattern['text']}", *write_weights(environment, name)]
    environment.compile(graph, plan, "--target=host", *options)
    dispatches = profile(environment, plan, threads, repetitions)["dispatches"]
    attends = [dispatch for dispatch in dispatches if dispatch["name"].startswith(ATTENDS)]
    if not attends:
        raise BenchError(f"{plan.name} has no kernel that attends")
    seconds = sum(dispatch["median_seconds"] for dispatch in dispatches)
    attending = sum(dispatch["median_seconds"] for dispatch in attends)
    pairs = sum(dispatch["flops"] for dispatch in attends) / (4 * SIZE * HEADS)
    return {"seconds": seconds, "selection": 1 - attending / seconds, "pairs": int(pairs)}


def kept_by_a_model(environment):
    """What each pattern keeps of dense attention in MiniLM-L6, fitted to passages where it learns: {name: figures of the
    compiler's report}."""
    environment.ensure_models()
    _, passages = quality.cut(environment, TRAINED_LENGTH, 40, 6)
    texts = {name: pattern.get("trained", pattern["text"]) for name, pattern in PATTERNS.items()}
    report = environment.plans / "attention-patterns.json"
    candidates = ", ".join(texts.values())
    options = ["--attention=auto", f"--candidates={candidates}", f"--calibrate={passages}", f"--report={report}"]
    plan = environment.plans / "attention-patterns.plan"
    environment.compile(environment.model(quality.MODEL), plan, "--target=host", "--quiet", *options)
    tried = {candidate["pattern"]: candidate for candidate in json.loads(report.read_text())["candidates"]}
    return {name: tried[text] for name, text in texts.items()}


def print_kept(environment, results):
    kept = kept_by_a_model(environment)
    rows = []
    for name, figures in kept.items():
        pattern = PATTERNS[name]
        row = [name, pattern.get("trained", pattern["text"])]
        if "refused" in figures:
            row += ["", "", "", figures["refused"]]
        else:
            heads = [error for layer in figures["errors"] for error in layer]
            error = sum(heads) / len(heads)
            results.add("kept", pattern=name, kept=figures.get("kept"), mass=figures.get("mass"), error=error)
            shares = [f"{figures[word]:.1%}" if word in figures else "" for word in ("kept", "mass")]
            row += [*shares, f"{error:.3f}", pattern.get("article", "")]
        rows.append(row)
    print(f"\nMiniLM-L6, real text of {TRAINED_LENGTH} tokens, means over layers and heads, beside dense attention")
    table(["pattern", "as", "pairs kept", "mass kept", "relative L1", "article"], rows)


TOP_K = """!s = tensor<1x1x4096x4096xf32>
!i = !sattn.index<1 x 1 token, shape ["1", "1", "4096"], items "4096", capacity "32">
func.func @main(%s: !s {model.name = "s"}) -> (tensor<1x1x4096x33xi32> {model.name = "i"}) {
  %i = sattn.select #sattn.budget<count 32.0> %s queries "4096" keys "4096" : !s -> !i
  %t = sattn.store_index %i : !i -> tensor<1x1x4096x33xi32>
  return %t : tensor<1x1x4096x33xi32>
}
"""


def judge_exact_top_k(environment, results, verdicts):
    """The 32 best of 4096 random scores, exactly."""
    graph = environment.work / "attention" / "top-k.mlir"
    graph.parent.mkdir(parents=True, exist_ok=True)
    graph.write_text(TOP_K)
    plan = environment.compile(graph, environment.plans / "attention-top-k.plan", "--target=host")
    microseconds = profile(environment, plan, 1, 15)["median_seconds"] * 1e6 / 4096
    results.add("top_k", microseconds=microseconds)
    verdicts.judge("exact top-k of 4096 scores, a row", microseconds <= 5, f"{microseconds:.1f} us", "at most 5 us")


def lengths_of(name, lengths):
    return [length for length in lengths if length <= LONGEST or "ahead" in PATTERNS[name]]


def compare(environment, results, verdicts, threads, lengths, dense_peers, repetitions):
    """`dense_peers`: length -> seconds of the best peer's dense attention, where it was measured."""
    found = []
    for length in lengths:
        for name in PATTERNS:
            if length not in lengths_of(name, lengths):
                continue
            figures = measure(environment, name, length, threads, repetitions)
            peer = dense_peers.get(length)
            figures["ahead"] = peer / figures["seconds"] if peer else None
            results.add("pattern", pattern=name, length=length, threads=threads, **figures)
            found.append((name, length, figures))
    rows = [
        [
            f"{name}-{length}", threads, f"{figures['seconds'] * 1e3:.1f}", f"{figures['selection']:.1%}", figures["pairs"],
            f"{figures['pairs'] / length**2:.1%}", f"{figures['ahead']:.1f}" if figures["ahead"] else "",
            PATTERNS[name].get("article", ""),
        ]
        for name, length, figures in found
    ]  # fmt: skip
    print("\npatterns, selection included; pairs are those that may be multiplied at most")
    table(["pattern", "threads", "tamis ms", "selecting", "pairs a head", "of all", "times dense peer", "article"], rows)
    print()
    for name, length, figures in found:
        judge(verdicts, name, length, threads, figures)
    if threads == 1:
        judge_exact_top_k(environment, results, verdicts)
        print_kept(environment, results)


def judge(verdicts, name, length, threads, figures):
    pattern, what = PATTERNS[name], f"{name} at {length}, {threads} thread{'s' * (threads > 1)}"
    if length == JUDGED_LENGTH and pattern.get("pooled"):
        share = figures["selection"]
        verdicts.judge(f"{what}, selecting", share <= MOST_SELECTION, f"{share:.1%}", f"at most {MOST_SELECTION:.0%}")
    most = pattern.get("most_pairs", {}).get(length)
    if most and threads == 1:
        pairs = figures["pairs"]
        verdicts.judge(f"{name} at {length}, pairs of a head", pairs <= most, pairs, f"at most {most}")
    ahead = pattern.get("ahead", {}).get(length)
    if ahead and figures["ahead"]:
        times = figures["ahead"]
        verdicts.judge(f"{what}, times the best dense peer", times >= ahead, f"{times:.1f}", f"at least {ahead}")
