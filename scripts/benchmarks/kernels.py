# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiny models of one kernel each, written as textual graphs of the `model` dialect with weights in safetensors, and
what they must compute. Writing needs the standard library, the reference needs numpy."""

import array
import json
import pathlib
import random

# MiniLM's first feed-forward product at 128 tokens; attention of 8 heads x 64 over 1024 tokens.
M, K, N = 128, 384, 1536
HEADS, HEAD_SIZE, TOKENS = 8, 64, 1024
WIDTH = HEADS * HEAD_SIZE

# name: inputs, useful floating-point operations of a run (of the product alone, whatever is fused to it), the share
# of the multiply-add peak it must reach.
KERNELS = {
    "gemm": ({"x": [M, K]}, 2 * M * K * N, 0.92),
    "gemm_bias_gelu": ({"x": [M, K]}, 2 * M * K * N, 0.88),
    "attention": ({name: [1, TOKENS, WIDTH] for name in "qkv"}, 4 * TOKENS * TOKENS * WIDTH, 0.82),
}

WEIGHTS = {"gemm": ["w"], "gemm_bias_gelu": ["w", "b"], "attention": []}

GRAPHS = {
    "gemm": f"""
func.func @main(%x: tensor<{M}x{K}xf32> {{model.name = "x"}}) -> (tensor<{M}x{N}xf32> {{model.name = "y"}}) {{
  %w = model.weight "w" : tensor<{K}x{N}xf32>
  %y = model.linear %x, %w : tensor<{M}x{K}xf32>, tensor<{K}x{N}xf32> -> tensor<{M}x{N}xf32>
  return %y : tensor<{M}x{N}xf32>
}}
""",
    "gemm_bias_gelu": f"""
func.func @main(%x: tensor<{M}x{K}xf32> {{model.name = "x"}}) -> (tensor<{M}x{N}xf32> {{model.name = "y"}}) {{
  %w = model.weight "w" : tensor<{K}x{N}xf32>
  %b = model.weight "b" : tensor<{N}xf32>
  %h = model.linear %x, %w bias %b : tensor<{M}x{K}xf32>, tensor<{K}x{N}xf32>, tensor<{N}xf32> -> tensor<{M}x{N}xf32>
  %y = model.activation gelu %h : tensor<{M}x{N}xf32>
  return %y : tensor<{M}x{N}xf32>
}}
""",
    "attention": f"""
!tokens = tensor<1x{TOKENS}x{WIDTH}xf32>
func.func @main(%q: !tokens {{model.name = "q"}}, %k: !tokens {{model.name = "k"}}, %v: !tokens {{model.name = "v"}})
    -> (!tokens {{model.name = "y"}}) {{
  %y = model.attention %q, %k, %v heads {HEADS} kv_heads {HEADS} scale {HEAD_SIZE**-0.5}
      : !tokens, !tokens, !tokens -> !tokens
  return %y : !tokens
}}
""",
}


def write_safetensors(path, tensors, kind="F32"):
    """tensors: name -> (shape, array of numbers of four bytes, `kind` in the format's words). The format: u64 size of a JSON header, the header, the bytes."""
    header, offset = {}, 0
    for name, (shape, values) in tensors.items():
        size = len(values) * 4
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, values in tensors.values():
            values.tofile(file)


def write(directory):
    """Writes NAME.mlir and, where it has weights, NAME.safetensors beside it; returns name -> path of the graph."""
    source = random.Random(0)
    weights = {
        "w": ([K, N], array.array("f", (source.gauss(0, K**-0.5) for _ in range(K * N)))),
        "b": ([N], array.array("f", (source.gauss(0, 1) for _ in range(N)))),
    }
    directory.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, graph in GRAPHS.items():
        paths[name] = directory / f"{name}.mlir"
        paths[name].write_text(graph.lstrip())
        if WEIGHTS[name]:
            write_safetensors(directory / f"{name}.safetensors", {key: weights[key] for key in WEIGHTS[name]})
    return paths


def read_safetensors(path):
    import numpy as np

    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    return {
        name: np.frombuffer(data[start + t["data_offsets"][0] : start + t["data_offsets"][1]], np.float32).reshape(
            t["shape"]
        )
        for name, t in json.loads(data[8:start]).items()
    }


def reference(graph, feeds):
    """What the kernel whose graph is the file `graph` must give, in double precision."""
    import math

    import numpy as np

    graph = pathlib.Path(graph)
    values = {name: value.astype(np.float64) for name, value in feeds.items()}
    if graph.stem == "attention":
        q, k, v = (values[name].reshape(TOKENS, HEADS, HEAD_SIZE).swapaxes(0, 1) for name in "qkv")
        scores = q @ k.swapaxes(1, 2) * HEAD_SIZE**-0.5
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        return (weights / weights.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(1, TOKENS, WIDTH)
    held = read_safetensors(graph.with_suffix(".safetensors"))
    result = values["x"] @ held["w"]
    if graph.stem == "gemm_bias_gelu":
        result += held["b"]
        result *= 0.5 * (1 + np.vectorize(math.erf)(result * 0.5**0.5))
    return result
