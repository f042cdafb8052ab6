# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles small decoders with a cache, in each spelling, and compares what the plans compute with ONNX Runtime: a prompt,
then tokens with the cache that the plan itself gave, at several sizes from one plan.

    cached_decoder_test.py --tamis FILE [SPELLING]
"""

import argparse
import pathlib
import tempfile

import cached_decoders
import numpy as np
import onnx
import onnxruntime
from group_query_test import run

TOLERANCE = 1e-4
CHUNKS = [[5, 1, 1], [1, 3, 2], [17, 4]]


def compare(tamis, plan, session, shape, spelling, batch, chunks, folder):
    random = np.random.default_rng(batch)
    inputs, outputs = ([one.name for one in group] for group in (session.get_inputs(), session.get_outputs()))
    empty = np.zeros((batch, shape.kv_heads, 0, shape.width), np.float32)
    feeds = {name: empty for name in inputs if name.startswith("past")}
    at, mask = 0, np.zeros((batch, 0), np.int64)
    for chunk in chunks:
        # Some tokens are padding: not the first, which leaves every query a key, and none where a chunk is appended by lengths.
        kept = np.ones((batch, chunk), np.int64)
        if spelling != "genai":
            kept[1:, 1:] = random.integers(0, 2, (batch - 1, chunk - 1))
        mask = np.concatenate([mask, kept], 1)
        feeds |= {"input_ids": random.integers(0, shape.vocabulary, (batch, chunk)), "attention_mask": mask}
        if "position_ids" in inputs:
            feeds["position_ids"] = np.tile(np.arange(at, at + chunk), (batch, 1))
        wanted = session.run(outputs, feeds)
        np.savez(folder / "in.npz", **feeds)
        words = [f"--input={name}=@{folder}/in.npz" for name in feeds]
        run(tamis, "run", plan, *words, f"--output={folder}/out.npz")
        with np.load(folder / "out.npz") as ours:
            for name, value in zip(outputs, wanted):
                if ours[name].shape != value.shape:
                    raise SystemExit(f"{spelling}: {name} is {ours[name].shape} but {value.shape} is wanted")
                error = np.abs(ours[name] - value).max() / np.abs(value).max()
                if not error < TOLERANCE:
                    raise SystemExit(f"{spelling}: {name} differs by {error:.3g} at {batch} x {chunk} after {at} tokens")
            feeds |= {name.replace("present", "past_key_values"): ours[name] for name in outputs[1:]}
        at += chunk


def check(tamis, spelling, shape, folder):
    model = cached_decoders.SPELLINGS[spelling](shape, cached_decoders.random_weights(shape, 3)).model()
    path, plan = folder / "model.onnx", folder / "model.plan"
    onnx.save(model, path)
    run(tamis, "compile", path, "-o", plan, "-q", "--target=host", "--dim", "past_sequence_length=0..64",
        f"--dump-phases={folder}")  # fmt: skip
    text = next(folder.glob("model.*.graph.mlir")).read_text()
    if text.count("model.attention ") != shape.layers or "model.softmax" in text:
        raise SystemExit(f"{spelling}: wanted are {shape.layers} attentions and no softmax:\n{text}")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch, chunks in enumerate(CHUNKS, 1):
        if spelling == "genai" and batch > 1:  # ONNX Runtime appends several tokens in a batch of one alone
            chunks = [chunks[0]] + [1] * 3
        compare(tamis, plan, session, shape, spelling, batch, chunks, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("spellings", nargs="*", metavar="SPELLING")
    arguments = parser.parse_args()
    shapes = [cached_decoders.Shape(), cached_decoders.Shape(40, 3, 1, 32, 33, 1)]
    for spelling in arguments.spellings or cached_decoders.SPELLINGS:
        for shape in shapes:
            with tempfile.TemporaryDirectory() as folder:
                check(arguments.tamis, spelling, shape, pathlib.Path(folder))
        print(f"{spelling}: as ONNX Runtime")


if __name__ == "__main__":
    main()
