# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis-ptx: what it prints, what its arguments mean, and how it says no."""

import os
import re
import subprocess
import unittest

import numpy

from command import CommandTest

# `scale` writes factor times x, element by element, up to a number of elements; `reverse` turns the order of the 64 elements
# of each block round, through shared memory.
KERNELS = """\
.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 held[];
.visible .entry scale(.param .u64 .ptr .global .align 16 x, .param .u64 .ptr .global .align 16 y, .param .f32 factor,
                      .param .u64 count)
{
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<4>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [x];
  ld.param.u64 %rd2, [y];
  ld.param.f32 %f1, [factor];
  ld.param.u64 %rd3, [count];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r1, %r1, %r2, %r3;
  cvt.u64.u32 %rd4, %r1;
  setp.ge.u64 %p1, %rd4, %rd3;
  @%p1 bra DONE;
  shl.b64 %rd5, %rd4, 2;
  add.s64 %rd6, %rd1, %rd5;
  add.s64 %rd7, %rd2, %rd5;
  ld.global.f32 %f2, [%rd6];
  mul.rn.f32 %f3, %f1, %f2;
  st.global.f32 [%rd7], %f3;
DONE:
  ret;
}
.visible .entry reverse(.param .u64 .ptr .global .align 16 x)
{
  .reg .f32 %f<3>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [x];
  mov.u32 %r1, %tid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.f32 %f1, [%rd3];
  mov.u32 %r2, held;
  shl.b32 %r3, %r1, 2;
  add.u32 %r4, %r2, %r3;
  st.shared.f32 [%r4], %f1;
  bar.sync 0;
  xor.b32 %r5, %r3, 252;
  add.u32 %r6, %r2, %r5;
  ld.shared.f32 %f2, [%r6];
  st.global.f32 [%rd3], %f2;
  ret;
}
"""
SCALE = ["--entry=scale", "--grid=2", "--block=32"]
REVERSE = ["--entry=reverse", "--block=64", "--shared=256"]


class Ptx(CommandTest):
    def setUp(self):
        super().setUp()
        self.write(KERNELS)

    def write(self, text, name="k.ptx"):
        (self.folder / name).write_text(text)

    def ptx(self, *words, code=0):
        command = [os.environ["TAMIS_PTX"], *map(str, words)]
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        said = f"{' '.join(command)}\n{result.stdout}{result.stderr}"
        self.assertEqual(result.returncode, code, said)
        self.assertNotIn("Sanitizer", result.stderr, said)
        self.assertNotIn("runtime error:", result.stderr, said)
        return result

    def changed(self, old, new):
        self.assertIn(old, KERNELS)
        self.write(KERNELS.replace(old, new, 1))

    def test_list(self):
        lines = self.ptx("list", "k.ptx").stdout.splitlines()
        self.assertEqual(lines[0], "PTX 8.0 for sm_80")
        self.assertRegex(lines[1], r"^scale: \d+ instructions, 0 bytes of static shared memory, 0 bytes of local memory$")
        self.assertEqual(lines[2:6], [
            "  x: 8 bytes, a pointer", "  y: 8 bytes, a pointer", "  factor: 4 bytes", "  count: 8 bytes",
        ])  # fmt: skip
        self.assertIn("reverse: ", lines[6])
        self.assertIn("shared memory and dynamic", lines[6])

    def test_files_in_and_out(self):
        x = numpy.arange(50, dtype="f4")
        numpy.save(self.folder / "x.npy", x)
        for source in ("@x.npy", "50xf32=@x.npy"):
            for command in ("run", "check", "profile"):
                with self.subTest(source=source, command=command):
                    arguments = ["--args", source, "50xf32>y.npy", "f32=0.5", "i64=50"]
                    said = self.ptx(command, "k.ptx", *SCALE, *arguments).stdout
                    self.assertTrue(said.startswith("y.npy: f32 [50] = 0 0.5 1 1.5"), said)
                    self.assertTrue(numpy.array_equal(numpy.load(self.folder / "y.npy"), x / 2))
                    (self.folder / "y.npy").unlink()

    def test_values_in_the_command(self):
        self.ptx("check", "k.ptx", *SCALE, "--args", "3xf32=1,2,4", "3xf32>y.npy", "f32=-2", "i64=3")
        self.assertEqual(numpy.load(self.folder / "y.npy").tolist(), [-2, -4, -8])
        self.ptx("check", "k.ptx", *SCALE, "--args", "3xf32=7", "3xf32>y.npy", "f32=1", "i64=3")
        self.assertEqual(numpy.load(self.folder / "y.npy").tolist(), [7, 7, 7])
        self.ptx("check", "k.ptx", *SCALE, "--args", "64xf32=random(3,5,6)>x.npy", "64xf32>y.npy", "f32=1", "i64=64")
        x, y = numpy.load(self.folder / "x.npy"), numpy.load(self.folder / "y.npy")
        self.assertTrue(numpy.array_equal(x, y))
        self.assertTrue(x.min() >= 5 and x.max() < 6 and len(set(x.tolist())) > 32)
        # Nothing to do: no address is used, and a null pointer does no harm.
        self.ptx("check", "k.ptx", *SCALE, "--args", "null", "null", "f32=1", "i64=0")
        self.ptx("check", "k.ptx", *SCALE, "--args", "0xf32", "0xf32>y.npy", "f32=1", "i64=0")
        self.assertEqual(numpy.load(self.folder / "y.npy").shape, (0,))

    def test_wanted_values(self):
        x = numpy.arange(1, 41, dtype="f4").reshape(5, 8)
        numpy.save(self.folder / "x.npy", x)
        numpy.save(self.folder / "wanted.npy", x / 2)
        numpy.save(self.folder / "close.npy", (x / 2).astype("f8") * 1.0001)
        numpy.save(self.folder / "flat.npy", x.ravel())
        for wanted, tolerance, factor, difference in [
            ("wanted.npy", 0, 0.5, None),
            ("close.npy", 2e-4, 0.5, None),
            ("close.npy", 1e-6, 0.5, "element 0 is 0.5, but 0.50004999"),
            ("wanted.npy", 0.5, 1, "element 2 is 3, but 1.5 is wanted; 38 of 40 differ, by up to 20"),
            ("wanted.npy", 1e9, "nan", "element 0 is nan, but 0.5 is wanted; 40 of 40 differ, by up to inf"),
        ]:
            with self.subTest(wanted=wanted, tolerance=tolerance, factor=factor):
                buffers = ["@x.npy", f"5x8xf32=={wanted}>y.npy", f"f32={factor}", "i64=40"]
                words = ["check", "k.ptx", *SCALE, f"--tolerance={tolerance}", "--args", *buffers]
                said = self.ptx(*words, code=1 if difference else 0).stdout
                self.assertEqual("wrong values: parameter y: " in said, bool(difference), said)
                self.assertIn(difference or "", said)
        for wanted, message in [("flat.npy", "flat.npy holds f32 [40], but the buffer is f32 [5, 8]"), ("", "after '=='")]:
            words = ["--args", "@x.npy", f"5x8xf32=={wanted}", "f32=1", "i64=40"]
            self.assertIn(message, self.ptx("run", "k.ptx", *SCALE, *words, code=2).stderr)

    def test_conflicts(self):
        self.changed("shl.b32 %r3, %r1, 2;", "shl.b32 %r3, %r1, 7;")
        words = ["check", "k.ptx", "--entry=reverse", "--block=32", "--shared=4096", "--args", "64xf32=1"]
        line = KERNELS[: KERNELS.index("st.shared")].count("\n") + 1
        conflict = f"ptx:{line}: bank conflict: 32 wavefronts of st.shared.f32, 1 would do\n"
        self.assertNotIn("bank conflict", self.ptx(*words, code=1).stdout)
        self.assertIn(conflict, self.ptx(*words[:2], "--conflicts", *words[2:], code=1).stdout)
        self.write(KERNELS)
        self.assertEqual(self.ptx("check", "k.ptx", *REVERSE, "--conflicts", "--args", "64xf32=1").stdout, "")

    def test_findings(self):
        """`check` reports what `run` lets pass, but for what cannot be gone on from."""
        line = KERNELS[: KERNELS.index("ld.global.f32 %f2")].count("\n") + 1
        outside = ["--args", "32xf32=1", "64xf32", "f32=1", "i64=33"]
        for command in ("run", "check"):
            said = self.ptx(command, "k.ptx", *SCALE, *outside, code=1).stdout
            where = r"read of 4 bytes at 0x\w+, .*block \(1,0,0\) warp 0 lane 0"
            self.assertRegex(said, rf"(?m)^ptx:{line}: out of bounds: {where}")
        never_written = ["--args", "64xf32", "64xf32", "f32=1", "i64=64"]
        self.assertEqual(self.ptx("run", "k.ptx", *SCALE, *never_written).stdout, "")
        said = self.ptx("check", "k.ptx", *SCALE, *never_written, code=1).stdout
        self.assertRegex(said, rf"^ptx:{line}: uninitialised read: .*, 64 times\n$")
        said = self.ptx("run", "k.ptx", *SCALE, "--args", "null", "8xf32", "f32=1", "i64=8", code=1).stdout
        self.assertIn("out of bounds", said)

    def test_races_and_seeds(self):
        x = ["--args", "64xf32=random(1)"]
        self.assertEqual(self.ptx("check", "k.ptx", *REVERSE, "--seeds=5", *x).stdout, "")
        numpy.save(self.folder / "x.npy", numpy.arange(64, dtype="f4"))
        self.ptx("check", "k.ptx", *REVERSE, "--args", "@x.npy>y.npy")
        self.assertEqual(numpy.load(self.folder / "y.npy").tolist(), list(range(63, -1, -1)))
        self.changed("bar.sync 0;", "")
        self.assertIn("shared race", self.ptx("check", "k.ptx", *REVERSE, *x, code=1).stdout)
        self.ptx("run", "k.ptx", *REVERSE, *x)
        # What the race gives depends on the order of warps, and that on the seed.
        outputs = set()
        for seed in range(6):
            self.ptx("run", "k.ptx", *REVERSE, f"--seed={seed}", "--args", "@x.npy>y.npy")
            outputs.add((self.folder / "y.npy").read_bytes())
        self.assertGreater(len(outputs), 1, "the order of warps is always the same")

    def test_endless(self):
        self.changed("DONE:\n", "DONE:\n  bra DONE;\n")
        said = self.ptx("run", "k.ptx", *SCALE, "--limit=1000", "--args", "null", "null", "f32=1", "i64=0", code=1).stdout
        self.assertIn("instruction limit", said)

    def test_profile(self):
        said = self.ptx("profile", "k.ptx", *SCALE, "--args", "64xf32=1", "64xf32", "f32=1", "i64=64").stdout
        number = lambda pattern: tuple(map(int, re.search(pattern, said).groups()))
        self.assertEqual(number(r"global bytes +(\d+) read, (\d+) written"), (256, 256))
        self.assertEqual(number(r"global sectors +(\d+), (\d+) would do"), (16, 16))
        self.assertEqual(number(r"tensor MACs +(\d+),"), (0,))
        self.assertNotIn("wavefronts  of which", said)
        self.assertRegex(said, r"(?m)^ +2  mul\.rn\.f32$")
        # Lanes 32 elements apart fall into one bank, and each touches a sector of its own.
        self.changed("shl.b64 %rd5, %rd4, 2;", "shl.b64 %rd5, %rd4, 7;")
        said = self.ptx("profile", "k.ptx", *SCALE, "--args", "2048xf32=1", "2048xf32", "f32=1", "i64=64").stdout
        self.assertRegex(said, r"(?m)^ +\d+ +2 +0 +0 +64 +8  ld\.global\.f32$")
        self.changed("shl.b32 %r3, %r1, 2;", "shl.b32 %r3, %r1, 7;")
        said = self.ptx("profile", "k.ptx", "--entry=reverse", "--block=32", "--shared=4096", "--args", "64xf32=1").stdout
        self.assertRegex(said, r"(?m)^ +\d+ +1 +32 +1 +0 +0  st\.shared\.f32$")
        self.write(KERNELS)
        self.assertIn("warp instructions in", self.ptx("run", "k.ptx", *REVERSE, "--time", "--args", "64xf32=1").stdout)

    def test_wrong_commands(self):
        arguments = ["--args", "64xf32=1", "64xf32", "f32=1", "i64=64"]
        numpy.save(self.folder / "x.npy", numpy.zeros((4, 4), "f4"))
        self.write(".version 8.0\n.target sm_80\n.address_size 64\n", "none.ptx")
        for words, message in [
            ([], "A subcommand is required"),
            (["walk", "k.ptx"], "A subcommand is required"),
            (["run"], "file is required"),
            (["run", "k.ptx", "--gird=1"], "--gird"),
            (["run", "missing.ptx"], "missing.ptx"),
            (["list", "missing.ptx"], "missing.ptx"),
            (["run", "none.ptx"], "none.ptx has no entry"),
            (["run", "k.ptx", *arguments], "k.ptx has 2 entries: name one by --entry"),
            (["run", "k.ptx", "--entry=scael", *arguments], "no entry 'scael'"),
            (["run", "k.ptx", *SCALE, *arguments[:-1]], "entry 'scale' has 4 parameters, and 3 arguments were given"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "i32=64"], "parameter count has 8 bytes, the argument 4"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "i64"], "wanted a value after the type, or a shape before it"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "i65=1"], "i65"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "i64=x"], "argument 'i64=x'"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "random(1)"], "argument 'random(1)'"),
            (["run", "k.ptx", *SCALE, *arguments[:-1], "null>y.npy"], "null has no content to write or compare"),
            (["run", "k.ptx", *SCALE, "--args", "64xf32=1", "64xf32>", *arguments[-2:]], "wanted the name of a file"),
            (["run", "k.ptx", *SCALE, "--args", "@y.npy", *arguments[2:]], "y.npy"),
            (["run", "k.ptx", *SCALE, "--args", "16xf32=@x.npy", *arguments[2:]], "the file holds f32 [4, 4]"),
            (["run", "k.ptx", *SCALE, "--args", "64xf32=1", "64xf32>nowhere/y.npy", *arguments[-2:]], "nowhere/y.npy"),
            (["run", "k.ptx", "--grid=1,2,3,4"], ""),
            (["run", "k.ptx", "--grid=-1"], "--grid"),
            (["run", "k.ptx", "--seeds=0"], "--seeds"),
            (["run", "k.ptx", "--tolerance=-1"], "--tolerance"),
            (["run", "k.ptx", "--conflicts"], "--conflicts"),
        ]:
            with self.subTest(words=words):
                result = self.ptx(*words, code=2)
                self.assertIn(message, result.stderr)
                self.assertNotEqual(result.stderr, "")
        self.assertIn("profile", self.ptx("--help").stdout)

    def test_empty_argument(self):
        self.assertIn("argument ''", self.ptx("run", "k.ptx", *REVERSE, "--args", "", code=2).stderr)

    def test_wrong_launches(self):
        """A launch that a driver would refuse."""
        for words, message in [
            (["--entry=reverse", "--block=2048"], "2048"),
            (["--entry=reverse", "--block=0"], "block"),
            (["--entry=reverse", "--block=64", "--shared=1000000"], "1000000"),
        ]:
            with self.subTest(words=words):
                said = self.ptx("run", "k.ptx", *words, "--args", "64xf32=1", code=1).stdout
                self.assertIn("launch error", said)
                self.assertIn(message, said)

    def test_wrong_texts(self):
        """Each error names its line; opcodes that are not known are all named."""
        for old, new, line, message in [
            ("mul.rn.f32 %f3", "mull.rn.f32 %f3", "mul.rn.f32 %f3", "mull"),
            ("%f1, %f2;", "%f1, %f9;", "mul.rn.f32", "%f9"),
            ("bra DONE", "bra GONE", "@%p1 bra DONE", "GONE"),
            ("[factor]", "[facto]", "ld.param.f32", "facto"),
        ]:
            with self.subTest(new=new):
                self.changed(old, new)
                number = KERNELS[: KERNELS.index(line)].count("\n") + 1
                for command in ("list", "run"):
                    said = self.ptx(command, "k.ptx", code=2).stderr
                    self.assertRegex(said, rf"(?m)^k\.ptx:{number}: error: .*{re.escape(message)}")
        self.write(KERNELS.replace("mul.rn.f32", "mull.rn.f32").replace("xor.b32", "xxor.b32"))
        self.assertRegex(self.ptx("list", "k.ptx", code=2).stderr, r"(?s)mull.*xxor")
        for text in ("", "\0\0", "int main() {}", KERNELS[:700]):
            self.write(text)
            self.assertIn("error", self.ptx("run", "k.ptx", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
