# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis quantize and --weights: which weights become integers, and what calibration makes up for."""

import unittest

import numpy as np
from command import CommandTest
from safetensors.numpy import save_file

IDS, ROWS = 'tensor<?xi64, #model.dims<"n">>', 'tensor<?x32xf32, #model.dims<"n", "32">>'
TABLES = f"""
func.func @main(%ids: {IDS} {{model.name = "ids"}}, %kinds: {IDS} {{model.name = "kinds"}}) -> ({ROWS} {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"n", 1, 64>]}} {{
  %t = model.weight "words" : tensor<64x32xf32>
  %k = model.weight "kinds" : tensor<2x32xf32>
  %a = model.embedding %t, %ids : tensor<64x32xf32>, {IDS} -> {ROWS}
  %b = model.embedding %k, %kinds : tensor<2x32xf32>, {IDS} -> {ROWS}
  %y = model.elementwise add %a, %b : ({ROWS}, {ROWS}) -> {ROWS}
  return %y : {ROWS}
}}
"""
LINEAR = """
func.func @main(%x: tensor<?x64xf32, #model.dims<"n", "64">> {model.name = "x"})
    -> (tensor<?x32xf32, #model.dims<"n", "32">> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 512>]} {
  %w = model.weight "w" : tensor<64x32xf32>
  %b = model.weight "b" : tensor<32xf32>
  %y = model.linear %x, %w bias %b : tensor<?x64xf32, #model.dims<"n", "64">>, tensor<64x32xf32>, tensor<32xf32>
      -> tensor<?x32xf32, #model.dims<"n", "32">>
  return %y : tensor<?x32xf32, #model.dims<"n", "32">>
}
"""


class Quantize(CommandTest):
    def setUp(self):
        super().setUp()
        self.random = np.random.default_rng(1)

    def model(self, text, **weights):
        save_file(weights, self.folder / "model.safetensors")
        (self.folder / "model.mlir").write_text(text)

    def normal(self, *shape):
        return self.random.standard_normal(shape, np.float32)

    def test_tables_of_few_rows_stay(self):
        self.model(TABLES, words=self.normal(64, 32), kinds=self.normal(2, 32))
        for kind in ("int8", "int4(group=32)"):
            ir = self.tamis("compile", "model.mlir", f"--weights={kind}", "--compile-to=graph", "-o", "-").stdout
            self.assertIn(f'"words.{kind[:4]}"', ir)
            self.assertIn('"kinds" : tensor<2x32xf32>', ir)

    def test_bias_makes_up_for_the_mean(self):
        """Inputs far from zero in the mean: rounding moves the mean answer, which the bias takes back."""
        w, b = self.normal(64, 32), self.normal(32)
        far = 3 * self.normal(64)
        self.model(LINEAR, w=w, b=b)
        np.savez(self.folder / "passages.npz", x=self.normal(400, 64) + far)
        x = self.normal(400, 64) + far
        np.savez(self.folder / "in.npz", x=x)
        right = x.astype(np.float64) @ w + b
        for kind in ("int8", "int4(group=32)"):
            found = {}
            for algorithm in ("rtn", "gptq"):
                words = kind.replace(")", f", algorithm={algorithm})") if "(" in kind else f"{kind}(algorithm={algorithm})"
                self.tamis("compile", "model.mlir", "-o", "m.plan", "--target=host", f"--weights={words}",
                           "--calibrate=passages.npz")
                self.tamis("run", "m.plan", "--input=x=@in.npz", "--output=out.npz")
                with np.load(self.folder / "out.npz") as out:
                    found[algorithm] = np.abs((out["y"] - right).mean(axis=0)).mean()
            self.assertLess(found["gptq"], 0.25 * found["rtn"], (kind, found))


if __name__ == "__main__":
    unittest.main()
