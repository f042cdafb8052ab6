# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small decoders of Llama's architecture with random weights and a cache of keys and values, written as ONNX in the spellings
of torch's exporters (optimum's names), and of onnxruntime-genai's model builder.

A spelling is a subclass of Decoder; node by node it is what torch 2.15 and onnxruntime-genai write.
"""

import dataclasses
import math

import numpy as np
import onnx
from onnx import TensorProto, helper

import encoders

EPSILON = 1e-6
LAST = np.iinfo(np.int64).max
FIRST = np.iinfo(np.int64).min


@dataclasses.dataclass(frozen=True)
class Shape:
    hidden: int = 48
    heads: int = 4
    kv_heads: int = 2
    width: int = 16
    inner: int = 64
    layers: int = 2
    vocabulary: int = 61
    positions: int = 64


def random_weights(shape, seed):
    random = np.random.default_rng(seed)
    normal = lambda scale, *sizes: (random.standard_normal(sizes) * scale).astype(np.float32)
    sizes = {"q": shape.heads * shape.width, "k": shape.kv_heads * shape.width, "v": shape.kv_heads * shape.width}
    weights = {"embed": normal(1, shape.vocabulary, shape.hidden), "norm": 1 + normal(0.2, shape.hidden)}
    weights["head"] = normal(shape.hidden**-0.5, shape.hidden, shape.vocabulary)
    for layer in range(shape.layers):
        own = {name: (shape.hidden, size) for name, size in sizes.items()}
        own |= {"o": (sizes["q"], shape.hidden), "gate": (shape.hidden, shape.inner), "up": (shape.hidden, shape.inner)}
        own["down"] = (shape.inner, shape.hidden)
        weights |= {f"{layer}.{name}": normal(1.3 * rows**-0.5, rows, columns) for name, (rows, columns) in own.items()}
        weights |= {f"{layer}.norm{i}": 1 + normal(0.2, shape.hidden) for i in (1, 2)}
    return weights


class Decoder(encoders.Exporter):
    """What spellings share. The mask covers the tokens of the cache and the new ones."""

    all_tokens = "past_sequence_length + sequence_length"
    inputs = {"input_ids": "sequence_length", "attention_mask": all_tokens, "position_ids": "sequence_length"}

    def start(self):
        """What is computed once for all layers."""
        raise NotImplementedError

    def attend(self, layer, value):
        """The rows of heads side by side; adds the outputs present.LAYER.key and .value."""
        raise NotImplementedError

    def norm(self, name, value):
        square = self.node("ReduceMean", self.node("Pow", value, self.number(2)), self.constant([-1]), keepdims=1)
        deviation = self.node("Sqrt", self.node("Add", square, self.number(EPSILON)))
        return self.node("Mul", self.weight(name), self.node("Mul", value, self.inverse(deviation)))

    def inverse(self, value):
        return self.node("Reciprocal", value)

    def silu(self, value):
        return self.node("Mul", value, self.node("Sigmoid", value))

    def project(self, name, value):
        return self.node("MatMul", value, self.weight(name))

    def mlp(self, layer, value):
        gate = self.silu(self.project(f"{layer}.gate", value))
        return self.project(f"{layer}.down", self.node("Mul", gate, self.project(f"{layer}.up", value)))

    def layers(self, value):
        for layer in range(self.shape.layers):
            value = self.node("Add", value, self.project(f"{layer}.o", self.attend(layer, self.norm(f"{layer}.norm1", value))))
            value = self.node("Add", value, self.mlp(layer, self.norm(f"{layer}.norm2", value)))
        return self.norm("norm", value)

    def apart(self, value, heads):
        """[batch, heads, sequence, width] of heads side by side."""
        sizes = [self.size("input_ids", 0), self.size("input_ids", 1), self.constant([-1]), self.constant([self.shape.width])]
        split = self.node("Reshape", value, self.node("Concat", *sizes, axis=0), **self.reshape)
        return self.node("Transpose", split, perm=[0, 2, 1, 3])

    def together(self, value):
        sizes = self.node("Concat", self.size("input_ids", 0), self.size("input_ids", 1), self.constant([-1]), axis=0)
        return self.node("Reshape", self.node("Transpose", value, perm=[0, 2, 1, 3]), sizes, **self.reshape)

    def joined(self, past, now, name):
        self.nodes.append(helper.make_node("Concat", [past, now], [name], axis=-2))
        return name

    def repeated(self, value):
        """Key heads, each as often as query heads read it."""
        shape = self.shape
        batch, tokens, width = self.size(value, 0), self.size(value, 2), self.constant([shape.width])
        groups = [self.constant([shape.kv_heads]), self.constant([shape.heads // shape.kv_heads])]
        value = self.node("Unsqueeze", value, self.constant([2]))
        value = self.expand(value, self.node("Concat", batch, *groups, tokens, width, axis=0))
        return self.node(
            "Reshape", value, self.node("Concat", batch, self.constant([shape.heads]), tokens, width, axis=0), **self.reshape
        )

    def expand(self, value, sizes):
        return self.node("Expand", value, sizes)

    def angles(self):
        half = self.shape.width // 2
        return (10000.0 ** (-np.arange(half) / half)).astype(np.float32)

    def rotary(self):
        """Cosines and sines of the positions, of all channels."""
        at = self.node("Cast", self.node("Unsqueeze", "position_ids", self.constant([2])), to=TensorProto.FLOAT)
        at = self.node("Mul", at, self.weight("angles", self.angles()))
        both = self.node("Concat", at, at, axis=-1)
        return [self.node("Unsqueeze", self.node(kind, both), self.constant([1])) for kind in ("Cos", "Sin")]

    def rotate(self, value, tables, heads):
        half, axis, one = self.constant([self.shape.width // 2]), self.constant([3]), self.constant([1])
        first = self.node("Slice", value, self.constant([0]), half, axis, one)
        second = self.node("Slice", value, half, self.constant([LAST]), axis, one)
        turned = self.node("Concat", self.node("Neg", second), first, axis=-1)
        return self.node("Add", self.node("Mul", value, tables[0]), self.node("Mul", turned, tables[1]))

    def model(self):
        shape = self.shape
        self.start()
        value = self.layers(self.node("Gather", self.weight("embed"), "input_ids", axis=0))
        self.nodes.append(helper.make_node("MatMul", [value, self.weight("head")], ["logits"]))
        info = helper.make_tensor_value_info
        inputs = [info(name, TensorProto.INT64, ["batch_size", size]) for name, size in self.inputs.items()]
        outputs = [info("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", shape.vocabulary])]
        for layer in range(shape.layers):
            for part in ("key", "value"):
                sizes = ["batch_size", shape.kv_heads, "past_sequence_length", shape.width]
                inputs.append(info(f"past_key_values.{layer}.{part}", TensorProto.FLOAT, sizes))
                sizes = [*sizes[:2], self.all_tokens, shape.width]
                outputs.append(info(f"present.{layer}.{part}", TensorProto.FLOAT, sizes))
        graph = helper.make_graph(self.nodes, "decoder", inputs, outputs, list(self.initializers.values()))
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


class Dynamo(Decoder):
    """The torch.export-based exporter, opset 18: attention decomposed, the mask gathered by computed positions."""

    opset = 18
    scaled = 0.5  # the exponent of the width's root, shared by queries and keys

    def start(self):
        self.tables = self.rotary()
        self.mask = self.make_mask()

    def make_mask(self):
        batch, new = (self.node("Squeeze", self.size("input_ids", axis)) for axis in (0, 1))
        past = self.node("Squeeze", self.size("past_key_values.0.key", 2))
        total = self.node("Add", past, new)
        line = lambda count: self.node("Range", self.constant(0), count, self.constant(1))
        spread = lambda value, first, last: self.node(
            "Unsqueeze", self.node("Unsqueeze", value, self.constant(first)), self.constant([last])
        )
        rows = spread(line(batch), [1, 2], 3)
        queries = spread(self.node("Add", line(new), past), [0, 1], 3)
        keys = spread(line(total), [0, 1], 2)
        keeps = self.node("And", self.constant(True, np.bool_), self.node("LessOrEqual", keys, queries))
        sizes, last = self.node("Shape", self.node("Max", rows, keys), start=0), self.constant([-1])
        at = [self.node("Unsqueeze", self.node("Expand", value, sizes), last) for value in (rows, keys)]
        given = self.node("Cast", "attention_mask", to=TensorProto.BOOL)
        keeps = self.node("And", keeps, self.node("GatherND", given, self.node("Concat", *at, axis=-1), batch_dims=0))
        sizes = [self.size("input_ids", 0), self.constant([1]), self.size("input_ids", 1), self.node("Reshape", total, last)]
        return self.node("Expand", keeps, self.node("Concat", *sizes, axis=0))

    def attend(self, layer, value):
        query, key, data = (self.project(f"{layer}.{part}", value) for part in "qkv")
        query = self.rotate(self.apart(query, self.shape.heads), self.tables, self.shape.heads)
        key = self.rotate(self.apart(key, self.shape.kv_heads), self.tables, self.shape.kv_heads)
        data = self.apart(data, self.shape.kv_heads)
        key = self.joined(f"past_key_values.{layer}.key", key, f"present.{layer}.key")
        data = self.joined(f"past_key_values.{layer}.value", data, f"present.{layer}.value")
        return self.together(self.scores(query, self.repeated(key), self.repeated(data)))

    def transposed_keys(self, keys):
        return encoders.Dynamo.transposed_keys(self, keys)

    def scores(self, query, key, value):
        root = self.number(self.shape.width**-0.25)
        query, key = self.node("Mul", query, root), self.node("Mul", self.transposed_keys(key), root)
        added = self.node("Where", self.mask, self.number(0), self.number(encoders.LOWEST))
        weights = self.node("Softmax", self.node("Add", self.node("MatMul", query, key), added), axis=-1)
        weights = self.node("Where", self.node("IsNaN", weights), self.number(0), weights)
        return self.node("MatMul", weights, value)


class Dynamo23(Dynamo):
    """The same at opset 23: norms, rotary positions and attention are operators."""

    opset = 23

    def norm(self, name, value):
        return self.node("RMSNormalization", value, self.weight(name), axis=-1, epsilon=EPSILON, stash_type=1)

    def rotary(self):
        at = self.node("Cast", self.node("Unsqueeze", "position_ids", self.constant([2])), to=TensorProto.FLOAT)
        at = self.node("Mul", at, self.weight("angles", self.angles()))
        return [self.node(kind, at) for kind in ("Cos", "Sin")]

    def rotate(self, value, tables, heads):
        return self.node("RotaryEmbedding", value, *tables, interleaved=0, num_heads=heads)

    def scores(self, query, key, value):
        scale = 1 / math.sqrt(self.shape.width)
        return self.node("Attention", query, key, value, self.mask, scale=scale, softcap=0.0, is_causal=0)


class Script(Dynamo):
    """The TorchScript exporter as optimum calls it, opset 17: the mask is gathered from a flat one and then selects."""

    opset = 17
    reshape = {"allowzero": 0}
    constant, size, expand = encoders.Script.constant, encoders.Script.size, encoders.Script.expand

    def norm(self, name, value):
        square = self.node("ReduceMean", self.node("Pow", value, self.number(2)), axes=[-1], keepdims=1)
        deviation = self.node("Sqrt", self.node("Add", square, self.number(EPSILON)))
        scaled = self.node("Mul", value, self.node("Div", self.number(1), deviation))
        return self.node("Mul", self.weight(name), self.node("Cast", scaled, to=TensorProto.FLOAT))

    def make_mask(self):
        scalar = lambda value, axis: self.node("Gather", self.node("Shape", value), self.constant(axis), axis=0)
        batch, new, past = scalar("input_ids", 0), scalar("input_ids", 1), scalar("past_key_values.0.key", 2)
        total = self.node("Add", past, new)

        def line(count, axes, first=None):
            value = self.node("Range", self.constant(0), self.node("Cast", count, to=TensorProto.INT64), self.constant(1))
            value = self.node("Add", value, first) if first else value
            for axis in axes:
                value = self.node("Unsqueeze", value, self.constant([axis]))
            return value

        rows, queries, keys = line(batch, [1, 2, 3]), line(new, [0, 1, 3], past), line(total, [0, 1, 2])
        true = onnx.numpy_helper.from_array(np.array([True]))
        keeps = self.node("ConstantOfShape", self.constant([]), value=true)
        keeps = self.node("And", keeps, self.node("LessOrEqual", keys, queries))
        given = self.node("Cast", "attention_mask", to=TensorProto.BOOL)
        width = self.node("Gather", self.node("Shape", given), self.constant([1]), axis=0)
        at = self.node("Add", keys, self.node("Mul", rows, width))
        picked = self.node("Gather", self.node("Flatten", given, axis=2), at, axis=0)
        picked = self.node("Reshape", picked, self.constant([-1]), allowzero=0)
        picked = self.node("Reshape", picked, self.node("Concat", self.node("Shape", at), axis=0), allowzero=0)
        keeps = self.node("And", keeps, picked)
        sizes = [self.node("Unsqueeze", value, self.constant([0])) for value in (batch, new, total)]
        sizes = self.node("Concat", sizes[0], self.constant([-1]), *sizes[1:], axis=0)
        return self.node("Where", self.expand(keeps, sizes), self.number(0), self.number(encoders.LOWEST))

    def scores(self, query, key, value):
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.node("Mul", scores, self.number(1 / math.sqrt(self.shape.width)))
        weights = self.node("Softmax", self.node("Add", scores, self.mask), axis=-1)
        return self.node("MatMul", weights, value)


class Genai(Decoder):
    """onnxruntime-genai's model builder: GroupQueryAttention of packed projections, norms with their skips."""

    opset = 21
    all_tokens = "total_sequence_length"
    inputs = {"input_ids": "sequence_length", "attention_mask": all_tokens}

    def start(self):
        sums = self.node("ReduceSum", "attention_mask", self.constant([1]), keepdims=0)
        self.lengths = self.node("Cast", self.node("Sub", sums, self.constant([1])), to=TensorProto.INT32)
        total = self.node("Gather", self.node("Shape", "attention_mask"), self.constant(1), axis=0)
        self.total = self.node("Cast", total, to=TensorProto.INT32)
        turns = np.arange(self.shape.positions)[:, None] * self.angles()
        self.tables = [self.weight(f"{name}_cache", table(turns).astype(np.float32))
                       for name, table in (("cos", np.cos), ("sin", np.sin))]  # fmt: skip

    def contrib(self, kind, operands, results, **attributes):
        name = f"node_{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, operands, results, name, domain="com.microsoft", **attributes))
        return results[0]

    def attend(self, layer, value):
        packed = np.concatenate([self.weights[f"{layer}.{part}"] for part in "qkv"], 1)
        query = self.node("MatMul", value, self.weight(f"{layer}.qkv", packed))
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        results = [f"attended_{layer}", *(f"present.{layer}.{part}" for part in ("key", "value"))]
        attributes = {"num_heads": self.shape.heads, "kv_num_heads": self.shape.kv_heads, "do_rotary": 1}
        attributes |= {"rotary_interleaved": 0, "local_window_size": -1, "scale": 1 / math.sqrt(self.shape.width)}
        operands = [query, "", "", *past, self.lengths, self.total, *self.tables]
        return self.contrib("GroupQueryAttention", operands, results, **attributes)

    def layers(self, value):
        attributes = {"epsilon": EPSILON, "axis": -1, "stash_type": 1}
        normed = self.node("SimplifiedLayerNormalization", value, self.weight("0.norm1"), **attributes)
        for layer in range(self.shape.layers):
            last = layer == self.shape.layers - 1
            for number, part in enumerate((self.attend, self.mlp)):
                added = part(layer, normed)
                added = self.project(f"{layer}.o", added) if number == 0 else added
                scale = f"{layer}.norm2" if number == 0 else "norm" if last else f"{layer + 1}.norm1"
                results = [f"normed_{layer}_{number}", "", "", f"sum_{layer}_{number}"]
                operands = [value, added, self.weight(scale)]
                normed = self.contrib("SkipSimplifiedLayerNormalization", operands, results, epsilon=EPSILON)
                value = results[3]
        return normed


SPELLINGS = {"script17": Script, "dynamo18": Dynamo, "dynamo23": Dynamo23, "genai": Genai}
