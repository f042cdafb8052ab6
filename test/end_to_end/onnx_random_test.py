# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ops that are imported as several ops of the model dialect, those of com.microsoft among them: random attributes and shapes,
against ONNX Runtime."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


class Case:
    """A model of one node: operands that are given at run time, and those that are fixed."""

    def __init__(self, op, inputs, constants=(), results=1, domain="", **attributes):
        self.op, self.results = op, results
        self.inputs = {name: value for name, value in inputs.items() if value is not None}
        names = [name if value is not None else "" for name, value in [*inputs.items(), *constants]]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        outputs = [f"y{i}" for i in range(results)]
        infos = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
                 for name, value in self.inputs.items()]
        graph = helper.make_graph(
            [helper.make_node(op, names, outputs, "node", domain=domain, **attributes)], "g", infos,
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants if value is not None])
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        self.model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        self.text = f"{op} of {', '.join(f'{k} {list(v.shape)}' for k, v in self.inputs.items())} {attributes}"

    def declare(self, results):
        """Outputs are of the types of these results."""
        for info, value in zip(self.model.graph.output, results):
            type = helper.np_dtype_to_tensor_dtype(value.dtype)
            info.CopyFrom(helper.make_tensor_value_info(info.name, type, value.shape))


def floats(random, *sizes):
    return random.standard_normal(sizes).astype(np.float32)


def window(random, rank):
    """Attributes of a convolution or a pool, and sizes that are large enough."""
    kernel = random.integers(1, 4, rank)
    strides, dilations = random.integers(1, 4, rank), random.integers(1, 3, rank)
    extent = (kernel - 1) * dilations + 1
    pads = np.concatenate([random.integers(0, kernel), random.integers(0, kernel)])
    sizes = extent + random.integers(0, 6, rank)
    attributes = dict(kernel_shape=kernel.tolist(), strides=strides.tolist(), dilations=dilations.tolist())
    attributes["pads"] = pads.tolist()
    return sizes, attributes


def conv(random):
    rank = random.integers(1, 3)
    sizes, attributes = window(random, rank)
    groups, inner, outer = random.integers(1, 4, 3)
    if random.random() < 0.2:
        del attributes["pads"]
        attributes["auto_pad"] = random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
        attributes["dilations"] = [1] * int(rank)
    weight = floats(random, groups * outer, inner, *attributes["kernel_shape"])
    bias = floats(random, groups * outer) if random.random() < 0.5 else None
    return Case("Conv", {"x": floats(random, random.integers(1, 3), groups * inner, *sizes)},
                [("w", weight), ("b", bias)], group=int(groups), **attributes)


def conv_transpose(random):
    rank = random.integers(1, 3)
    sizes, attributes = window(random, rank)
    groups, inner, outer = random.integers(1, 3, 3)
    attributes["output_padding"] = [int(random.integers(0, stride)) for stride in attributes["strides"]]
    weight = floats(random, groups * inner, outer, *attributes["kernel_shape"])
    return Case("ConvTranspose", {"x": floats(random, 1, groups * inner, *sizes)}, [("w", weight)],
                group=int(groups), **attributes)


def pool(random):
    sizes, attributes = window(random, random.integers(1, 3))
    # A stride beyond the window leaves ONNX's definition and its inference of sizes at odds.
    attributes["ceil_mode"] = int(random.random() < 0.5 and all(map(int.__le__, attributes["strides"], attributes["kernel_shape"])))
    op = random.choice(["MaxPool", "AveragePool", "LpPool"])
    if op == "AveragePool":
        del attributes["dilations"]  # ONNX Runtime has them from opset 19 on
        attributes["count_include_pad"] = int(random.integers(0, 2))
        attributes["ceil_mode"] = 0  # where ONNX Runtime and the definition count differently
    if op == "LpPool":
        del attributes["dilations"]
        attributes["ceil_mode"] = 0
        attributes["p"] = int(random.integers(1, 4))
    return Case(op, {"x": floats(random, 2, random.integers(1, 4), *sizes)}, **attributes)


def resize(random):
    sizes = random.integers(2, 7, 2)
    mode = random.choice(["nearest", "linear", "cubic"])
    attributes = dict(mode=mode)
    modes = ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"]
    attributes["coordinate_transformation_mode"] = random.choice(modes)
    if mode == "nearest":
        attributes["nearest_mode"] = random.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    wanted = random.integers(1, 12, 2)
    fixed = [("roi", None), ("scales", None), ("sizes", np.array([1, 2, *wanted], np.int64))]
    return Case("Resize", {"x": floats(random, 1, 2, *sizes)}, fixed, **attributes)


def pad(random):
    rank = random.integers(1, 4)
    sizes = random.integers(3, 6, rank)
    mode = random.choice(["constant", "edge", "reflect", "wrap"])
    low = -1 if mode == "constant" else 0
    pads = random.integers(low, 3, 2 * rank).astype(np.int64)
    return Case("Pad", {"x": floats(random, *sizes)}, [("pads", pads), ("fill", np.float32(1.5))], mode=mode)


def top_k(random):
    sizes = random.integers(1, 9, random.integers(1, 4))
    axis = int(random.integers(-len(sizes), len(sizes)))
    x = random.integers(-3, 4, sizes).astype(np.float32)  # with ties
    k = np.array([random.integers(0, sizes[axis] + 1)], np.int64)
    return Case("TopK", {"x": x}, [("k", k)], 2, axis=axis, largest=int(random.integers(0, 2)), sorted=1)


def argument(random):
    sizes = random.integers(1, 7, random.integers(1, 4))
    x = random.integers(-3, 4, sizes).astype(random.choice([np.float32, np.int32]))
    return Case(random.choice(["ArgMax", "ArgMin"]), {"x": x}, axis=int(random.integers(-len(sizes), len(sizes))),
                keepdims=int(random.integers(0, 2)), select_last_index=int(random.integers(0, 2)))


def cumulative(random):
    sizes = random.integers(1, 8, random.integers(1, 4))
    axis = np.int64(random.integers(-len(sizes), len(sizes)))
    return Case("CumSum", {"x": floats(random, *sizes)}, [("axis", axis)], exclusive=int(random.integers(0, 2)),
                reverse=int(random.integers(0, 2)))


def gather_elements(random):
    sizes = random.integers(1, 6, random.integers(1, 4))
    axis = int(random.integers(-len(sizes), len(sizes)))
    index_sizes = [random.integers(1, size + 1) for size in sizes]
    index_sizes[axis] = random.integers(1, 9)
    indices = random.integers(-sizes[axis], sizes[axis], index_sizes).astype(np.int64)
    return Case("GatherElements", {"x": floats(random, *sizes), "i": indices}, axis=axis)


def scatter_elements(random):
    sizes = random.integers(1, 6, random.integers(1, 4))
    axis = int(random.integers(-len(sizes), len(sizes)))
    index_sizes = [random.integers(1, size + 1) for size in sizes]
    reduction = random.choice(["none", "add", "mul", "max", "min"])
    # Without a reduction, indices that come twice mean nothing.
    order = np.argsort(random.random([size if i == axis % len(sizes) else index_sizes[i] for i, size in enumerate(sizes)]),
                       axis=axis)
    indices = np.take(order, np.arange(index_sizes[axis]), axis=axis).astype(np.int64)
    if reduction != "none":
        indices = random.integers(-sizes[axis], sizes[axis], index_sizes).astype(np.int64)
    return Case("ScatterElements", {"x": floats(random, *sizes), "i": indices, "u": floats(random, *index_sizes)},
                axis=axis, reduction=reduction)


def scatter_nd(random):
    sizes = random.integers(1, 5, random.integers(1, 4))
    width = random.integers(1, len(sizes) + 1)
    reduction = random.choice(["none", "add", "mul", "max", "min"])
    places = np.array(list(np.ndindex(*sizes[:width])))
    count = random.integers(1, len(places) + 1)
    rows = random.choice(len(places), count, replace=reduction != "none")
    return Case("ScatterND", {"x": floats(random, *sizes), "i": places[rows].astype(np.int64),
                              "u": floats(random, count, *sizes[width:])}, reduction=reduction)


def einsum(random):
    equations = ["ij,jk->ik", "bij,bjk->bik", "bhid,bhjd->bhij", "ij->ji", "ii->i", "ij->", "i,j->ij", "ij,jk,kl->il",
                 "...ij,...jk->...ik", "ij,ij", "abc,cd->bad", "bqhd,bkhd->bhqk", "ij,kj->i"]
    equation = str(random.choice(equations))
    sizes = {letter: random.integers(1, 5) for letter in "abcdhijklq"}
    terms = equation.split("->")[0].split(",")
    inputs = {}
    for i, term in enumerate(terms):
        lead = [2, 3] if "..." in term else []
        inputs[f"x{i}"] = floats(random, *lead, *[sizes[letter] for letter in term.replace("...", "")])
    return Case("Einsum", inputs, equation=equation)


def norm(random):
    sizes = [random.integers(1, 3), random.integers(1, 5), *random.integers(1, 6, random.integers(1, 3))]
    lists = [(name, np.abs(floats(random, sizes[1])) + 0.1) for name in ("s", "b", "m", "v")]
    if random.random() < 0.5:
        return Case("InstanceNormalization", {"x": floats(random, *sizes)}, lists[:2], epsilon=1e-3)
    return Case("BatchNormalization", {"x": floats(random, *sizes)}, lists)


def trilu(random):
    sizes = random.integers(1, 7, random.integers(2, 4))
    k = np.int64(random.integers(-4, 5))
    return Case("Trilu", {"x": floats(random, *sizes), "k": np.array(k)}, upper=int(random.integers(0, 2)))


def one_hot(random):
    sizes = random.integers(1, 5, random.integers(1, 3))
    depth = random.integers(1, 6)
    return Case("OneHot", {"i": random.integers(-depth, depth, sizes).astype(np.int64)},
                [("depth", np.int64(depth)), ("values", np.array([-1, 2], np.float32))],
                axis=int(random.integers(-len(sizes) - 1, len(sizes) + 1)))


def log_softmax(random):
    sizes = random.integers(1, 7, random.integers(1, 4))
    op = str(random.choice(["LogSoftmax", "Hardmax", "ReduceLogSumExp"]))
    axis = int(random.integers(-len(sizes), len(sizes)))
    if op == "ReduceLogSumExp":
        return Case(op, {"x": floats(random, *sizes)}, [("axes", np.array([axis], np.int64))])
    return Case(op, {"x": floats(random, *sizes)}, axis=axis)


def contrib(op, inputs, constants=(), results=1, **attributes):
    return Case(op, inputs, constants, results, domain="com.microsoft", **attributes)


def fused_activation(random):
    op = str(random.choice(["BiasGelu", "FastGelu", "QuickGelu", "Gelu"]))
    width = random.integers(1, 20)
    bias = [("b", floats(random, width))] if op in ("BiasGelu", "FastGelu") else []
    return contrib(op, {"x": floats(random, 2, 3, width)}, bias, alpha=1.5 if op == "QuickGelu" else None)


def skip_norm(random):
    width = random.integers(2, 20)
    inputs = {"x": floats(random, 2, 3, width), "s": floats(random, 2, 3, width)}
    bias = floats(random, width) if random.random() < 0.5 else None
    lists = [("g", floats(random, width))]
    if random.random() < 0.5:
        return contrib("SkipLayerNormalization", inputs, [*lists, ("b", floats(random, width)), ("c", bias)],
                       epsilon=1e-5)
    return contrib("SkipSimplifiedLayerNormalization", inputs, [*lists, ("c", bias)], epsilon=1e-5)


def padding_of_keys(random, batch, keys):
    lengths = random.integers(1, keys + 1, batch)
    return (np.arange(keys) < lengths[:, None]).astype(np.int32)


def embed_norm(random):
    width, length = random.integers(2, 20), random.integers(1, 9)
    ids = lambda high: random.integers(0, high, (2, length)).astype(np.int32)
    segments = ids(2) if random.random() < 0.5 else None
    tables = [("words", floats(random, 30, width)), ("places", floats(random, 9, width)),
              ("parts", floats(random, 2, width) if segments is not None else None)]
    return contrib("EmbedLayerNormalization", {"ids": ids(30), "segments": segments},
                   [*tables, ("g", floats(random, width)), ("b", floats(random, width)),
                    ("mask", padding_of_keys(random, 2, length) if random.random() < 0.5 else None)], 2, epsilon=1e-5)


def fused_matmul(random):
    m, k, n, a, b = *random.integers(1, 9, 3), *random.integers(0, 2, 2)
    left, right = ((k, m) if a else (m, k)), ((n, k) if b else (k, n))
    return contrib("FusedMatMul", {"x": floats(random, 2, *left), "w": floats(random, 2, *right)}, transA=int(a),
                   transB=int(b), alpha=0.5)


def rotary(random):
    heads, half, length = random.integers(1, 4), random.integers(1, 5), random.integers(1, 9)
    angles = floats(random, 16, half)
    tables = [("c", np.cos(angles)), ("s", np.sin(angles))]
    if random.random() < 0.5:
        positions = random.integers(0, 16, (2, length))
    else:
        positions = random.integers(0, 16 - length, 1)
    x = floats(random, 2, length, heads * 2 * half)
    if random.random() < 0.5:
        x = floats(random, 2, heads, length, 2 * half)
    return contrib("RotaryEmbedding", {"x": x, "p": positions.astype(np.int64)}, tables,
                   interleaved=int(random.integers(0, 2)))


def padding(random, batch, keys):
    """A mask of keys, in one of its forms; every row keeps one at least."""
    mask = padding_of_keys(random, batch, keys)
    return mask.sum(1, dtype=np.int32) if random.random() < 0.5 else mask


def fused_attention(random):
    batch, length, heads, width, inner = random.integers(1, 4), *random.integers(1, 9, 4)
    x, weight = floats(random, batch, length, inner), floats(random, inner, 3 * heads * width)
    past = floats(random, 2, batch, heads, 3, width) if random.random() < 0.3 else None
    mask = padding(random, batch, length) if past is None and random.random() < 0.6 else None
    return contrib("Attention", {"x": x}, [("w", weight), ("b", floats(random, 3 * heads * width)), ("m", mask),
                                           ("p", past)],
                   1 if past is None else 2, num_heads=int(heads), unidirectional=int(random.integers(0, 2)))


def multi_head(random):
    batch, queries, keys, heads, width = random.integers(1, 4), *random.integers(1, 9, 4)
    channels = heads * width
    inputs = {"q": floats(random, batch, queries, channels), "k": floats(random, batch, keys, channels),
              "v": floats(random, batch, keys, channels)}
    bias = floats(random, 3 * channels) if random.random() < 0.5 else None
    mask = padding(random, batch, keys) if random.random() < 0.5 else None
    scores = floats(random, 1, heads, queries, keys) if random.random() < 0.5 else None
    return contrib("MultiHeadAttention", inputs, [("b", bias), ("m", mask), ("s", scores)], num_heads=int(heads))


GENERATORS = [conv, conv_transpose, pool, resize, pad, top_k, argument, cumulative, gather_elements, scatter_elements,
              scatter_nd, einsum, norm, trilu, one_hot, log_softmax, fused_activation, skip_norm,
              embed_norm, fused_matmul, rotary, fused_attention, multi_head]


def compare(tamis, case, folder):
    """What differs; empty when nothing does."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = session.run(None, case.inputs)
    case.declare(wanted)
    onnx.save(case.model, folder / "model.onnx")
    words = [tamis, "compile", folder / "model.onnx", "-o", folder / "model.plan", "--target=host"]
    compiled = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if compiled.returncode:
        return compiled.stderr.strip()[-500:]
    words = [tamis, "run", folder / "model.plan", f"--output={folder}/out.npz"]
    for name, value in case.inputs.items():
        np.save(folder / f"{name}.npy", value)
        words.append(f"--input={name}=@{folder}/{name}.npy")
    ran = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if ran.returncode:
        return ran.stderr.strip()[-500:]
    outputs = np.load(folder / "out.npz")
    for i, value in enumerate(wanted):
        found = outputs[f"y{i}"]
        if found.shape != value.shape or found.dtype != value.dtype:
            return f"y{i} is {found.dtype}{list(found.shape)} but {value.dtype}{list(value.shape)} is wanted"
        if not np.allclose(found, value, rtol=1e-4, atol=1e-5, equal_nan=True):
            return f"y{i} differs by up to {np.max(np.abs(found.astype(float) - value)):.3g}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="models of each op")
    parser.add_argument("--only", default="", help="generators whose name contains this")
    arguments = parser.parse_args()
    failures = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, generator in enumerate(GENERATORS):
            if arguments.only not in generator.__name__:
                continue
            random = np.random.default_rng([arguments.seed, number])
            for _ in range(arguments.rounds):
                case = generator(random)
                problem = compare(arguments.tamis, case, pathlib.Path(folder))
                count += 1
                if problem:
                    failures += 1
                    print(f"{case.text}: {problem}", file=sys.stderr)
    print(f"{count - failures} of {count} models agree with ONNX Runtime")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
