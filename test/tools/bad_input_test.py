# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models and places that `tamis compile` cannot use: a message that names file, node and cause; nothing written."""

import os
import struct
import unittest

from command import DENSE, CommandTest, onnx_model


class BadModel(CommandTest):
    def refuses(self, model, *wanted):
        message = self.fails("compile", model, "-o", "out.plan")
        for text in (str(model), *wanted):
            self.assertIn(text, message)
        return message

    def write(self, name, content):
        (self.folder / name).write_bytes(content)
        return name

    def test_missing(self):
        self.refuses("missing.onnx", "No such file")
        self.refuses("missing.mlir", "No such file")

    def test_empty(self):
        self.refuses(self.write("empty.onnx", b""), "empty")
        self.refuses(self.write("empty.mlir", b""))

    def test_truncated(self):
        whole = onnx_model(DENSE, self.folder / "model.onnx").read_bytes()
        for length in (1, 2, len(whole) // 4, len(whole) // 2, len(whole) - 1):
            with self.subTest(length=length):
                self.refuses(self.write("cut.onnx", whole[:length]))

    def test_foreign(self):
        self.refuses(self.write("text.onnx", b"hello, world\n" * 50))
        self.refuses(self.write("program.onnx", b"\x7fELF" + bytes(range(256)) * 20))
        self.refuses(self.write("numbers.mlir", b"1 2 3\n"), "numbers.mlir:1:1")

    def test_not_a_file(self):
        (self.folder / "folder").mkdir()
        self.refuses("folder", "config.json")
        os.mkfifo(self.folder / "pipe.onnx")
        self.refuses("pipe.onnx", "regular file")
        self.refuses("/dev/zero", "regular file")

    def test_cyclic(self):
        nodes = [
            ("Add", ["x", "back"], ["forth"], {"name": "/first"}),
            ("Relu", ["forth"], ["back"], {"name": "/second"}),
            ("MatMul", ["back", "w"], ["y"], {"name": "/third"}),
        ]
        onnx_model(nodes, self.folder / "cyclic.onnx")
        self.refuses("cyclic.onnx", "cycle", "/first", "/second")

    def test_unknown_ops(self):
        nodes = [
            ("Frobnicate", ["x"], ["odd"], {"name": "/odd", "domain": "my.domain"}),
            ("MatMul", ["odd", "w"], ["even"], {"name": "/even"}),
            ("Twiddle", ["even"], ["y"], {"name": "/last", "domain": "my.domain"}),
        ]
        onnx_model(nodes, self.folder / "unknown.onnx", domains=["my.domain"])
        message = self.refuses("unknown.onnx", "/odd", "Frobnicate", "my.domain", "f32[batch, 8]")
        self.assertIn("/last", message, "all nodes that cannot be imported are reported together")
        self.assertIn("Twiddle", message)

    def test_damaged_weights(self):
        model = self.small_model().relative_to(self.folder)
        weights = self.folder / "model" / "model.safetensors"
        whole = weights.read_bytes()
        for content in (b"", whole[:100], whole[:-4], struct.pack("<Q", 2**62) + whole[8:]):
            weights.write_bytes(content)
            self.assertIn("model.safetensors", self.fails("compile", model, "-o", "out.plan"))
        weights.unlink()
        message = self.fails("compile", model, "-o", "out.plan")
        self.assertIn("embedding.table", message)

    def test_syntax_error_shows_the_line(self):
        self.write("wrong.mlir", b"func.func @main() {\n  %x = model.nonsense\n}\n")
        message = self.refuses("wrong.mlir", "wrong.mlir:2:")
        self.assertIn("  %x = model.nonsense\n       ^\n", message)

    def test_unknown_size(self):
        model = self.small_model()
        message = self.fails("compile", model, "-o", "out.plan", "--dim", "length=1..8")
        self.assertIn("'length'", message)
        self.assertIn("'sequence'", message)

    def test_unknown_target(self):
        message = self.fails("compile", self.small_model(), "-o", "out.plan", "--target=pentium-turbo")
        self.assertIn("'pentium-turbo'", message)


class BadOutput(CommandTest):
    def refuses(self, output, cause):
        model = self.small_model()
        for more in ([], ["--compile-to=import"]):
            message = self.fails("compile", model, "-o", output, "-v", *more)
            self.assertIn(f"cannot write '{output}'", message)
            self.assertIn(cause, message)
            self.assertNotIn("import ", message, "found before the work, not after it")

    def test_no_folder(self):
        self.refuses("nowhere/out.plan", "No such file")

    def test_a_folder(self):
        (self.folder / "out").mkdir()
        self.refuses("out", "folder")

    def test_a_device(self):
        self.refuses("/dev/null", "no regular file")

    def test_a_file_below_a_file(self):
        (self.folder / "file").write_text("")
        self.refuses("file/out.plan", "Not a directory")

    @unittest.skipIf(os.geteuid() == 0, "nothing is forbidden to root")
    def test_forbidden(self):
        (self.folder / "locked").mkdir(mode=0o500)
        self.refuses("locked/out.plan", "denied")

    def test_a_system_folder(self):
        self.refuses("/proc/out.plan", "")

    def test_the_model_itself(self):
        model = self.small_model()
        content = model.read_bytes()
        self.assertIn("it is the model", self.fails("compile", model, "-o", model))
        self.assertEqual(model.read_bytes(), content)

    def test_a_failure_keeps_what_was_there(self):
        (self.folder / "out.plan").write_text("an older plan")
        self.fails("compile", "missing.onnx", "-o", "out.plan")
        self.assertEqual((self.folder / "out.plan").read_text(), "an older plan")


if __name__ == "__main__":
    unittest.main()
