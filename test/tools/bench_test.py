# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis bench: what it prints, as text and JSON. Times themselves are not tested."""

import json
import unittest

from command import CommandTest


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
