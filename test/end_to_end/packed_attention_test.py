# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models of one PackedAttention or PackedMultiHeadAttention of com.microsoft and compares what the plans compute
with ONNX Runtime's Attention and MultiHeadAttention of each batch item alone: its CPU has no kernel for the packed ones.

    packed_attention_test.py --tamis FILE [--rounds N] [--seed N]
"""

import argparse
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from group_query_test import TOLERANCE, run

INFO = helper.make_tensor_value_info


def model_of(op, operands, inputs, constants, channels, attributes):
    node = helper.make_node(op, operands, ["y"], "node", domain="com.microsoft", **attributes)
    fixed = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    outputs = [INFO("y", TensorProto.FLOAT, channels)]
    graph = helper.make_graph([node], "graph", inputs, outputs, fixed)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


class Node:
    """A packed node, and the one that judges it."""

    def __init__(self, random, projects):
        self.projects = projects
        self.heads, width, self.inner = int(random.integers(1, 4)), int(random.integers(2, 9)), int(random.integers(1, 20))
        self.channels = self.heads * width
        normal = lambda *shape: random.standard_normal(shape).astype(np.float32)
        self.constants = {}
        self.packed = not projects and bool(random.integers(2))  # query, key and value side by side for each head
        self.biased = bool(random.integers(2))
        if projects:
            self.constants["w"] = normal(self.inner, 3 * self.channels)
        if projects or random.integers(2):
            self.constants["b"] = normal(3 * self.channels)
        self.attributes = {"num_heads": self.heads}
        if random.integers(2):
            self.attributes["scale"] = 0.5
        self.names = ["x"] if projects else ["q"] if self.packed else ["q", "k", "v"]

    def sizes(self, lead):
        width = self.channels // self.heads
        if self.packed:
            return [*lead, self.heads, 3, width]
        return [*lead, self.inner if self.projects else self.channels]

    def model(self):
        bias = "b" if "b" in self.constants else ""
        given = ["x", "w", bias] if self.projects else [self.names[0], *(self.names[1:] or ["", ""]), bias]
        inputs = [INFO(name, TensorProto.FLOAT, self.sizes(["tokens"])) for name in self.names]
        inputs.append(INFO("offsets", TensorProto.INT32, ["batch", "length"]))
        inputs.append(INFO("begins", TensorProto.INT32, ["batches"]))
        if self.biased:
            inputs.append(INFO("s", TensorProto.FLOAT, ["batch", self.heads, "length", "length"]))
        op = "PackedAttention" if self.projects else "PackedMultiHeadAttention"
        operands = [*given, "offsets", "begins", "s" if self.biased else ""]
        return model_of(op, operands, inputs, self.constants, ["tokens", self.channels], self.attributes)

    def judge(self):
        bias = "b" if "b" in self.constants else ""
        if self.projects:
            op, operands = "Attention", ["x", "w", bias, "", "", "s" if self.biased else ""]
        else:
            op, operands = "MultiHeadAttention", ["q", "k", "v", bias, "", "s" if self.biased else ""]
        names, width = (["x"], self.inner) if self.projects else (["q", "k", "v"], self.channels)
        inputs = [INFO(name, TensorProto.FLOAT, [1, "length", width]) for name in names]
        if self.biased:
            inputs.append(INFO("s", TensorProto.FLOAT, [1, self.heads, "length", "length"]))
        return model_of(op, operands, inputs, self.constants, [1, "length", self.channels], self.attributes)

    def apart(self, feeds):
        """What the judge, whose CPU does not know the three side by side, reads."""
        if not self.packed:
            return dict(feeds)
        q = feeds["q"]
        return {name: q[:, :, part].reshape(len(q), -1) for part, name in enumerate(("q", "k", "v"))}


def check(tamis, node, random, folder):
    plan = folder / "model.plan"
    onnx.save(node.model(), folder / "model.onnx")
    run(tamis, "compile", folder / "model.onnx", "-o", plan, "-q", "--target=host")
    judge = onnxruntime.InferenceSession(node.judge().SerializeToString(), providers=["CPUExecutionProvider"])
    for _ in range(3):
        batch, length = int(random.integers(1, 4)), int(random.integers(1, 18))
        lengths = random.integers(1, length + 1, batch)
        begins = np.concatenate([[0], np.cumsum(lengths)])
        kept = (np.arange(length) < lengths[:, None]).ravel()
        offsets = np.concatenate([np.flatnonzero(kept), np.flatnonzero(~kept)]).reshape(batch, length)
        feeds = {name: random.standard_normal(node.sizes([begins[-1]])).astype(np.float32) for name in node.names}
        if node.biased:
            feeds["s"] = random.standard_normal((batch, node.heads, length, length)).astype(np.float32)
        wanted = []
        for item, own in enumerate(lengths):
            own_tokens = {name: feeds[name][begins[item] : begins[item + 1]] for name in node.names}
            alone = {name: value[None] for name, value in node.apart(own_tokens).items()}
            if node.biased:
                alone["s"] = feeds["s"][item : item + 1, :, :own, :own]
            wanted.append(judge.run(None, alone)[0][0])
        wanted = np.concatenate(wanted)
        np.savez(folder / "in.npz", **feeds, offsets=offsets.astype(np.int32), begins=begins.astype(np.int32))
        names = [*feeds, "offsets", "begins"]
        run(tamis, "run", plan, *[f"--input={name}=@{folder}/in.npz" for name in names], f"--output={folder}/out.npz")
        with np.load(folder / "out.npz") as out:
            ours = out["y"]
        if ours.shape != wanted.shape or np.abs(ours - wanted).max() > TOLERANCE * max(1, np.abs(wanted).max()):
            raise SystemExit(f"{node.constants.keys()} {node.attributes} of lengths {lengths}: found {ours}, wanted {wanted}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--rounds", type=int, default=4, help="models of each op")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for projects in (True, False):
        for index in range(arguments.rounds):
            random = np.random.default_rng([arguments.seed, projects, index])
            with tempfile.TemporaryDirectory() as folder:
                check(arguments.tamis, Node(random, projects), random, pathlib.Path(folder))
    print(f"{2 * arguments.rounds} nodes agree with ONNX Runtime")


if __name__ == "__main__":
    main()
