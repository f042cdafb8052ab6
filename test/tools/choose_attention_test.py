# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile --attention=@policy: patterns by layer and head, and what is refused."""

import json
import unittest

import numpy as np
from command import CommandTest

X = 'tensor<?x?x96xf32, #model.dims<"batch", "length", "96">>'
TOKENS = 'tensor<?x?x32xf32, #model.dims<"batch", "length", "32">>'
# Two layers, both with the queries, keys and values of the input.
MODEL = f"""
func.func @main(%x: {X} {{model.name = "x"}}) -> ({TOKENS} {{model.name = "y"}}, {TOKENS} {{model.name = "z"}})
    attributes {{model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"length", 1, 512>]}} {{
  %q = model.slice %x ["0", "0", "0"] step [1, 1, 1] : {X} -> {TOKENS}
  %k = model.slice %x ["0", "0", "32"] step [1, 1, 1] : {X} -> {TOKENS}
  %v = model.slice %x ["0", "0", "64"] step [1, 1, 1] : {X} -> {TOKENS}
  %y = model.attention %q, %k, %v heads 4 kv_heads 4 scale 1.0 : {TOKENS}, {TOKENS}, {TOKENS} -> {TOKENS}
  %z = model.attention %y, %k, %v heads 4 kv_heads 4 scale 1.0 : {TOKENS}, {TOKENS}, {TOKENS} -> {TOKENS}
  return %y, %z : {TOKENS}, {TOKENS}
}}
"""


class ChooseAttention(CommandTest):
    def setUp(self):
        super().setUp()
        (self.folder / "model.mlir").write_text(MODEL)

    def policy(self, policy):
        text = policy if isinstance(policy, str) else json.dumps(policy)
        (self.folder / "policy.json").write_text(text)

    def compile(self, plan, *options):
        return self.tamis("compile", "model.mlir", "-o", plan, "--target=host", *options).stdout

    def answers(self, plan, x, *options):
        np.savez(self.folder / "in.npz", x=x)
        self.tamis("run", plan, "--input=x=@in.npz", "--output=out.npz", *options)
        with np.load(self.folder / "out.npz") as out:
            return out["y"], out["z"]

    def test_policy(self):
        self.policy({"default": "window(size=9)", "layers": {"1": {"0": "top_k(k=5)", "2-3": "dense"}}})
        self.compile("sparse.plan", "--attention=@policy.json")
        self.tamis("compile", "model.mlir", "--attention=@policy.json", "--compile-to=sparsify", "-o", "sparse.mlir")
        for length in (1, 33, 100):
            x = np.random.default_rng(length).standard_normal((2, length, 96), np.float32)
            right = self.answers("sparse.mlir", x, "--device=reference")
            for found, wanted in zip(self.answers("sparse.plan", x), right):
                np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)

    def test_policy_reads_columns_in_place(self):
        self.policy({"layers": {"0-1": {"0": "window(size=9)", "1": "top_k(k=5)"}}})
        ir = self.tamis("compile", "model.mlir", "--attention=@policy.json", "--compile-to=tile", "-o", "-").stdout
        main = ir[ir.index("@main") :]
        names = [line.split("@")[1].split("(")[0] for line in main.splitlines() if "plan.dispatch" in line]
        kinds = {name.rstrip("_0123456789") for name in names}
        self.assertEqual(len(names), 2 * (3 + 1 + 1), names)  # attentions, the selection of top_k, the concat
        self.assertFalse([kind for kind in kinds if "slice" in kind], names)

    def test_policy_refused(self):
        for policy, message in [
            ("[", "policy.json: found no JSON but a policy is wanted"),
            ([], 'policy.json: found an array but an object of "default" and "layers" is wanted'),
            ({"layer": {}}, 'policy.json: found "layer" but "default" and "layers" are what a policy has'),
            ({"default": 3}, 'policy.json: found a number for "default" but the text of a pattern'),
            ({"default": "nonsense"}, "policy.json: \"default\": found the attention 'nonsense'"),
            ({"layers": []}, 'policy.json: found an array in "layers" but an object'),
            ({"layers": {"2": "dense"}}, "found a rule for layers 2 but the model has 2 layers of attention"),
            ({"layers": {"1-2": "dense"}}, "found a rule for layers 1-2 but the model has 2 layers of attention"),
            ({"layers": {"1-0": "dense"}}, 'found the layers "1-0" but a number, "3", or a range, "0-3", is wanted'),
            ({"layers": {"-1": "dense"}}, 'found the layers "-1" but a number'),
            ({"layers": {"one": "dense"}}, 'found the layers "one" but a number'),
            ({"layers": {"0-1": "dense", "1": "dense"}}, "for layers 1 but one is wanted"),
            ({"layers": {"0": None}}, "found null for the rule of layers 0 but the text of a pattern"),
            ({"layers": {"0": {}}}, "found no heads in the rule of layers 0"),
            ({"layers": {"0": {"4": "dense"}}}, "found a rule for heads 4 of layer 0 but it has 4 heads"),
            ({"layers": {"0": {"0-2": "dense", "2": "dense"}}}, "for heads 2 but one is wanted"),
            ({"layers": {"0": {"0": "top_k(k=0)"}}}, "the rule of layers 0, heads 0: found"),
        ]:
            with self.subTest(policy=policy):
                self.policy(policy)
                self.assertIn(message, self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@policy.json"))
        message = self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@missing.json")
        self.assertIn("cannot read the policy 'missing.json'", message)
        self.assertIn("not a regular file", self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@."))


if __name__ == "__main__":
    unittest.main()
