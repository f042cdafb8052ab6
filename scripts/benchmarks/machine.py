# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What machine this is and how fast it can multiply and add. Standard library only."""

import json
import os
import shutil
import subprocess

from benchmarks.environment import HERE, BenchError

# Those that decide which code any of the engines may run.
TELLING_FEATURES = (
    "avx2 fma avx_vnni avx512f avx512bw avx512_vnni avx512_bf16 avx512_fp16 amx_bf16 amx_int8 "
    "asimd asimddp bf16 i8mm sve"
).split()


def first_cpus(count):
    """The first `count` CPUs this process may use: every engine of a comparison is pinned to the same ones."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < count:
        raise BenchError(f"{count} threads wanted but only {len(cpus)} CPUs are allowed here; see --threads")
    return cpus[:count]


def describe():
    """{"cpu": model name, "features": those present of TELLING_FEATURES, "cpus": how many may be used, "load": of the
    last minute}"""
    name, flags = "unknown", set()
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = set(value.split())
    return {
        "cpu": name,
        "features": [f for f in TELLING_FEATURES if f in flags],
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }


class FmaPeak:
    """Measures the f32 multiply-add peak with fma_peak.cpp, which picks its vectors at run time."""

    def __init__(self, environment):
        source = HERE / "fma_peak.cpp"
        self.program = environment.work / "fma_peak"
        if self.program.exists() and self.program.stat().st_mtime > source.stat().st_mtime:
            return
        compiler = next(filter(None, map(shutil.which, ("clang++-22", "clang++", "g++", "c++"))), None)
        if not compiler:
            raise BenchError("no C++ compiler found for fma_peak.cpp; scripts/install-deps installs one")
        command = [compiler, "-std=c++20", "-O3", "-march=native", "-pthread", source, "-o", self.program]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"{compiler} cannot build fma_peak.cpp:\n{done.stderr}")

    def measure(self, threads, seconds):
        """{"isa": ..., "gflops": median of bursts, "best": ..., "bursts": ...}"""
        done = subprocess.run([self.program, str(threads), str(seconds)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"fma_peak failed: {done.stderr.strip()}")
        return json.loads(done.stdout)
