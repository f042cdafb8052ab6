# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoders from GGUF files and Hugging Face folders, compiled by `tamis compile` and run by `tamis run` with their cache,
against numpy."""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

import decoders
import gguf
import numpy as np

TAMIS = ""
Packing = gguf.GGMLQuantizationType
PACKINGS = [
    Packing.F16, Packing.BF16, Packing.Q4_0, Packing.Q4_1, Packing.Q5_0, Packing.Q5_1, Packing.Q8_0, Packing.Q2_K,
    Packing.Q3_K, Packing.Q4_K, Packing.Q5_K, Packing.Q6_K, Packing.IQ4_NL, Packing.MXFP4,
]  # fmt: skip


class DecoderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tamis(self, *words, code=0):
        result = subprocess.run([TAMIS, *map(str, words)], cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, f"{words}\n{result.stdout}{result.stderr}")
        return result

    def compile(self, model, name="model.plan"):
        self.tamis("compile", model, "-o", name, "-q", "--target=x86-64-v3", "--cache=contiguous")
        return self.folder / name

    def run_chunks(self, plan, shape, ids, chunks):
        """Logits of all tokens, read chunk by chunk with what earlier chunks gave; of several texts of one length."""
        ids = np.atleast_2d(ids)
        kv = shape.kv_heads * shape.head_width
        caches = {f"{part}.{n}": np.zeros((len(ids), 0, kv), "f4") for n in range(shape.layers) for part in ("keys", "values")}
        logits, at = [], 0
        for size in chunks:
            feeds = {"input_ids": ids[:, at : at + size], "logits_at": np.tile(np.arange(size), (len(ids), 1))}
            feeds.update({f"past_{name}": value for name, value in caches.items()})
            np.savez(self.folder / "in.npz", **feeds)
            words = [f"--input={name}=@in.npz" for name in feeds]
            self.tamis("run", plan, *words, "--output=out.npz")
            with np.load(self.folder / "out.npz") as out:
                logits.append(out["logits"])
                for name in caches:
                    caches[name] = np.concatenate([caches[name], out[name]], 1)
            at += size
        return np.concatenate(logits, 1)

    def compare(self, logits, expected):
        self.assertEqual(logits.shape, expected.shape)
        self.assertLess(np.abs(logits - expected).max(), 2e-4 * np.abs(expected).max())

    def test_shapes(self):
        """Every rule of the architectures; a whole prompt, chunks of several sizes, token by token."""
        for number, shape in enumerate(
            (
                decoders.Shape(),
                decoders.Shape(heads=2, kv_heads=2, head_width=32, tied=False, rope_freqs=True, layers=1),
                decoders.Shape(architecture="qwen2", bias=True, kv_heads=1),
                decoders.Shape(layers=24, width=32, heads=3, kv_heads=1, head_width=16, inner=32),
                decoders.Shape(architecture="qwen3", qk_norm=True, head_width=32, tied=False),
            )
        ):
            with self.subTest(shape):
                weights = decoders.random_weights(shape, number)
                decoders.write_gguf(self.folder / "model.gguf", shape, weights)
                plan = self.compile("model.gguf")
                ids = np.random.default_rng(number).integers(0, shape.vocabulary, (2, 20))
                expected = np.stack([decoders.logits_of(shape, weights, row) for row in ids])
                for chunks in ((20,), (1, 3, 16), (17, 1, 1, 1)):
                    self.compare(self.run_chunks(plan, shape, ids, chunks), expected)

    def test_packings(self):
        """Each packing in a matrix of its own."""
        shape = decoders.Shape(layers=2)
        weights = decoders.random_weights(shape, 7)
        matrices = [name for name, value in weights.items() if value.ndim == 2]
        packings = dict(zip(matrices, PACKINGS))
        self.assertEqual(len(packings), len(PACKINGS))
        kept = decoders.write_gguf(self.folder / "model.gguf", shape, weights, packings)
        for name in packings:
            self.assertGreater(np.abs(kept[name]).max(), 0)
        ids = np.arange(9) * 31 % shape.vocabulary
        plan, expected = self.compile("model.gguf"), decoders.logits_of(shape, kept, ids)
        for chunks in ((9,), (1, 2, 6)):
            self.compare(self.run_chunks(plan, shape, ids, chunks)[0], expected)

    def test_packed(self):
        """All matrices of one packing: layers are merged, the head shares the table, and nothing but norms is larger than in
        the file."""
        shape = decoders.Shape(layers=2)
        weights = decoders.random_weights(shape, 9)
        matrices = [name for name, value in weights.items() if value.ndim == 2]
        elements = sum(weights[name].size for name in matrices)
        rest = 4 * sum(value.size for value in weights.values()) - 4 * elements
        tables = 2 * 4 * shape.positions * shape.head_width // 2  # cosines and sines
        ids = np.arange(12) * 31 % shape.vocabulary
        for packing, bits in ((Packing.Q4_0, 4.5), (Packing.Q4_1, 5), (Packing.Q8_0, 8.5), (Packing.Q4_K, 6)):
            with self.subTest(packing):
                kept = decoders.write_gguf(self.folder / "model.gguf", shape, weights, dict.fromkeys(matrices, packing))
                plan, expected = self.compile("model.gguf"), decoders.logits_of(shape, kept, ids)
                for chunks in ((12,), (1, 3, 8)):
                    self.compare(self.run_chunks(plan, shape, ids, chunks)[0], expected)
                found = json.loads(self.tamis("inspect", "--json", plan).stdout)
                width = 8 if packing == Packing.Q8_0 else 4
                named = [d["kernel"] for d in found["dispatches"] if "linear" in d["kernel"] or d["kernel"].startswith("int")]
                self.assertTrue(all(name.startswith(f"int{width}_") for name in named), named)
                # Panels of 48 columns are filled up.
                padded = sum(-(-weights[name].shape[0] // 48) * 48 * weights[name].shape[1] for name in matrices)
                self.assertLess(found["memory"]["weight_bytes"], padded * bits / 8 + rest + tables + 4096)

    def test_folder(self):
        """The same model, in one file and in three, in f32 and in f16."""
        shape = decoders.Shape(architecture="qwen3", qk_norm=True, tied=False)
        weights = decoders.random_weights(shape, 3)
        ids = np.arange(11) * 17 % shape.vocabulary
        for number, (shards, element) in enumerate(((1, "f4"), (3, "f4"), (1, "f2"))):
            narrow = {name: value.astype(element) for name, value in weights.items()}
            folder = self.folder / f"folder{number}"
            decoders.write_folder(folder, shape, narrow, shards)
            logits = self.run_chunks(self.compile(folder), shape, ids, (11,))[0]
            self.compare(logits, decoders.logits_of(shape, narrow, ids))

    def test_yarn(self):
        """Rotary embeddings of a longer context, from both formats."""
        for number, yarn in enumerate(((4.0, 12, 32.0, 1.0), (2.5, 40, 3.0, 0.5))):
            shape = decoders.Shape(architecture="qwen2", bias=True, layers=1, yarn=yarn, base=10000.0)
            weights = decoders.random_weights(shape, number)
            ids = np.arange(33) * 7 % shape.vocabulary
            decoders.write_gguf(self.folder / f"yarn{number}.gguf", shape, weights)
            decoders.write_folder(self.folder / f"yarn{number}", shape, weights)
            expected = decoders.logits_of(shape, weights, ids)
            for model in (f"yarn{number}.gguf", f"yarn{number}"):
                self.compare(self.run_chunks(self.compile(model), shape, ids, (20, 13))[0], expected)

    def test_context_ends(self):
        shape = decoders.Shape(layers=1, positions=8)
        decoders.write_gguf(self.folder / "model.gguf", shape, decoders.random_weights(shape, 1))
        plan = self.compile("model.gguf")
        kv = shape.kv_heads * shape.head_width
        words = ["--input=input_ids=1x2xi64=3", "--input=logits_at=1x1xi64=1"]
        words += [f"--input=past_{part}.0=1x7x{kv}xf32=0" for part in ("keys", "values")]
        self.assertIn("index", self.tamis("run", plan, *words, code=1).stderr)

    def test_damaged(self):
        """Cut short anywhere, or with any byte changed: an error or a model, never a crash."""
        shape = decoders.Shape(layers=1, vocabulary=32)
        decoders.write_gguf(self.folder / "model.gguf", shape, decoders.random_weights(shape, 1), {"blk.0.attn_q.weight": Packing.Q4_0})
        whole = (self.folder / "model.gguf").read_bytes()
        header = whole.index(b"output_norm.weight") + 400
        pick = random.Random(5)
        damaged = [whole[: pick.randrange(header)] for _ in range(20)] + [whole[:-1], whole[: len(whole) // 2]]
        for _ in range(40):
            at = pick.randrange(header)
            damaged.append(whole[:at] + bytes([pick.randrange(256)]) + whole[at + 1 :])
            damaged.append(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        for number, data in enumerate(damaged):
            path = self.folder / "damaged.gguf"
            path.write_bytes(data)
            words = ["compile", path, "-o", "damaged.plan", "-q", "--compile-to=import"]
            result = subprocess.run([TAMIS, *map(str, words)], cwd=self.folder, capture_output=True, timeout=300)
            self.assertIn(result.returncode, (0, 1), f"damage {number}: {result.stderr}")
            if result.returncode:
                self.assertRegex(result.stderr, rb"error: .*damaged.gguf: ", f"damage {number}")

    def test_refused(self):
        """What is not supported is said, with what is."""
        shape = decoders.Shape(layers=1)
        weights = decoders.random_weights(shape, 1)
        for message, changed, missing in (
            ("architecture 'mamba' but llama, qwen2 and qwen3", decoders.Shape(architecture="mamba", layers=1), None),
            ("'blk.0.ffn_up.weight' is missing", shape, "blk.0.ffn_up.weight"),
            ("but tensor<128x256xf32> is wanted", decoders.Shape(layers=1, kv_heads=1, heads=2), None),
        ):
            kept = {name: value for name, value in weights.items() if name != missing}
            if "128x256" in message:
                kept = decoders.random_weights(changed, 1)
                kept["blk.0.attn_q.weight"] = kept["blk.0.attn_q.weight"][:64]
            decoders.write_gguf(self.folder / "bad.gguf", changed, kept)
            said = self.tamis("compile", "bad.gguf", "-o", "bad.plan", code=1).stderr
            self.assertIn(message, said)
            self.assertFalse((self.folder / "bad.plan").exists())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    options, rest = parser.parse_known_args()
    TAMIS = options.tamis
    unittest.main(argv=[sys.argv[0], *rest])
