# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Help, version, and command lines that cannot be meant."""

import unittest

from command import CommandTest

COMMANDS = ["compile", "quantize", "run", "bench", "generate", "perplexity", "inspect", "verify", "reduce", "doctor"]


class Usage(CommandTest):
    def test_help(self):
        text = self.tamis("--help").stdout
        for command in COMMANDS:
            self.assertIn(f"  {command} ", text)
            own = self.tamis(command, "--help").stdout
            self.assertIn(f"Usage: tamis {command} ", own)
            for line in own.splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_version(self):
        self.assertRegex(self.tamis("--version").stdout, r"^tamis \d+\.\d+\.\d+, plan format \d+\n$")

    def test_mistakes(self):
        for words, message in [
            ([], "a command is missing"),
            (["frobnicate"], "unknown command 'frobnicate'"),
            (["--frob"], "unknown option '--frob'"),
            (["run"], "PLAN|MODEL is required"),
            (["run", "a.plan", "b.plan"], "unknown argument 'b.plan'"),
            (["run", "a.plan", "--frob"], "unknown option '--frob'"),
            (["run", "a.plan", "--device=abacus"], "--device"),
            (["run", "a.plan", "--threads=-1"], "--threads"),
            (["run", "a.plan", "--threads=two"], "--threads"),
            (["bench", "a.plan", "--threads=1,x"], "--threads"),
            (["compile", "a.onnx"], "-o PLAN is missing"),
            (["compile", "a.onnx", "-o", "b", "--frob"], "unknown option '--frob'"),
            (["compile", "a.onnx", "b.onnx", "-o", "c"], "'b.onnx'"),
            (["compile", "a.onnx", "-o", "b", "--compile-to=nowhere"], "--compile-to"),
            (["compile", "a.onnx", "-o", "b", "--dim", "batch"], "'batch'"),
            (["compile", "a.onnx", "-o", "b", "--dim", "batch=4..2"], "'batch=4..2'"),
            (["compile", "a.onnx", "-o", "b", "--dim", "batch=-1"], "'batch=-1'"),
            (["compile", "a.onnx", "-o", "b", "--dim", "n=1..2x"], "'n=1..2x'"),
            (["compile", "a.onnx", "-o", "b", "--dim", "n=1", "--dim", "n=2"], "given twice"),
            (["compile", "a.onnx", "-o", "b", "--emit-bytecode"], "--compile-to"),
            (["compile", "a.onnx", "--compile-to=tile", "--with-weights"], "--with-weights"),
            (["verify", "a.plan"], "MODEL is required"),
            (["verify", "a.plan", "a.onnx", "--against=luck"], "--against"),
        ]:
            with self.subTest(words=words):
                text = self.fails(*words, code=2)
                self.assertIn(message, text)
                self.assertNotRegex(text, r"\.$")

    def test_what_is_no_plan(self):
        (self.folder / "model.onnx").write_bytes(b"not a plan")
        (self.folder / "short.plan").write_bytes(b"TAMISPLN")
        for command in ("inspect", "bench"):
            self.assertIn("missing.plan", self.fails(command, "missing.plan"))
            self.assertIn("tamis compile model.onnx", self.fails(command, "model.onnx"))
            self.assertIn("short.plan", self.fails(command, "short.plan"))


if __name__ == "__main__":
    unittest.main()
