# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile --precision=budget: three paths of one plan, and requests that take them."""

import json
import re
import unittest

import numpy as np
from command import CommandTest
from safetensors.numpy import save_file

VOCABULARY, WIDTH = 200, 96
IDS = '!ids = tensor<?x?xi64, #model.dims<"batch", "sequence">>'
X = f'!x = tensor<?x?x{WIDTH}xf32, #model.dims<"batch", "sequence", "{WIDTH}">>'
W = f"tensor<{WIDTH}x{WIDTH}xf32>"
MODEL = f"""
{IDS}
{X}
func.func @main(%ids: !ids {{model.name = "ids"}}) -> (!x {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 256>]}} {{
  %t = model.weight "table" : tensor<{VOCABULARY}x{WIDTH}xf32>
  %a = model.weight "a" : {W}
  %b = model.weight "b" : {W}
  %g = model.weight "g" : tensor<{WIDTH}xf32>
  %0 = model.embedding %t, %ids : tensor<{VOCABULARY}x{WIDTH}xf32>, !ids -> !x
  %1 = model.norm rms %0 scale %g axis 2 epsilon 1.0e-5 : !x, tensor<{WIDTH}xf32> -> !x
  %2 = model.linear %1, %a : !x, {W} -> !x
  %3 = model.activation gelu %2 : !x
  %y = model.linear %3, %b : !x, {W} -> !x
  return %y : !x
}}
"""


class Budget(CommandTest):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(1)
        weights = {"table": (VOCABULARY, WIDTH), "a": (WIDTH, WIDTH), "b": (WIDTH, WIDTH), "g": (WIDTH,)}
        save_file({name: random.standard_normal(shape, np.float32) for name, shape in weights.items()},
                  self.folder / "model.safetensors")
        (self.folder / "model.mlir").write_text(MODEL)

    def compile(self, plan, *options):
        self.tamis("compile", "model.mlir", "-o", plan, "--target=x86-64-v3", *options)
        return json.loads(self.tamis("inspect", "--json", plan).stdout)

    def answer(self, plan, *options):
        np.save(self.folder / "ids.npy", np.arange(60).reshape(2, 30))
        self.tamis("run", plan, "--input=ids=@ids.npy", "--output=out.npz", *options)
        with np.load(self.folder / "out.npz") as out:
            return out["y"]

    def test_paths_are_plans_of_their_own(self):
        whole = self.compile("model.plan", "--precision=budget")
        code = [section["path"] for section in whole["sections"] if section["kind"] == "code"]
        self.assertEqual(code, ["precise", "balanced", "fast"])
        policy = {"layers": [{"weights": "table", "precision": "f32"}]}
        alone = {}
        for path, precision in (("precise", "f32"), ("balanced", "bf16"), ("fast", "int8")):
            (self.folder / "policy.json").write_text(json.dumps({**policy, "default": precision}))
            alone[path] = self.compile("alone.plan", "--precision=@policy.json")
            np.testing.assert_array_equal(self.answer("model.plan", f"--path={path}"), self.answer("alone.plan"))
            used = json.loads(self.tamis("inspect", "--json", "model.plan", f"--path={path}").stdout)
            self.assertEqual([d["name"] for d in used["dispatches"]], [d["name"] for d in alone[path]["dispatches"]])
        np.testing.assert_array_equal(self.answer("model.plan"), self.answer("model.plan", "--path=precise"))
        # The table and the norm's scale are there once.
        weights = {path: plan["memory"]["weight_bytes"] for path, plan in alone.items()}
        together = whole["memory"]["weight_bytes"]
        shared = 4 * VOCABULARY * WIDTH + 4 * WIDTH
        self.assertLess(together, sum(weights.values()) - 2 * shared + 512)
        self.assertLess(together, 1.6 * weights["precise"])
        again = self.folder / "again.plan"
        self.compile(again, "--precision=budget")
        self.assertEqual(again.read_bytes(), (self.folder / "model.plan").read_bytes())

    def test_mix(self):
        self.compile("model.plan", "--precision=budget")
        mix = ["bench", "model.plan", "--mix", "--threads=1", "--dim=batch=8"]
        said = self.tamis(*mix, "--requests=200", "--monitor=monitor.prom").stdout
        rows = re.findall(r"(?m)^  (calm|burst|long ones) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", said)
        self.assertEqual([row[0] for row in rows], ["calm", "burst", "long ones"], said)
        counts = np.array([[int(number) for number in row[1:]] for row in rows])
        self.assertEqual(counts[:, :3].sum(), 200)
        text = (self.folder / "monitor.prom").read_text()
        found = dict(re.findall(r"(?m)^tamis_(\S+) (\S+)$", text))
        for line in text.splitlines():  # the text exposition format
            self.assertRegex(line, r'^(# (HELP|TYPE) tamis_\w+ .+|tamis_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \S+)$')
        for column, path in enumerate(("fast", "balanced", "precise")):
            chosen = int(found[f'requests_total{{path="{path}",chosen="controller"}}'])
            by_hand = int(found[f'requests_total{{path="{path}",chosen="hand"}}'])
            self.assertEqual(chosen + by_hand, counts[:, column].sum())
            self.assertEqual(by_hand, counts[:, 3].sum() if path == "precise" else 0)
        # Those who ask for the precise path get it; an easy or hurried one is served by a faster path.
        self.assertGreater(counts[:, 3].sum(), 0)
        self.assertGreater(counts[:, :2].sum(), 0)
        switches = [int(found[f'precision_switches_total{{direction="{to}"}}']) for to in ("up", "down")]
        self.assertEqual(sum(switches), counts[:, 4].sum())
        self.assertGreater(switches[1], 0)  # away from the path that it begins with
        self.assertLessEqual(sum(switches), 2 * 200 / 4 + 2)
        self.assertGreater(int(found["compared_requests_total"]), 0)
        self.assertGreater(float(found['agreement_cosine{kind="worst"}']), 0.99)

    def test_no_time_is_enough(self):
        self.compile("model.plan", "--precision=budget")
        said = self.tamis("bench", "model.plan", "--mix", "--json", "--latency=0.0001", "--requests=50", "--threads=1",
                          "--monitor=monitor.json", "--seed=3", "--sample=0").stdout
        for text in (said, (self.folder / "monitor.json").read_text()):
            paths = json.loads(text)["paths"]
            self.assertEqual(sum(path["requests"] for path in paths.values()), 50)
            self.assertGreater(paths["fast"]["requests"], 35)
            self.assertEqual(paths["precise"]["requests"] - paths["precise"]["by_hand"] <= 1, True, paths)
        self.assertEqual(json.loads(said)["agreement"]["compared"], 0)

    def test_refused(self):
        compile = ["compile", "model.mlir", "-o", "x.plan", "--precision=budget"]
        self.assertIn("is a GPU", self.fails(*compile, "--target=cuda:sm_80"))
        self.compile("one.plan")
        self.assertIn("no path 'precise' nor any other", self.fails("bench", "one.plan", "--mix"))
        self.assertIn("no path 'quick'", self.fails("inspect", "one.plan", "--path=quick"))
        self.compile("model.plan", "--precision=budget")
        self.assertIn("'precise', 'balanced', 'fast'", self.fails("run", "model.plan", "--path=quick", "--input=ids=1x1xi64=1"))
        self.assertIn("are for --mix", self.fails("bench", "model.plan", "--requests=3", code=2))
        self.assertIn("are not for it", self.fails("bench", "model.plan", "--mix", "--profile", code=2))


if __name__ == "__main__":
    unittest.main()
