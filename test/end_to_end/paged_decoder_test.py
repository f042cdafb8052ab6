# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoders that keep keys and values in pages, run through the runtime's C API: several texts of different lengths in one
run, prompts in chunks beside single tokens, against numpy text by text."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

import decoders
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts"))
import tamis_ctypes  # noqa: E402

TAMIS = ""


class Pages:
    """The pool of a plan, and texts whose pages are taken from it in random order."""

    def __init__(self, plan, page, count, random):
        self.page, self.free = page, list(random.permutation(count))
        self.pools = {}
        for info in plan.inputs:
            if info.name.split(".")[0] in ("keys", "values", "key_scales", "value_scales", "key_bounds"):
                # Slots that no token has may hold anything.
                self.pools[info.name] = np.zeros((count, *info.dims[1:]), info.element_type)
                if info.element_type == np.float32:
                    self.pools[info.name][:] = np.nan
        self.table, self.lengths = [], []

    def open(self):
        self.table.append([])
        self.lengths.append(0)
        return len(self.table) - 1

    def feeds(self, jobs):
        """Inputs of a run that appends `ids` to each text, and logits of all of them."""
        ids, positions, texts = [], [], []
        for row, (text, new) in enumerate(jobs):
            ids += list(new)
            positions += range(self.lengths[text], self.lengths[text] + len(new))
            texts += [row] * len(new)
            self.lengths[text] += len(new)
            while len(self.table[text]) * self.page < self.lengths[text]:
                self.table[text].append(self.free.pop())
        places = max(len(self.table[text]) for text, _ in jobs)
        table = np.full((len(jobs), places), -1, np.int32)
        for row, (text, _) in enumerate(jobs):
            table[row, : len(self.table[text])] = self.table[text]
        feeds = {"input_ids": np.array(ids), "positions": np.array(positions, np.int32), "texts": np.array(texts, np.int32)}
        return {**feeds, "page_table": table, "logits_at": np.arange(len(ids)), **self.pools}


class PagedDecoderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tamis(self, *words, code=0):
        result = subprocess.run([TAMIS, *map(str, words)], cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, f"{words}\n{result.stdout}{result.stderr}")
        return result

    def plan(self, shape, seed, cache, *words):
        weights = decoders.random_weights(shape, seed)
        decoders.write_gguf(self.folder / "model.gguf", shape, weights)
        self.tamis("compile", "model.gguf", "-o", "model.plan", "-q", "--target=host", f"--cache={cache}", *words)
        library = pathlib.Path(TAMIS).parents[1] / "lib" / "libtamis.so"
        return weights, tamis_ctypes.Plan(str(library), self.folder / "model.plan")

    def test_ragged(self):
        """Random texts grow by random amounts, some of them in each run; every token's logits are those of its text alone."""
        for number, (shape, cache, page, threads) in enumerate(
            (
                (decoders.Shape(), "f32(page=16)", 16, 1),
                (decoders.Shape(architecture="qwen2", bias=True, kv_heads=1), "f32(page=32)", 32, 2),
                (decoders.Shape(architecture="qwen3", qk_norm=True, head_width=32, tied=False), "f32", 64, 2),
                (decoders.Shape(heads=2, kv_heads=2, head_width=32, tied=False, rope_freqs=True, layers=1), "f32(page=16)", 16, 2),
                (decoders.Shape(), "int8(page=16)", 16, 2),
                (decoders.Shape(layers=3, kv_heads=1), "int8", 64, 1),
            )
        ):
            with self.subTest(shape=shape, cache=cache):
                random = np.random.default_rng(number)
                weights, plan = self.plan(shape, number, cache)
                pages = Pages(plan, page, 16 if page < 64 else 6, random)
                context = tamis_ctypes.Context(plan, threads)
                texts = [random.integers(0, shape.vocabulary, shape.positions) for _ in range(4)]
                wanted = [decoders.logits_of(shape, weights, text) for text in texts]
                for _ in texts:
                    pages.open()
                limit = 4e-2 if cache.startswith("int8") else 2e-4
                for _ in range(14):
                    jobs = []
                    for text in random.permutation(4):
                        begin = pages.lengths[text]
                        count = min(int(random.choice([0, 1, 1, 2, 7, 17])), shape.positions - begin)
                        if count:
                            jobs.append((text, texts[text][begin : begin + count]))
                    if not jobs:
                        continue
                    expected = np.concatenate([wanted[t][pages.lengths[t] : pages.lengths[t] + len(new)] for t, new in jobs])
                    logits = context.run(pages.feeds(jobs))["logits"]
                    self.assertEqual(logits.shape, expected.shape)
                    self.assertLess(np.abs(logits - expected).max(), limit * np.abs(expected).max())

    def test_selected_pages(self):
        """Single tokens of long texts read some pages: as many as there are, and all tokens are those of dense attention; fewer,
        and what differs is what they read. Prompts, dense layers and short texts are dense."""
        shape = decoders.Shape(positions=192)
        random = np.random.default_rng(5)
        text = random.integers(0, shape.vocabulary, shape.positions)
        for words, page, near, far in (
            (["page_bounds(pages=12,dense_layers=0)"], 16, 192, 192),
            (["page_bounds(pages=4,dense_layers=2)"], 16, 192, 192),
            (["page_bounds(pages=4, dense_layers=0)"], 16, 65, 192),
        ):
            weights, plan = self.plan(shape, 3, f"f32(page={page})", f"--decode-attention={words[0]}")
            wanted = decoders.logits_of(shape, weights, text)
            pages, context = Pages(plan, page, 16, random), tamis_ctypes.Context(plan, 2)
            pages.open()
            first = pages.feeds([(0, text[:60])])
            found = [context.run(first)["logits"]]
            found += [context.run(pages.feeds([(0, [token])]))["logits"] for token in text[60:]]
            errors = np.abs(np.concatenate(found) - wanted).max(-1) / np.abs(wanted).max()
            self.assertLess(errors[: near - 1].max(), 2e-4, words)
            self.assertEqual(bool(errors.max() > 1e-2), near < far, words)

    def test_pages_are_checked(self):
        shape = decoders.Shape(layers=1)
        _, plan = self.plan(shape, 1, "f32(page=16)")
        context = tamis_ctypes.Context(plan, 1)
        for name, value in (("page_table", 9), ("page_table", -1), ("texts", 1), ("texts", -1), ("positions", 16), ("positions", -1)):
            pages = Pages(plan, 16, 3, np.random.default_rng(0))
            pages.open()
            feeds = pages.feeds([(0, [1, 2, 3])])
            feeds[name].flat[-1] = value
            with self.assertRaisesRegex(tamis_ctypes.TamisError, "INDEX_OUT_OF_RANGE"):
                context.run(feeds)
        pages = Pages(plan, 16, 3, np.random.default_rng(0))
        pages.open()
        feeds = pages.feeds([(0, [1, 2, 3])])
        feeds["values.0"] = feeds["keys.0"].reshape(feeds["values.0"].shape)
        with self.assertRaisesRegex(tamis_ctypes.TamisError, "overlaps the memory of input"):
            context.run(feeds)

    def test_refused(self):
        shape = decoders.Shape(layers=1)
        decoders.write_gguf(self.folder / "model.gguf", shape, decoders.random_weights(shape, 1))
        for words, said in (
            (["--cache=f16"], "found 'f16' but contiguous, f32 or int8 is wanted"),
            (["--cache=f32(page=20)"], "a multiple of 16 up to 1024"),
            (["--cache=f32", "--attention=window(size=8)"], "does not go with --attention=window"),
            (["--cache=int8", "--target=cuda:sm_80"], "is for CPUs"),
            (["--dim", "places=1..9"], "3 pages of 16"),
            (["--decode-attention=page_bounds(pages=2)"], "of 4 pages or more"),
            (["--decode-attention=window"], "dense or page_bounds(pages=N) is wanted"),
            (["--decode-attention=page_bounds(pages=8)", "--cache=contiguous"], "a contiguous one has none"),
        ):
            if "places" in words[-1]:
                words.append("--cache=f32(page=16)")
            result = subprocess.run(
                [TAMIS, "compile", "model.gguf", "-o", "bad.plan", *words], cwd=self.folder, capture_output=True, text=True, timeout=300
            )
            self.assertNotEqual(result.returncode, 0, words)
            self.assertIn(said, result.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    options, rest = parser.parse_known_args()
    TAMIS = options.tamis
    unittest.main(argv=[sys.argv[0], *rest])
