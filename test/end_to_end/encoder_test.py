# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles small encoders and compares what the plans compute with ONNX Runtime.

    encoder_test.py --tamis FILE SPELLING        SPELLING: one of encoders.py, or hugging_face

Every encoder is compiled twice, to equal bytes; the one plan then runs at all sizes, with padding on either side. Elements
of padding are not compared: no exporter promises anything about them.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

import encoders

TOLERANCE = 1e-4
# Widths below, at and beside those of vectors and tiles; heads of 8, 12 and 50.
SHAPES = [encoders.Shape(48, 4, 96), encoders.Shape(40, 5, 100, layers=1), encoders.Shape(50, 1, 33, layers=1)]
SIZES = [(1, 1), (1, 2), (2, 7), (3, 16), (1, 17), (4, 31), (2, 48), (8, 5), (1, 64), (5, 33), (2, 1)]

# Of the code in the plan: what the runtime picks, and the lowest level.
LEVELS = [(), ("--level", "x86-64-v3")]


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def random_inputs(random, shape, batch, length):
    """Ids, mask and segments. The first row is full; others are padded, every third on the left; with four rows or more
    the last keeps nothing at all, which must not disturb the others."""
    ids = random.integers(0, shape.vocabulary, (batch, length))
    mask = np.zeros((batch, length), np.int64)
    for row in range(batch):
        kept = length if row == 0 else int(random.integers(1, length + 1))
        if row % 3 == 2:
            mask[row, length - kept :] = 1
        else:
            mask[row, :kept] = 1
    if batch >= 4:
        mask[-1] = 0
    segments = np.where(np.arange(length) < random.integers(0, length + 1, (batch, 1)), 0, 1)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}


def difference(name, found, wanted, mask):
    """The largest absolute difference over what is not padding."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise SystemExit(f"{name}: found {found.dtype}{found.shape}, wanted {wanted.dtype}{wanted.shape}")
    keep = mask if wanted.ndim == 3 else mask.any(axis=1)
    gaps = np.abs(found.astype(np.float64) - wanted)[keep.astype(bool)]
    if np.isnan(gaps).any():
        raise SystemExit(f"{name}: NaN at {np.argwhere(np.isnan(found))[0]}")
    return gaps.max(initial=0)


class Case:
    """One encoder: what Tamis compiles, and the session that judges it."""

    def __init__(self, spelling, shape, seed, folder):
        weights = encoders.random_weights(shape, seed)
        exporter = encoders.SPELLINGS.get(spelling, encoders.ScriptBool)
        onnx_model = exporter(shape, weights).model().SerializeToString()
        self.shape = shape
        self.judge = onnxruntime.InferenceSession(onnx_model, providers=["CPUExecutionProvider"])
        self.symbols = exporter.dims
        if spelling == "hugging_face":
            self.model = folder / "encoder"
            encoders.save_hugging_face(shape, weights, self.model)
        else:
            self.model = folder / "encoder.onnx"
            self.model.write_bytes(onnx_model)

    def compile(self, tamis, plan):
        batch, length = self.symbols
        dims = ["--dim", f"{batch}=1..8", "--dim", f"{length}=1..{self.shape.positions}"]
        run(tamis, "compile", self.model, "-o", plan, *dims)
        again = plan.with_name("again.plan")
        run(tamis, "compile", self.model, "-o", again, "--threads=1", *dims)
        if plan.read_bytes() != again.read_bytes():
            raise SystemExit("two compilations of one model differ")

    def compare(self, tamis, plan, folder, feeds, *levels):
        names = [value.name for value in self.judge.get_inputs()]
        feeds = {name: feeds[name] for name in names}
        options = []
        for name, value in feeds.items():
            np.save(folder / f"{name}.npy", value)
            options += ["--input", f"{name}=@{folder / name}.npy"]
        results = folder / "results.npz"
        run(tamis, "run", plan, *options, *levels, "--output", results)
        wanted = dict(zip([value.name for value in self.judge.get_outputs()], self.judge.run(None, feeds)))
        with np.load(results) as found:
            missing = wanted.keys() - set(found.files)
            if missing:
                raise SystemExit(f"outputs {sorted(missing)} are missing; found {found.files}")
            return max(difference(name, found[name], wanted[name], feeds["attention_mask"]) for name in wanted)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    parser.add_argument("spelling", choices=[*encoders.SPELLINGS, "hugging_face"])
    arguments = parser.parse_args()
    random = np.random.default_rng(3)
    failures = 0
    for seed, shape in enumerate(SHAPES):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            case = Case(arguments.spelling, shape, seed, folder)
            plan = folder / "encoder.plan"
            case.compile(arguments.tamis, plan)
            for batch, length in SIZES:
                feeds = random_inputs(random, shape, batch, length)
                for level in LEVELS:
                    gap = case.compare(arguments.tamis, plan, folder, feeds, *level)
                    failures += not gap <= TOLERANCE
                    print(f"{shape.hidden} wide, {shape.heads} heads, {batch} x {length}: differs by {gap:.2e} {level}")
    if failures:
        print(f"{failures} answers differ by more than {TOLERANCE}")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
