# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares the plans of `scripts/bench zoo` with ONNX Runtime. Runs in the benchmark environment.

    python -m benchmarks.zoo_judge LIBTAMIS

Reads lines "PLAN MODEL [MODEL]" from standard input and answers each by one JSON object: {"error": largest difference,
relative to the largest number of an output} or {"failed": why}. The second model, another spelling of the same weights,
judges where ONNX Runtime refuses the first, which "refused" then says.
"""

import json
import sys

import numpy as np
import onnxruntime as ort

import tamis_ctypes
from benchmarks.accuracy import session

SHAPES = [(1, 5), (3, 17), (2, 40)]  # batch, sequence
VOCABULARY = 98  # CLIP takes the largest id for the end of a text


def feeds(inputs, batch, length):
    """Random values for the inputs of an ONNX Runtime session; rows are padded on the right, all but the first."""
    random = np.random.default_rng([batch, length])
    kept = random.integers(2, length + 1, batch)
    kept[0] = length
    made = {}
    for one in inputs:
        sizes = {"batch": batch, "sequence": length}
        shape = [sizes[size] if isinstance(size, str) else size for size in one.shape]
        if one.name == "attention_mask":
            made[one.name] = (np.arange(length) < kept[:, None]).astype(np.int64)
        elif "int64" in one.type:
            made[one.name] = random.integers(3, VOCABULARY, shape)
        else:
            made[one.name] = random.standard_normal(shape).astype(np.float16 if "float16" in one.type else np.float32)
    return made


def compare(library, plan, model):
    judge = session(model, 1)
    context = tamis_ctypes.Context(tamis_ctypes.Plan(library, plan), 1)
    worst, seen = 0.0, set()
    names = [output.name for output in judge.get_outputs()]
    for batch, length in SHAPES:
        given = feeds(judge.get_inputs(), batch, length)
        found = context.run(given)
        for name, wanted in zip(names, judge.run(names, given)):
            ours = found[name]
            if ours.shape != wanted.shape or ours.dtype != wanted.dtype:
                found_type, wanted_type = (f"{x.dtype}{list(x.shape)}" for x in (ours, wanted))
                raise ValueError(f"{found_type} where ONNX Runtime gives {wanted_type}")
            seen.add(wanted.shape)
            mask = given.get("attention_mask")
            if mask is not None and wanted.shape[:2] == mask.shape:  # windows leave padding no key: nothing is promised
                ours, wanted = ours[mask > 0], wanted[mask > 0]
            delta = np.abs(ours.astype(np.float64) - wanted)
            error = float(delta.max(initial=0) / max(np.abs(wanted).max(initial=0), 1e-30))
            worst = float("inf") if np.isnan(delta).any() else max(worst, error)
    return {"error": worst, "shapes": len(seen)}


def answer(library, plan, models):
    refused = ""
    for model in models:
        try:
            return compare(library, plan, model) | ({"refused": refused} if refused else {})
        except (tamis_ctypes.TamisError, ValueError, KeyError) as error:
            return {"failed": str(error).splitlines()[0]}
        except Exception as error:  # ONNX Runtime's own exception types are not public
            refused = refused or str(error).splitlines()[0]
    return {"failed": "ONNX Runtime: " + refused}


def main():
    for line in sys.stdin:
        plan, *models = line.split()
        print(json.dumps(answer(sys.argv[1], plan, models)), flush=True)


if __name__ == "__main__":
    main()
