# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models of one SparseAttention of com.microsoft and compares what the plans compute with ONNX Runtime.

    sparse_attention_test.py --tamis FILE [--rounds N] [--seed N]

Layouts, heads, sizes and phases are random. What queries behind the length of their batch item give is not compared: it is
defined nowhere.
"""

import argparse
import copy
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 5e-5
PHASES = ["prompt", "dynamic_prompt", "token", "several_tokens", "any_phase", "any_phase_prompt"]


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def run_onnxruntime(model, feeds):
    """Past and present are one buffer, as the kernel wants."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_output("y")
    for name, array in feeds.items():
        value = onnxruntime.OrtValue.ortvalue_from_numpy(array.copy())
        binding.bind_ortvalue_input(name, value)
        if name.startswith("past"):
            binding.bind_ortvalue_output(name.replace("past", "present"), value)
    session.run_with_iobinding(binding)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, binding.copy_outputs_to_cpu()))


class Case:
    """Parameters of a node, its sizes in one run, and its operands."""

    def __init__(self, random, phase):
        pick = lambda *values: values[random.integers(len(values))]
        self.phase = phase
        self.heads, self.kv_heads, self.layouts = pick((1, 1, 1), (2, 1, 2), (4, 2, 1), (4, 4, 2), (4, 1, 4), (6, 3, 3))
        self.rotary = bool(random.integers(2))
        self.width = pick(16, 32, 64) if self.rotary else pick(8, 24, 32)
        self.block = int(pick(16, 32, 64, 128))
        self.packed = bool(random.integers(2))
        self.attributes = {"num_heads": self.heads, "kv_num_heads": self.kv_heads, "sparse_block_size": self.block}
        if random.integers(2):
            self.attributes["scale"] = 0.25
        if self.rotary:
            self.attributes.update(do_rotary=1, rotary_interleaved=int(random.integers(2)))
        self.batch, blocks = pick(1, 2, 3), pick(1, 3, 5)
        most = int(blocks * self.block)
        self.cache = int(random.integers(max(2, most // 2), most + 1))
        prompt = "prompt" in phase
        if phase == "token":
            self.tokens = 1
        else:
            # ONNX Runtime fails to rotate prompts of one token, but in a batch of one.
            self.tokens = int(random.integers(2, self.cache + 1 if prompt else max(2, self.cache // 2 + 1)))
        if prompt:
            self.lengths = random.integers(1, self.tokens + 1, self.batch)
            self.total = self.tokens
        else:
            self.lengths = random.integers(self.tokens, self.cache + 1, self.batch)
            self.lengths[0] = self.cache
            self.total = int(self.lengths.max())
        self.rows, self.columns = self.random_layouts(random, blocks)
        normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
        self.feeds = {}
        parts = {"query": self.heads, "key": self.kv_heads, "value": self.kv_heads}
        if self.packed:
            parts = {"query": self.heads + 2 * self.kv_heads}
        for name, heads in parts.items():
            self.feeds[name] = normal(self.batch, self.tokens, heads * self.width)
        for name in ("past_key", "past_value"):
            self.feeds[name] = normal(self.batch, self.kv_heads, self.cache, self.width)
        self.feeds["lengths"] = self.lengths.astype(np.int32)
        if phase in ("several_tokens", "any_phase", "any_phase_prompt"):
            self.feeds["total"] = np.array([self.total], np.int32)
        half = int(pick(8, self.width // 2)) if self.rotary else 0
        self.tables = {name: normal(most, half) for name in ("cosine", "sine")} if self.rotary else {}

    def random_layouts(self, random, blocks):
        """CSR: rows of at least one block, none behind the row's own; now and then all. Columns in any order."""
        rows, columns = [], []
        for _ in range(self.layouts):
            begins, items, dense = [0], [], random.integers(5) == 0
            for row in range(blocks):
                kept = random.random(row + 1) < (1 if dense else 0.5)
                kept[random.integers(row + 1)] = True
                items += list(random.permutation(np.flatnonzero(kept)))
                begins.append(len(items))
            rows.append(begins)
            columns.append(items)
        most = max(map(len, columns))
        columns = [items + [-1] * (most - len(items)) for items in columns]
        return np.array(rows, np.int32), np.array(columns, np.int32)

    def model(self):
        dynamic = self.phase in ("dynamic_prompt", "any_phase", "any_phase_prompt", "token")
        batch = "batch" if dynamic else self.batch
        tokens = "tokens" if dynamic and self.phase != "token" else self.tokens
        nodes, constants = [], {"rows": self.rows, "columns": self.columns, **self.tables}
        if self.phase in ("prompt", "token"):
            constants["total"] = np.array(self.total, np.int32)
        elif self.phase == "dynamic_prompt":
            constants["axis"] = np.array(1, np.int64)
            nodes = [
                helper.make_node("Shape", ["query"], ["shape"]),
                helper.make_node("Gather", ["shape", "axis"], ["size"]),
                helper.make_node("Cast", ["size"], ["total"], to=TensorProto.INT32),
            ]
        operands = ["query", "" if self.packed else "key", "" if self.packed else "value", "past_key", "past_value"]
        operands += ["rows", "columns", "total", "lengths"] + list(self.tables)
        results = ["y", "present_key", "present_value"]
        nodes.append(
            helper.make_node("SparseAttention", operands, results, "node", domain="com.microsoft", **self.attributes)
        )
        sizes = {"query": [batch, tokens], "key": [batch, tokens], "value": [batch, tokens], "lengths": [batch]}

        def info(name, array):
            shape = list(array.shape)
            shape[: len(sizes.get(name, [batch]))] = sizes.get(name, [batch] if name != "total" else [1])
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)

        cache = [batch, self.kv_heads, self.cache, self.width]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, tokens, self.heads * self.width])]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, cache) for name in results[1:]]
        graph = helper.make_graph(
            nodes,
            "graph",
            [info(name, array) for name, array in self.feeds.items()],
            outputs,
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def judge(self):
        """ONNX Runtime's results. Its kernel mixes up batch items of different lengths, in scores and in rotation, so each
        item runs for itself, with its own length. Only of a prompt the caches of the whole batch are taken: they hold the
        padding too."""
        items = []
        for b, length in enumerate(self.lengths):
            item = copy.copy(self)
            item.phase, item.batch, item.total = "prompt", 1, int(length)
            item.tokens = int(length) if "prompt" in self.phase else self.tokens
            item.feeds = {name: array[b : b + 1] for name, array in self.feeds.items() if name != "total"}
            for name in ("query", "key", "value"):
                if name in item.feeds:
                    item.feeds[name] = item.feeds[name][:, : item.tokens]
            items.append(run_onnxruntime(item.model(), item.feeds))
        if "prompt" in self.phase:
            wanted = run_onnxruntime(self.model(), self.feeds)
        else:
            wanted = {name: np.concatenate([item[name] for item in items]) for name in items[0]}
        return {**wanted, "y": [item["y"][0] for item in items]}

    def str(self):
        shown = {key: value for key, value in vars(self).items() if key not in ("feeds", "tables")}
        return ", ".join(f"{key}={value}" for key, value in shown.items())

    def check(self, tamis, folder):
        model = self.model()
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        run(tamis, "compile", path, "-o", folder / "model.plan", "--target=host", "-q")
        np.savez(folder / "in.npz", **self.feeds)
        words = [f"--input={name}=@{folder / 'in.npz'}" for name in self.feeds]
        run(tamis, "run", folder / "model.plan", *words, f"--output={folder / 'out.npz'}")
        found, wanted = np.load(folder / "out.npz"), self.judge()
        gaps = {name: np.abs(found[name] - wanted[name]).max() for name in ("present_key", "present_value")}
        gaps["y"] = max(np.abs(found["y"][b, : len(item)] - item).max() for b, item in enumerate(wanted["y"]))
        for name, gap in gaps.items():
            if not gap < TOLERANCE:
                raise SystemExit(f"{name} is off by {gap} in {self.str()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--rounds", type=int, default=4, help="of every phase")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory(prefix="tamis-sparse-") as folder:
        for _ in range(options.rounds):
            for phase in PHASES:
                Case(random, phase).check(options.tamis, pathlib.Path(folder))
    print(f"{options.rounds * len(PHASES)} models agree with ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
