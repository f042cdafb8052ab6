# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans that hold code for this machine and for AArch64: what qemu computes with the one is what this machine computes with
the other.

    aarch64_test.py --tamis FILE --compiler FILE --emulator FILE --runtime FOLDER NAME
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/end_to_end"))

import cached_decoders  # noqa: E402
import encoders  # noqa: E402

TOLERANCE = 2e-5  # other vectors, other orders of sums
SYSROOT = "/usr/aarch64-linux-gnu"  # where Debian's cross compilers have their libraries
TYPES = {"f32": "f4", "f64": "f8", "f16": "f2", "i64": "i8", "i32": "i4", "i16": "i2", "i8": "i1", "u8": "u1", "u16": "u2",
         "u32": "u4", "u64": "u8", "bool": "?"}  # fmt: skip


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


class Machines:
    """This one and the emulated one, with a plan that both run."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        runtime = arguments.runtime.resolve()
        self.runner = folder / "run_plan"
        run(arguments.compiler, "-O1", "-std=c++20", f"-I{ROOT}/include", pathlib.Path(__file__).with_name("RunPlan.cpp"),
            "-o", self.runner, f"-L{runtime}", "-ltamis", f"-Wl,-rpath,{runtime}")  # fmt: skip

    def compile(self, model, *options, level="aarch64"):
        onnx.save(model, self.folder / "model.onnx")
        run(self.arguments.tamis, "compile", self.folder / "model.onnx", "-o", self.folder / "model.plan", "-q",
            f"--target=x86-64-v3,{level}", *options)  # fmt: skip

    def here(self, feeds):
        np.savez(self.folder / "in.npz", **feeds)
        words = [f"--input={name}=@{self.folder}/in.npz" for name in feeds]
        run(self.arguments.tamis, "run", self.folder / "model.plan", *words, f"--output={self.folder}/out.npz")
        with np.load(self.folder / "out.npz") as out:
            return dict(out)

    def emulated(self, feeds):
        words = []
        for number, (name, array) in enumerate(feeds.items()):
            path = self.folder / f"in{number}.bin"
            path.write_bytes(np.ascontiguousarray(array).tobytes())
            words.append(f"{name}:{'x'.join(map(str, array.shape))}:{path}")
        lines = run(self.arguments.emulator, "-L", SYSROOT, self.runner, self.folder / "model.plan", self.folder, *words)
        outputs = {}
        for number, line in enumerate(lines.splitlines()):
            name, element, *dims = line.split()
            array = np.fromfile(self.folder / f"{number}.bin", TYPES[element])
            outputs[name] = array.reshape([int(dim) for dim in dims])
        return outputs

    def compare(self, feeds):
        wanted, found = self.here(feeds), self.emulated(feeds)
        if wanted.keys() != found.keys():
            raise SystemExit(f"outputs are {found.keys()} but {wanted.keys()} are wanted")
        for name, value in wanted.items():
            ours = found[name]
            if ours.shape != value.shape or ours.dtype != value.dtype:
                raise SystemExit(f"{name} is {ours.dtype}{ours.shape} but {value.dtype}{value.shape} is wanted")
            if value.dtype.kind != "f":
                agrees = (ours == value).all()
            else:
                bound = (2**-10 if value.dtype == np.float16 else TOLERANCE) * np.abs(value).max(initial=1e-3)
                agrees = (np.abs(ours.astype("f8") - value) <= bound).all()
            if not agrees:
                raise SystemExit(f"{name} of {[f'{k}{list(v.shape)}' for k, v in feeds.items()]}: {ours}\n{value}")


def encoder(machines, *options, **level):
    shape = encoders.Shape(48, 4, 96)
    machines.compile(encoders.Dynamo23(shape, encoders.random_weights(shape, 1)).model(), *options, **level)
    random = np.random.default_rng(1)
    for batch, length in [(1, 1), (2, 17), (3, 33)]:
        ids = random.integers(0, shape.vocabulary, (batch, length))
        machines.compare({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})


def quantized(machines):
    encoder(machines, "--weights=int8")
    encoder(machines, "--weights=int8", level="aarch64+dotprod")


# Products of bytes with and without a sign, of rows of 37 and of 64, with zero points; exact on all levels.
INTEGERS = """
agraph ({input}[n, {K}] x, {input} zx) => (int32[n, 19] y, int32[n, 19] z)
<{weight}[{K}, 19] w = {{{bytes}}}, {weight}[1] zw = {{3}}> {{
    y = MatMulInteger (x, w)
    z = MatMulInteger (x, w, zx, zw)
}}"""


def integers(machines):
    random = np.random.default_rng(1)
    for level in ("aarch64", "aarch64+dotprod", "aarch64+i8mm", "aarch64+dotprod+i8mm"):
        for number, (input, weight, K) in enumerate([("uint8", "int8", 37), ("int8", "int8", 64), ("uint8", "uint8", 64), ("int8", "uint8", 37)]):
            limits = {name: np.iinfo(name) for name in (input, weight)}
            bytes = random.integers(limits[weight].min, limits[weight].max + 1, K * 19)
            text = INTEGERS.format(input=input, weight=weight, K=K, bytes=", ".join(map(str, bytes)))
            machines.compile(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]>\n{text}'), level=level)
            for n in (1, 7, 20):
                x = random.integers(limits[input].min, limits[input].max + 1, (n, K)).astype(input)
                machines.compare({"x": x, "zx": np.array(5 + number, input)})


def decoder(machines):
    shape = cached_decoders.Shape()
    model = cached_decoders.Genai(shape, cached_decoders.random_weights(shape, 3)).model()
    machines.compile(model, "--dim", "past_sequence_length=0..64")
    random = np.random.default_rng(1)
    for batch, tokens, past in [(1, 9, 0), (2, 1, 5), (1, 3, 20)]:
        cache = (batch, shape.kv_heads, past, shape.width)
        feeds = {f"past_key_values.{layer}.{part}": random.standard_normal(cache).astype("f4")
                 for layer in range(shape.layers) for part in ("key", "value")}  # fmt: skip
        feeds["input_ids"] = random.integers(0, shape.vocabulary, (batch, tokens))
        feeds["attention_mask"] = np.ones((batch, tokens + past), "i8")
        machines.compare(feeds)


# Rows, maps of many functions and types, half floats, lines.
OPS = """
agraph (float[n, 40] x, int64[n, 3] at, uint32[n, 3] u, float16[n, 5] h)
    => (float[n, 40] y, int64[n, 7] places, float[n, 7] best, float[n, 40] sums, float[n, 40] written, uint32[n, 3] rest,
        float16[n, 5] g, bool[n, 40] b, int8[n, 40] q) {
    seven = Constant <value_ints = [7]> ()
    one = Constant <value_int = 1> ()
    ten = Constant <value = uint32[1] {10}> ()
    single = Constant <value_float = 0.5> ()
    half = Cast <to = 10> (single)
    e = Erf (x)
    t = Tanh (e)
    s = Softmax <axis = -1> (x)
    g0 = Gelu (x)
    c = Cos (x)
    p = Add (s, t)
    r = Mul (p, c)
    y = Add (r, g0)
    best, places = TopK <axis = -1> (x, seven)
    sums = CumSum (x, one)
    ax = Abs (x)
    values = Log (ax)
    two = Constant <value_ints = [0]> ()
    three = Constant <value_ints = [3]> ()
    axis = Constant <value_ints = [1]> ()
    some = Slice (values, two, three, axis)
    written = ScatterElements <axis = 1, reduction = "add"> (x, at, some)
    rest = Mod (u, ten)
    g1 = Exp (h)
    g = Mul (g1, half)
    b = Less (x, c)
    big = Mul (x, y)
    q = Cast <to = 3> (big)
}"""


def ops(machines):
    machines.compile(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]>\n{OPS}'))
    random = np.random.default_rng(1)
    for n in (1, 4, 33):
        feeds = {"x": random.standard_normal((n, 40)).astype("f4"), "at": random.integers(-40, 40, (n, 3))}
        feeds["u"] = random.integers(0, 2**32, (n, 3)).astype("u4")
        feeds["h"] = random.standard_normal((n, 5)).astype("f2")
        machines.compare(feeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tamis", "compiler", "emulator"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--runtime", required=True, type=pathlib.Path)
    parser.add_argument("name", choices=["encoder", "quantized", "integers", "decoder", "ops"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        globals()[arguments.name](Machines(arguments, pathlib.Path(folder)))
    print(f"{arguments.name}: both machines agree")


if __name__ == "__main__":
    main()
