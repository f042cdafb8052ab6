# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention alone: 8 heads x 64, batch 1, one length. Which pairs each case keeps, and its graph for `tamis compile`.

A case is a JSON file {"pattern", "length", "density", "row_blocks"}; every engine makes what it needs of it. Patterns on blocks of 64:
    dense          every key                        causal         keys up to the query
    local_strided  causal, 8 local blocks and every 16th (the layout of ONNX Runtime's SparseAttention)
    local_global   4 blocks on each side, the first block of keys, all keys for the first block of queries
    random         `density` of the blocks of each row, the own one among them, both ways
Writing needs the standard library, masks need numpy."""

import array
import json
import random

from benchmarks.kernels import write_safetensors

HEADS, SIZE, BLOCK = 8, 64, 64
WIDTH = HEADS * SIZE
CAUSAL = ("causal", "local_strided")


def rows_of_blocks(case):
    """For each block of queries the blocks of keys it reads, ascending."""
    count, pattern = -(-case["length"] // BLOCK), case["pattern"]
    source = random.Random(case["length"])

    def keeps(row):
        if pattern == "dense":
            return range(count)
        if pattern == "causal":
            return range(row + 1)
        if pattern == "local_strided":
            return [c for c in range(row + 1) if row - c < 8 or (c + 1) % 16 == 0]
        if pattern == "local_global":
            return [c for c in range(count) if abs(row - c) <= 4 or c == 0 or row == 0]
        others = source.sample([c for c in range(count) if c != row], max(0, round(case["density"] * count) - 1))
        return sorted([row, *others])

    return [list(keeps(row)) for row in range(count)]


def pairs(case):
    """Pairs of a query and a key that one head must multiply: of the causal half of a diagonal block only that half."""
    length, total = case["length"], 0
    for row, blocks in enumerate(rows_of_blocks(case)):
        queries = range(row * BLOCK, min(length, (row + 1) * BLOCK))
        for block in blocks:
            keys = min(length, (block + 1) * BLOCK) - block * BLOCK
            diagonal = case["pattern"] in CAUSAL and block == row
            total += sum(q - row * BLOCK + 1 for q in queries) if diagonal else len(queries) * keys
    return total


def operations(case):
    """Useful floating-point operations: two products of every kept pair, over all heads."""
    return 4 * SIZE * HEADS * pairs(case)


def feeds(case):
    return {name: [1, case["length"], WIDTH] for name in "qkv"}


def write(directory, name, case):
    """NAME.json, and NAME.mlir with its index in NAME.safetensors; gives the paths of the two."""
    directory.mkdir(parents=True, exist_ok=True)
    specification, graph = directory / f"{name}.json", directory / f"{name}.mlir"
    specification.write_text(json.dumps(case))
    length, causal = case["length"], " causal" if case["pattern"] in CAUSAL else ""
    index, over, kind = "", "", "model.attention"
    types = "!tokens, !tokens, !tokens"
    if case["pattern"] not in ("dense", "causal"):
        rows = rows_of_blocks(case)
        capacity = max(map(len, rows))
        numbers = array.array("i")
        for row in rows:
            numbers.extend([len(row), *row, *[0] * (capacity - len(row))])
        shape = [1, 1, len(rows), capacity + 1]
        write_safetensors(directory / f"{name}.safetensors", {"index": (shape, numbers)}, "I32")
        stored = f"tensor<{'x'.join(map(str, shape))}xi32>"
        loaded = (
            f'!sattn.index<{BLOCK} x {BLOCK} block, shape["1", "1", "{len(rows)}"], items "{len(rows)}", '
            f'capacity "{capacity}">'
        )
        index = (
            f'  %t = model.weight "index" : {stored}\n  %i = sattn.load_index %t : {stored} -> {loaded.removeprefix("!sattn.index")}\n'
        )
        kind, over, types = "sattn.attend", " over %i", f"{types}, over {loaded}"
    graph.write_text(
        f"""!tokens = tensor<1x{length}x{WIDTH}xf32>
func.func @main(%q: !tokens {{model.name = "q"}}, %k: !tokens {{model.name = "k"}}, %v: !tokens {{model.name = "v"}})
    -> (!tokens {{model.name = "y"}}) {{
{index}  %y = {kind} %q, %k, %v{over} heads {HEADS} kv_heads {HEADS} scale {SIZE**-0.5}{causal}
      : {types} -> !tokens
  return %y : !tokens
}}
"""
    )
    return specification, graph
