# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a small encoder as a textual graph, with its weights in safetensors.

    make_model.py FOLDER [--change WEIGHT]

FOLDER gets model.mlir and model.safetensors; two layers of a norm and a feed-forward block over an embedding, batch and
sequence dynamic. The same command always writes the same bytes. --change adds 0.5 to the first element of a weight.
"""

import argparse
import json
import pathlib
import random
import struct

VOCABULARY, WIDTH, INNER = 10, 24, 40
HEAD = '"batch", "sequence"'


def tensor(width):
    return f'tensor<?x?x{width}xf32, #model.dims<{HEAD}, "{width}">>'


def weights():
    shapes = {"embedding.table": [VOCABULARY, WIDTH]}
    for layer in ("layer.0", "layer.1"):
        shapes[f"{layer}.up.weight"] = [WIDTH, INNER]
        shapes[f"{layer}.up.bias"] = [INNER]
        shapes[f"{layer}.down.weight"] = [INNER, WIDTH]
        shapes[f"{layer}.down.bias"] = [WIDTH]
        shapes[f"{layer}.norm.scale"] = [WIDTH]
        shapes[f"{layer}.norm.bias"] = [WIDTH]
    generator = random.Random(1)
    return {name: (shape, [generator.uniform(-0.5, 0.5) for _ in range(product(shape))]) for name, shape in shapes.items()}


def product(shape):
    result = 1
    for size in shape:
        result *= size
    return result


def safetensors(tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        content = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def layer_ops(name, value):
    """The ops of a layer that reads `value`, and the name of its result."""
    n = name.replace(".", "_")
    lines = []
    for part, shape in (("up", f"{WIDTH}x{INNER}"), ("down", f"{INNER}x{WIDTH}")):
        bias = INNER if part == "up" else WIDTH
        lines.append(f'%{n}_{part}_w = model.weight "{name}.{part}.weight" : tensor<{shape}xf32>')
        lines.append(f'%{n}_{part}_b = model.weight "{name}.{part}.bias" : tensor<{bias}xf32>')
    for part in ("scale", "bias"):
        lines.append(f'%{n}_norm_{part} = model.weight "{name}.norm.{part}" : tensor<{WIDTH}xf32>')
    lines += [
        f"%{n}_up = model.linear {value}, %{n}_up_w bias %{n}_up_b : {tensor(WIDTH)}, tensor<{WIDTH}x{INNER}xf32>, "
        f'tensor<{INNER}xf32> -> {tensor(INNER)} loc("/{name}/up")',
        f'%{n}_gelu = model.activation gelu %{n}_up : {tensor(INNER)} loc("/{name}/gelu")',
        f"%{n}_down = model.linear %{n}_gelu, %{n}_down_w bias %{n}_down_b : {tensor(INNER)}, "
        f'tensor<{INNER}x{WIDTH}xf32>, tensor<{WIDTH}xf32> -> {tensor(WIDTH)} loc("/{name}/down")',
        f'%{n}_sum = model.elementwise add %{n}_down, {value} : ({tensor(WIDTH)}, {tensor(WIDTH)}) -> {tensor(WIDTH)} '
        f'loc("/{name}/sum")',
        f"%{n}_norm = model.norm layer %{n}_sum scale %{n}_norm_scale bias %{n}_norm_bias axis 2 epsilon 1.0e-12 : "
        f'{tensor(WIDTH)}, tensor<{WIDTH}xf32>, tensor<{WIDTH}xf32> -> {tensor(WIDTH)} loc("/{name}/norm")',
    ]
    return lines, f"%{n}_norm"


def graph():
    ids = f"tensor<?x?xi64, #model.dims<{HEAD}>>"
    lines = [
        f'%table = model.weight "embedding.table" : tensor<{VOCABULARY}x{WIDTH}xf32>',
        f"%embedding = model.embedding %table, %ids : tensor<{VOCABULARY}x{WIDTH}xf32>, {ids} -> {tensor(WIDTH)} "
        f'loc("/embedding")',
    ]
    value = "%embedding"
    for name in ("layer.0", "layer.1"):
        ops, value = layer_ops(name, value)
        lines += ops
    body = "\n".join(f"  {line}" for line in lines)
    return (
        f'func.func @main(%ids: {ids} {{model.name = "ids"}}) -> ({tensor(WIDTH)} {{model.name = "hidden"}})\n'
        f'    attributes {{model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>]}} {{\n'
        f"{body}\n  return {value} : {tensor(WIDTH)}\n}}\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--change", metavar="WEIGHT")
    arguments = parser.parse_args()
    tensors = weights()
    if arguments.change:
        tensors[arguments.change][1][0] += 0.5
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "model.mlir").write_text(graph())
    (arguments.folder / "model.safetensors").write_bytes(safetensors(tensors))


if __name__ == "__main__":
    main()
