# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis inspect: what a plan says of itself, as text and JSON."""

import json
import unittest

from command import CommandTest

NODES = [
    ["/embedding"],
    ["/layer.0/up", "/layer.0/gelu"],
    ["/layer.0/down", "/layer.0/sum"],
    ["/layer.0/norm"],
    ["/layer.1/up", "/layer.1/gelu"],
    ["/layer.1/down", "/layer.1/sum"],
    ["/layer.1/norm"],
]


class Inspect(CommandTest):
    def json(self, *words):
        return json.loads(self.tamis("inspect", self.small_plan(), "--json", *words).stdout)

    def test_interface(self):
        found = self.json("--dim=batch=2")
        self.assertEqual(found["model"], "model.mlir")
        self.assertRegex(found["compiler"], r"^tamis \d")
        self.assertEqual(found["file_bytes"], self.small_plan().stat().st_size)
        self.assertEqual(found["inputs"], [{"name": "ids", "element_type": "i64", "dims": ["batch", "sequence"]}])
        dims = ["batch", "sequence", "24"]
        self.assertEqual(found["outputs"], [{"name": "hidden", "element_type": "f32", "dims": dims}])
        batch, sequence = found["symbols"]
        self.assertEqual(batch, {"name": "batch", "min": 1, "max": 8, "value": 2})
        self.assertEqual(sequence, {"name": "sequence", "min": 1, "max": 64, "value": 64})

    def test_dispatches(self):
        found = self.json("--dim=batch=2", "--dim=sequence=9")["dispatches"]
        self.assertEqual([dispatch["sources"] for dispatch in found], NODES)
        up = found[1]
        self.assertEqual(up["name"], "linear_gelu_24x40")
        self.assertGreaterEqual(up["flops"], 2 * 18 * 24 * 40)
        self.assertLess(up["flops"], 2 * 2 * 18 * 24 * 40)
        # Read: the input, the weight and the bias; written: the result.
        self.assertEqual(up["bytes"], 4 * (18 * 24 + 24 * 40 + 40 + 18 * 40))
        self.assertGreater(up["code_bytes"], 0)

    def test_sections(self):
        sections = self.json()["sections"]
        self.assertEqual([(s["kind"], s["name"]) for s in sections[:2]], [("code", "x86-64-v4"), ("code", "x86-64-v3")])
        self.assertEqual(sections[2]["kind"], "weights")
        self.assertEqual(sum(s["in_use"] for s in sections if s["kind"] == "code"), 1)
        for section in sections[:2]:
            self.assertEqual(section["machine"], "x86-64")
            self.assertIn("avx2", section["features"])
            self.assertNotEqual(section["in_use"], bool(section["reason"]))
        self.assertEqual("avx512f" in sections[0]["features"], True)
        self.assertEqual("avx512f" in sections[1]["features"], False)
        image = self.tamis("inspect", self.small_plan(), "--code=x86-64-v4", binary=True).stdout
        self.assertEqual((len(image), image[:4]), (sections[0]["bytes"], b"\x7fELF"))
        self.assertIn("it holds: x86-64-v4, x86-64-v3",
                      self.fails("inspect", self.small_plan(), "--code=sm_80", code=2))
        lower = self.json("--level=x86-64-v3")["sections"]
        self.assertEqual([s["in_use"] for s in lower], [False, True, True])

    def test_arena(self):
        for sequence in (1, 17, 64):
            memory = self.json("--dim=batch=3", f"--dim=sequence={sequence}")["memory"]
            self.assertEqual(memory["output_bytes"], 3 * sequence * 24 * 4)
            # The embedding and the norm between the layers are read by the first linear and by the sum.
            lives = [(buffer["first"], buffer["last"]) for buffer in memory["arena"]]
            self.assertEqual(lives, [(0, 2), (1, 2), (2, 3), (3, 5), (4, 5), (5, 6)])
            widths = [24, 40, 24, 24, 40, 24]
            self.assertEqual([buffer["bytes"] for buffer in memory["arena"]], [3 * sequence * 4 * w for w in widths])
            for i, a in enumerate(memory["arena"]):
                self.assertLessEqual(a["offset"] + a["bytes"], memory["arena_bytes"])
                for b in memory["arena"][:i]:
                    together = a["first"] <= b["last"] and b["first"] <= a["last"]
                    apart = a["offset"] + a["bytes"] <= b["offset"] or b["offset"] + b["bytes"] <= a["offset"]
                    self.assertTrue(apart or not together, (a, b))

    def test_text(self):
        text = self.tamis("inspect", self.small_plan(), "--dim=batch=2", "--dim=sequence=9").stdout
        lines = text.splitlines()
        self.assertRegex(lines[0], r"^model\.mlir: compiled by tamis .*, [\d.]+ kB, 7 dispatches of \d kernels$")
        for title in ["inputs", "outputs", "sizes", "sections", "dispatches, at batch=2 sequence=9"]:
            self.assertIn(title, lines)
        self.assertIn("  ids  i64  [batch, sequence]", lines)
        self.assertIn("  sequence  1 to 64", lines)
        # Columns are aligned: every node list starts where the title of its column does.
        start = lines.index("dispatches, at batch=2 sequence=9")
        column = lines[start + 1].index("nodes")
        listed = [line[column:] for line in lines[start + 2 : start + 9]]
        self.assertEqual(listed[:3], ["/embedding", "/layer.0/{up, gelu}", "/layer.0/{down, sum}"])
        self.assertIn("x86-64-v4", text)
        self.assertIn("written by", text)

    def test_metadata(self):
        import onnx

        model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }')
        onnx.helper.set_model_props(model, {"author": "us", "config": "one\n" + "two " * 40})
        onnx.save(model, self.folder / "model.onnx")
        self.tamis("compile", "model.onnx", "-o", "model.plan", "-q")
        found = json.loads(self.tamis("inspect", "model.plan", "--json").stdout)["reports"]["metadata"]
        self.assertEqual(found, {"author": "us", "config": "one\n" + "two " * 40})
        self.assertRegex(self.tamis("inspect", "model.plan").stdout, r"author +us\n.*one two two.* \.\.\.")

    def test_mistakes(self):
        plan = self.small_plan()
        self.assertIn("1 to 8", self.fails("inspect", plan, "--dim=batch=9"))
        self.assertIn("no symbol 'length'", self.fails("inspect", plan, "--dim=length=9", code=2))
        self.assertIn("z80", self.fails("inspect", plan, "--level=z80"))


if __name__ == "__main__":
    unittest.main()
