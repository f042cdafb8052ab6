# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench emulator`: how fast the PTX interpreter is. Standard library only."""

import re
import subprocess
import time

from benchmarks import ptx
from benchmarks.environment import BenchError
from benchmarks.results import Results, Verdicts

KERNEL = "attention_f16_64"
UNCHECKED, CHECKED = 20, 5  # million warp instructions a second on one core
MODEL, MODEL_SECONDS = "minilm-l6", 30


def rate(environment, command, text, launches, rounds):
    """Million warp instructions a processor second, the best of some runs."""
    words = ptx.command_of(environment, command, text, KERNEL, launches[KERNEL], "--threads", 1, "--time")
    best = 0
    for _ in range(rounds):
        done = subprocess.run(words, capture_output=True, text=True)
        found = re.search(r"([\d.]+) million a second", done.stdout)
        if done.returncode or not found:
            raise BenchError(f"tamis-ptx {command}: {(done.stdout + done.stderr).strip()[-1500:]}")
        best = max(best, float(found[1]))
    return best


def run(environment, arguments):
    environment.require_build()
    environment.ensure_models()
    results = Results(environment, "emulator")
    verdicts = Verdicts(results)
    text, launches = ptx.emit(environment, "sm_80")
    rounds = 3 if arguments.quick else 9
    for command, wanted in (("run", UNCHECKED), ("check", CHECKED)):
        found = rate(environment, command, text, launches, rounds)
        results.add("rate", command=command, millions=found)
        what = "checks on" if command == "check" else "checks off"
        name = f"attention, {what}, warp instructions a second"
        verdicts.judge(name, found >= wanted, f"{found:.1f} M", f"at least {wanted} M")
    plan = environment.compile(environment.model(MODEL), environment.plans / "emulator.plan", "--target=cuda:sm_80")
    words = [environment.built("bin/tamis"), "run", plan, "--device=emulated"]
    words += [f"--input={name}=1x128xi64=1" for name in ("input_ids", "attention_mask")]
    words.append("--input=token_type_ids=1x128xi64=0")
    start = time.perf_counter()
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise BenchError(f"tamis run --device=emulated: {done.stderr.strip()[-1500:]}")
    results.add("model", seconds=seconds)
    name, wanted = "MiniLM-L6 at 1 x 128 with checks", f"under {MODEL_SECONDS} s"
    verdicts.judge(name, seconds < MODEL_SECONDS, f"{seconds:.1f} s", wanted)
    return verdicts.exit_status()
