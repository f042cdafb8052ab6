# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds the block of docs/how-to/bricks.md with each of its bricks, compiles it, and compares it with NumPy.

    bricks_test.py --source DIR        TAMIS names the program
"""

import argparse
import itertools
import json
import math
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import numpy

PAGE = "docs/how-to/bricks.md"
BLOCK = re.compile(r"<!-- block -->\n```mlir\n(.*?)```\n", re.DOTALL)
BRICK = re.compile(r"<!-- brick (\w+) (\w+) -->\n```mlir\n(.*?)```\n", re.DOTALL)
SHAPES = {"query": (32, 32), "key": (32, 32), "value": (32, 32), "up": (32, 64), "down": (64, 32), "scale": (32,), "bias": (32,)}
HEADS = 4


def softmax(scores):
    weights = numpy.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def split(x):
    return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)


def attention(keeps):
    """Softmax attention over the pairs that `keeps` of the scores, as a Boolean mask."""

    def run(q, k, v):
        scores = split(q) @ split(k).transpose(0, 1, 3, 2) * 0.35355339
        scores = numpy.where(keeps(scores), scores, -numpy.inf)
        return (softmax(scores) @ split(v)).transpose(0, 2, 1, 3).reshape(q.shape)

    return run


def distance(scores):
    length = scores.shape[-1]
    return numpy.arange(length)[None, :] - numpy.arange(length)[:, None]


def top(count):
    def keeps(scores):
        order = numpy.argsort(-scores, axis=-1, kind="stable")[..., :count]
        kept = numpy.zeros(scores.shape, bool)
        numpy.put_along_axis(kept, order, True, -1)
        return kept

    return keeps


def linear(q, k, v):
    def feature(x):
        return numpy.where(x > 0, x + 1, numpy.exp(x))

    weights = feature(split(q)) @ feature(split(k)).transpose(0, 1, 3, 2)
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ split(v)).transpose(0, 2, 1, 3).reshape(q.shape)


def layer(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / numpy.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


ATTENTION = {
    "standard": attention(lambda scores: numpy.full(scores.shape, True)),
    "causal": attention(lambda scores: numpy.broadcast_to(distance(scores) <= 0, scores.shape)),
    "window": attention(
        lambda scores: numpy.broadcast_to((abs(distance(scores)) < 3) | (numpy.arange(scores.shape[-1]) < 1), scores.shape)
    ),
    "top_k": attention(top(2)),
    "linear": linear,
}
NORM = {
    "layer": lambda x, w: layer(x) * w["scale"] + w["bias"],
    "rms": lambda x, w: x / numpy.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * w["scale"],
    "group": lambda x, w: layer(x.reshape(*x.shape[:2], 4, 8)).reshape(x.shape) * w["scale"] + w["bias"],
}
ACTIVATION = {
    "gelu": numpy.vectorize(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    "gelu_tanh": lambda x: x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "silu": lambda x: x * sigmoid(x),
    "relu": lambda x: numpy.maximum(x, 0),
    "relu2": lambda x: numpy.maximum(x, 0) ** 2,
    "mish": lambda x: x * numpy.tanh(numpy.log1p(numpy.exp(x))),
}
KINDS = {"attention": ATTENTION, "norm": NORM, "activation": ACTIVATION}


def safetensors(tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        content = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def run(*words):
    done = subprocess.run([os.environ["TAMIS"], *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"tamis {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def chosen(bricks):
    """The first of each kind together, then each other brick in its place, then the last of each."""
    first = {kind: next(iter(of)) for kind, of in bricks.items()}
    yield first
    for kind, of in bricks.items():
        for name in itertools.islice(of, 1, None):
            yield {**first, kind: name}
    yield {kind: list(of)[-1] for kind, of in bricks.items()}


def check(block, bricks, names, weights, folder):
    text = block
    for kind, name in names.items():
        text = text.replace(f"  {kind.upper()}\n", bricks[kind][name])
    (folder / "block.mlir").write_text(text)
    (folder / "block.safetensors").write_bytes(safetensors(weights))
    run("compile", folder / "block.mlir", "-o", folder / "block.plan", "--target=host", "-q")
    for batch, length in ((1, 1), (2, 19)):
        x = numpy.random.default_rng(length).standard_normal((batch, length, 32)).astype("f4")
        numpy.save(folder / "x.npy", x)
        run("run", folder / "block.plan", f"--input=x=@{folder}/x.npy", f"--output=y=@{folder}/y.npy")
        wide = x.astype("f8")
        attended = ATTENTION[names["attention"]](*(wide @ weights[name] for name in ("query", "key", "value")))
        normed = NORM[names["norm"]](attended + wide, weights)
        right = ACTIVATION[names["activation"]](normed @ weights["up"]) @ weights["down"]
        found = numpy.load(folder / "y.npy")
        error = abs(found - right).max() / abs(right).max()
        print(f"{' '.join(names.values()):30} {batch} x {length:2}  {error:.1e}", flush=True)
        if not error < 2e-5:
            raise SystemExit(f"{PAGE}: {names} departs from NumPy by {error}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    page = (parser.parse_args().source / PAGE).read_text()
    block = BLOCK.search(page)[1]
    bricks = {kind: {} for kind in KINDS}
    for kind, name, text in BRICK.findall(page):
        bricks[kind][name] = text
    for kind, of in KINDS.items():
        if set(of) != set(bricks[kind]):
            raise SystemExit(f"{PAGE} has the bricks {sorted(bricks[kind])} of {kind}, the test knows {sorted(of)}")
    random = numpy.random.default_rng(1)
    weights = {name: (random.standard_normal(shape) * 0.3).astype("f4") for name, shape in SHAPES.items()}
    with tempfile.TemporaryDirectory(prefix="tamis-test-") as folder:
        for names in chosen(bricks):
            check(block, bricks, names, weights, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
