# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis verify: agreement, and where it ends: planted faults must be found and named."""

import json
import re
import sys
import unittest

from command import DENSE, CommandTest, onnx_model

# What a judge that errs looks like: ONNX Runtime whose sums are wrong.
WRONG_JUDGE = """#!/bin/sh
exec {python} -c '
import runpy, sys
import onnxruntime
class Session(onnxruntime.InferenceSession):
    def run(self, names, feeds):
        values = super().run(names, feeds)
        return [value + 0.5 if name in ("sum", "y") else value for name, value in zip(names, values)]
onnxruntime.InferenceSession = Session
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
' "$@"
"""

# A norm as exporters without an op for it write it.
NORM = [
    ("ReduceMean", ["x"], ["mean"], {"name": "/norm/ReduceMean", "axes": [-1]}),
    ("Sub", ["x", "mean"], ["centred"], {"name": "/norm/Sub"}),
    ("Constant", [], ["two"], {"value_float": 2.0}),
    ("Pow", ["centred", "two"], ["square"], {"name": "/norm/Pow"}),
    ("ReduceMean", ["square"], ["variance"], {"name": "/norm/ReduceMean_1", "axes": [-1]}),
    ("Constant", [], ["epsilon"], {"value_float": 1e-5}),
    ("Add", ["variance", "epsilon"], ["sum"], {"name": "/norm/Add"}),
    ("Sqrt", ["sum"], ["deviation"], {"name": "/norm/Sqrt"}),
    ("Div", ["centred", "deviation"], ["normed"], {"name": "/norm/Div"}),
    ("MatMul", ["normed", "w"], ["y"], {"name": "/dense/MatMul"}),
]


class Verify(CommandTest):
    def verify(self, *words, **rest):
        environment = {"PYTHON": sys.executable, **rest.pop("environment", {})}
        return self.tamis("verify", *words, environment=environment, **rest)

    def test_agrees(self):
        plan, model = self.small_plan(), self.small_model()
        for words in ([], ["--dim=batch=1", "--dim=sequence=1"], ["--input=ids=8x64xi64=random(3,0,10)"], ["--level=x86-64-v3"]):
            with self.subTest(words=words):
                text = self.verify(plan, model, *words).stdout
                self.assertIn("against the reference evaluator", text)
                self.assertRegex(text, r"hidden +f32 \[.*\] +\S+e-0[6-9] +\S+ +\S+e-0[6-9] +1\.0000000\d +agrees")
        self.assertEqual(self.verify(plan, model, "--quiet").stdout, "")

    def test_wrong_weight(self):
        plan = self.small_plan()
        for weight, number, nodes in [
            ("embedding.table", 0, "/embedding"),
            ("layer.0.up.bias", 1, "/layer.0/{up, gelu}"),
            ("layer.0.down.weight", 2, "/layer.0/{down, sum}"),
            ("layer.0.norm.scale", 3, "/layer.0/norm"),
            ("layer.1.up.weight", 4, "/layer.1/{up, gelu}"),
            ("layer.1.norm.bias", 6, "/layer.1/norm"),
        ]:
            with self.subTest(weight=weight):
                model = self.small_model("wrong", change=weight)
                result = self.verify(plan, model, "--input=ids=2x5xi64=0,1,2,3,4,5,6,7,8,9", code=1)
                self.assertIn(f"the first dispatch to depart is {number} of 7, ", result.stdout)
                self.assertIn(f"\n  nodes: {nodes}\n", result.stdout)
                self.assertIn("departs from", result.stderr)

    def test_onnxruntime(self):
        model = onnx_model(DENSE, self.folder / "model.onnx")
        self.tamis("compile", model, "-o", "out.plan")
        self.assertIn("against ONNX Runtime", self.verify("out.plan", model).stdout)
        self.assertIn("against the reference", self.verify("out.plan", model, "--against=reference").stdout)
        # Without the package the evaluator judges, unless ONNX Runtime was asked for.
        without = {"PYTHON": "/nonexistent/python"}
        self.assertIn("against the reference", self.verify("out.plan", model, environment=without).stdout)
        message = self.fails("verify", "out.plan", model, "--against=onnxruntime", environment=without)
        self.assertIn("/nonexistent/python", message)

    def test_departure_of_the_importer(self):
        model = onnx_model(DENSE, self.folder / "model.onnx")
        self.tamis("compile", model, "-o", "out.plan")
        judge = self.folder / "judge"
        judge.write_text(WRONG_JUDGE.format(python=sys.executable))
        judge.chmod(0o755)
        text = self.verify("out.plan", model, environment={"PYTHON": str(judge)}, code=1).stdout
        self.assertIn("every dispatch computes what its nodes should", text)
        self.assertIn("reads otherwise than ONNX Runtime is /dense/Add\n", text)

    def test_attention(self):
        model = self.folder / "attention.mlir"
        tokens = 'tensor<?x?x32xf32, #model.dims<"batch", "length", "32">>'
        text = f"""func.func @main(%x: {tokens} {{{{model.name = "x"}}}}) -> ({tokens} {{{{model.name = "y"}}}})
            attributes {{{{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 512>]}}}} {{{{
          %y = model.attention %x, %x, %x heads 2 kv_heads 2 scale {{scale}} : {tokens}, {tokens}, {tokens} -> {tokens}
          return %y : {tokens}
        }}}}"""
        model.write_text(text.format(scale=0.25))
        self.tamis("compile", model, "-o", "out.plan", "--attention=window(size=3)")
        self.assertIn("agrees", self.verify("out.plan", model, "--attention=window(size=3)").stdout)
        # As it is, the model reads all keys; another window reads others. Its dispatch is found at fault.
        self.assertIn("departs at [", self.verify("out.plan", model, "--attention=window(size=4)", code=1).stdout)
        model.write_text(text.format(scale=0.5))
        text = self.verify("out.plan", model, "--attention=window(size=3)", code=1).stdout
        self.assertIn("the first dispatch to depart is 0 of 1, ", text)
        message = self.fails("verify", "out.plan", model, "--attention=nonsense")
        self.assertIn("found the attention 'nonsense'", message)
        message = self.fails("verify", "out.plan", model, "--attention=window(size=3)", "--against=onnxruntime")
        self.assertIn("knows no pattern", message)

    def test_fixed_sizes(self):
        model = self.small_model()
        self.tamis("compile", model, "-o", "out.plan", "--dim", "sequence=7")
        self.assertIn("agrees", self.verify("out.plan", model).stdout)
        wrong = self.small_model("wrong", change="layer.1.down.bias")
        text = self.verify("out.plan", wrong, code=1).stdout
        self.assertIn("/layer.1/{down, sum}", text)

    def test_tolerance(self):
        plan, model = self.small_plan(), self.small_model()
        self.assertIn("departs at [", self.verify(plan, model, "--tolerance=1e-12", code=1).stdout)
        wrong = self.small_model("wrong", change="layer.1.norm.bias")
        self.verify(plan, wrong, "--tolerance=0.6")

    def test_layers(self):
        plan, model = self.small_plan(), self.small_model()
        text = self.verify(plan, model, "--layers").stdout
        rows = [line.split() for line in text.splitlines() if re.match(r" +\d+  ", line)]
        self.assertEqual([(row[1], row[-1]) for row in rows[1:3]],
                         [("linear_gelu_24x40", "gelu}"), ("linear_add_40x24", "sum}")])
        self.assertEqual(len(rows), 7)
        for row in rows:
            relative, largest, mean, quantile, cosine = map(float, row[2:7])
            self.assertLess(largest, 1e-4)
            self.assertLessEqual(mean, quantile)
            self.assertLessEqual(quantile, largest)
            self.assertAlmostEqual(cosine, 1, places=6)
        wrong = self.small_model("wrong", change="layer.1.up.weight")
        text = self.verify(plan, wrong, "--layers", code=1).stdout
        errors = [float(line.split()[3]) for line in text.splitlines() if re.match(r" +\d+  ", line)]
        self.assertLess(max(errors[:4]), 1e-4)
        self.assertGreater(errors[4], 1e-3, "the layer with the wrong weight")

    def test_bisect(self):
        # Judge and model are the same evaluator, to the last bit, until a pass rounds otherwise.
        model = onnx_model(NORM, self.folder / "model.onnx")
        self.tamis("compile", model, "-o", "out.plan", "--target=host")
        text = self.verify("out.plan", model, "--against=reference", "--bisect", "--tolerance=1e-12", code=1).stdout
        self.assertIn("the pass after which the model departs is tamis-raise-norms of phase graph; before it, after", text)
        # A wrong weight is there from the first; a wrong plan is no pass's fault.
        judge = self.folder / "judge"
        judge.write_text(WRONG_JUDGE.format(python=sys.executable))
        judge.chmod(0o755)
        text = self.verify("out.plan", model, "--bisect", environment={"PYTHON": str(judge)}, code=1).stdout
        self.assertIn("the model departs as it was imported, before any pass", text)
        plan, small = self.small_plan(), self.small_model("wrong", change="layer.1.up.weight")
        text = self.verify(plan, small, "--bisect", code=1).stdout
        self.assertRegex(text, r"the model agrees at each of \d+ points, up to \S+")
        self.assertIn("the first dispatch to depart is 4 of 7", text)
        self.assertIn("--attention", self.fails("verify", plan, small, "--bisect", "--attention=window(size=2)", code=2))

    def test_damaged_plan(self):
        plan, model = self.small_plan(), self.small_model()
        whole = plan.read_bytes()
        sections = json.loads(self.tamis("inspect", plan, "--json").stdout)["sections"]
        for section in sections:
            with self.subTest(section=section["name"]):
                damaged = bytearray(whole)
                damaged[section["offset"] + section["bytes"] // 2] ^= 1
                plan.write_bytes(damaged)
                message = self.fails("verify", plan, model)
                self.assertIn(f"section '{section['name']}' is damaged", message)
        plan.write_bytes(whole[:-1])
        self.assertIn("cut short", self.fails("verify", plan, model))

    def test_other_models(self):
        plan = self.small_plan()
        self.assertIn("missing.onnx", self.fails("verify", plan, "missing.onnx"))
        other = onnx_model(DENSE, self.folder / "other.onnx")
        self.assertIn("other inputs", self.fails("verify", plan, other, "--against=reference"))
        (self.folder / "empty.onnx").write_bytes(b"")
        self.assertIn("empty.onnx", self.fails("verify", plan, "empty.onnx", "--against=reference"))


if __name__ == "__main__":
    unittest.main()
