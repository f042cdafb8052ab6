# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench differential`: random graphs, compiled and run, against the reference evaluator. Standard library only."""

import os
import re
import subprocess

from benchmarks.results import Results, Verdicts

CASES, QUICK_CASES = 1_000_000, 20_000
SEEDS_APART = 10_000_000  # more than any process takes


def run(environment, arguments):
    environment.require_build()
    program = environment.built("bin/differential")
    cases, processes = arguments.cases or (QUICK_CASES if arguments.quick else CASES), os.cpu_count() or 1
    print(f"{cases} runs of random graphs, {processes} processes, seeds from {arguments.seed} on")
    running = []
    for number in range(processes):
        words = [program, f"--cases={-(-cases // processes)}", f"--seed={arguments.seed + number * SEEDS_APART}"]
        running.append(subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    results = Results(environment, "differential")
    right, wrong = 0, []
    for process in running:
        text = process.communicate()[0]
        done = re.search(r"^(\d+) cases", text, re.MULTILINE)
        right += int(done[1]) if done else 0
        if process.returncode:
            wrong.append(text)
            print(text)
    results.add("cases", right=right, wrong=len(wrong), seed=arguments.seed)
    verdicts = Verdicts(results)
    verdicts.judge(f"{processes} processes", not wrong and right >= cases, f"{right} runs right, {len(wrong)} wrong",
                   f"{cases} right")  # fmt: skip
    return verdicts.exit_status()
