# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares plans with ONNX Runtime in f32, output by output. Runs in the benchmark environment.

    python -m benchmarks.accuracy REQUEST

REQUEST is a JSON file: {"library": libtamis.so, "threads": 2, "batches": [..], "lengths": [..],
"models": [{"name": ..., "plan": ..., "judge": ONNX file}]}. Prints one JSON object a case.
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime as ort

import tamis_ctypes

VOCABULARY = 30522


def make_feeds(batch, length):
    """Random ids, two segments a row, and rows of different lengths, padded: most on the right, every fourth on the
    left. The first row is full, so that the longest length is really reached."""
    random = np.random.default_rng([batch, length])
    kept = random.integers(1, length + 1, batch)
    kept[0] = length
    position = np.arange(length)
    mask = (position < kept[:, None]).astype(np.int64)
    mask[3::4] = mask[3::4, ::-1]
    ids = random.integers(1, VOCABULARY, (batch, length)) * mask
    types = (position >= random.integers(1, length + 1, batch)[:, None]) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def difference(ours, judge, mask):
    """The largest absolute difference over what is not padding. Outputs of [batch, length, ...] have padding."""
    if ours.shape != judge.shape or ours.dtype != judge.dtype:
        raise ValueError(f"{ours.dtype}{list(ours.shape)} where ONNX Runtime gives {judge.dtype}{list(judge.shape)}")
    if judge.shape[:2] == mask.shape:
        ours, judge = ours[mask > 0], judge[mask > 0]
    delta = np.abs(ours.astype(np.float64) - judge.astype(np.float64))
    return float("inf") if np.isnan(delta).any() else float(delta.max(initial=0))


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def compare(judge, context, batch, length):
    """{"differences": {output: largest}} or {"refused": why ONNX Runtime does not run these sizes}"""
    feeds = make_feeds(batch, length)
    names = [output.name for output in judge.get_outputs()]
    try:
        wanted = dict(zip(names, judge.run(names, {i.name: feeds[i.name] for i in judge.get_inputs()})))
    except Exception as error:  # its own exception types are not public
        return {"refused": str(error).splitlines()[0][:200]}
    found = context.run(feeds)
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"the plan lacks output {', '.join(missing)}")
    return {
        "differences": {name: difference(found[name], wanted[name], feeds["attention_mask"]) for name in names},
        "unjudged": [name for name in found if name not in wanted],
    }


def main():
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for model in request["models"]:
        judge = session(model["judge"], request["threads"])
        context = None
        for batch in request["batches"]:
            for length in request["lengths"]:
                case = {"model": model["name"], "batch": batch, "length": length}
                try:
                    if context is None:
                        plan = tamis_ctypes.Plan(request["library"], model["plan"])
                        context = tamis_ctypes.Context(plan, request["threads"])
                    case.update(compare(judge, context, batch, length))
                except (tamis_ctypes.TamisError, ValueError) as error:
                    case["error"] = str(error)
                print(json.dumps(case), flush=True)


if __name__ == "__main__":
    main()
