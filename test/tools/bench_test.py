# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis bench: what it prints, as text and JSON. Times themselves are not tested."""

import json
import sys
import unittest
from pathlib import Path

from command import CommandTest

sys.path.insert(0, str(Path(__file__).parents[1] / "end_to_end"))
import decoders  # noqa: E402


class Bench(CommandTest):
    def test_text(self):
        plan = self.small_plan()
        text = self.tamis("bench", plan, "--dim=batch=2", "--repetitions=7", "--threads=1,2", "--profile").stdout
        lines = text.splitlines()
        self.assertEqual(lines[0], "model.mlir at batch=2 sequence=64")
        self.assertEqual(lines[1].split(), ["threads", "median", "p10", "p90", "minimum", "runs"])
        self.assertRegex(lines[2], r"^ +1( +[\d.]+ (ns|us|ms|s)){4} +7$")
        self.assertRegex(lines[3], r"^ +2( +[\d.]+ (ns|us|ms|s)){4} +7$")
        self.assertIn("dispatches, 1 thread, medians", text)
        self.assertIn("dispatches, 2 threads, medians", text)
        self.assertRegex(text, r"(?m)^ +2 +[\d.]+ \ws +[\d.]+% +[\d.]+ +[\d.]+ +\d+ +linear_add_40x24 +/layer\.0/down$")

    def test_json(self):
        plan = self.small_plan()
        words = ["--dim=batch=2", "--dim=sequence=9", "--repetitions=5", "--threads=1,2", "--profile", "--json"]
        result = self.tamis("bench", plan, *words)
        self.assertEqual(result.stderr, "", "quiet in a pipe")
        found = json.loads(result.stdout)
        self.assertEqual(found["sizes"], {"batch": 2, "sequence": 9})
        self.assertEqual([m["threads"] for m in found["measurements"]], [1, 2])
        for measured in found["measurements"]:
            self.assertEqual(measured["runs"], 5)
            times = [measured[f"{name}_seconds"] for name in ("minimum", "p10", "median", "p90")]
            self.assertEqual(times, sorted(times))
            self.assertGreater(times[0], 0)
            self.assertEqual(len(measured["dispatches"]), 7)
            up = measured["dispatches"][1]
            self.assertEqual(up["sources"], ["/layer.0/up", "/layer.0/gelu"])
            self.assertGreaterEqual(up["flops"], 2 * 2 * 9 * 24 * 40)

    def test_given_inputs(self):
        plan = self.small_plan()
        result = self.tamis("bench", plan, "--input=ids=3x4xi64=5", "--repetitions=1", "--json")
        self.assertEqual(json.loads(result.stdout)["sizes"], {"batch": 3, "sequence": 4})

    def test_repeats_for_a_second(self):
        found = json.loads(self.tamis("bench", self.small_plan(), "--json", "--threads=1").stdout)
        self.assertGreaterEqual(found["measurements"][0]["runs"], 10)

    def test_language_model(self):
        """Rates as llama-bench names them, unless runs of the plan are asked for."""
        shape = decoders.Shape(layers=1, positions=96)
        decoders.write_gguf(self.folder / "model.gguf", shape, decoders.random_weights(shape, 1))
        for cache in ("f32", "contiguous"):
            self.tamis("compile", "model.gguf", "-o", f"{cache}.plan", "-q", "--target=x86-64-v3", f"--cache={cache}")
            self.check_rates(f"{cache}.plan")
        plain = ["--dim=sequence=3", "--dim=past=0", "--dim=kept=1", "--input=logits_at=1x1xi64=0", "--repetitions=1", "--json"]
        self.assertEqual(json.loads(self.tamis("bench", "contiguous.plan", *plain).stdout)["sizes"]["sequence"], 3)
        self.assertIn("tokens do not fit", self.fails("bench", "contiguous.plan", "--pp=97"))
        self.assertIn("tokens do not fit", self.fails("bench", "f32.plan", "--pp=1000"))
        self.assertIn("single runs of the plan", self.fails("bench", "f32.plan", "--pp=9", "--profile", code=2))
        self.assertIn("the plan is no language model", self.fails("bench", self.small_plan(), "--tg=9"))

    def check_rates(self, plan):
        words = ["--pp=40,7", "--tg=5", "--threads=1,2", "--repetitions=3"]
        lines = self.tamis("bench", plan, *words).stdout.splitlines()
        self.assertEqual(lines[0], "model.gguf")
        self.assertEqual(lines[1].split(), ["test", "threads", "tokens/s", "+-", "runs"])
        rows = [line.split() for line in lines[2:]]
        self.assertEqual([(row[0], row[1], row[4]) for row in rows], [(t, n, "3") for n in "12" for t in ("pp40", "pp7", "tg5")])
        tests = json.loads(self.tamis("bench", plan, *words, "--json").stdout)["tests"]
        self.assertEqual([(t["test"], t["tokens"], t["threads"]) for t in tests[:3]], [("pp40", 40, 1), ("pp7", 7, 1), ("tg5", 5, 1)])
        for test in tests:
            self.assertEqual(len(test["runs"]), 3)
            self.assertLessEqual(min(test["runs"]), test["median_tokens_per_second"])
            self.assertAlmostEqual(sum(test["runs"]) / 3 / test["tokens_per_second"], 1, places=6)

    def test_mistakes(self):
        plan = self.small_plan()
        for words, message in [
            (["--dim=batch=9"], "1 to 8"),
            (["--dim=length=9"], "no symbol 'length'"),
            (["--input=ids=2x3xi64=99"], "index out of range"),
        ]:
            with self.subTest(words=words):
                self.assertIn(message, self.fails("bench", plan, *words))


if __name__ == "__main__":
    unittest.main()
