# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis quantize and --weights: which weights become integers, what calibration makes up for, and ONNX files of them, as ONNX
Runtime reads them."""

import unittest

import numpy as np
import onnx
import onnxruntime
from command import CommandTest
from onnx import TensorProto, helper, numpy_helper
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

    def onnx_model(self):
        """A table that is also the last layer, a MatMul, a Gemm, and an input whose columns are very unlike."""
        table, w1, w2 = self.normal(80, 64), self.normal(64, 96) / 8, self.normal(64, 96) / 8
        table[:, 5] *= 30
        tensors = {"table": table, "w1": w1, "b1": self.normal(96), "w2": w2, "b2": self.normal(64), "tiny": self.normal(2, 64)}
        nodes = [
            helper.make_node("Gather", ["table", "ids"], ["words"]),
            helper.make_node("Gather", ["tiny", "kinds"], ["kind"]),
            helper.make_node("Add", ["words", "kind"], ["x"]),
            helper.make_node("MatMul", ["x", "w1"], ["product"]),
            helper.make_node("Add", ["product", "b1"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["hidden"]),
            helper.make_node("Gemm", ["hidden", "w2", "b2"], ["state"], transB=1),
            helper.make_node("Transpose", ["table"], ["turned"], perm=[1, 0]),
            helper.make_node("MatMul", ["state", "turned"], ["y"]),
        ]
        values = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n"]) for name in ("ids", "kinds")]
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 80])
        initializers = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in tensors.items()]
        graph = helper.make_graph(nodes, "g", values, [result], initializers)
        imports = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), self.folder / "model.onnx")

    def tokens(self, name, count):
        feeds = {"ids": self.random.integers(0, 80, count), "kinds": self.random.integers(0, 2, count)}
        np.savez(self.folder / name, **feeds)
        return feeds

    def judged(self, feeds):
        """What ONNX Runtime makes of the written file when it multiplies floats by what the file says."""
        onnx.checker.check_model(str(self.folder / "q.onnx"), full_check=True)
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        session = onnxruntime.InferenceSession(str(self.folder / "q.onnx"), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)[0]

    def answer(self, plan):
        self.tamis("run", plan, "--input=ids=@in.npz", "--input=kinds=@in.npz", "--output=out.npz")
        with np.load(self.folder / "out.npz") as out:
            return out["y"]

    def test_onnx_gives_the_values_of_the_plan(self):
        self.onnx_model()
        self.tokens("passages.npz", 300)
        feeds = self.tokens("in.npz", 40)
        for words in (["--bits=8"], ["--bits=8", "--method=asymmetric", "--calibrate=passages.npz"],
                      ["--bits=4", "--group=32", "--calibrate=passages.npz"],
                      ["--bits=4", "--group=40", "--method=asymmetric"], ["--bits=8", "--group=16", "--external-data"]):
            said = self.tamis("quantize", "--model=model.onnx", "-o", "q.onnx", *words).stdout
            self.assertIn("q.onnx: 3 weights quantized", said)
            inside = {tensor.name: tensor.data_type for tensor in onnx.load(self.folder / "q.onnx", load_external_data=False)
                      .graph.initializer}
            self.assertIn("tiny", inside)
            self.assertNotIn("w1", inside)
            self.assertEqual((self.folder / "q.onnx.data").exists(), "--external-data" in words)
            found = self.judged(feeds)
            plan = [word for word in words if word != "--external-data"]
            self.tamis("quantize", "--model=model.onnx", "-o", "q.plan", "--target=host", *plan)
            self.tamis("compile", "q.onnx", "-o", "back.plan", "--target=host")
            for name in ("q.plan", "back.plan"):
                right = self.answer(name)
                np.testing.assert_allclose(found, right, rtol=0, atol=1e-5 * np.abs(right).max(), err_msg=f"{name} {words}")
        self.assertEqual([name for name in self.files() if name.endswith(".part") or ".tmp" in name], [])

    def test_onnx_refused(self):
        self.onnx_model()
        quantize = ["quantize", "-o", "q.onnx"]
        self.model(LINEAR, w=self.normal(64, 32), b=self.normal(32))
        self.assertIn("is no ONNX file", self.fails(*quantize, "--model=model.mlir"))
        self.assertIn("--target is for plans", self.fails(*quantize, "--model=model.onnx", "--target=host", code=2))
        self.assertIn("--external-data is for", self.fails("quantize", "-o", "q.plan", "--model=model.onnx",
                                                           "--external-data", code=2))
        self.assertIn("tamis quantize writes both", self.fails("compile", "model.onnx", "-o", "q.onnx", code=2))
        self.assertIn("none.npz", self.fails(*quantize, "--model=model.onnx", "--calibrate=none.npz"))
        np.savez(self.folder / "flat.npz", ids=np.int64(3), kinds=np.int64(1))
        self.assertIn("of 0 axes", self.fails(*quantize, "--model=model.onnx", "--calibrate=flat.npz"))
        model = onnx.load(self.folder / "model.onnx")
        for tensor in model.graph.initializer:
            if tensor.name == "w1":
                array = numpy_helper.to_array(tensor).copy()
                array[3, 4] = np.inf
                tensor.CopyFrom(numpy_helper.from_array(array, "w1"))
        onnx.save(model, self.folder / "inf.onnx")
        self.assertIn("weight 'w1' holds an infinity in row 4", self.fails(*quantize, "--model=inf.onnx"))
        plain = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])])
        onnx.save(helper.make_model(plain, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), self.folder / "plain.onnx")
        self.assertIn("no weight of MatMul", self.fails(*quantize, "--model=plain.onnx"))
        (self.folder / "q.onnx").mkdir()
        self.assertIn("it is a folder", self.fails(*quantize, "--model=model.onnx"))


if __name__ == "__main__":
    unittest.main()
