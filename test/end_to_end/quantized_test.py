# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantized models: what the plans compute against ONNX Runtime.

    quantized_test.py --tamis FILE ops|weights|halves|activations|rows|calibration

ops: models of single quantized ops, integers to one unit in the last place. weights: `tamis compile --weights` against the
float model. halves: --precision=bf16 and mixed. activations: what rounding them costs. rows: bytes that
leave kernels which compute more. calibration: what the algorithms gain that know what layers are given.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from safetensors.numpy import save_file

import encoders
from encoder_test import random_inputs, run

MICROSOFT = "com.microsoft"


def judge(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def compiled(tamis, folder, path, feeds, dims=(), words=()):
    plan, results = folder / "model.plan", folder / "results.npz"
    run(tamis, "compile", path, "-o", plan, *[f"--dim={dim}" for dim in dims], *words)
    options = []
    for name, value in feeds.items():
        np.save(folder / f"{name}.npy", value)
        options += ["--input", f"{name}=@{folder / name}.npy"]
    run(tamis, "run", plan, *options, "--output", results)
    with np.load(results) as found:
        return dict(found)


class Op:
    """A model of some nodes. `inputs`: names to arrays; `constants`: the same; sizes named "n" are dynamic."""

    def __init__(self, name, nodes, inputs, constants, outputs, opset=21, tolerance=0):
        self.name, self.inputs, self.tolerance = name, inputs, tolerance

        def info(name, array):
            shape = ["n", *array.shape[1:]] if array.ndim else []
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)

        initializers = [
            value if isinstance(value, TensorProto) else numpy_helper.from_array(value, key)
            for key, value in constants.items()
        ]
        graph = helper.make_graph(
            nodes,
            "g",
            [info(key, value) for key, value in inputs.items()],
            [helper.make_tensor_value_info(key, kind, None) for key, kind in outputs.items()],
            initializers,
        )
        imports = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
        self.model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        for output, result in zip(graph.output, judge(self.model).run(None, inputs)):
            for _ in result.shape: # the checker wants a rank
                output.type.tensor_type.shape.dim.add()
            output.type.tensor_type.shape.SetInParent()
        self.model.graph.CopyFrom(graph)

    def check(self, tamis, kernels=()):
        """`kernels`: what the names of some must begin with."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            onnx.save(self.model, folder / "model.onnx")
            found = compiled(tamis, folder, folder / "model.onnx", self.inputs, ["n=1..64"])
            inspected = json.loads(run(tamis, "inspect", "--json", folder / "model.plan"))
            for kernel in kernels:
                if not any(dispatch["kernel"].startswith(kernel) for dispatch in inspected["dispatches"]):
                    raise SystemExit(f"{self.name}: no kernel {kernel}")
            session = judge(self.model)
            names = [output.name for output in session.get_outputs()]
            for key, wanted in zip(names, session.run(None, self.inputs)):
                if found[key].shape != wanted.shape or found[key].dtype != wanted.dtype:
                    raise SystemExit(f"{self.name}: {key} is {found[key].dtype}{found[key].shape}, wanted "
                                     f"{wanted.dtype}{wanted.shape}")
                gap = np.abs(found[key].astype(np.float64) - wanted.astype(np.float64)).max(initial=0)
                limit = self.tolerance if wanted.dtype.kind == "f" else 1 if wanted.dtype.itemsize == 1 else 0
                print(f"{self.name} {key}: differs by {gap:.3g}")
                if not gap <= limit:
                    raise SystemExit(f"{self.name}: {key} differs by {gap}, more than {limit}")


def node(op, inputs, outputs, domain="", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


def bits_matrix(random, depth, width, bits, block):
    blocks = -(-depth // block)
    packed = random.integers(0, 256, (width, blocks, block * bits // 8), np.uint8)
    scales = random.uniform(0.01, 0.02, (width * blocks)).astype(np.float32)
    zeros = random.integers(0, 256, (width * (-(-blocks * bits // 8))), np.uint8)
    return packed, scales, zeros


def ops(tamis):
    random = np.random.default_rng(5)
    floats = lambda *shape: random.normal(0, 2, shape).astype(np.float32)
    signed = lambda *shape: random.integers(-128, 128, shape).astype(np.int8)
    unsigned = lambda *shape: random.integers(0, 256, shape).astype(np.uint8)
    scale, byte, sbyte = np.float32(0.03), np.uint8(113), np.int8(-7)
    x = floats(5, 33)
    x[0, :6] = [np.inf, -np.inf, 1e30, -1e30, 0.045, 0.015]
    quantized = {"q": TensorProto.UINT8}
    real = {"y": TensorProto.FLOAT}
    for opset in (10, 13, 19, 21):
        Op(f"QuantizeLinear {opset}", [node("QuantizeLinear", "x s z", "q")], {"x": x}, {"s": np.array(scale),
           "z": np.array(byte)}, quantized, opset).check(tamis)
        Op(f"DequantizeLinear {opset}", [node("DequantizeLinear", "q s z", "y")], {"q": unsigned(7, 40)},
           {"s": np.array(scale), "z": np.array(byte)}, real, opset).check(tamis)
    channel = random.uniform(0.01, 0.1, 33).astype(np.float32)
    Op("QuantizeLinear by axis", [node("QuantizeLinear", "x s z", "q", axis=1)], {"x": x},
       {"s": channel, "z": signed(33)}, {"q": TensorProto.INT8}).check(tamis)
    Op("DequantizeLinear by block", [node("DequantizeLinear", "w s z", "d", axis=1, block_size=8),
        node("Add", "x d", "y")], {"x": floats(1, 3, 20)}, {"w": signed(3, 20), "s": floats(3, 3), "z": signed(3, 3)},
       real, tolerance=1e-5).check(tamis)
    Op("DynamicQuantizeLinear", [node("DynamicQuantizeLinear", "x", "q s z")], {"x": floats(5, 33)}, {},
       {**quantized, "s": TensorProto.FLOAT, "z": TensorProto.UINT8}, tolerance=1e-7).check(tamis)
    for name, left, right, zero_a, zero_b in [("u8 s8", unsigned, signed, byte, sbyte), ("u8 u8", unsigned, unsigned, byte, byte),
                                              ("s8 s8", signed, signed, sbyte, np.int8(0))]:
        Op(f"MatMulInteger {name}", [node("MatMulInteger", "a b za zb", "y")], {"a": left(9, 3, 70)},
           {"b": right(70, 50), "za": np.array(zero_a), "zb": np.array(zero_b)}, {"y": TensorProto.INT32}).check(tamis)
    Op("MatMulInteger of inputs", [node("MatMulInteger", "a b za", "y")], {"a": unsigned(3, 5, 8), "b": signed(3, 8, 6)},
       {"za": np.array(byte)}, {"y": TensorProto.INT32}).check(tamis)
    Op("QLinearMatMul", [node("QLinearMatMul", "a sa za b sb zb sy zy", "q")], {"a": unsigned(9, 70)},
       {"sa": np.array(scale), "za": np.array(byte), "b": signed(70, 50), "sb": np.array(scale), "zb": np.array(sbyte),
        "sy": np.array(np.float32(0.4)), "zy": np.array(byte)}, quantized).check(tamis)
    Op("DynamicQuantizeMatMul", [node("DynamicQuantizeMatMul", "a b sb zb c", "y", MICROSOFT)], {"a": floats(9, 70)},
       {"b": signed(70, 50), "sb": np.array(scale), "zb": np.array(sbyte), "c": floats(50)}, real,
       tolerance=2e-2).check(tamis)
    Op("MatMulIntegerToFloat", [node("MatMulIntegerToFloat", "a b sa sb za zb c", "y", MICROSOFT)], {"a": unsigned(9, 70)},
       {"b": signed(70, 50), "sa": np.array(scale), "sb": channel[0] * np.ones(50, np.float32), "za": np.array(byte),
        "zb": np.zeros(50, np.int8), "c": floats(50)}, real, tolerance=1e-3).check(tamis)
    # Integers stand between float ops: what is multiplied is the integers.
    around = [node("QuantizeLinear", "x sx zx", "q"), node("DequantizeLinear", "q sx zx", "d")]
    for name, words, columns in [("", {"axis": 1}, 50), ("of one scale", {}, 50)]:
        Op(f"QDQ MatMul {name}", [*around, node("DequantizeLinear", "w sw zw", "wd", **words), node("MatMul", "d wd", "m"),
           node("Add", "m b", "y")], {"x": floats(9, 3, 70)},
           {"sx": np.array(scale), "zx": np.array(byte), "w": signed(70, columns), "b": floats(columns),
            "sw": random.uniform(0.01, 0.1, columns).astype(np.float32) if words else np.array(scale),
            "zw": np.zeros(columns, np.int8) if words else np.array(sbyte)}, real, tolerance=5e-3).check(tamis)
    units = random.uniform(0.01, 0.1, 50).astype(np.float32)
    Op("QDQ Gemm", [*around, node("DequantizeLinear", "w sw zw", "wd", axis=0), node("DequantizeLinear", "b sb", "bd", axis=0),
       node("Gemm", "d wd bd", "y", transB=1)], {"x": floats(9, 64)},
       {"sx": np.array(scale), "zx": np.array(byte), "w": unsigned(50, 64), "sw": units, "zw": unsigned(50),
        "b": random.integers(-1000, 1000, 50).astype(np.int32), "sb": units * scale}, real,
       tolerance=5e-3).check(tamis)
    for bits in (4, 8):
        for block in (16, 32):
            packed, scales, zeros = bits_matrix(random, 72, 50, bits, block)
            words = dict(K=72, N=50, bits=bits, block_size=block)
            for operands, constants in [("a b s", {}), ("a b s z", {"z": zeros})]:
                Op(f"MatMulNBits {bits} {block} {operands}", [node("MatMulNBits", operands, "y", MICROSOFT, **words)],
                   {"a": floats(9, 72)}, {"b": packed, "s": scales, **constants}, real,
                   tolerance=2e-2 if bits == 8 else 2e-3).check(tamis)
    one = lambda value: np.array(value)
    q_attention = {"w": signed(32, 96), "b": floats(96), "sx": one(np.float32(0.02)), "sw": one(np.float32(0.005)),
                   "zx": one(byte), "zw": one(np.int8(0))}
    for name, more, inputs, constants, words in [
            ("", "", {}, {}, {}), ("causal", "", {}, {}, {"unidirectional": 1}),
            ("by column", "", {}, {"sw": random.uniform(0.002, 0.006, 96).astype(np.float32), "zw": np.zeros(96, np.int8)}, {}),
            ("mask", "m", {"m": np.array([[1] * 7, [1] * 4 + [0] * 3], np.int32)}, {}, {}),
            ("lengths", "m", {"m": np.array([7, 3], np.int32)}, {}, {})]:
        Op(f"QAttention {name}", [node("QAttention", f"x w b sx sw {more or '_'} zx zw".replace("_", ""), "y", MICROSOFT,
           num_heads=4, **words) if more else helper.make_node("QAttention", ["x", "w", "b", "sx", "sw", "", "zx", "zw"], ["y"],
           domain=MICROSOFT, num_heads=4, **words)], {"x": unsigned(2, 7, 32), **inputs}, {**q_attention, **constants}, real,
           tolerance=1e-4).check(tamis)
    embedding = {"words": unsigned(50, 16), "places": unsigned(12, 16), "kinds": unsigned(2, 16), "g": unsigned(16),
                 "b": unsigned(16)}
    scales = {f"s_{key}": one(np.float32(0.01 * (i + 1))) for i, key in enumerate(embedding)}
    zeros = {f"z_{key}": one(np.uint8(120 + i)) for i, key in enumerate(embedding)}
    operands = ["ids", "types", *embedding, "mask", *scales, *zeros]
    Op("QEmbedLayerNormalization", [helper.make_node("QEmbedLayerNormalization", operands, ["y", "n"], domain=MICROSOFT,
       epsilon=1e-5)], {"ids": random.integers(0, 50, (3, 7)).astype(np.int32), "types": random.integers(0, 2, (3, 7)).astype(np.int32),
       "mask": np.array([[1] * 7, [1] * 4 + [0] * 3, [1] * 6 + [0]], np.int32)}, {**embedding, **scales, **zeros},
       {**real, "n": TensorProto.INT32}, tolerance=1e-4).check(tamis)
    for bits, block, rows, depth in [(4, 32, 1, 64), (4, 16, 4, 72), (8, 128, 7, 300), (4, 64, 12, 100)]: # in registers
        packed, scales, zeros = bits_matrix(random, depth, 50, bits, block)
        Op(f"MatMulNBits {bits} {block}, {rows} rows",
           [node("MatMulNBits", "a b s z", "y", MICROSOFT, K=depth, N=50, bits=bits, block_size=block)],
           {"a": floats(rows, depth)}, {"b": packed, "s": scales, "z": zeros}, real,
           tolerance=4e-2 if bits == 8 else 4e-3).check(tamis, ["int%d_linear" % bits])
    table = random.integers(0, 256, (40, 16), np.uint8)
    Op("GatherBlockQuantized", [node("GatherBlockQuantized", "t i s", "y", MICROSOFT, block_size=16, quantize_axis=1)],
       {"i": random.integers(-40, 40, (6, 2))}, {"t": table, "s": random.uniform(0.01, 1, (40, 2)).astype(np.float32)},
       real, tolerance=1e-6).check(tamis, ["int4_embedding"])


def cosine(a, b):
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


SHAPE = encoders.Shape(48, 4, 96)


def encoder(folder):
    path = folder / "encoder.onnx"
    path.write_bytes(encoders.ScriptBool(SHAPE, encoders.random_weights(SHAPE, 0)).model().SerializeToString())
    return path, [f"{name}=1..{high}" for name, high in zip(encoders.ScriptBool.dims, (8, SHAPE.positions))]


def weights(tamis):
    random = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path, dims = encoder(folder)
        session = judge(onnx.load(path))
        sizes = {}
        for kind, least in [("", 0.999999), ("int8", 0.999), ("int8(asymmetric)", 0.999), ("int8(group=16)", 0.999),
                            ("int4(group=16)", 0.97), ("int4(group=32, asymmetric)", 0.97)]:
            feeds = random_inputs(random, SHAPE, 3, 19)
            feeds = {value.name: feeds[value.name] for value in session.get_inputs()}
            found = compiled(tamis, folder, path, feeds, dims, [f"--weights={kind}"] if kind else [])
            sizes[kind] = (folder / "model.plan").stat().st_size
            keep = feeds["attention_mask"].astype(bool)
            for value, answer in zip(session.get_outputs(), session.run(None, feeds)):
                mine, answer = (found[value.name][keep], answer[keep]) if answer.ndim == 3 else (found[value.name], answer)
                alike = cosine(mine, answer)
                print(f"--weights={kind}: cosine {alike:.6f} with the float model")
                if not alike >= least:
                    raise SystemExit(f"--weights={kind}: the cosine is {alike}")
        print(sizes)
        # Packed weights are as large as their bits say: a scale of f16 a group, a zero point a byte.
        wide = folder / "wide.onnx"
        onnx.save(product(random.normal(0, 0.1, (256, 768)).astype(np.float32)), wide)
        for kind, bits in [("int4(group=32)", 4.5), ("int4(group=64, asymmetric)", 4.375), ("int8(group=32)", 8.5),
                           ("int4(group=12)", 32)]:
            run(tamis, "compile", wide, "-o", folder / "wide.plan", f"--weights={kind}")
            found = json.loads(run(tamis, "inspect", "--json", folder / "wide.plan"))["memory"]["weight_bytes"]
            print(f"--weights={kind}: {8 * found / 256 / 768:.3f} bits a weight")
            if not bits <= 8 * found / 256 / 768 < bits + 0.01:
                raise SystemExit(f"--weights={kind}: {found} bytes, wanted {bits} bits a weight")
        bad = subprocess.run([tamis, "compile", path, "-o", folder / "bad.plan", "--weights=int7"], capture_output=True,
                             text=True)
        if bad.returncode == 0 or "no such type" not in bad.stderr:
            raise SystemExit(f"--weights=int7 is accepted: {bad.stderr}")
        broken = onnx.load(path)
        for tensor in broken.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.ndim == 2 and array.dtype == np.float32:
                array = array.copy()
                array[1, 2] = np.nan
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        onnx.save(broken, folder / "nan.onnx")
        bad = subprocess.run([tamis, "compile", folder / "nan.onnx", "-o", folder / "bad.plan", "--weights=int8"],
                             capture_output=True, text=True)
        if bad.returncode == 0 or "holds NaN" not in bad.stderr:
            raise SystemExit(f"weights of NaN are quantized: {bad.stderr}")


def halves(tamis):
    """An encoder in bf16, and with its attention in bf16 beside integers, against the float model, at every level."""
    random = np.random.default_rng(9)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path, dims = encoder(folder)
        session = judge(onnx.load(path))
        for precision, least in [("bf16", 0.9999), ("mixed", 0.999)]:
            for target in ("host", "x86-64-v3"):
                for batch, length in ((1, 1), (3, 19), (2, 40)):
                    feeds = random_inputs(random, SHAPE, batch, length)
                    feeds = {value.name: feeds[value.name] for value in session.get_inputs()}
                    found = compiled(tamis, folder, path, feeds, dims, [f"--precision={precision}", f"--target={target}"])
                    keep = feeds["attention_mask"].astype(bool)
                    for value, answer in zip(session.get_outputs(), session.run(None, feeds)):
                        mine = found[value.name]
                        alike = cosine(mine[keep], answer[keep]) if answer.ndim == 3 else cosine(mine, answer)
                        print(f"{precision}, {target}, {batch} x {length}: cosine {alike:.6f} with the float model")
                        if not alike >= least:
                            raise SystemExit(f"--precision={precision}: the cosine is {alike}")


def product(w):
    """y = x w, of n rows."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in zip("xy", w.shape)]
    graph = helper.make_graph([node("MatMul", "x w", "y")], "g", info[:1], info[1:], [numpy_helper.from_array(w, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def activations(tamis):
    """Inputs of one sign use all 256 steps of a row: weights that 8 bits hold exactly leave their rounding alone."""
    random = np.random.default_rng(6)
    w = random.integers(-127, 128, (96, 40)).astype(np.float32) / 64
    w[0] = 127 / 64
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        onnx.save(product(w), folder / "model.onnx")
        for low, high in ((3, 4), (-4, -3), (-2, 2)):
            x = random.uniform(low, high, (33, 96)).astype(np.float32)
            x[1] = 0  # a row without a range
            y = compiled(tamis, folder, folder / "model.onnx", {"x": x}, ["n=1..64"], ["--weights=int8"])["y"]
            step = np.maximum(x.max(1), 0) - np.minimum(x.min(1), 0)
            # What rounding to 255 steps leaves, a standard deviation of 1/sqrt(12) of one each.
            expected = np.sqrt(((step / 255) ** 2 / 12).sum() * (w.astype(np.float64) ** 2).sum())
            found = np.linalg.norm(y.astype(np.float64) - x.astype(np.float64) @ w)
            print(f"inputs from {low} to {high}: {found / expected:.3f} of the error of 255 steps")
            if not found < 1.2 * expected or y[1].any():
                raise SystemExit(f"inputs from {low} to {high}: the error is {found}, expected {expected}")


BYTE_ROWS = """
!x = tensor<?x64xf32, #model.dims<"n", "64">>
!q = tensor<?x64xui8, #model.dims<"n", "64">>
!s = tensor<?x1xf32, #model.dims<"n", "1">>
!z = tensor<?x1xui8, #model.dims<"n", "1">>
!i = tensor<?x64xi32, #model.dims<"n", "64">>
func.func @main(%x: !x {model.name = "x"}) -> (!x {model.name = "y"}) attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %g = model.weight "g" : tensor<64xf32>
  %w = model.weight "w" : tensor<64x64xi8>
  %r = model.norm rms %x scale %g axis 1 epsilon 1.0e-5 : !x, tensor<64xf32> -> !x
  %q, %s, %z = model.quantize_rows %r : !x -> !q, !s, !z
  %sums = model.integer_linear %q, %w input_zero_point %z : !q, tensor<64x64xi8>, !z -> !i
  %0 = model.cast %sums : !i -> !x
  %1 = model.elementwise mul %0, %s : (!x, !s) -> !x
  %2 = model.activation gelu %1 : !x
  %q2, %s2, %z2 = model.quantize_rows %2 : !x -> !q, !s, !z
  %sums2 = model.integer_linear %q2, %w input_zero_point %z2 : !q, tensor<64x64xi8>, !z -> !i
  %3 = model.cast %sums2 : !i -> !x
  %4 = model.elementwise mul %3, %s2 : (!x, !s) -> !x
  %y = model.elementwise add %4, %r : (!x, !x) -> !x
  return %y : !x
}
"""


def rows(tamis):
    """Bytes that leave the kernels which compute the rows: those give several results, each of which is followed."""
    random = np.random.default_rng(8)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model.mlir").write_text(BYTE_ROWS)
        save_file({"g": random.random(64, dtype=np.float32), "w": random.integers(-3, 4, (64, 64)).astype(np.int8)},
                  folder / "model.safetensors")
        run(tamis, "compile", folder / "model.mlir", "-o", folder / "model.plan")
        told = subprocess.run([tamis, "verify", folder / "model.plan", folder / "model.mlir", "--layers"],
                              capture_output=True, text=True)
        print(told.stdout)
        if told.returncode or told.stdout.count("quantize_rows") != 2:
            raise SystemExit(f"two kernels that write bytes are not followed: {told.stderr}")


def calibration(tamis):
    """Inputs that depend on each other, one of them far larger than the rest: what the algorithms gain over rounding."""
    random = np.random.default_rng(7)
    mix = random.normal(0, 1, (12, 96))
    mix[:, 17] *= 40

    def inputs(count):
        return (random.normal(0, 1, (count, 12)) @ mix + random.normal(0, 0.1, (count, 96))).astype(np.float32)

    w = random.normal(0, 0.1, (96, 40)).astype(np.float32)
    w[17] /= 40
    x = inputs(50)
    y = x.astype(np.float64) @ w
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, passages = folder / "model.onnx", folder / "passages.npz"
        onnx.save(product(w), model)
        np.savez(passages, x=inputs(300))

        def error(weights, *words):
            words = ["n=1..64"], [f"--weights={weights}", *words]
            found = compiled(tamis, folder, model, {"x": x}, *words)["y"]
            error = np.linalg.norm(found - y) / np.linalg.norm(y)
            print(f"--weights={weights}: {error:.5f} of the answer is wrong")
            return error

        calibrate = f"--calibrate={passages}"
        for weights, algorithm, share in [("int8", "smoothquant", 0.5), ("int8", "gptq", 0.4), ("int4(group=32)", "gptq", 0.6),
                                          ("int4(group=40, asymmetric)", "gptq", 0.6)]:
            words = weights.replace(")", f", algorithm={algorithm})") if "(" in weights else f"{weights}(algorithm={algorithm})"
            nearest, better = error(weights), error(words, calibrate)
            if not better < share * nearest:
                raise SystemExit(f"{words}: {better}, wanted less than {share} of {nearest}")
        if error("int8", calibrate) != error("int8(algorithm=gptq)", calibrate):
            raise SystemExit("with --calibrate, gptq is not what --weights=int8 means")
        run(tamis, "quantize", "--model", model, "-o", folder / "q.plan", "--algorithm=gptq", calibrate, "--bits=4", "--group=32")

        broken = inputs(3)
        broken[1, 5] = np.nan
        np.savez(folder / "nan.npz", x=broken)
        np.savez(folder / "empty.npz", x=inputs(0))
        np.savez(folder / "flat.npz", x=inputs(3)[0])
        for words, wanted in [([], "--calibrate=FILE.npz"), ([f"--calibrate={folder / 'nan.npz'}"], "holds NaN or an infinity"),
                              ([f"--calibrate={folder / 'empty.npz'}"], "found 0 rows of the array 'x'"),
                              ([f"--calibrate={folder / 'flat.npz'}"], "of 1 axes")]:
            bad = subprocess.run([tamis, "compile", model, "-o", folder / "bad.plan", "--weights=int8(algorithm=gptq)", *words],
                                 capture_output=True, text=True)
            if bad.returncode != 1 or wanted not in bad.stderr:
                raise SystemExit(f"gptq with {words} ends with {bad.returncode} and says {bad.stderr!r}, wanted {wanted!r}")


PARTS = {function.__name__: function for function in (ops, weights, halves, activations, rows, calibration)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    parser.add_argument("part", choices=PARTS)
    arguments = parser.parse_args()
    PARTS[arguments.part](arguments.tamis)


if __name__ == "__main__":
    sys.exit(main())
