# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The eleven classes of bad input that loaders of models are known to fall for, through the command line: each ends with
exit code 1 or 2, one message, no file, soon, and without much memory."""

import json
import os
import resource
import signal
import struct
import subprocess
import time
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from command import DENSE, TAMIS, CommandTest, onnx_model

FLOAT = TensorProto.FLOAT


def limit_memory():
    """What a small bad file may make the compiler take: an address space of 8 GB, of which MLIR and LLVM map some."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def model_of(nodes, inputs=(("x", ["batch", 8]),), outputs=(("y", [None, None]),), weights=(), opset=17, domains=()):
    values = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs]
    results = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs]
    graph = helper.make_graph(nodes, "graph", values, results, [numpy_helper.from_array(array, name) for name, array in weights])
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name=f"/{outputs[0]}/{op}", **attributes)


class BadClasses(CommandTest):
    def refuses(self, content, *wanted, name="bad.onnx", words=()):
        """The message for a model of these bytes (or this message of protobuf)."""
        if not isinstance(content, bytes):
            content = content.SerializeToString()
        (self.folder / name).write_bytes(content)
        return self.says("compile", name, "-o", "out.plan", "--target=x86-64-v3", *words, wanted=wanted)

    def says(self, *words, wanted=(), code=1):
        before, start = self.files(), time.monotonic()
        result = subprocess.run([TAMIS, *map(str, words)], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=120, preexec_fn=None if os.environ.get("ASAN_OPTIONS") else limit_memory)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr, r"(?m)^error: ")
        self.assertNotRegex(result.stderr, "Sanitizer|runtime error:|Stack dump|LLVM ERROR|Assertion")
        for text in wanted:
            self.assertIn(text, result.stderr)
        self.assertEqual(self.files(), before)
        self.assertLess(time.monotonic() - start, 100)
        return result.stderr

    def test_01_files_that_are_none(self):
        whole = onnx_model(DENSE, self.folder / "good.onnx").read_bytes()
        for length in (0, 1, 7, len(whole) // 3, len(whole) - 3):
            with self.subTest(length=length):
                self.refuses(whole[:length])
        self.refuses(b"TAMISPLN" + whole[8:])
        (self.folder / "folder.onnx").mkdir()
        self.says("compile", "folder.onnx", "-o", "out.plan")

    def test_02_counts_beyond_the_file(self):
        # Field 7 of a model (its graph), field 5 of that (an initializer), lengths that no file has.
        for length in (b"\xff\xff\xff\xff\x0f", b"\xff" * 8 + b"\x7f", b"\xff" * 9 + b"\x01"):
            with self.subTest(length=length):
                self.refuses(b"\x08\x08\x3a" + length)
                self.refuses(b"\x08\x08\x3a\x20\x2a" + length + b"\0" * 30)
        self.small_model()
        weights = self.folder / "model" / "model.safetensors"
        whole = weights.read_bytes()
        for length in (2**63, 2**62, 2**32 - 1, 100_000_001):
            weights.write_bytes(struct.pack("<Q", length) + whole[8:])
            self.says("compile", "model/model.mlir", "-o", "out.plan", wanted=["model.safetensors"])

    def test_03_sizes_that_wrap_or_are_none(self):
        for dims in ([2**42 + 1, 2**22], [2**31, 2**33], [-1, 8], [2**63 - 1], [3, -4]):
            model = model_of([node("MatMul", ["x", "w"], ["y"])])
            tensor = model.graph.initializer.add(name="w", data_type=FLOAT, raw_data=bytes(32))
            tensor.dims.extend(dims)
            with self.subTest(dims=dims):
                self.refuses(model)
        model = model_of([node("Relu", ["x"], ["y"])], inputs=[("x", [1] * 1000)])
        self.refuses(model)
        packed = model_of([node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])], opset=21,
                          weights=[("s", numpy.float32(1))])
        tensor = packed.graph.initializer.add(name="w", data_type=TensorProto.INT4, raw_data=bytes(3))
        tensor.dims.extend([8, 4])
        self.refuses(packed)

    def safetensors(self, change):
        """The small model with a changed header of its weights."""
        self.small_model()
        path = self.folder / "model" / "model.safetensors"
        data = path.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        return self.says("compile", "model/model.mlir", "-o", "out.plan", wanted=["model.safetensors"])

    def test_04_ranges_in_files(self):
        name = "layer.0.up.weight"
        for offsets in ([0, 2**64 - 1], [2**64 - 4, 2**64], [10**9, 10**9 + 3840], [8, 4], [-4, 0], [0.5, 1], ["0", "4"]):
            with self.subTest(offsets=offsets):
                self.safetensors(lambda header: header[name].update(data_offsets=offsets))
        self.safetensors(lambda header: header[name].update(data_offsets=header["layer.0.up.bias"]["data_offsets"]))

    def test_05_types_that_are_not_what_they_seem(self):
        name = "layer.0.up.weight"
        for dtype in ("F16", "F64", "I8", "X7", "", 7, None):
            with self.subTest(dtype=dtype):
                self.safetensors(lambda header: header[name].update(dtype=dtype))
        for kind in (-1, 0, 99, 2**31 - 1):
            model = model_of([node("MatMul", ["x", "w"], ["y"])])
            model.graph.initializer.add(name="w", data_type=kind, raw_data=bytes(128)).dims.extend([8, 4])
            with self.subTest(kind=kind):
                self.refuses(model)
        wrong = node("Softmax", ["x"], ["y"])
        wrong.attribute.append(helper.make_attribute("axis", "last"))
        self.refuses(model_of([wrong]), "/y/Softmax")

    def external(self, **entries):
        model = model_of([node("MatMul", ["x", "w"], ["y"])])
        tensor = model.graph.initializer.add(name="w", data_type=FLOAT, data_location=TensorProto.EXTERNAL)
        tensor.dims.extend([8, 4])
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
        return model

    def test_06_external_data(self):
        inside = self.folder / "models"
        inside.mkdir()
        (self.folder / "secret").write_bytes(bytes(128))
        (inside / "short").write_bytes(bytes(100))
        (inside / "good").write_bytes(bytes(range(128)))
        (inside / "link").symlink_to(self.folder / "secret")
        (inside / "parent").symlink_to(self.folder)
        (inside / "folder").mkdir()
        for location in ("../secret", "a/../../secret", str(self.folder / "secret"), "link", "parent/secret", "missing",
                         "short", "folder", "", "/dev/zero", "good\0x"):
            with self.subTest(location=location):
                self.refuses(self.external(location=location), name="models/bad.onnx")
        for text in ("1e9", "-1", "many", "99999999999999999999", "", " 4", "0x10", str(2**63)):
            for key in ("offset", "length"):
                with self.subTest(text=text, key=key):
                    self.refuses(self.external(location="good", **{key: text}), name="models/bad.onnx")
        self.refuses(self.external(location="good", offset=str(2**64 - 128), length="128"), name="models/bad.onnx")
        self.refuses(self.external(location="good", offset="64", length="128"), name="models/bad.onnx")

    def test_07_graphs_that_are_none(self):
        relu = node("Relu", ["x"], ["y"])
        self.refuses(model_of([node("Add", ["y", "x"], ["y"])]), "cycle", "/y/Add")
        self.refuses(model_of([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])]))
        self.refuses(model_of([node("Relu", ["nowhere"], ["y"])]), "nowhere")
        self.refuses(model_of([relu], outputs=[("z", [None, None])]), "z")
        self.refuses(model_of([node("LayerNormalization", ["x"], ["y"])]))
        self.refuses(model_of([helper.make_node("Odd", ["x"], ["y"], domain="no.such")], domains=["no.such"]), "no.such")
        for opset in (0, 9999, -1):
            self.refuses(model_of([relu], opset=opset))
        twice = model_of([relu])
        twice.opset_import.append(helper.make_opsetid("", 13))
        self.refuses(twice)
        recursive = model_of([helper.make_node("Self", ["x"], ["y"], domain="f")], domains=["f"])
        recursive.functions.append(helper.make_function("f", "Self", ["a"], ["b"], [helper.make_node("Self", ["a"], ["b"], domain="f")],
                                                        [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]))
        self.refuses(recursive, "Self")

    def test_08_attributes_that_lie(self):
        weights = [("w", numpy.ones((8, 4), "f4")), ("k", numpy.ones((2, 8, 3), "f4")), ("s", numpy.ones(8, "f4")),
                   ("two", numpy.ones((2, 2), "f4"))]
        for bad in (
            node("Conv", ["x3", "k"], ["y"], strides=[0]),
            node("Conv", ["x3", "k"], ["y"], group=0),
            node("Softmax", ["x"], ["y"], axis=99),
            node("Transpose", ["x"], ["y"], perm=[0, 0]),
            node("Transpose", ["x"], ["y"], perm=[0, 7]),
            node("LayerNormalization", ["x", "s"], ["y"], stash_type=-940),
            node("LayerNormalization", ["x", "two"], ["y"]),
            node("Split", ["x"], ["y", "z"], axis=5),
            node("Einsum", ["x", "w"], ["y"], equation="ij,jk->q->"),
            node("Einsum", ["x", "w"], ["y"], equation=""),
            node("Gemm", ["x", "x3"], ["y"]),
            node("Concat", ["x", "x"], ["y"], axis=-9),
            node("Flatten", ["x"], ["y"], axis=2**40),
            node("Cast", ["x"], ["y"], to=-5),
        ):
            with self.subTest(op=bad.op_type, attributes=str(bad.attribute).replace("\n", " ")):
                shape = [None] * (3 if bad.op_type == "Conv" else 2)
                self.refuses(model_of([bad], inputs=[("x", ["batch", 8]), ("x3", ["batch", 8, 16])], outputs=[("y", shape)],
                                      weights=weights), bad.op_type)

    def test_09_numbers(self):
        # No error: what ONNX says of them is computed, and nothing crashes.
        model = model_of([node("MatMul", ["x", "w"], ["m"]), node("Softmax", ["m"], ["y"], axis=-1)],
                         weights=[("w", numpy.full((8, 4), numpy.nan, "f4"))])
        (self.folder / "nan.onnx").write_bytes(model.SerializeToString())
        self.tamis("compile", "nan.onnx", "-o", "nan.plan", "--target=host", "--dim=batch=0..4", "-q")
        for count in (0, 1, 3):
            output = self.tamis("run", "nan.plan", f"--input=x={count}x8xf32=1").stdout
            self.assertIn(f"f32 [{count}, 4]", output)
        self.assertIn("'x'", self.says("run", "nan.plan", "--input=x=5x8xf32=1"))
        plan = self.small_plan()
        for token in ("10", "-11", str(2**62)):  # negative ones count from the end
            self.assertIn("index out of range", self.says("run", plan, f"--input=ids=1x3xi64=0,{token},1"))
        self.says("run", plan, "--input=ids=1x65xi64=1")
        self.says("run", plan, "--input=ids=1x0xi64=1")

    def test_10_plans(self):
        plan = self.small_plan()
        whole = plan.read_bytes()
        for at, value in ((8, 9), (9, 1), (12, 65), (16, 255), (24, 255), (32, 1), (40, 0), (48, 3), (56, 1)):
            changed = bytearray(whole)
            changed[at] = value
            with self.subTest(at=at):
                plan.write_bytes(changed)
                for command in ("run", "inspect"):
                    self.says(command, plan, wanted=["model.plan"])
        for length in (0, 8, 63, 64, 4096, len(whole) - 1):
            plan.write_bytes(whole[:length])
            self.says("run", plan, wanted=["model.plan"])
        plan.write_bytes(whole[::-1])
        self.says("run", plan)
        plan.write_bytes(whole + b"\0")
        self.says("run", plan)

    def test_11_tools(self):
        model = self.small_model()
        plan = self.small_plan()
        for words in (["run", plan, "--input=ids=axb=1"], ["run", plan, "--input=ids=1x2xi64=1,2,3"],
                      ["run", plan, "--input=ids=99999999999x99999999999xi64=1"], ["run", plan, "--input=ids=@missing.npy"],
                      ["run", plan, "--output=nowhere/out.npz"], ["inspect", plan, "--level=z80"]):
            with self.subTest(words=words):
                self.says(*words)
        self.says("inspect", plan, "--html=a.html", "--json", code=2)
        odd = os.fsencode(self.folder) + b"/\xff\xfe.mlir"
        os.rename(os.fsencode(model), odd)
        result = subprocess.run([os.fsencode(TAMIS), b"compile", odd, b"-o", b"out.plan"], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 1, "the weights are not beside it")
        self.assertRegex(result.stderr, rb"(?m)^error: ")
        os.rename(odd, os.fsencode(model))

    def test_11_interrupted(self):
        model = self.small_model()
        process = subprocess.Popen([TAMIS, "compile", model, "-o", self.folder / "out.plan"], stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        self.assertFalse((self.folder / "out.plan").exists() and process.returncode, "a plan is whole or not there")

    def test_11_full_disk(self):
        plan = self.small_plan()
        with open("/dev/full", "w") as full:
            result = subprocess.run([TAMIS, "inspect", plan], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: ", result.stderr)

    def test_11_two_compilations_of_one_file(self):
        model = self.small_model()
        words = [TAMIS, "compile", model, "-o", self.folder / "out.plan", "-q", "--target=host"]
        both = [subprocess.Popen(words) for _ in range(2)]
        self.assertEqual([process.wait(timeout=300) for process in both], [0, 0])
        self.tamis("verify", "out.plan", model, "--against=reference")


class Unsupported(CommandTest):
    """One report of all that cannot be compiled: for each its name, shapes and types, and what to do."""

    def test_five_nodes(self):
        nodes = [
            node("NoSuchOp", ["x"], ["a"]),
            node("RandomUniformLike", ["x"], ["b"]),
            helper.make_node("PackedAttention", ["x", "x"], ["c"], name="/c/PackedAttention", domain="com.microsoft"),
            node("Cast", ["x"], ["d"], to=TensorProto.FLOAT8E4M3FNUZ),
            helper.make_node("Frobnicate", ["x"], ["e"], name="/e/Frobnicate", domain="my.domain"),
            node("Relu", ["x"], ["y"]),
        ]
        model = model_of(nodes, opset=19, domains=["com.microsoft", "my.domain"])
        (self.folder / "bad.onnx").write_bytes(model.SerializeToString())
        message = self.fails("compile", "bad.onnx", "-o", "out.plan")
        self.assertIn("cannot import 5 of 6 nodes", message)
        self.assertEqual(message.count("error: "), 1, "one report")
        for name, op in (("/a/NoSuchOp", "NoSuchOp"), ("/b/RandomUniformLike", "RandomUniformLike"),
                         ("/c/PackedAttention", "PackedAttention of com.microsoft version 1"), ("/d/Cast", "Cast"),
                         ("/e/Frobnicate", "Frobnicate of my.domain version 1")):
            line = next((line for line in message.splitlines() if f"'{name}'" in line), "")
            self.assertIn(op, line)
            self.assertIn("f32[batch, 8]", line, "operands with types and shapes")
            reason = line.split("f32[batch, 8])", 1)[-1]
            self.assertGreater(len(reason.strip(": ")), 15, f"a hint: {line}")


if __name__ == "__main__":
    unittest.main()
