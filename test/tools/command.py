# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of the command line share: running `tamis`, and models to run it on."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TAMIS = os.environ["TAMIS"]
os.environ["TAMIS_PTXAS"] = ""  # plans are the same whatever is installed
INPUTS = pathlib.Path(__file__).parent / "Inputs"


class CommandTest(unittest.TestCase):
    """A test with a folder of its own, which is gone afterwards."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tamis(self, *words, code=0, environment=None, binary=False):
        """Runs `tamis WORDS` in the test's folder with its output in pipes, and checks the exit code."""
        result = subprocess.run(
            [TAMIS, *map(str, words)],
            cwd=self.folder,
            env=None if environment is None else {**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=not binary,
            timeout=300,
        )
        said = f"tamis {' '.join(map(str, words))}\n{result.stdout}{result.stderr}"
        self.assertEqual(result.returncode, code, said)
        if not binary:
            self.assertNotIn("Sanitizer", result.stderr, said)
            self.assertNotIn("runtime error:", result.stderr, said)
        return result

    def fails(self, *words, code=1, **rest):
        """The message of a command that fails, and leaves no file behind."""
        before = self.files()
        result = self.tamis(*words, code=code, **rest)
        self.assertRegex(result.stderr, "(?m)^error: ")
        self.assertEqual(self.files(), before)
        return result.stderr

    def files(self):
        return sorted(str(path) for path in self.folder.rglob("*"))

    def small_model(self, name="model", change=None):
        """Two layers as a textual graph; `change` names a weight that is made wrong."""
        target = self.folder / name
        more = ["--change", change] if change else []
        subprocess.run([sys.executable, INPUTS / "make_model.py", target, *more], check=True)
        return target / "model.mlir"

    def small_plan(self):
        """The small model's plan. It is compiled once a process."""
        (self.folder / "model.plan").write_bytes(_small_plan())
        return self.folder / "model.plan"


@functools.lru_cache
def _small_plan():
    with tempfile.TemporaryDirectory(prefix="tamis-test-") as folder:
        subprocess.run([sys.executable, INPUTS / "make_model.py", folder], check=True)
        plan = pathlib.Path(folder, "model.plan")
        subprocess.run([TAMIS, "compile", pathlib.Path(folder, "model.mlir"), "-o", plan, "-q"], check=True)
        return plan.read_bytes()


def onnx_model(nodes, path, inputs=("x",), opset=17, domains=()):
    """An ONNX file of f32: inputs are [batch, 8], there is a weight `w` of 8 x 4 and a bias `b` of 4, `y` is the result."""
    import numpy
    import onnx
    from onnx import helper, numpy_helper

    random = numpy.random.default_rng(1)
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype("f4"), name)
        for name, shape in (("w", (8, 4)), ("b", (4,)))
    ]
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 8]) for name in inputs]
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 4])
    graph = helper.make_graph([helper.make_node(*node[:3], **node[3]) for node in nodes], "graph", values, [result], weights)
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1) for domain in domains]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())
    return path


# (op, inputs, outputs, attributes)
DENSE = [
    ("MatMul", ["x", "w"], ["product"], {"name": "/dense/MatMul"}),
    ("Add", ["product", "b"], ["sum"], {"name": "/dense/Add"}),
    ("Tanh", ["sum"], ["y"], {"name": "/tanh/Tanh"}),
]
