# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole patterns of sparse attention, as `tamis compile --attention=PATTERN` makes them: how long selecting takes beside
attending, how many pairs are multiplied, and how far ahead of the dense peers that is. Standard library only."""

import json
import subprocess

from benchmarks import attention_cases as cases
from benchmarks.environment import BenchError
from benchmarks.machine import first_cpus
from benchmarks.results import table

# Pooled patterns: blocks or key tokens are picked by means of blocks. `most_pairs`: at a length, of one head.
PATTERNS = {
    "local_global": {
        "text": "local_global(block=64, key_tokens=2)",
        "most_pairs": {1024: 100_000},
        "ahead": {16384: 15},
    },
    "block_top_k": {"text": "block_top_k(k=8)"},
}
ATTENDS = "sparse_attention"  # the kernel that attends, all others of the plan select
JUDGED_LENGTH, MOST_SELECTION = 16384, 0.2


def profile(environment, plan, threads, repetitions):
    """The measurement of one number of threads as `tamis bench --json` prints it."""
    command = [environment.built("bin/tamis"), "bench", plan, "--json", "--profile", "--warmup", "1"]
    command += ["--threads", str(threads), "--repetitions", str(repetitions)]
    cpus = ",".join(map(str, first_cpus(threads)))
    done = subprocess.run(["taskset", "-c", cpus, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"tamis bench {plan.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)["measurements"][0]


def measure(environment, name, length, threads, repetitions):
    """{"seconds", "selection": its share of them, "pairs": of one head, as the compiler counts them}"""
    _, graph = cases.write(environment.work / "attention", f"dense-{length}", {"pattern": "dense", "length": length})
    plan = environment.plans / f"attention-pattern-{name}-{length}.plan"
    environment.compile(graph, plan, "--target=host", f"--attention={PATTERNS[name]['text']}")
    dispatches = profile(environment, plan, threads, repetitions)["dispatches"]
    attends = [dispatch for dispatch in dispatches if dispatch["name"].startswith(ATTENDS)]
    if len(attends) != 1:
        raise BenchError(f"{plan.name} has {len(attends)} kernels {ATTENDS} but one is wanted")
    seconds = sum(dispatch["median_seconds"] for dispatch in dispatches)
    pairs = attends[0]["flops"] / (4 * cases.SIZE * cases.HEADS)
    return {"seconds": seconds, "selection": 1 - attends[0]["median_seconds"] / seconds, "pairs": int(pairs)}


def compare(environment, results, verdicts, threads, lengths, dense_peers, repetitions):
    """`dense_peers`: length -> seconds of the best peer's dense attention, where it was measured."""
    found = []
    for length in lengths:
        for name in PATTERNS:
            figures = measure(environment, name, length, threads, repetitions)
            peer = dense_peers.get(length)
            figures["ahead"] = peer / figures["seconds"] if peer else None
            results.add("pattern", pattern=name, length=length, threads=threads, **figures)
            found.append((name, length, figures))
    rows = [
        [
            f"{name}-{length}", threads, f"{figures['seconds'] * 1e3:.1f}", f"{figures['selection']:.1%}", figures["pairs"],
            f"{figures['pairs'] / length**2:.1%}", f"{figures['ahead']:.1f}" if figures["ahead"] else "",
        ]
        for name, length, figures in found
    ]  # fmt: skip
    print("\npatterns, selection included")
    table(["pattern", "threads", "tamis ms", "selecting", "pairs a head", "of all", "times dense peer"], rows)
    print()
    for name, length, figures in found:
        judge(verdicts, name, length, threads, figures)


def judge(verdicts, name, length, threads, figures):
    pattern, what = PATTERNS[name], f"{name} at {length}, {threads} thread{'s' * (threads > 1)}"
    if length == JUDGED_LENGTH:
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
