# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis run: plans, models, the reference evaluator; inputs and outputs."""

import os
import unittest

import numpy

from command import DENSE, CommandTest, onnx_model

IDS = "ids=2x3xi64=1,2,3,4,5,6"


class Run(CommandTest):
    def outputs(self, *words):
        """The outputs of a run, by name."""
        self.tamis("run", *words, "--output=out.npz")
        with numpy.load(self.folder / "out.npz") as archive:
            return {name: archive[name] for name in archive.files}

    def test_plan_model_and_reference(self):
        plan, model = self.small_plan(), self.small_model()
        wanted = self.outputs(model, "--device=reference", "--input", IDS)["hidden"]
        self.assertEqual(wanted.shape, (2, 3, 24))
        self.assertGreater(numpy.abs(wanted).max(), 0.1)
        for words in ([plan], [plan, "--threads=1"], [plan, "--level=x86-64-v3"], [model]):
            with self.subTest(words=words):
                found = self.outputs(*words, "--input", IDS)["hidden"]
                self.assertLess(numpy.abs(found - wanted).max(), 1e-5)

    def test_onnx(self):
        model = onnx_model(DENSE, self.folder / "model.onnx")
        x = numpy.random.default_rng(2).standard_normal((3, 8)).astype("f4")
        numpy.save(self.folder / "x.npy", x)
        reference = self.outputs(model, "--device=reference", "--input=x=@x.npy")["y"]
        compiled = self.outputs(model, "--input=x=@x.npy")["y"]
        self.assertLess(numpy.abs(compiled - reference).max(), 1e-6)

    def test_a_model_leaves_no_files(self):
        model, temporary = self.small_model(), self.folder / "temporary"
        temporary.mkdir()
        self.tamis("run", model, "--input", IDS, environment={"TMPDIR": str(temporary)})
        self.assertEqual(os.listdir(temporary), [])

    def test_summary(self):
        for words in ([self.small_plan()], [self.small_model(), "--device=reference"]):
            text = self.tamis("run", *words, "--input", IDS).stdout
            self.assertRegex(text, r"^hidden: f32 \[2, 3, 24\] = -?[\d.]+( -?[\d.]+)* \.\.\.\n$")

    def test_random_inputs(self):
        plan, model = self.small_plan(), self.small_model()
        sizes = ["--dim", "batch=2", "--dim", "sequence=5"]
        first = self.outputs(plan, "--input=ids=random(7,0,10)", *sizes)["hidden"]
        same = self.outputs(plan, "--input=ids=random(7,0,10)", *sizes)["hidden"]
        other = self.outputs(plan, "--input=ids=random(8,0,10)", *sizes)["hidden"]
        right = self.outputs(model, "--device=reference", "--input=ids=random(7,0,10)", *sizes)["hidden"]
        self.assertEqual(first.shape, (2, 5, 24))
        self.assertTrue(numpy.array_equal(first, same))
        self.assertFalse(numpy.array_equal(first, other))
        self.assertLess(numpy.abs(first - right).max(), 1e-5)

    def test_output_files(self):
        plan = self.small_plan()
        result = self.tamis("run", plan, "--input", IDS, "--output=hidden=@one.npy", "--output=all.npz")
        self.assertEqual(result.stdout, "")
        one = numpy.load(self.folder / "one.npy")
        with numpy.load(self.folder / "all.npz") as archive:
            self.assertTrue(numpy.array_equal(one, archive["hidden"]))

    def test_mistakes(self):
        plan, model = self.small_plan(), self.small_model()
        for words, code, message in [
            ([plan], 1, "input 'ids' is missing"),
            ([model, "--device=reference"], 1, "input 'ids' is missing"),
            ([plan, "--input", "id=2x3xi64=1"], 1, "no input 'id', it has: ids"),
            ([plan, "--input", "ids=2x3xi65=1"], 1, "i65"),
            ([plan, "--input", "ids=2x3xf32=1"], 1, "f32"),
            ([plan, "--input", "ids=@missing.npy"], 1, "missing.npy"),
            ([plan, "--input", "ids=9x3xi64=1"], 1, "1 to 8"),
            ([plan, "--input", "ids=2x3xi64=99"], 1, "index out of range"),
            ([model, "--device=reference", "--input", "ids=2x3xi64=99"], 1, "/embedding"),
            ([plan, "--input", "ids=random(1)"], 1, "--dim batch=NUMBER"),
            ([plan, "--input", IDS, "--output=hiden=@x.npy"], 2, "hiden=@x.npy"),
            ([plan, "--input", IDS, "--output=nowhere/x.npz"], 1, "nowhere/x.npz"),
            ([plan, "--input", IDS, "--level=z80"], 1, "z80"),
            ([plan, "--input", IDS, "--device=reference"], 1, "this is a plan"),
            (["missing.onnx", "--device=reference"], 1, "missing.onnx"),
            (["missing.onnx"], 1, "missing.onnx"),
        ]:
            with self.subTest(words=words):
                self.assertIn(message, self.fails("run", *words, code=code))

    def test_devices(self):
        """What is said where there is no such device; that they run is for test/runtime and test/end_to_end."""
        plan, driver = self.small_plan(), {"TAMIS_CUDA_DRIVER": "/nowhere/libcuda.so.1"}
        message = self.fails("run", plan, "--device=cuda", "--input", IDS, environment=driver)
        self.assertIn("no NVIDIA driver was found: cannot open '/nowhere/libcuda.so.1'", message)
        for command in ("run", "bench", "verify"):
            words = [plan, self.small_model()] if command == "verify" else [plan]
            self.assertIn("no NVIDIA driver", self.fails(command, *words, "--device=cuda:1", environment=driver))
            message = self.fails(command, *words, "--device=gpu", code=2)
            self.assertIn("'gpu' is none of cpu|cuda|cuda:N|emulated", message)


if __name__ == "__main__":
    unittest.main()
