# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench speed --precision`: MiniLM-L6 in bf16 and in integers against our own f32, and against ONNX Runtime and
OpenVINO in the same. Standard library only: what is timed runs in processes of its own."""

import math
import statistics
import sys

from benchmarks import quality
from benchmarks.environment import BenchError
from benchmarks.results import table
from benchmarks.workers import Workers, alternate, median_of_runs

SOURCE = "minilm-l6-opset18.onnx"
OURS = {"f32": [], "bf16": ["--precision=bf16"], "int8": ["--weights=int8"]}
# How ONNX Runtime's own tools make the peers' models, by engine: activations quantized as they come, and, since OpenVINO
# reads that alone, by constants (QDQ) that passages have set. OpenVINO rounds to bf16 by itself.
PEERS = {
    "onnxruntime": ("dynamic", "minilm-l6-opset17.onnx"),
    "openvino": ("static", "minilm-l6-opset17.onnx"),
    "openvino_bf16": (None, SOURCE),
}
# What has to hold: times our f32 is slower at least, the peers to be compared with, and how much slower these are.
WANTED = {"bf16": (1.7, ["openvino_bf16"], 1.0), "int8": (2.8, list(PEERS), 1.0)}
# Rounded numbers are not f32: this finds an engine that computes something else, not one that rounds badly. Of constants
# that set the units of all activations, far more is lost than of units that follow each row.
SAME = {"bf16": 0.995, "int8": 0.995, "onnxruntime": 0.95, "openvino": 0.5, "openvino_bf16": 0.99}


def cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def prepare(environment, quick):
    """name -> (engine, file); a peer that cannot be made is told of and left out."""
    _, calibrating = quality.cut(environment, 256, 12 if quick else 84, 4 if quick else 12)
    files = {}
    for name, options in OURS.items():
        plan = environment.plans / f"speed-{name}.plan"
        calibration = [f"--calibrate={calibrating}"] if name == "int8" else []
        words = ["--target=host", "--quiet", *options, *calibration]
        files[name] = ("tamis", str(environment.compile(environment.model(SOURCE), plan, *words)))
    for engine, (method, source) in PEERS.items():
        if not method:
            files[engine] = (engine, str(environment.model(source)))
            continue
        made = environment.plans / f"speed-{engine}-int8.onnx"
        try:
            if not made.exists():
                request = {"model": str(environment.model(source)), "output": str(made), "method": method}
                quality.run_script(environment, "quantize", {**request, "passages": str(calibrating)})
            files[engine] = (engine, str(made))
        except BenchError as error:
            print(f"{engine} is left out: {error}")
    return files


def compare(environment, results, files, threads, cases, rounds, burst):
    """Rows of the table, and by form ratios to our f32 and to the best of its peers, by size."""
    rows, own, others = [], {form: [] for form in WANTED}, {form: [] for form in WANTED}
    engines = {engine for engine, _ in files.values()}
    with Workers(environment, engines, threads) as workers:

        def ask(name, batch, length):
            engine, file = files[name]
            seconds = burst * (1 if batch * length < 4000 else 2)
            return workers[engine].ask(file=file, tokens=[batch, length], seconds=seconds)

        for name in [n for n in files if n not in OURS]:  # one that cannot run the model is told of once
            try:
                ask(name, 1, 8)  # a size apart: an engine gives samples of new ones alone
            except BenchError as error:
                print(f"{name} is left out: {str(error)[:400]}")
                fewer = {n: f for n, f in files.items() if n != name}
                return compare(environment, results, fewer, threads, cases, rounds, burst)
        for batch, length in cases:
            samples = {name: ask(name, batch, length)["sample"] for name in files}
            for name in [n for n in files if n != "f32"]:
                found = cosine(samples[name], samples["f32"])
                if not found >= SAME[name]:
                    raise BenchError(f"{batch}x{length}: {name} has a cosine of {found:.4f} with f32")
            actions = {name: lambda name=name: ask(name, batch, length) for name in files}
            median = {name: median_of_runs(replies) for name, replies in alternate(actions, rounds).items()}
            milliseconds = {name: value * 1e3 for name, value in median.items()}
            times = [f"{milliseconds[name]:.2f}" if name in median else "" for name in (*OURS, *PEERS)]
            ratios = []
            for form, (_, peers, _) in WANTED.items():
                own[form].append(median["f32"] / median[form])
                best = min((name for name in peers if name in median), key=median.get, default=None)
                if best:
                    others[form].append(median[best] / median[form])
                results.add(
                    "precision",
                    form=form,
                    threads=threads,
                    batch=batch,
                    length=length,
                    milliseconds=milliseconds,
                    ratio=own[form][-1],
                    peer_ratio=others[form][-1] if best else None,
                )
                ratios += [f"{own[form][-1]:.2f}", f"{others[form][-1]:.2f}" if best else ""]
            rows.append([f"{batch}x{length}", threads, *times, *ratios])
            shown = ", ".join(f"{form} {own[form][-1]:.2f}" for form in WANTED)
            print(f"  {batch}x{length}, {threads} threads, times f32: {shown}", file=sys.stderr, flush=True)
    return rows, own, others


def run(environment, arguments, results, verdicts, cases, rounds, burst):
    files = prepare(environment, arguments.quick)
    print(f"\nMiniLM-L6 in bf16 and in integers, {rounds} rounds, ms")
    rows, own, others = [], {form: [] for form in WANTED}, {form: [] for form in WANTED}
    for threads in arguments.threads:
        more, ratios, peer_ratios = compare(environment, results, files, threads, cases, rounds, burst)
        rows += more
        for form in WANTED:
            own[form] += ratios[form]
            others[form] += peer_ratios[form]
    names = [f"tamis {name}" for name in OURS] + [name if "_" in name else f"{name} int8" for name in PEERS]
    ratios = [word for form in WANTED for word in (f"f32 / {form}", f"peer / {form}")]
    table(["batch x length", "threads", *names, *ratios], rows)
    print()
    for form, (wanted, _, wanted_of_peers) in WANTED.items():
        mean = statistics.geometric_mean(own[form])
        what = f"{form}, geometric mean of f32's time over its"
        verdicts.judge(what, mean >= wanted, f"{mean:.3f}", f"at least {wanted}")
        if others[form]:
            mean = statistics.geometric_mean(others[form])
            what = f"{form}, geometric mean of the best peer's time over its"
            verdicts.judge(what, mean >= wanted_of_peers, f"{mean:.3f}", f"at least {wanted_of_peers}")
        else:
            verdicts.judge(f"{form}, beside its peers", False, "no peer could be made", "one at least")
