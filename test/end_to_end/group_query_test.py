# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models of one GroupQueryAttention of com.microsoft and compares what the plans compute with ONNX Runtime.

    group_query_test.py --tamis FILE [--rounds N] [--seed N]

Heads, sizes and phases are random; one plan runs at several sizes. What queries behind the length of their batch item give,
and what the cache holds there, is not compared: it is defined nowhere.
"""

import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 5e-5
POSITIONS = 64
# Of one plan: prompts alone; a cache that grows; one whose size is fixed, of which a part is in use.
PHASES = ["prompt", "growing", "fixed"]


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


class Node:
    """Attributes of a node, and the model around it: the length of the mask is the count of all tokens."""

    def __init__(self, random, phase):
        pick = lambda *values: values[random.integers(len(values))]
        self.phase = phase
        self.heads, self.kv_heads = pick((1, 1), (2, 1), (4, 2), (6, 3), (4, 4))
        self.width = int(pick(8, 16, 24))
        self.packed, self.rotary, self.biased = (bool(random.integers(2)) for _ in range(3))
        if self.rotary:
            self.width = 16 * int(random.integers(1, 3))
        self.attributes = {"num_heads": self.heads, "kv_num_heads": self.kv_heads}
        if random.integers(2):
            self.attributes["scale"] = 0.25
        if random.integers(2):
            self.attributes["local_window_size"] = int(pick(1, 4, 9))
        if random.integers(3) == 0:
            self.attributes["softcap"] = 2.0
        self.sink = random.integers(3)
        if self.sink == 1:
            self.attributes["smooth_softmax"] = 1
        if self.rotary:
            self.attributes.update(do_rotary=1, rotary_interleaved=int(random.integers(2)))
        normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
        half = int(pick(8, self.width // 2))
        self.tables = {name: normal(POSITIONS, half) for name in ("cosine", "sine")} if self.rotary else {}
        self.constants = {"one": np.array([1], np.int64), "axis": np.array(1, np.int64), **self.tables}
        if self.sink == 2:
            self.constants["sink"] = normal(self.heads)

    def text(self):
        return f"{self.phase}, packed {self.packed}, biased {self.biased}, sink {self.sink}, {self.attributes}"

    def model(self):
        nodes = [
            helper.make_node("ReduceSum", ["mask", "one"], ["sums"], keepdims=0),
            helper.make_node("Sub", ["sums", "one"], ["lasts"]),
            helper.make_node("Cast", ["lasts"], ["lengths"], to=TensorProto.INT32),
            helper.make_node("Shape", ["mask"], ["shape"]),
            helper.make_node("Gather", ["shape", "axis"], ["size"], axis=0),
            helper.make_node("Cast", ["size"], ["total"], to=TensorProto.INT32),
        ]
        has_cache = self.phase != "prompt"
        operands = ["query", "" if self.packed else "key", "" if self.packed else "value"]
        operands += ["past_key", "past_value"] if has_cache else ["", ""]
        operands += ["lengths", "total", *(self.tables or ["", ""]), "", "bias" if self.biased else ""]
        operands += ["sink" if self.sink == 2 else ""]
        results = ["y", "present_key", "present_value"]
        nodes.append(
            helper.make_node("GroupQueryAttention", operands, results, "node", domain="com.microsoft", **self.attributes)
        )
        sizes = {"query": ["batch", "tokens", self.heads * self.width]}
        if self.packed:
            sizes["query"][2] += 2 * self.kv_heads * self.width
        else:
            sizes["key"] = sizes["value"] = ["batch", "tokens", self.kv_heads * self.width]
        if has_cache:
            sizes["past_key"] = sizes["past_value"] = ["batch", self.kv_heads, "past", self.width]
        if self.biased:
            sizes["bias"] = ["batch", 1, "tokens", "total"]
        info = lambda name, type, shape: helper.make_tensor_value_info(name, type, shape)
        inputs = [info(name, TensorProto.FLOAT, shape) for name, shape in sizes.items()]
        inputs.append(info("mask", TensorProto.INT64, ["batch", "total"]))
        outputs = [info("y", TensorProto.FLOAT, ["batch", "tokens", self.heads * self.width])]
        outputs += [info(name, TensorProto.FLOAT, ["batch", self.kv_heads, "all", self.width]) for name in results[1:]]
        fixed = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(nodes, "graph", inputs, outputs, fixed)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class Step:
    """The sizes and operands of one run."""

    def __init__(self, random, node, reads):
        self.batch = int(random.integers(1, 4))
        normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
        fixed = int(random.integers(20, 33))
        if reads or node.phase == "prompt":
            self.tokens = self.total = int(random.integers(2, 12))
            self.lengths = random.integers(1, self.tokens + 1, self.batch)
            past = fixed if node.phase == "fixed" else 0
        else:
            # ONNX Runtime wants several new tokens in a batch of one alone.
            self.tokens = 1 if self.batch > 1 else int(random.integers(1, 5))
            old = int(random.integers(1, 14))
            self.total = old + self.tokens
            self.lengths = random.integers(self.tokens, self.total + 1, self.batch)
            past = fixed if node.phase == "fixed" else old
        self.lengths[0] = self.total
        self.feeds = {"query": normal(self.batch, self.tokens, node.heads * node.width)}
        kv = node.kv_heads * node.width
        if node.packed:
            self.feeds["query"] = normal(self.batch, self.tokens, node.heads * node.width + 2 * kv)
        else:
            self.feeds["key"], self.feeds["value"] = (normal(self.batch, self.tokens, kv) for _ in range(2))
        if node.phase != "prompt":
            for name in ("past_key", "past_value"):
                self.feeds[name] = normal(self.batch, node.kv_heads, past, node.width)
        if node.biased:
            self.feeds["bias"] = normal(self.batch, 1, self.tokens, self.total)
        self.feeds["mask"] = (np.arange(self.total) < self.lengths[:, None]).astype(np.int64)

    def different(self, name, ours, wanted):
        if ours.shape != wanted.shape:
            return f"{name} is {list(ours.shape)} but {list(wanted.shape)} is wanted"
        reads = self.tokens == self.total
        for item, length in enumerate(self.lengths):
            if name == "y":
                kept = (item, slice(length if reads else self.tokens))
            else:
                kept = (item, slice(None), slice(length))
            delta = np.abs(ours[kept] - wanted[kept])
            if not (delta <= TOLERANCE * max(1, np.abs(wanted[kept]).max(initial=0))).all():
                return f"{name} differs by up to {delta.max():.3g} in item {item} of {self.batch}"
        return ""


def check(tamis, node, random, folder):
    model = node.model()
    path, plan = folder / "model.onnx", folder / "model.plan"
    onnx.save(model, path)
    dims = ["--dim", "batch=1..8", "--dim", "tokens=1..32", "--dim", "total=1..64"]
    if node.phase != "prompt":
        dims += ["--dim", "past=0..64"]
    run(tamis, "compile", path, "-o", plan, "-q", "--target=host", *dims)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for number in range(4):
        step = Step(random, node, reads=number == 0)
        names = [output.name for output in session.get_outputs()]
        wanted = dict(zip(names, session.run(names, step.feeds)))
        np.savez(folder / "in.npz", **step.feeds)
        run(tamis, "run", plan, *[f"--input={name}=@{folder}/in.npz" for name in step.feeds], f"--output={folder}/out.npz")
        with np.load(folder / "out.npz") as ours:
            for name in names:
                if problem := step.different(name, ours[name], wanted[name]):
                    sizes = f"{step.batch} x {step.tokens} of {step.total}, lengths {step.lengths.tolist()}"
                    raise SystemExit(f"{node.text()}: at {sizes}: {problem}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--rounds", type=int, default=4, help="models of each phase")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for number, phase in enumerate(PHASES):
        for index in range(arguments.rounds):
            random = np.random.default_rng([arguments.seed, number, index])
            with tempfile.TemporaryDirectory() as folder:
                check(arguments.tamis, Node(random, phase), random, pathlib.Path(folder))
    print(f"{len(PHASES) * arguments.rounds} nodes agree with ONNX Runtime")


if __name__ == "__main__":
    main()
