# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile --precision: policies, what auto chooses, that its bound holds, and what is refused."""

import json
import math
import unittest

import numpy as np
from command import CommandTest
from safetensors import safe_open
from safetensors.numpy import save_file

WIDTH = 64
ROWS = 16
X = f'tensor<?x{ROWS}x{WIDTH}xf32, #model.dims<"batch", "{ROWS}", "{WIDTH}">>'
W = f"tensor<{WIDTH}x{WIDTH}xf32>"
MODEL = f"""
func.func @main(%x: {X} {{model.name = "x"}}) -> ({X} {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 64>]}} {{
  %a = model.weight "plain" : {W}
  %b = model.weight "wild" : {W}
  %h = model.linear %x, %a : {X}, {W} -> {X}
  %g = model.activation gelu %h : {X}
  %y = model.linear %g, %b : {X}, {W} -> {X}
  return %y : {X}
}}
"""


class Precision(CommandTest):
    def setUp(self):
        super().setUp()
        random = np.random.default_rng(1)
        # The first of the numbers between the layers is a thousand times the others and counts for no more than they:
        # rounded beside it, they are lost.
        plain, wild = random.standard_normal((2, WIDTH, WIDTH), np.float32)
        plain[:, 0] *= 1000
        wild[0] /= 1000
        save_file({"plain": plain, "wild": wild}, self.folder / "model.safetensors")
        (self.folder / "model.mlir").write_text(MODEL)

    def passages(self, count=6, seed=2):
        x = np.random.default_rng(seed).standard_normal((count, ROWS, WIDTH), np.float32)
        np.savez(self.folder / "passages.npz", x=x)
        return x

    def compile(self, plan, *options):
        return self.tamis("compile", "model.mlir", "-o", plan, "--target=host", *options).stdout

    def answers(self, plan, x):
        np.savez(self.folder / "in.npz", x=x)
        self.tamis("run", plan, "--input=x=@in.npz", "--output=out.npz")
        with np.load(self.folder / "out.npz") as out:
            return out["y"]

    def test_one_precision_is_as_weights(self):
        for precision in ("int8", "int4(group=32)"):
            self.compile("a.plan", f"--precision={precision}")
            self.compile("b.plan", f"--weights={precision}")
            x = self.passages()
            np.testing.assert_array_equal(self.answers("a.plan", x), self.answers("b.plan", x))
        self.compile("a.plan", "--precision=f32")
        self.compile("b.plan")
        self.assertEqual((self.folder / "a.plan").read_bytes(), (self.folder / "b.plan").read_bytes())

    def test_bf16(self):
        def rounded(x):  # to nearest, ties to even
            bits = x.astype(np.float32).view(np.uint32)
            return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)

        def gelu(x):
            return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

        x = self.passages()
        with safe_open(self.folder / "model.safetensors", "np") as file:
            plain, wild = file.get_tensor("plain"), file.get_tensor("wild")
        right = rounded(gelu(rounded(x) @ rounded(plain))) @ rounded(wild)
        for target in ("host", "x86-64-v3"):
            self.tamis("compile", "model.mlir", "-o", "half.plan", f"--target={target}", "--precision=bf16")
            found = self.answers("half.plan", x)
            # Where a sum lies halfway between two numbers, its last bits decide.
            self.assertLess(np.linalg.norm(found - right) / np.linalg.norm(right), 1e-4)
        weights = json.loads(self.tamis("inspect", "--json", "half.plan").stdout)["memory"]["weight_bytes"]
        self.assertEqual(weights, 2 * 2 * 96 * WIDTH)  # two bytes each, in panels of 48 columns
        ir = self.tamis("compile", "model.mlir", "--precision=bf16", "--compile-to=tile", "-o", "-").stdout
        self.assertEqual(ir.count("plan.dispatch @"), 3, ir)  # the input is rounded, the other layer's where it is made
        # Beside other precisions.
        policy = {"default": "bf16", "layers": [{"weights": "wild", "precision": "int8"}]}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        self.compile("both.plan", "--precision=@policy.json")
        self.assertEqual(self.answers("both.plan", x).shape, right.shape)
        said = self.compile("auto.plan", "--precision=auto", "--max-error=0.5%", "--calibrate=passages.npz",
                            "--precision-candidates=bf16", "--report=report.json")
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual({layer["precision"] for layer in report["layers"]}, {"bf16"}, said)

    def test_policy_by_layer(self):
        policy = {"default": "f32", "layers": [{"weights": "pl*", "precision": "int8"}]}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        ir = self.tamis("compile", "model.mlir", "--precision=@policy.json", "--compile-to=graph", "-o", "-").stdout
        self.assertEqual(ir.count("model.integer_linear"), 1, ir)
        self.assertIn('"plain.int8"', ir)
        self.assertIn('model.weight "wild" ', ir)

    def test_auto_leaves_what_is_sensitive(self):
        x = self.passages()
        said = self.compile("auto.plan", "--precision=auto", "--max-error=0.5%", "--calibrate=passages.npz",
                            "--precision-candidates=int8(algorithm=rtn)",
                            "--precision-policy=policy.json", "--report=report.json")
        report = json.loads((self.folder / "report.json").read_text())
        chosen = {layer["weight"]: layer["precision"] for layer in report["layers"]}
        self.assertEqual(chosen["wild"], "f32", said)
        self.assertNotEqual(chosen["plain"], "f32", said)
        self.assertLessEqual(report["error"]["cosine"], 0.005)
        self.assertGreater(report["layers"][1]["errors"]["int8(algorithm=rtn)"], 0.005)
        inspected = self.tamis("inspect", "auto.plan").stdout
        self.assertRegex(inspected, r"plain +64 +64 +int8\(algorithm=rtn\) +\d")
        self.assertRegex(inspected, r"wild +64 +64 +f32 *\n")
        # The same again from the policy, which is the report's.
        self.assertEqual(json.loads((self.folder / "policy.json").read_text()), report["policy"])
        self.compile("again.plan", "--precision=@policy.json", "--calibrate=passages.npz")
        np.testing.assert_array_equal(self.answers("auto.plan", x), self.answers("again.plan", x))
        # The bound holds on what it was not chosen by.
        self.compile("f32.plan")
        others = self.passages(seed=3)
        found, right = (self.answers(plan, others).astype(np.float64).ravel() for plan in ("auto.plan", "f32.plan"))
        self.assertGreater(found @ right / np.linalg.norm(found) / np.linalg.norm(right), 0.99)

    def test_a_bound_that_nothing_keeps_leaves_the_model(self):
        self.passages()
        self.compile("auto.plan", "--precision=auto", "--max-error=0.0000001%", "--calibrate=passages.npz",
                     "--report=report.json")
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual({layer["precision"] for layer in report["layers"]}, {"f32"})
        self.assertEqual(report["error"]["cosine"], 0)

    def test_refused(self):
        self.passages()
        compile = ["compile", "model.mlir", "-o", "x.plan"]
        self.assertIn("--calibrate", self.fails(*compile, "--precision=auto", code=2))
        self.assertIn("one of them is wanted", self.fails(*compile, "--precision=int8", "--weights=int8", code=2))
        self.assertIn("is for --precision=auto", self.fails(*compile, "--precision=int8", "--precision-policy=p", code=2))
        self.assertIn("'int3'", self.fails(*compile, "--precision=int3"))
        self.assertIn("or bf16", self.fails(*compile, "--precision=f16"))
        self.assertIn("but --gpu-precision=bf16 is wanted on GPUs", self.fails("compile", "model.mlir", "-o", "x.plan", "--precision=bf16",
                                            "--target=cuda:sm_80"))
        self.assertIn("'f8'", self.fails(*compile, "--precision=auto", "--calibrate=passages.npz",
                                         "--precision-candidates=int8,f8"))
        (self.folder / "other.json").write_text('{"layers": [{"weights": "encoder.*", "precision": "int8"}]}')
        self.assertIn('"encoder.*", but it fits none', self.fails(*compile, "--precision=@other.json"))


if __name__ == "__main__":
    unittest.main()
