# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile --attention: plans of every pattern against the reference evaluator, and what is refused."""

import sys
import unittest

import numpy as np
from command import CommandTest
from safetensors.numpy import save_file

TOKENS = 'tensor<?x?x32xf32, #model.dims<"batch", "length", "32">>'
MASK = 'tensor<?x1x1x?xi1, #model.dims<"batch", "1", "1", "length">>'
# One buffer that holds queries, keys and values, as merged projections leave it.
MODEL = f"""
!all = tensor<?x?x96xf32, #model.dims<"batch", "length", "96">>
func.func @main(%x: !all {{model.name = "x"}}, %m: {MASK} {{model.name = "m"}}) -> ({TOKENS} {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 512>]}} {{
  %q = model.slice %x ["0", "0", "0"] step [1, 1, 1] : !all -> {TOKENS}
  %k = model.slice %x ["0", "0", "32"] step [1, 1, 1] : !all -> {TOKENS}
  %v = model.slice %x ["0", "0", "64"] step [1, 1, 1] : !all -> {TOKENS}
  %y = model.attention %q, %k, %v mask %m heads 2 kv_heads 2 scale 0.25 CAUSAL
      : {TOKENS}, {TOKENS}, {TOKENS}, {MASK} -> {TOKENS}
  return %y : {TOKENS}
}}
"""
PATTERNS = [
    "window(size=16, sinks=2)",
    "local_global",
    "local_global(block=16, key_tokens=1)",
    "block_top_k(block=16, k=2)",
    "block_top_k(k=2, sinks=1)",
    "page_bounds(page=4, k=3)",
    "page_bounds(k=2, block=8, local=0)",
    "antidiagonal(block=16, stride=4, mass=0.5171)",
    "antidiagonal(block=32, stride=8, mass=0.3171, sinks=0, local=0)",
    "block_top_k(block=16, mass=0.5171, sinks=1)",
    "ann(k=5, tables=4, bits=3)",
    "block_top_k(block=16, k=1, local=0, similarity=0.06)",
    "block_top_k(block=16, mass=0.3171, local=0, similarity=0.06)",
    "top_k(k=5)",
    "fraction",
    "linear",
    "linear(feature=relu)",
]
# The last queries see every distance in causal order alone.
CAUSAL_PATTERNS = [
    "vertical_slash(vertical=6, slash=3, sinks=2, local=1, last=8, block=16)",
    "vertical_slash(vertical=30, slash=30)",
]


def constant(name, values):
    """A constant of f32 numbers in a textual graph."""
    shape = "x".join(map(str, values.shape))
    return f'%{name} = model.constant dense<"0x{values.astype("<f4").tobytes().hex()}"> : tensor<{shape}xf32>'


# Patterns with weights of their own, and the sizes of these. Queries share two heads of keys.
LEARNT = {
    "gate_quantile<>": {"gate": (1, 16)},
    "gate_quantile<quantile = 0.5, per_head = true>": {"gate": (2, 16)},
    "dynamic_gate<>": {"gate": (1, 16)},
    "dynamic_gate<threshold = 0.5, per_head = true>": {"gate": (2, 16)},
    "token_activation<>": {"gate": (1, 16)},
    "token_activation<share = 0.6>": {"gate": (1, 16)},
    "focus_aware<>": {"focus": (3, 32), "bias": (1,)},
    "focus_aware<threshold = 0.6>": {"focus": (3, 32), "bias": (1,)},
    "ann<k = 5, method = pq, parts = 2, centroids = 4, candidates = 9>": {"codebook": (2, 2, 4, 4)},
    "compressed_selected_window<block = 16, k = 2, sinks = 0, compress = 8, window = 6>": {"gate": (32, 12), "bias": (12,)},
}


def index(columns, heads, capacity=""):
    """An index of rows of 16 queries; {} of a capacity is the number of items, which is the capacity by default."""
    items = f"floordiv(length + {columns - 1}, {columns})"
    return (f'!sattn.index<16 x {columns} block, shape ["1", "{heads}", "floordiv(length + 15, 16)"], items "{items}", '
            f'capacity "{(capacity or "{}").format(items)}">')


# Indices made of others, and attention in two parts.
PARTS = f"""
!x = {TOKENS}
!few = {index(16, 1, "min(4, {})")}
!all = {index(16, 1)}
!two = {index(16, 2)}
!wide = {index(32, 1)}
!part = !sattn.partial<["batch", "2", "length", "16"]>
func.func @main(%x: !x {{model.name = "x"}}) -> (!x {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 512>]}} {{
  %near = sattn.bands before 1 after 0 sinks 1 queries "length" keys "length" : !few
  %far = sattn.bands before 0 after 2 sinks 0 queries "length" keys "length" : !few
  %turned = sattn.transpose %near : !few -> !all
  %both = sattn.union %turned, %far : !all, !few -> !all
  %own = sattn.intersect %both, %near : !all, !few -> !few
  %wide = sattn.coarsen %own keys "length" : !few -> !wide
  %back = sattn.refine %wide keys "length" : !wide -> !all
  %shared = sattn.share %back heads [0, 0] : !all -> !two
  %a = sattn.attend %x, %x, %x over %shared heads 2 kv_heads 2 scale 0.25 : !x, !x, !x, over !two -> !part
  %b = sattn.attend %x, %x, %x over %far heads 2 kv_heads 2 scale 0.25 causal : !x, !x, !x, over !few -> !part
  %y = sattn.merge %a, %b : !part, !part -> !x
  return %y : !x
}}
"""


def onnx_attention(mask, path):
    """Attention of ai.onnx over as many tokens as the mask, an initializer, has."""
    from onnx import TensorProto, helper, numpy_helper

    shape = ["batch", mask.shape[-1], 64]
    query, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "qy")
    node = helper.make_node("Attention", ["q", "q", "q", "m"], ["y"], "node", q_num_heads=4, kv_num_heads=4)
    graph = helper.make_graph([node], "graph", [query], [result], [numpy_helper.from_array(mask, "m")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


class Attention(CommandTest):
    def learnt_model(self, pattern, weights, causal, mask="i1", given=True):
        """One buffer holds queries of 4 heads, keys and values of 2; the pattern stands in the text."""
        random = np.random.default_rng(1)
        save_file({name: random.standard_normal(shape).astype(np.float32) for name, shape in weights.items()},
                  self.folder / "model.safetensors")

        def tokens(width):
            return f'tensor<?x?x{width}xf32, #model.dims<"batch", "length", "{width}">>'

        def start(name, column, width):
            return (f'  {name} = model.slice %x ["0", "0", "{column}"] step [1, 1, 1] : {tokens(64)} -> {tokens(width)}\n')

        types = {name: "tensor<" + "x".join(map(str, shape)) + "xf32>" for name, shape in weights.items()}
        body = start("%q", 0, 32) + start("%k", 32, 16) + start("%v", 48, 16)
        body += "".join(f'  %{name} = model.weight "{name}" : {type}\n' for name, type in types.items())
        m = MASK.replace("i1", mask)
        names = "weights " + ", ".join(f"%{name}" for name in weights) if given else ""
        types = "weights " + ", ".join(types.values()) if given else ""
        path = self.folder / "model.mlir"
        path.write_text(f"""
func.func @main(%x: {tokens(64)} {{model.name = "x"}}, %m: {m} {{model.name = "m"}}) -> ({tokens(32)} {{model.name = "y"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 512>]}} {{
{body}
  %y = sattn.attention #sattn.{pattern} %q, %k, %v mask %m {names} heads 4 kv_heads 2 scale 0.35 {"causal" if causal else ""}
      : {tokens(32)}, {tokens(16)}, {tokens(16)}, {m} {types} -> {tokens(32)}
  return %y : {tokens(32)}
}}
""")
        return path

    def test_learnt(self):
        for pattern, weights in LEARNT.items():
            for causal, mask in ((False, "f32"), (True, "i1")):
                with self.subTest(pattern=pattern, causal=causal):
                    model = self.learnt_model(pattern, weights, causal, mask)
                    self.tamis("compile", model, "-o", "sparse.plan", "--target=host")
                    for length in (1, 2, 17, 65, 150):
                        random = np.random.default_rng(length)
                        kept = np.ones((2, 1, 1, length), bool)
                        kept[1, ..., length - length // 3 :] = False
                        added = np.where(kept, random.standard_normal(kept.shape), -1e30).astype(np.float32)
                        inputs = {"x": random.standard_normal((2, length, 64), np.float32),
                                  "m": kept if mask == "i1" else added}
                        found = self.answer("sparse.plan", inputs)
                        wanted = self.answer(model, inputs, "--device=reference")
                        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)

    def test_without_weights(self):
        model = self.learnt_model("gate_quantile<>", {"gate": (1, 16)}, False, given=False)
        message = self.fails("compile", model, "-o", "out.plan")
        self.assertIn("has 0 weights but #sattn.gate_quantile<> wants 1, 'gate' of sizes [1, 16]", message)

    def model(self, causal=False):
        path = self.folder / "model.mlir"
        path.write_text(MODEL.replace("CAUSAL", "causal" if causal else ""))
        return path

    def answer(self, model, inputs, *options):
        np.savez(self.folder / "in.npz", **inputs)
        words = [f"--input={name}=@in.npz" for name in inputs]
        self.tamis("run", model, *words, "--output=out.npz", *options)
        return np.load(self.folder / "out.npz")["y"]

    def inputs(self, length):
        random = np.random.default_rng(length)
        mask = np.ones((2, 1, 1, length), bool)
        mask[1, ..., length - length // 3 :] = False
        return {"x": random.standard_normal((2, length, 96), np.float32), "m": mask}

    def test_plans(self):
        for causal in (False, True):
            model = self.model(causal)
            self.tamis("compile", model, "-o", "dense.plan", "--target=host")
            for pattern in PATTERNS + CAUSAL_PATTERNS * causal:
                with self.subTest(pattern=pattern, causal=causal):
                    self.tamis("compile", model, "-o", "sparse.plan", "--target=host", f"--attention={pattern}")
                    self.tamis("compile", model, f"--attention={pattern}", "--compile-to=sparsify", "-o", "sparse.mlir")
                    differs = False
                    for length in (1, 17, 65, 130):
                        inputs = self.inputs(length)
                        found = self.answer("sparse.plan", inputs)
                        wanted = self.answer("sparse.mlir", inputs, "--device=reference")
                        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
                        differs |= bool(np.abs(found - self.answer("dense.plan", inputs)).max() > 1e-3)
                    self.assertTrue(differs, "a pattern that changes nothing shows nothing")

    def test_weights(self):
        """A pattern that has weights of its own, in a graph that brings them."""
        random = np.random.default_rng(1)
        shapes = {"wq": (32, 24), "wk": (32, 8), "wh": (32, 3)}
        weights = "\n  ".join(constant(name, random.standard_normal(shape)) for name, shape in shapes.items())
        types = ", ".join(f"tensor<{rows}x{columns}xf32>" for rows, columns in shapes.values())
        text = MODEL.replace("CAUSAL", "causal").replace("mask %m heads", "mask %m weights %wq, %wk, %wh heads")
        text = text.replace(f"{MASK} -> {TOKENS}\n", f"{MASK} weights {types} -> {TOKENS}\n")
        text = text.replace("%y = model.attention", f"{weights}\n  %y = sattn.attention #sattn.indexer<k = 5, heads = 3, width = 8>")
        path = self.folder / "model.mlir"
        path.write_text(text)
        self.tamis("compile", path, "-o", "sparse.plan", "--target=host")
        for length in (1, 17, 130):
            inputs = self.inputs(length)
            wanted = self.answer(path, inputs, "--device=reference")
            np.testing.assert_allclose(self.answer("sparse.plan", inputs), wanted, rtol=0, atol=2e-5)

    def test_parts(self):
        model = self.folder / "parts.mlir"
        model.write_text(PARTS)
        self.tamis("compile", model, "-o", "parts.plan", "--target=host")
        for length in (1, 17, 65, 130):
            inputs = {"x": self.inputs(length)["x"][..., :32].copy()}
            wanted = self.answer(model, inputs, "--device=reference")
            np.testing.assert_allclose(self.answer("parts.plan", inputs), wanted, rtol=0, atol=2e-5)

    def test_dense(self):
        model = self.model()
        self.tamis("compile", model, "-o", "a.plan")
        self.tamis("compile", model, "-o", "b.plan", "--attention=dense")
        self.assertEqual((self.folder / "a.plan").read_bytes(), (self.folder / "b.plan").read_bytes())

    def test_masks_of_models(self):
        random, token = np.random.default_rng(1), np.arange(256)
        whole = np.kron((random.random((4, 4)) < 0.3) | np.eye(4, dtype=bool), np.ones((64, 64), bool))
        part = whole & ((random.random((256, 256)) < 0.8) | np.eye(256, dtype=bool))
        some = np.where(token[:, None] < 128, whole, part)
        cases = [
            ("window", np.abs(token[:, None] - token) < 20, "sattn.bands before 19 after 19"),
            ("own blocks", token[:, None] // 32 == token // 32, "<32 x 32 block"),
            ("whole blocks", whole, 'shape["1", "1", "4"]'),
            ("blocks", part, " mask "),
            ("some whole blocks", some, " full [1] mask "),
            ("blocks by head", np.stack([whole, whole, whole.T, whole.T])[None], 'shape["1", "2", "4"]'),
            ("few columns", np.repeat((token % 64 < 9)[None], 256, 0), "<64 x 16 block"),
            ("little", np.ones((3, 3), bool) ^ (np.arange(9).reshape(3, 3) == 4), " mask "),
        ]
        for number, (name, mask, wanted) in enumerate(cases):
            with self.subTest(mask=name):
                # As truths and as numbers, which are weights of the model.
                given = np.where(mask, 0, -3.4e38).astype("f4") if number % 2 else mask
                model = onnx_attention(given, self.folder / "model.onnx")
                text = self.tamis("compile", model, "--compile-to=sparsify").stdout
                self.assertIn(wanted, text)
                self.tamis("compile", model, "-o", "out.plan", "--target=host")
                judged = self.tamis("verify", "out.plan", model, environment={"PYTHON": sys.executable}).stdout
                self.assertIn("against ONNX Runtime", judged)
                self.assertIn("agrees", judged)

    def test_refused(self):
        model = self.model()
        for pattern, message in [
            ("nonsense", "found the attention 'nonsense' but dense or a pattern is wanted"),
            ("window(size=0)", "found a window of size 0"),
            ("block_top_k(k=2, block=0)", "found 2 blocks of 0"),
            ("fraction(share=1.5)", "found a share of 1.5"),
            ("top_k(k=5", "expected ')'"),
            ("page_bounds(k=2, page=0)", "found 2 pages of 0"),
            ("antidiagonal(block=24)", "found blocks of 24 with a stride of 16"),
            ("vertical_slash(vertical=40, slash=40)", "found attention without causal order"),
            ("indexer", "found no weight 'attention.0.query'"),
        ]:
            with self.subTest(pattern=pattern):
                self.assertIn(message, self.fails("compile", model, "-o", "out.plan", f"--attention={pattern}"))


if __name__ == "__main__":
    unittest.main()
