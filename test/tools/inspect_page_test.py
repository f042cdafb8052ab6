# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis inspect --html: a page that is well formed, complete, and needs nothing from outside."""

import html.parser
import json
import re
import unittest

from command import CommandTest

VOID = {"meta", "input", "br"}


class Parsed(html.parser.HTMLParser):
    """Checks that elements nest, and keeps them with their text."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements = [], []
        self.feed(text)
        self.close()
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1]["tag"] == tag, f"</{tag}> ends {self.stack[-1:]}"
        self.stack.pop()

    def handle_data(self, data):
        for element in self.stack:
            element["text"] += data

    def all(self, tag, **wanted):
        return [e for e in self.elements if e["tag"] == tag and all(e.get(k.strip("_")) == v for k, v in wanted.items())]


class InspectPage(CommandTest):
    def page(self, *words):
        self.tamis("inspect", self.small_plan(), "--html=page.html", "--dim=batch=2", "--dim=sequence=9", *words)
        text = (self.folder / "page.html").read_text()
        self.assertNotRegex(text, r"https?://|src=|@import|url\(", "nothing is fetched")
        return Parsed(text)

    def test_program(self):
        page = self.page()
        found = json.loads(self.tamis("inspect", "model.plan", "--json", "--dim=batch=2", "--dim=sequence=9").stdout)
        rows = [row["text"] for row in page.all("tr") if "data-d" in row]
        self.assertEqual(len(rows), 7)
        for row, dispatch in zip(rows, found["dispatches"]):
            self.assertIn(dispatch["name"], row)
        self.assertIn("/layer.0/{up, gelu}", rows[1])
        # Scale and bias of 24 numbers of four bytes; the norm's result is read by two; the last result is the output.
        self.assertRegex(rows[3], r"layer_norm.*192 B1\.73 kB/layer\.0/norm")
        self.assertRegex(rows[6], r"192 B\u2192 hidden/layer\.1/norm")

    def test_pictures(self):
        page = self.page()
        found = json.loads(self.tamis("inspect", "model.plan", "--json", "--dim=batch=2", "--dim=sequence=9").stdout)
        # The embedding is read by the first linear and the residual, the first norm likewise.
        arcs = sorted(tuple(map(int, arc["data-d"].split()))[::-1] for arc in page.all("path", _class="arc"))
        self.assertEqual(arcs, [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (4, 5), (5, 6)])
        buffers = page.all("rect", _class="buffer")
        arena = found["memory"]["arena"]
        self.assertEqual(len(buffers), len(arena))
        scale = 340 / found["memory"]["arena_bytes"]
        for buffer, drawn in zip(arena, sorted(buffers, key=lambda b: int(b["data-d"]))):
            self.assertEqual(int(drawn["data-d"]), buffer["first"])
            self.assertAlmostEqual(float(drawn["height"]), buffer["bytes"] * scale, delta=0.02)
            self.assertAlmostEqual(float(drawn["width"]), 60 * (buffer["last"] - buffer["first"] + 1), delta=0.02)
            self.assertAlmostEqual(8 + 340 - float(drawn["y"]) - float(drawn["height"]), buffer["offset"] * scale, delta=0.02)

    def test_times(self):
        profile = self.tamis("bench", self.small_plan(), "--profile", "--json", "--repetitions=3", "--dim=batch=3",
                             "--threads=1").stdout
        measured = json.loads(profile)
        for number, dispatch in enumerate(measured["measurements"][0]["dispatches"]):
            dispatch["median_seconds"] = 1e-3 * (number + 1)
        (self.folder / "times.json").write_text(json.dumps(measured))
        self.tamis("inspect", "model.plan", "--html=page.html", "--profile=times.json")
        page = Parsed((self.folder / "page.html").read_text())
        rows = [row["text"] for row in page.all("tr") if "data-d" in row]
        self.assertIn("4.00 ms", rows[3])
        self.assertIn("14.3 %", rows[3])
        self.assertIn("batch=3", page.all("div", _class="facts")[0]["text"], "the sizes are those of the measurement")

        message = self.fails("inspect", "model.plan", "--html=other.html", "--profile=times.json", "--dim=batch=2")
        self.assertIn("other sizes", message)
        measured["measurements"][0]["dispatches"].pop()
        (self.folder / "times.json").write_text(json.dumps(measured))
        self.assertIn("another plan", self.fails("inspect", "model.plan", "--html=other.html", "--profile=times.json"))
        del measured["measurements"][0]["dispatches"]
        (self.folder / "times.json").write_text(json.dumps(measured))
        self.assertIn("--profile --json", self.fails("inspect", "model.plan", "--html=other.html", "--profile=times.json"))
        (self.folder / "times.json").write_text("[1, 2")
        self.assertIn("no measurements", self.fails("inspect", "model.plan", "--html=other.html", "--profile=times.json"))

    def test_phases(self):
        page = self.page(f"--model={self.small_model()}")
        phases = {pre["id"]: pre for pre in page.all("pre", _class="ir")}
        self.assertEqual(list(phases), ["ir-import", "ir-graph", "ir-sparsify", "ir-tile"])
        self.assertIn('model.weight "layer.0.up.weight"', phases["ir-import"]["text"])
        self.assertIn("plan.dispatch", phases["ir-tile"]["text"])
        rows = [row["text"] for row in page.all("tr") if "data-d" in row]
        self.assertIn("f32 [batch, sequence, 40], 2.88 kB", rows[1], "with the model, shapes are known, too")
        self.assertIn("more lines of this kernel", phases["ir-tile"]["text"])
        gone = [div["text"] for div in page.all("div", _class="gone")]
        self.assertTrue(any("model.activation gelu" in line for line in gone), "dispatches replace it")
        self.assertLess(len(phases["ir-tile"]["text"]), 60000)
        weights = [row["text"] for row in page.all("tr")]
        self.assertTrue(any(re.match(r"layer\.1\.norm\.scale\s*tensor<24xf32>", text) for text in weights))
        message = self.fails("inspect", "model.plan", "--html=other.html", "--model=missing.onnx")
        self.assertIn("missing.onnx", message)

    def test_names_are_text(self):
        model = self.small_model()
        model.write_text(model.read_text().replace("/layer.0/up", "<script>&'"))
        self.tamis("compile", model, "-o", "odd.plan", "--target=host", "-q")
        self.tamis("inspect", "odd.plan", "--html=page.html")
        text = (self.folder / "page.html").read_text()
        self.assertIn("&lt;script&gt;&amp;'", text)
        self.assertEqual(text.count("<script>"), 1)
        Parsed(text)

    def test_mistakes(self):
        plan = self.small_plan()
        self.assertIn("--html", self.fails("inspect", plan, "--model=x.onnx", code=2))
        self.assertIn("--html", self.fails("inspect", plan, "--profile=x.json", code=2))
        self.fails("inspect", plan, "--html=a.html", "--json", code=2)
        self.fails("inspect", plan, "--html=nowhere/a.html")


if __name__ == "__main__":
    unittest.main()
