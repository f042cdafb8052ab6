# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX models whose external data are larger than 2 GB, and than 4 GB. The file is mostly a hole, which takes no room on disk.

    external_data_test.py --tamis FILE
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

TAMIS = ""
GIGABYTE = 10**9
PAGE = 4096


def external(name, shape, offset):
    """An f32 initializer that lies in `weights.bin`."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", offset), ("length", 4 * int(np.prod(shape)))):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


class ExternalDataTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tamis(self, *words, code=0):
        result = subprocess.run([TAMIS, *map(str, words)], cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, code, f"{words}\n{result.stdout}{result.stderr}")
        return result

    def write_weights(self, size, arrays):
        """A file of `size` bytes with the arrays at their offsets."""
        path = self.folder / "weights.bin"
        with open(path, "wb") as file:
            file.truncate(size)
            for offset, array in arrays.items():
                file.seek(offset)
                file.write(array.tobytes())
        if os.stat(path).st_blocks * 512 > GIGABYTE:
            self.skipTest("the file system stores holes")

    def write_model(self, nodes, inputs, outputs, initializers):
        info = lambda name, type, shape: helper.make_tensor_value_info(name, type, shape)
        graph = helper.make_graph(
            nodes, "g", [info(*one) for one in inputs], [info(*one) for one in outputs], initializers
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), self.folder / "model.onnx")

    def test_far_offsets(self):
        """Weights behind 2 GB and 4 GB, in one file with a hole."""
        random = np.random.default_rng(1)
        offsets = [0, 2**31 // PAGE * PAGE, 3 * GIGABYTE // PAGE * PAGE, 2**32 + PAGE]
        weights = [random.standard_normal((8, 8)).astype(np.float32) for _ in offsets]
        self.write_weights(offsets[-1] + 256, dict(zip(offsets, weights)))
        nodes = [helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"h{i + 1}"]) for i in range(len(weights))]
        float_of = lambda name: (name, TensorProto.FLOAT, ["n", 8])
        tensors = [external(f"w{i}", [8, 8], offset) for i, offset in enumerate(offsets)]
        self.write_model(nodes, [float_of("h0")], [float_of(f"h{len(weights)}")], tensors)
        self.tamis("compile", "model.onnx", "-o", "model.plan", "-q")
        self.assertLess((self.folder / "model.plan").stat().st_size, 10**6)
        x = random.standard_normal((3, 8)).astype(np.float32)
        np.save(self.folder / "x.npy", x)
        self.tamis("run", "model.plan", "--input=h0=@x.npy", "--output=y.npz")
        wanted = x
        for weight in weights:
            wanted = wanted @ weight
        with np.load(self.folder / "y.npz") as ours:
            np.testing.assert_allclose(ours[f"h{len(weights)}"], wanted, rtol=1e-4, atol=1e-4)

    def test_large_tensor(self):
        """One tensor of 2.4 GB: it is mapped, not read."""
        rows, width = 9_400_000, 64
        self.write_weights(4 * rows * width, {})
        nodes = [helper.make_node("Gather", ["table", "ids"], ["y"])]
        self.write_model(nodes, [("ids", TensorProto.INT64, ["n"])], [("y", TensorProto.FLOAT, ["n", width])],
                         [external("table", [rows, width], 0)])  # fmt: skip
        before = os.times().children_user
        text = self.tamis("compile", "model.onnx", "--compile-to=graph").stdout
        self.assertIn(f"tensor<{rows}x{width}xf32>", text)
        self.assertLess(os.times().children_user - before, 10)

    def test_beyond_the_file(self):
        self.write_weights(3 * GIGABYTE, {})
        nodes = [helper.make_node("Gather", ["table", "ids"], ["y"])]
        self.write_model(nodes, [("ids", TensorProto.INT64, ["n"])], [("y", TensorProto.FLOAT, ["n", 8])],
                         [external("table", [8, 8], 3 * GIGABYTE - 255)])  # fmt: skip
        said = self.tamis("compile", "model.onnx", "-o", "model.plan", code=1).stderr
        self.assertIn("weights.bin", said)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    options, rest = parser.parse_known_args()
    TAMIS = str(pathlib.Path(options.tamis).resolve())
    unittest.main(argv=[sys.argv[0], *rest])
