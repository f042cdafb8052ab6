# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis compile: plans, IR of every phase, MLIR's flags, progress."""

import json
import os
import pty
import re
import subprocess
import unittest

from command import TAMIS, CommandTest

PHASES = ["import", "graph", "sparsify", "tile", "target", "plan"]


class Compile(CommandTest):
    def inspect(self, plan):
        return json.loads(self.tamis("inspect", plan, "--json").stdout)

    def test_summary(self):
        result = self.tamis("compile", self.small_model(), "-o", "out.plan")
        self.assertRegex(result.stdout, r"^out\.plan: 7 dispatches of \d kernels, [\d.]+ kB, compiled in [\d.]+ m?s\n$")
        self.assertEqual(result.stderr, "", "quiet in a pipe")
        self.assertEqual(self.tamis("compile", self.small_model(), "-o", "out.plan", "-q").stdout, "")

    def test_same_bytes(self):
        plans = []
        for threads in (0, 1, 3, 0):
            # The folder's name and the time must not matter either.
            model = self.small_model(f"model-{len(plans)}")
            self.tamis("compile", model, "-o", "out.plan", "--threads", threads)
            plans.append((self.folder / "out.plan").read_bytes())
        for plan in plans[1:]:
            self.assertEqual(plan, plans[0])

    def test_verbose(self):
        text = self.tamis("compile", self.small_model(), "-o", "out.plan", "--verbose").stderr
        self.assertEqual([line.split()[0] for line in text.splitlines()], PHASES)
        for line in text.splitlines():
            self.assertRegex(line, r"^\w+ +[\d.]+ (s|ms|us)$")

    def test_progress_on_a_terminal(self):
        model = self.small_model()
        master, terminal = pty.openpty()
        command = [TAMIS, "compile", model, "-o", self.folder / "out.plan"]
        subprocess.run(command, stderr=terminal, stdout=subprocess.DEVNULL, check=True, env={**os.environ, "TERM": "xterm"})
        os.close(terminal)
        text = b""
        try:
            while chunk := os.read(master, 4096):
                text += chunk
        except OSError:  # how a terminal without writers ends
            pass
        os.close(master)
        for phase in PHASES:
            self.assertRegex(text.decode(), rf"{phase} +\.\.\.")
            self.assertRegex(text.decode(), rf"{phase} +[\d.]+ (s|ms|us)")

    def test_targets(self):
        model = self.small_model()
        for target, sections in [
            ("cpu", ["x86-64-v4", "x86-64-v3"]),
            ("x86-64-v3", ["x86-64-v3"]),
            ("x86-64-v2,x86-64-v4", ["x86-64-v4", "x86-64-v2"]),
            ("cpu:haswell", ["haswell"]),
            ("host", ["host"]),
        ]:
            with self.subTest(target=target):
                self.tamis("compile", model, "-o", "out.plan", f"--target={target}")
                code = [section for section in self.inspect("out.plan")["sections"] if section["kind"] == "code"]
                self.assertEqual([section["name"] for section in code], sections)

    def test_ranges(self):
        model = self.small_model()
        self.tamis("compile", model, "-o", "out.plan", "--dim", "batch=2..3", "--dim=sequence=4..9")
        symbols = [(s["name"], s["min"], s["max"]) for s in self.inspect("out.plan")["symbols"]]
        self.assertEqual(symbols, [("batch", 2, 3), ("sequence", 4, 9)])
        message = self.fails("run", "out.plan", "--input", "ids=1x4xi64=1")
        self.assertIn("2 to 3", message)

    def test_compile_to(self):
        model = self.small_model()
        marks = {
            "import": "model.activation gelu",
            "graph": "model.norm layer",
            "sparsify": "model.norm layer",
            "tile": "vector.",
            "target": "llvm.func",
            "plan": "slots",
        }
        for phase, mark in marks.items():
            with self.subTest(phase=phase):
                text = self.tamis("compile", model, f"--compile-to={phase}").stdout
                self.assertIn(mark, text)
                self.tamis("compile", model, f"--compile-to={phase}", "-o", "out.mlir")
                self.assertEqual((self.folder / "out.mlir").read_text(), text)

    def test_printed_graph_runs(self):
        model, ids = self.small_model(), "ids=2x3xi64=1,2,3,4,5,6"
        wanted = self.tamis("run", model, "--device=reference", "--input", ids).stdout
        for phase in ("import", "graph"):
            self.tamis("compile", model, f"--compile-to={phase}", "--with-weights", "-o", f"{phase}.mlir")
            self.assertEqual(self.tamis("run", f"{phase}.mlir", "--device=reference", "--input", ids).stdout, wanted)

    def test_bytecode(self):
        model = self.small_model()
        self.tamis("compile", model, "--compile-to=graph", "--emit-bytecode", "-o", "out.mlirbc")
        self.assertTrue((self.folder / "out.mlirbc").read_bytes().startswith(b"ML\xefR"))

    def test_dump_phases(self):
        model = self.small_model()
        self.tamis("compile", model, "-o", "out.plan", "--dump-phases=dumps")
        names = sorted(path.name for path in (self.folder / "dumps").iterdir())
        self.assertEqual(names, [f"model.{i + 1}.{phase}.mlir" for i, phase in enumerate(PHASES)])
        self.tamis("compile", model, "--compile-to=graph", "--dump-phases=fewer")
        self.assertEqual(len(list((self.folder / "fewer").iterdir())), 2)

    def test_mlir_flags(self):
        model = self.small_model()
        plain = self.tamis("compile", model, "--compile-to=graph")
        self.assertNotIn("loc(", plain.stdout)
        self.assertEqual(plain.stderr, "")
        self.assertIn('loc("/layer.0/up")', self.tamis("compile", model, "--compile-to=graph", "--mlir-print-debuginfo").stdout)
        printed = self.tamis("compile", model, "--compile-to=tile", "--mlir-print-ir-after-all", "-mlir-disable-threading").stderr
        passes = re.findall(r"IR Dump After (\w+)", printed)
        self.assertIn("Canonicalizer", passes)
        self.assertIn("FormDispatches", passes)
        one = self.tamis("compile", model, "--compile-to=tile", "--mlir-print-ir-after=tamis-form-dispatches").stderr
        self.assertEqual(re.findall(r"IR Dump After (\w+)", one), ["FormDispatches"])
        self.assertIn("Execution time report", self.tamis("compile", model, "--compile-to=graph", "--mlir-timing").stderr)
        self.assertIn("--mlir-nonsense", self.fails("compile", model, "--compile-to=graph", "--mlir-nonsense"))


if __name__ == "__main__":
    unittest.main()
