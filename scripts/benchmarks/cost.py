# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench cost`: what compiling, starting and holding MiniLM-L6 costs. Standard library only, and small: a
child's peak memory as the system counts it starts at that of its parent."""

import os
import shutil
import statistics
import struct
import subprocess
import time

from benchmarks.environment import BenchError
from benchmarks.machine import describe, first_cpus
from benchmarks.results import Results, Verdicts, table
from benchmarks.workers import Worker

COMPILE_SECONDS, COMPILE_MEMORY = 10, 3
START_MILLISECONDS, START_SIZE = 30, (1, 16)
LIBRARY_BYTES = 200_000
MEMORY_SIZE = (1, 128)

# name: the source, and the file in it that holds the weights.
SOURCES = {
    "Hugging Face folder": ("minilm-l6", "minilm-l6/model.safetensors"),
    "ONNX, opset 17": ("minilm-l6-opset17.onnx", "minilm-l6-opset17.onnx"),
    "ONNX, opset 18": ("minilm-l6-opset18.onnx", "minilm-l6-opset18.onnx"),
    "ONNX, opset 23": ("minilm-l6-opset23.onnx", "minilm-l6-opset23.onnx"),
}


def timed(command, cpus, log):
    """Runs `command` on `cpus`: (seconds from before the process exists to after its end, peak resident bytes)."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        with open(log, "w") as output:
            start = time.perf_counter()
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
    finally:
        os.sched_setaffinity(0, allowed)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(
            f"{' '.join(map(str, command))} failed with status {process.returncode}:\n"
            + log.read_text(errors="replace")[-1500:]
        )
    return seconds, usage.ru_maxrss * 1024


def measure_compile(environment, results, verdicts, rounds):
    tamis, log = environment.built("bin/tamis"), environment.work / "logs" / "cost-compile.log"
    rows = []
    for name, (source, weights) in SOURCES.items():
        plan = environment.plans / "cost.plan"
        command = [tamis, "compile", environment.model(source), "-o", plan]
        timed(command, first_cpus(1), log)  # brings the files into the page cache
        measured = [timed(command, first_cpus(1), log) for _ in range(rounds)]
        seconds = statistics.median(s for s, _ in measured)
        memory = max(m for _, m in measured)
        size = os.stat(environment.model(weights)).st_size
        results.add(
            "compile",
            source=name,
            seconds=[s for s, _ in measured],
            peak_bytes=memory,
            model_bytes=size,
            plan_bytes=os.stat(plan).st_size,
        )
        rows.append(
            [
                name,
                f"{seconds:.2f}",
                f"{memory / 1e6:.0f}",
                f"{size / 1e6:.1f}",
                f"{memory / size:.2f}",
                f"{os.stat(plan).st_size / 1e6:.1f}",
            ]
        )
        verdicts.judge(
            f"compile of MiniLM-L6, {name}: seconds on one core",
            seconds < COMPILE_SECONDS,
            f"{seconds:.2f}",
            f"under {COMPILE_SECONDS}",
        )
        verdicts.judge(
            f"compile of MiniLM-L6, {name}: peak memory over model file",
            memory < COMPILE_MEMORY * size,
            f"{memory / size:.2f}",
            f"under {COMPILE_MEMORY}",
        )
        plan.unlink()
    print()
    table(["compile from", "seconds", "peak MB", "model MB", "peak / model", "plan MB"], rows)
    print()


def write_npy(path, shape, values):
    """An i64 array in numpy's file format, version 1.0."""
    head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    head += " " * (-(10 + len(head) + 1) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(struct.pack(f"<{len(values)}q", *values))


def measure_start(environment, plan, results, verdicts, runs):
    """tamis-run from the start of its process to its end: load, run once, write the answer."""
    batch, length = START_SIZE
    inputs = environment.work / "inputs"
    inputs.mkdir(exist_ok=True)
    tokens = {"input_ids": lambda i: 1000 + 37 * i, "attention_mask": lambda i: 1, "token_type_ids": lambda i: 0}
    for name, value in tokens.items():
        write_npy(inputs / f"{name}.npy", (batch, length), [value(i) for i in range(batch * length)])
    command = [environment.built("bin/tamis-run"), plan, f"--output={inputs / 'answer.npz'}"]
    for name in tokens:
        command += ["--input", f"{name}=@{inputs / name}.npy"]
    log, rows = environment.work / "logs" / "cost-start.log", []
    for threads, options in (("default", []), ("1", ["--threads=1"])):
        for _ in range(3):
            timed(command + options, os.sched_getaffinity(0), log)
        measured = [timed(command + options, os.sched_getaffinity(0), log) for _ in range(runs)]
        milliseconds = sorted(s * 1e3 for s, _ in measured)
        memory = max(m for _, m in measured)
        median = statistics.median(milliseconds)
        results.add("start", threads=threads, milliseconds=milliseconds, peak_bytes=memory)
        rows.append(
            [threads, f"{median:.1f}", f"{milliseconds[0]:.1f}", f"{milliseconds[-1]:.1f}", f"{memory / 1e6:.0f}"]
        )
        if threads == "default":
            verdicts.judge(
                f"process start to first answer at {batch}x{length}, median of {runs}",
                median < START_MILLISECONDS,
                f"{median:.1f} ms",
                f"under {START_MILLISECONDS} ms",
            )
    print()
    table(["tamis-run, threads", "median ms", "least", "most", "peak MB"], rows)
    print()


def measure_library(environment, results, verdicts):
    strip = next(filter(None, map(shutil.which, ("strip", "llvm-strip-22", "llvm-strip"))), None)
    if not strip:
        raise BenchError("no strip found; scripts/install-deps installs one")
    stripped = environment.work / "libtamis-stripped.so"
    subprocess.run([strip, "--strip-all", "-o", stripped, environment.library.resolve()], check=True)
    size = os.stat(stripped).st_size
    results.add("library", bytes=size)
    verdicts.judge("runtime library, stripped", size < LIBRARY_BYTES, f"{size} bytes", f"under {LIBRARY_BYTES}")


def measure_memory(environment, plan, results, verdicts):
    """Resident memory after runs at one size, each engine in the same Python process but for itself."""
    batch, length = MEMORY_SIZE
    rows, resident = [], {}
    for name, engine, file in (
        ("tamis", "tamis", plan),
        ("ONNX Runtime", "onnxruntime", environment.model("minilm-l6-opset18.onnx")),
        ("ONNX Runtime, fused", "onnxruntime", environment.model("minilm-l6-fused.onnx")),
    ):
        worker = Worker(environment, engine, 1)
        try:
            rss = worker.ask(file=str(file), tokens=[batch, length], seconds=0.5)["rss"]
        finally:
            worker.close()
        resident[name] = rss["now"]
        results.add("memory", engine=name, batch=batch, length=length, kib=rss)
        rows.append([name, *(f"{rss.get(key, 0) / 1024:.0f}" for key in ("now", "anonymous", "file", "peak"))])
    ours = resident.pop("tamis")
    least = min(resident.values())
    verdicts.judge(
        f"resident memory of runs at {batch}x{length}, in Python with numpy",
        ours < least,
        f"{ours / 1024:.0f} MiB",
        f"under ONNX Runtime's {least / 1024:.0f} MiB",
    )
    print()
    table([f"at {batch}x{length}, 1 thread", "resident MiB", "anonymous", "of files", "peak"], rows)


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    environment.ensure_models()
    results = Results(environment, "cost")
    verdicts = Verdicts(results)
    machine = describe()
    results.add("machine", **machine)
    print(f"{machine['cpu']}, {machine['cpus']} CPUs")
    measure_compile(environment, results, verdicts, 1 if arguments.quick else 3)
    plan = environment.compile(environment.model("minilm-l6-opset18.onnx"), environment.plans / "speed-minilm-l6.plan")
    measure_start(environment, plan, results, verdicts, 7 if arguments.quick else 21)
    measure_library(environment, results, verdicts)
    measure_memory(environment, plan, results, verdicts)
    return verdicts.exit_status()
