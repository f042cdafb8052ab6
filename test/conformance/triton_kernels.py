# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels in Triton, for the PTX interpreter's tests and for scripts/bench ptx: PTX that our compiler did not write.

    python triton_kernels.py FOLDER TARGET...    with targets as 80 or 90

writes FOLDER/NAME-TARGET.ptx and FOLDER/launches-TARGET.json: {name: [entry, threads, bytes of shared memory]}. No GPU and no
driver is asked for."""

import json
import pathlib
import sys

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource


@triton.jit
def attention(q, k, v, index, out, n, scale, D: tl.constexpr, SPARSE: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr):
    """Of ROWS queries of a head; operands are [heads][n][D], the index [heads][row][1 + items]."""
    start = tl.program_id(1) * n * D
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    keys = tl.arange(0, KEYS)
    columns = tl.arange(0, D)
    items = tl.cdiv(n, KEYS)
    row = index + (tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)) * (items + 1)
    own = start + tl.minimum(rows, n - 1)[:, None] * D + columns[None, :]
    queries = tl.load(q + own)
    most = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    result = tl.zeros([ROWS, D], tl.float32)
    blocks = items
    if SPARSE:
        blocks = tl.load(row)
    for number in range(0, blocks):
        first = number * KEYS
        if SPARSE:
            first = tl.load(row + 1 + number) * KEYS
        these = tl.minimum(first + keys, n - 1)
        scores = tl.dot(queries, tl.load(k + start + these[None, :] * D + columns[:, None]))
        scores = tl.where((first + keys < n)[None, :], scores, float("-inf"))
        larger = tl.maximum(most, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - larger[:, None])
        factor = tl.exp2(most - larger)
        total = total * factor + tl.sum(weights, 1)
        values = tl.load(v + start + these[:, None] * D + columns[None, :])
        result = tl.dot(weights.to(tl.float16), values, result * factor[:, None])
        most = larger
    result = result / tl.where(total == 0, 1.0, total)[:, None]
    tl.store(out + own, result.to(tl.float16), mask=(rows < n)[:, None])


@triton.jit
def gemm(a, b, c, rows, columns, K, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr):
    """c = a b; columns are a multiple of COLUMNS, K of DEPTH."""
    own = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    across = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    inputs = a + tl.minimum(own, rows - 1)[:, None] * K + depth[None, :]
    weights = b + depth[:, None] * columns + across[None, :]
    sums = tl.zeros([ROWS, COLUMNS], tl.float32)
    for _ in range(0, K, DEPTH):
        sums = tl.dot(tl.load(inputs), tl.load(weights), sums)
        inputs += DEPTH
        weights += DEPTH * columns
    tl.store(c + own[:, None] * columns + across[None, :], sums.to(tl.float16), mask=(own < rows)[:, None])


@triton.jit
def softmax(x, y, n, COLUMNS: tl.constexpr):
    at = tl.arange(0, COLUMNS)
    row = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=float("-inf"))
    powers = tl.exp(row - tl.max(row, 0))
    tl.store(y + tl.program_id(0) * n + at, powers / tl.sum(powers, 0), mask=at < n)


@triton.jit
def layer_norm(x, scale, bias, y, n, epsilon, COLUMNS: tl.constexpr):
    at = tl.arange(0, COLUMNS)
    row = tl.load(x + tl.program_id(0) * n + at, mask=at < n, other=0).to(tl.float32)
    centred = tl.where(at < n, row - tl.sum(row, 0) / n, 0)
    normal = centred * tl.rsqrt(tl.sum(centred * centred, 0) / n + epsilon)
    result = normal * tl.load(scale + at, mask=at < n).to(tl.float32) + tl.load(bias + at, mask=at < n).to(tl.float32)
    tl.store(y + tl.program_id(0) * n + at, result.to(tl.float16), mask=at < n)


@triton.jit
def gelu(x, y, n, COUNT: tl.constexpr):
    at = tl.program_id(0) * COUNT + tl.arange(0, COUNT)
    value = tl.load(x + at, mask=at < n)
    tl.store(y + at, 0.5 * value * (1 + tl.erf(value * 0.70710678)), mask=at < n)


ATTENTION = {"q": "*fp16", "k": "*fp16", "v": "*fp16", "index": "*i32", "out": "*fp16", "n": "i32", "scale": "fp32"}
TILES = {"ROWS": 64, "KEYS": 64}
KERNELS = {
    "attention_f16_64": (attention, ATTENTION, {"D": 64, "SPARSE": False, **TILES}, {"num_warps": 4, "num_stages": 2}),
    "attention_f16_128": (attention, ATTENTION, {"D": 128, "SPARSE": False, **TILES}, {"num_warps": 4, "num_stages": 2}),
    "blocks_f16_64": (attention, ATTENTION, {"D": 64, "SPARSE": True, **TILES}, {"num_warps": 4, "num_stages": 2}),
    "blocks_f16_128": (attention, ATTENTION, {"D": 128, "SPARSE": True, **TILES}, {"num_warps": 4, "num_stages": 2}),
    "gemm_f16": (
        gemm,
        {"a": "*fp16", "b": "*fp16", "c": "*fp16", "rows": "i32", "columns": "i32", "K": "i32"},
        {"ROWS": 128, "COLUMNS": 128, "DEPTH": 32},
        {"num_warps": 4, "num_stages": 3},
    ),
    "softmax_f32": (softmax, {"x": "*fp32", "y": "*fp32", "n": "i32"}, {"COLUMNS": 1024}, {"num_warps": 4}),
    "layer_norm_f16": (
        layer_norm,
        {"x": "*fp16", "scale": "*fp16", "bias": "*fp16", "y": "*fp16", "n": "i32", "epsilon": "fp32"},
        {"COLUMNS": 512},
        {"num_warps": 4},
    ),
    "gelu_f32": (gelu, {"x": "*fp32", "y": "*fp32", "n": "i32"}, {"COUNT": 1024}, {"num_warps": 4}),
}
# Sizes that are multiples of 16 by their meaning; Triton's compiler in Python tells by their values.
DIVISIBLE = {"columns", "K"}


def main(folder, targets):
    for target in targets:
        launches = {}
        for name, (function, signature, constants, options) in KERNELS.items():
            attributes = {
                (i,): [["tt.divisibility", 16]]
                for i, (key, type) in enumerate(signature.items())
                if type[0] == "*" or key in DIVISIBLE
            }
            source = ASTSource(function, {**signature, **dict.fromkeys(constants, "constexpr")}, constants, attributes)
            # CUDA 13's assembler takes PTX up to 9.0; Triton's own is newer.
            version = 88 if target < 90 else 90
            made = triton.compile(source, target=GPUTarget("cuda", target, 32), options={**options, "ptx_version": version})
            (folder / f"{name}-{target}.ptx").write_text(made.asm["ptx"])
            launches[name] = [made.metadata.name, made.metadata.num_warps * 32, made.metadata.shared]
        (folder / f"launches-{target}.json").write_text(json.dumps(launches))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), [int(target) for target in sys.argv[2:]])
