# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The part of `scripts/bench quality` on integers: what quantized weights do to the embeddings of real text, beside ONNX
Runtime's dynamic quantization and, where their packages `nncf` and `ctranslate2` are installed, OpenVINO's and CTranslate2's."""

from benchmarks import quality
from benchmarks.environment import BenchError
from benchmarks.results import table

LENGTH = 256
ONNX = "minilm-l6-opset17.onnx"  # of the same weights, for ONNX Runtime
# Integers of 8 bits by their makers' own tools: the method of passages.py, its model, the file made, and whether it must be there.
PEERS = {
    "ONNX Runtime int8": ("dynamic", ONNX, "quality-onnxruntime-int8.onnx", True),
    "OpenVINO int8": ("nncf", ONNX, "quality-openvino-int8.xml", False),
    "CTranslate2 int8": ("ctranslate2", quality.MODEL, "quality-ctranslate2-int8", False),
}
# What `--weights` is, whether it is calibrated, and what must hold: cosines with the float model in the mean and at
# worst, the share of passages with the same nearest one, and the share of the float plan's bytes.
KINDS = {
    "int8": ("int8", True, {"cosine": 0.998, "worst": 0.99, "agreement": 0.99, "bytes": 0.27}),
    "int8, not calibrated": ("int8", False, {"cosine": 0.998, "worst": 0.99}),
    "int4, groups of 32": ("int4(group=32, asymmetric)", True, {"cosine": 0.99, "bytes": 0.16}),
}
WORDS = {"cosine": "cosine", "worst": "worst cosine", "agreement": "same nearest", "bytes": "bytes"}


def compile_plan(environment, kind, calibrating):
    options, name = ["--target=host", "--quiet"], "quality-float"
    if kind:
        weights, calibrated, _ = KINDS[kind]
        options += [f"--weights={weights}", *([f"--calibrate={calibrating}"] if calibrated else [])]
        name = quality.file_name(kind, calibrating.stem)
    return environment.compile(environment.model(quality.MODEL), environment.plans / f"{name}.plan", *options)


def peer_model(environment, peer, calibrating):
    """The peer's model; nothing where its package, which need not be there, is missing."""
    method, model, name, needed = PEERS[peer]
    made = environment.plans / name
    request = {"method": method, "model": str(environment.model(model)), "output": str(made), "passages": str(calibrating)}
    try:
        if not made.exists():
            quality.run_script(environment, "quantize", request)
    except BenchError as error:
        if needed or "ModuleNotFoundError" not in str(error):
            raise
        print(f"{peer}: left out, {method} is not installed")
        return None
    return made


def size_of(path):
    """Bytes of a model: a file, one of two files, or a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    return sum(file.stat().st_size for file in {path, path.with_suffix(".bin") if path.suffix == ".xml" else path})


def run(environment, arguments, results, verdicts):
    pairs, calibration = (12, 4) if arguments.quick else (84, 12)
    judged, calibrating = quality.cut(environment, LENGTH, pairs, calibration)
    plans = {"float": compile_plan(environment, None, calibrating)}
    for kind in KINDS:
        try:
            plans[kind] = compile_plan(environment, kind, calibrating)
        except BenchError as error:
            print(error)
            verdicts.judge(kind, False, "does not compile", "a plan")
    plans.update({peer: made for peer in PEERS if (made := peer_model(environment, peer, calibrating))})
    sizes = {name: size_of(path) for name, path in plans.items()}
    request = {"library": str(environment.library), "threads": arguments.threads, "passages": str(judged)}
    request.update(plans={name: str(path) for name, path in plans.items()}, dense="float")
    found = {figures["name"]: figures for figures in quality.run_script(environment, "embed", request)}
    print(f"\nMiniLM-L6, {6 * pairs} passages of {LENGTH} tokens, mean of the tokens, beside the float model")
    rows = []
    for name, figures in found.items():
        figures["bytes"] = sizes[name] / sizes["float"]
        results.add("quantized", length=LENGTH, passages=6 * pairs, **figures)
        rows.append([name, f"{figures['cosine']:.5f}", f"{figures['worst']:.5f}", f"{100 * figures['agreement']:.1f}%"])
        rows[-1].append(f"{100 * figures['bytes']:.1f}%")
    table(["weights", "cosine", "worst", "same nearest", "bytes"], rows)
    print()
    for kind, (_, _, bounds) in KINDS.items():
        for key, bound in bounds.items():
            if kind in found:
                value, is_most = found[kind][key], key == "bytes"
                wanted = f"at {'most' if is_most else 'least'} {bound}"
                holds = value <= bound if is_most else value >= bound
                verdicts.judge(f"{kind}: {WORDS[key]}", holds, f"{value:.5f}", wanted)
    for peer in PEERS:
        if "int8" in found and peer in found:
            mine, other = found["int8"]["cosine"], found[peer]["cosine"]
            verdicts.judge(f"int8: cosine, beside {peer}", mine >= other, f"{mine:.5f}", f"at least {other:.5f}")
