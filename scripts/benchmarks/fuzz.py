# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench fuzz`: libFuzzer on what reads files, under the sanitizers. Standard library only."""

import re
import shutil
import subprocess
import sys
import time

from benchmarks.environment import ROOT, BenchError, run_logged
from benchmarks.results import Results, Verdicts

TARGETS = ("onnx", "text", "safetensors", "plan", "ptx")
SECONDS, QUICK_SECONDS = 300, 20


def build(environment):
    """The tree of the preset `fuzz`."""
    log = environment.work / "logs" / "fuzz-build.log"
    run_logged("configuring", ["cmake", "--preset", "fuzz", "-S", ROOT], log)
    targets = [f"fuzz_{name}" for name in TARGETS]
    run_logged("building", ["cmake", "--build", ROOT / "build" / "fuzz", "--target", *targets], log)
    return ROOT / "build" / "fuzz"


def fuzz(tree, name, seconds, work):
    """Runs one target; gives its number of runs and the file of an input that it fell over, or None."""
    found, kept = work / "corpus", work / "crashes"
    for folder in (found, kept):
        folder.mkdir(parents=True, exist_ok=True)
    given = tree / "test/fuzz/plan" if name == "plan" else ROOT / "test/fuzz/corpus" / name
    words = [tree / "bin" / f"fuzz_{name}", f"-max_total_time={seconds}", f"-artifact_prefix={kept}/", "-timeout=60",
             "-rss_limit_mb=4096", "-print_final_stats=1", "-max_len=16384", found, given]
    log = work / "log"
    with open(log, "w") as output:
        process = subprocess.Popen(list(map(str, words)), stdout=output, stderr=subprocess.STDOUT)
        start = time.monotonic()
        while process.poll() is None:
            time.sleep(1)
            if sys.stderr.isatty():
                print(f"\r  {name} {time.monotonic() - start:4.0f} of {seconds} s", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    text = log.read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    fallen = re.search(r"Test unit written to (\S+)", text)
    if process.returncode and not fallen:
        raise BenchError(f"fuzz_{name} ended with {process.returncode}; see {log}")
    return int(runs[1]) if runs else 0, fallen[1] if fallen else None


def run(environment, arguments):
    tree = build(environment)
    results = Results(environment, "fuzz")
    verdicts = Verdicts(results)
    for name in TARGETS:
        work = environment.work / "fuzz" / name
        shutil.rmtree(work / "crashes", ignore_errors=True)
        runs, fallen = fuzz(tree, name, QUICK_SECONDS if arguments.quick else SECONDS, work)
        results.add("target", name=name, runs=runs, fallen=fallen)
        verdicts.judge(f"{name}, {runs} inputs", not fallen, fallen or "no crash", "no crash, hang or report")
    return verdicts.exit_status()
