# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis reduce: what is left of a model shows the fault, and little else."""

import re
import unittest

from command import DENSE, CommandTest, onnx_model


def ops(path):
    """The ops of a graph that compute: their words."""
    return re.findall(r"= (model\.(?!weight|constant)\w+|sattn\.\w+)", path.read_text())


class Reduce(CommandTest):
    def reduce(self, model, *words):
        return self.tamis("reduce", model, "-o", "small.mlir", *words).stdout

    def test_to_one_op(self):
        # The fault: there is a norm whose parameters come from layer 0.
        said = self.reduce(self.small_model(), "--command=grep -q 'layer.0.norm.scale' {}")
        self.assertEqual(ops(self.folder / "small.mlir"), ["model.norm"])
        self.assertRegex(said, r"^small\.mlir: 1 of 11 ops, after \d+ graphs$")
        self.assertLess(int(re.search(r"after (\d+)", said)[1]), 40)
        text = (self.folder / "small.mlir").read_text()
        self.assertIn('model.name = "cut', text, "what was cut is an input")
        self.assertIn('model.name = "hidden"', text)
        self.assertNotIn("layer.1", text)
        # What is left is a model like any other.
        self.tamis("compile", "small.mlir", "-o", "small.plan", "--target=host")
        self.tamis("verify", "small.plan", "small.mlir")

    def test_two_ops_that_only_together_fail(self):
        command = "grep -q 'layer.0.up.weight' {} && grep -q 'layer.1.down.weight' {}"
        self.reduce(self.small_model(), f"--command={command}")
        text = (self.folder / "small.mlir").read_text()
        self.assertIn("layer.0.up.weight", text)
        self.assertIn("layer.1.down.weight", text)
        # What lies between must stay, or the first would compute nothing that is returned.
        self.assertEqual(ops(self.folder / "small.mlir").count("model.linear"), 4)
        self.assertLess(len(ops(self.folder / "small.mlir")), 11)

    def test_what_the_compiler_says(self):
        model = self.folder / "attention.mlir"
        tokens = 'tensor<?x?x32xf32, #model.dims<"batch", "length", "32">>'
        model.write_text(f"""func.func @main(%x: {tokens} {{model.name = "x"}}) -> ({tokens} {{model.name = "y"}})
            attributes {{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 64>]}} {{
          %a = model.activation relu %x : {tokens}
          %b = sattn.attention #sattn.top_k<k = 0> %a, %a, %a heads 2 kv_heads 2 scale 0.25 : {tokens}, {tokens}, {tokens} -> {tokens}
          return %b : {tokens}
        }}""")
        # Found when the model is read, so there is nothing that could be cut.
        message = self.fails("reduce", model, "-o", "small.mlir", "--says=wanted")
        self.assertIn("attention.mlir", message)
        model.write_text(model.read_text().replace("sattn.attention #sattn.top_k<k = 0> ", "model.attention "))
        self.reduce(model, "--attention=gate_quantile(quantile=0.5)", "--says=found no weight")
        self.assertEqual(ops(self.folder / "small.mlir"), ["model.attention"])

    def test_departures(self):
        # A judge that errs on one op stands for a fault of the compiler: `verify` is asked about every graph.
        model = onnx_model(DENSE, self.folder / "model.onnx")
        message = self.fails("reduce", model, "-o", "small.mlir", "--fails=verify")
        self.assertIn("the fault does not show", message)

    def test_mistakes(self):
        model = self.small_model()
        self.assertIn("NAME.mlir", self.fails("reduce", model, "-o", "small.onnx", code=2))
        self.assertIn("{}", self.fails("reduce", model, "-o", "small.mlir", "--command=true", code=2))
        self.assertIn("does not show", self.fails("reduce", model, "-o", "small.mlir", "--command=false {}"))
        self.assertIn("does not show", self.fails("reduce", model, "-o", "small.mlir"))
        self.fails("reduce", "missing.onnx", "-o", "small.mlir", "--command=true {}")
        self.fails("reduce", model, "-o", "nowhere/small.mlir", "--command=true {}")


if __name__ == "__main__":
    unittest.main()
