# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile --attention=@policy and --attention=auto: what is chosen, that its bound holds, and what is refused."""

import json
import re
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


def passages(count, length=384, sharp=(0, 1, 2, 3), seed=1):
    """In the first layer each query of a sharp head finds its own key and no other; other heads read all keys alike."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((count, length, 3, 4, 8), np.float32)
    x[:, :, 0] = x[:, :, 1] = 40 * x[:, :, 1] / np.linalg.norm(x[:, :, 1], axis=-1, keepdims=True)
    for head in set(range(4)) - set(sharp):
        x[:, :, :2, head] *= 0.001
    return x.reshape(count, length, 96)


def cosines(a, b):
    a, b = (v.reshape(len(v), -1).astype(np.float64) for v in (a, b))
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


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

    def test_dense_below(self):
        self.policy({"default": "window(size=3)", "dense_below": 40})
        self.compile("dense.plan")
        for name, options in [("policy", ["--attention=@policy.json"]),
                              ("option", ["--attention=window(size=3)", "--dense-below=40"])]:
            self.compile(f"{name}.plan", *options)
        self.tamis("compile", "model.mlir", "--attention=@policy.json", "--compile-to=sparsify", "-o", "policy.mlir")
        self.assertEqual(*((self.folder / f"{name}.plan").read_bytes() for name in ("policy", "option")))
        for length in (1, 39, 40, 100):
            x = np.random.default_rng(length).standard_normal((2, length, 96), np.float32)
            found, dense = self.answers("policy.plan", x), self.answers("dense.plan", x)
            for a, b in zip(found, self.answers("policy.mlir", x, "--device=reference")):
                np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
            same = all(np.array_equal(a, b) for a, b in zip(found, dense))
            self.assertEqual(same, length < 40, length)
            # What is not used does not run.
            costs = self.dispatch_groups("policy.plan", length)
            self.assertEqual(costs["attention"] > 0, length < 40, costs)
            self.assertEqual(costs["sparse_attention"] > 0, length >= 40, costs)

    def dispatch_groups(self, plan, length):
        words = ["--dim=batch=1", f"--dim=length={length}", "--profile", "--repetitions=2", "--json", "--threads=1"]
        measured = json.loads(self.tamis("bench", plan, *words).stdout)["measurements"][0]["dispatches"]
        return {re.sub(r"_\d+$", "", dispatch["name"]): dispatch["groups"] for dispatch in measured}

    def test_policy_refused(self):
        for policy, message in [
            ("[", "policy.json: found no JSON but a policy is wanted"),
            ([], 'policy.json: found an array but an object of "default" and "layers" is wanted'),
            ({"layer": {}}, 'policy.json: found "layer" but "default", "layers" and "dense_below" are what a policy has'),
            ({"dense_below": -1}, 'found a number for "dense_below" but a number of keys, from 0, is wanted'),
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
            ({"layers": {"1": "share"}}, "the rule of layers 1: found 'share' but share(LAYER) is wanted"),
            ({"layers": {"1": "share(-1)"}}, "found 'share(-1)' but share(LAYER) is wanted"),
            ({"layers": {"1": "share(1)"}}, "share what layer 1 selects but an earlier layer is wanted"),
            ({"layers": {"0-1": "share(0)"}}, "share what layer 0 selects but an earlier layer is wanted"),
            ({"layers": {"1": "share(0)"}, "default": "linear"}, "shares what another layer selects but #sattn.linear<> selects nothing"),
        ]:
            with self.subTest(policy=policy):
                self.policy(policy)
                self.assertIn(message, self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@policy.json"))
        message = self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@missing.json")
        self.assertIn("cannot read the policy 'missing.json'", message)
        self.assertIn("not a regular file", self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=@."))

    def choose(self, x, *options):
        np.savez(self.folder / "passages.npz", x=x)
        words = ["--attention=auto", "--calibrate=passages.npz", "--report=report.json"]
        printed = self.compile("auto.plan", *words, *options)
        report = json.loads((self.folder / "report.json").read_text())
        self.assertIn("passages held out", printed)
        return report

    def inspect(self, plan):
        return json.loads(self.tamis("inspect", plan, "--json").stdout)

    def compiled_parts(self, plan):
        """Name and bytes of each section that runs; how the plan was decided is not among them."""
        data = (self.folder / plan).read_bytes()
        sections = [s for s in self.inspect(plan)["sections"] if s["kind"] != "report"]
        return [(s["name"], data[s["offset"] : s["offset"] + s["bytes"]]) for s in sections]

    def test_share(self):
        self.policy({"layers": {"0": {"0-2": "top_k(k=5)", "3": "window(size=3)"}, "1": "share(0)"}})
        self.compile("shared.plan", "--attention=@policy.json")
        self.tamis("compile", "model.mlir", "--attention=@policy.json", "--compile-to=sparsify", "-o", "shared.mlir")
        self.assertEqual((self.folder / "shared.mlir").read_text().count("sattn.select"), 1)
        for length in (1, 33, 100):
            x = np.random.default_rng(length).standard_normal((2, length, 96), np.float32)
            wanted = self.answers("shared.mlir", x, "--device=reference")
            for a, b in zip(self.answers("shared.plan", x), wanted):
                np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
        self.policy({"default": "top_k(k=5)"})
        self.compile("apart.plan", "--attention=@policy.json")
        self.assertGreater(np.abs(self.answers("apart.plan", x)[1] - wanted[1]).max(), 1e-3)

    def test_auto_shares(self):
        """The second layer asks nearly the same of the same keys."""
        text = MODEL.replace("  %y = ", f"""  %c = model.constant dense<1.01> : tensor<f32>
  %r = model.elementwise mul %q, %c : ({TOKENS}, tensor<f32>) -> {TOKENS}
  %y = """).replace("%z = model.attention %y", "%z = model.attention %r")
        (self.folder / "model.mlir").write_text(text)
        report = self.choose(passages(4), "--candidates=block_top_k(block=16, k=2)")
        self.assertEqual(report["policy"]["layers"], {"0": "block_top_k(block=16, k=2)", "1": "share(0)"})
        self.assertGreater(report["layers"][1][0]["shared_overlap"], 0.9)
        self.assertLess(report["candidates"][1]["kept"], 0.1)
        self.assertGreater(report["candidates"][1]["mass"], 0.99)

    def test_auto(self):
        report = self.choose(passages(8), "--max-error=1%", "--candidates=window(size=4), top_k(k=300)")
        self.assertEqual((report["passages"], report["held_out"]), (6, 2))
        self.assertEqual([c["pattern"] for c in report["candidates"]], ["dense", "window(size=4)", "top_k(k=300)"])
        # The first layer's heads read their own key alone; the second's queries are no longer those.
        self.assertEqual(report["policy"]["layers"]["0"], "window(size=4)")
        self.assertGreater(report["layers"][0][0]["mass"], 0.99)
        self.assertLess(report["layers"][0][0]["pairs"], 0.03)
        self.assertLess(report["seconds"], report["dense_seconds"])
        self.assertLessEqual(report["error"]["cosine"], 0.01)
        # What it was promised to do, on passages that were never seen.
        fresh = passages(4, seed=2)
        self.compile("dense.plan")
        for found, dense in zip(self.answers("auto.plan", fresh), self.answers("dense.plan", fresh)):
            self.assertGreaterEqual(cosines(found, dense).min(), 0.99)
        self.assertEqual(self.inspect("auto.plan")["reports"], {"attention": report})
        text = self.tamis("inspect", "auto.plan").stdout
        self.assertIn("chosen among 3 patterns by what they do to 6 passages", text)
        self.assertRegex(text, r"0 +0-3 +window\(size=4\) +[0-9.]+% +[0-9.]+%")
        # The policy alone gives the same code and weights.
        self.policy(report["policy"])
        self.compile("again.plan", "--attention=@policy.json")
        self.assertEqual(*map(self.compiled_parts, ("auto.plan", "again.plan")))
        self.assertEqual(self.inspect("again.plan")["reports"], {})

    def test_auto_by_head(self):
        report = self.choose(passages(4, sharp=(0, 1)), "--candidates=window(size=4)", "--max-error=0.001")
        runs = [(run["first"], run["count"], run["pattern"]) for run in report["layers"][0]]
        self.assertEqual(runs, [(0, 2, "window(size=4)"), (2, 2, "dense")])
        errors = report["candidates"][1]["errors"][0]
        self.assertLess(max(errors[:2]), 0.01)
        self.assertGreater(min(errors[2:]), 0.5)

    def test_auto_stays_dense(self):
        report = self.choose(passages(4, sharp=()), "--candidates=window(size=4), window(size=8)")
        self.assertEqual(report["policy"], {"default": "dense", "dense_below": 0, "layers": {}})
        self.assertEqual(report["error"], {"cosine": 0, "relative": 0})
        self.compile("dense.plan")
        self.assertEqual(*map(self.compiled_parts, ("auto.plan", "dense.plan")))

    def test_auto_default_candidates(self):
        report = self.choose(passages(2, length=64), "--max-error=50%")
        self.assertGreater(len(report["candidates"]), 4)
        self.assertFalse([c for c in report["candidates"] if "refused" in c])

    def test_auto_misfit(self):
        (self.folder / "model.mlir").write_text(MODEL.replace('"length"', '"8"').replace("?x?x", "?x8x").replace(
            ', #model.symbol<"8", 1, 512>', ""))
        report = self.choose(passages(2, length=8), "--candidates=top_k(k=9)")
        self.assertIn("there are 8 keys", report["candidates"][1]["refused"])

    def test_auto_refused(self):
        np.savez(self.folder / "x.npz", x=passages(1, length=4))
        np.savez(self.folder / "y.npz", y=passages(4, length=4))
        np.savez(self.folder / "flat.npz", x=passages(4, length=4)[0])
        np.savez(self.folder / "wide.npz", x=np.zeros((4, 4, 97), np.float32))
        for options, message in [
            (["--calibrate=x.npz"], "found 1 passages of calibration but two or more are wanted"),
            (["--calibrate=y.npz"], "calibration: 'y.npz' has no array 'x'"),
            (["--calibrate=no.npz"], "no.npz"),
            (["--calibrate=flat.npz"], "flat.npz: found the array 'x' of 2 axes but the model's input has 3"),
            (["--calibrate=wide.npz"], "calibration: wide.npz, passage 0: "),
            (["--calibrate=x.npz", "--calibrate=x.npz", "--candidates=nonsense"], "found the attention 'nonsense'"),
        ]:
            with self.subTest(options=options):
                self.assertIn(message, self.fails("compile", "model.mlir", "-o", "x.plan", "--attention=auto", *options))
        for options, message in [
            (["--attention=auto"], "--calibrate=FILE.npz, which holds some, is missing"),
            (["--max-error=1%"], "--max-error is for --attention=auto"),
            (["--attention=dense", "--report=r.json"], "--report is for --attention=auto"),
            (["--attention=auto", "--calibrate=x.npz", "--max-error=0"], "'0' is no share above 0%"),
            (["--attention=auto", "--calibrate=x.npz", "--max-error=2"], "'2' is no share above 0%"),
            (["--attention=auto", "--calibrate=x.npz", "--max-error=1%%"], "'1%%' is no share above 0%"),
        ]:
            with self.subTest(options=options):
                self.assertIn(message, self.fails("compile", "model.mlir", "-o", "x.plan", *options, code=2))


if __name__ == "__main__":
    unittest.main()
