# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The PTX interpreter on what other compilers emit: kernels.cu by nvcc, triton_kernels.py by Triton, compiled here where they are
installed, checked, and compared with NumPy.

    python foreign_ptx_test.py nvcc|triton      exit code 77: that compiler is not here"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy

HERE = pathlib.Path(__file__).parent
LOG2E = 1.4426950408889634


def draw(*shape, kind="f4"):
    return numpy.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(kind)


def attention_case(width, length, is_sparse):
    """(inputs, wanted, number of blocks of queries) of two heads."""
    q, k, v = (numpy.random.default_rng(seed).uniform(-1, 1, (2, length, width)).astype("f2") for seed in range(3))
    count = -(-length // 64)
    kept = numpy.ones((2, count, count), bool)
    index = None
    if is_sparse:
        kept = numpy.random.default_rng(length).random(kept.shape) < 0.6
        kept[0, 0] = False  # nothing at all
        index = numpy.zeros((2, count, count + 1), "i4")
        for head, row in numpy.ndindex(2, count):
            items = numpy.flatnonzero(kept[head, row])
            index[head, row, : 1 + len(items)] = [len(items), *items]
    mask = kept.repeat(64, 1).repeat(64, 2)[:, :length, :length]
    scores = numpy.where(mask, q.astype("f4") @ k.astype("f4").transpose(0, 2, 1) / width**0.5, -numpy.inf)
    largest = scores.max(2, keepdims=True)
    weights = numpy.exp(scores - numpy.where(numpy.isfinite(largest), largest, 0))
    total = weights.sum(2, keepdims=True)
    return [q, k, v, index], weights / numpy.where(total == 0, 1, total) @ v.astype("f4"), count


def normed(x, scale, bias):
    x = x.astype("f4")
    x = x - x.mean(1, keepdims=True)
    return x / numpy.sqrt((x * x).mean(1, keepdims=True) + 1e-5) * scale.astype("f4") + bias.astype("f4")


def gelu(x):
    import math

    return (0.5 * x * (1 + numpy.vectorize(math.erf)(x / numpy.sqrt(2)))).astype("f4")


class Foreign(unittest.TestCase):
    """What both compilers' kernels have in common; `find` gives a kernel's text, entry, threads and shared bytes."""

    hidden = []  # arguments that the compiler adds at the end

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, array, name):
        numpy.save(self.folder / f"{name}.npy", array)
        return self.folder / f"{name}.npy"

    def run_kernel(self, name, grid, arguments, results, tolerance):
        """Arguments are arrays, None for null, or words; results, arrays that the kernel has to write, come at a number's
        place."""
        text, entry, threads, shared = self.find(name)
        words = []
        for i, argument in enumerate(arguments):
            if argument is None:
                words.append("null")
            elif isinstance(argument, numpy.ndarray):
                words.append(f"@{self.file(argument, f'{name}-{i}')}")
            elif isinstance(argument, int):
                wanted = results[argument]
                kind = {"f2": "f16", "f4": "f32", "i4": "i32"}[wanted.dtype.str[1:]]
                file = self.file(wanted, f"{name}-wanted-{i}")
                words.append(f"{'x'.join(map(str, wanted.shape))}x{kind}=={file}")
            else:
                words.append(argument)
        command = [os.environ["TAMIS_PTX"], "check", text, "--entry", entry, "--grid", ",".join(map(str, grid))]
        command += ["--block", threads, "--shared", shared, "--seeds", 2, "--tolerance", tolerance]
        command = list(map(str, [*command, "--args", *words, *self.hidden]))
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        self.assertEqual(done.stdout, "")

    def test_attention(self):
        for width in (64, 128):
            for kind in ("attention", "blocks"):
                for length in (64, 130, 257) if width == 64 else (130,):
                    with self.subTest(width=width, kind=kind, length=length):
                        inputs, wanted, count = attention_case(width, length, kind == "blocks")
                        sizes = [f"i32={length}", f"f32={LOG2E / width**0.5}"]
                        arguments, results = [*inputs, 0, *sizes], [wanted.astype("f2")]
                        self.run_kernel(f"{kind}_f16_{width}", (count, 2), arguments, results, 2e-3)

    def test_gemm(self):
        for rows, columns, K in ((128, 128, 32), (100, 256, 96), (130, 128, 256)):
            with self.subTest(rows=rows, columns=columns, K=K):
                a, b = draw(rows, K, kind="f2"), draw(K, columns, kind="f2")
                wanted = (a.astype("f4") @ b.astype("f4")).astype("f2")
                arguments = [a, b, 0, f"i32={rows}", f"i32={columns}", f"i32={K}"]
                self.run_kernel("gemm_f16", (columns // 128, -(-rows // 128)), arguments, [wanted], 2e-3)

    def test_softmax(self):
        for columns in (1, 128, 700):
            x = 9 * draw(3, columns)
            powers = numpy.exp(x - x.max(1, keepdims=True))
            wanted = powers / powers.sum(1, keepdims=True)
            self.run_kernel("softmax_f32", (3,), [x, 0, f"i32={columns}"], [wanted], 1e-6)


class Nvcc(Foreign):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        cls.addClassCleanup(holder.cleanup)
        cls.text = pathlib.Path(holder.name, "kernels.ptx")
        command = [find_nvcc(), "-ptx", "-O3", "-arch=sm_80", "-o", str(cls.text), str(HERE / "kernels.cu")]
        subprocess.run(command, check=True)

    def find(self, name):
        shared = 4 * 64 * int(name.rsplit("_", 1)[1]) * 2 if name.startswith(("attention", "blocks")) else 0
        return self.text, name, 256 if name == "compact_f32" else 128, shared

    def test_layer_norm(self):
        for rows, columns in ((1, 2), (5, 384), (4, 66)):
            x, scale, bias = draw(rows, columns, kind="f2"), draw(columns, kind="f2"), draw(columns, kind="f2")
            arguments = [x, scale, bias, 0, f"i32={rows}", f"i32={columns}", "f32=1e-5"]
            wanted = normed(x, scale, bias).astype("f2")
            self.run_kernel("layer_norm_f16", (-(-rows // 4),), arguments, [wanted], 2e-3)

    def test_gelu(self):
        x = 4 * draw(1000)
        self.run_kernel("gelu_f32", (2,), [x, 0, "i32=250"], [gelu(x)], 1e-6)

    def test_compact(self):
        """Ballots, population counts and atomics."""
        for n in (1, 255, 600):
            x = draw(n)
            kept = numpy.flatnonzero(x > 0.25).astype("i4")
            arguments = [x, 0, 1, f"i32={n}", "f32=0.25"]
            self.run_kernel("compact_f32", (1,), arguments, [kept, numpy.array([len(kept)], "i4")], 0)

    def test_dot_of_bytes(self):
        random = numpy.random.default_rng(5)
        x, w = (random.integers(-128, 128, shape).astype("i1") for shape in ((3, 64), (150, 64)))
        wanted = x.astype("i4") @ w.astype("i4").T
        self.run_kernel("dot_i8", (2, 3), [x, w, 0, "i32=3", "i32=150", "i32=16"], [wanted], 0)


class Triton(Foreign):
    hidden = ["null", "null"]  # scratch memory

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        cls.addClassCleanup(holder.cleanup)
        cls.made = pathlib.Path(holder.name)
        environment = {**os.environ, "TRITON_CACHE_DIR": str(cls.made / "cache")}
        command = [triton_python(), str(HERE / "triton_kernels.py"), str(cls.made), "80"]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        cls.launches = json.loads((cls.made / "launches-80.json").read_text())

    def find(self, name):
        return self.made / f"{name}-80.ptx", *self.launches[name]

    def test_layer_norm(self):
        for columns in (1, 384):
            x, scale, bias = draw(3, columns, kind="f2"), draw(columns, kind="f2"), draw(columns, kind="f2")
            wanted = normed(x, scale, bias).astype("f2")
            self.run_kernel("layer_norm_f16", (3,), [x, scale, bias, 0, f"i32={columns}", "f32=1e-5"], [wanted], 2e-3)

    def test_gelu(self):
        x = 4 * draw(1500)
        self.run_kernel("gelu_f32", (2,), [x, 0, "i32=1500"], [gelu(x)], 1e-6)


def find_nvcc():
    return os.environ.get("TAMIS_NVCC") or shutil.which("nvcc")


def triton_python():
    """A Python that has Triton: TAMIS_TRITON_PYTHON, or this one."""
    return os.environ.get("TAMIS_TRITON_PYTHON") or (sys.executable if importlib.util.find_spec("triton") else None)


if __name__ == "__main__":
    compilers = {
        "nvcc": (Nvcc, find_nvcc, "no nvcc: wanted in PATH, or named by TAMIS_NVCC"),
        "triton": (Triton, triton_python, "no Triton: wanted in this Python, or in the one that TAMIS_TRITON_PYTHON names"),
    }
    case, find, missing = compilers[sys.argv.pop(1)]
    if not find():
        print(f"skipped: {missing}")
        sys.exit(77)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
