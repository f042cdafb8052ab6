# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small encoders of BERT's architecture with random weights, written as ONNX in the spellings of torch's exporters.

A spelling is a subclass of Exporter. What they share is the order of layers; how a mask, an attention, a norm or an
activation is written differs with exporter and opset, node by node as the exporters of torch 2.3 and 2.15 do it.
"""

import dataclasses
import json
import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

LOWEST = float(np.finfo(np.float32).min)


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of an encoder."""

    hidden: int
    heads: int
    feed_forward: int
    layers: int = 2
    vocabulary: int = 61
    positions: int = 64

    @property
    def width(self):
        return self.hidden // self.heads


def random_weights(shape, seed):
    """All parameters by their Hugging Face names; matrices of dense layers are [out, in]."""
    random = np.random.default_rng(seed)

    def normal(*sizes, scale):
        return (random.standard_normal(sizes) * scale).astype(np.float32)

    weights = {}

    def dense(name, outputs, inputs):
        weights[f"{name}.weight"] = normal(outputs, inputs, scale=1 / math.sqrt(inputs))
        weights[f"{name}.bias"] = normal(outputs, scale=0.2)

    def norm(name):
        weights[f"{name}.weight"] = 1 + normal(shape.hidden, scale=0.2)
        weights[f"{name}.bias"] = normal(shape.hidden, scale=0.2)

    tables = {"word": shape.vocabulary, "position": shape.positions, "token_type": 2}
    for name, rows in tables.items():
        weights[f"embeddings.{name}_embeddings.weight"] = normal(rows, shape.hidden, scale=1)
    norm("embeddings.LayerNorm")
    for index in range(shape.layers):
        layer = f"encoder.layer.{index}"
        for part in ("query", "key", "value"):
            # Large enough that the softmax is far from uniform.
            dense(f"{layer}.attention.self.{part}", shape.hidden, shape.hidden)
            weights[f"{layer}.attention.self.{part}.weight"] *= 1.5
        dense(f"{layer}.attention.output.dense", shape.hidden, shape.hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", shape.feed_forward, shape.hidden)
        dense(f"{layer}.output.dense", shape.hidden, shape.feed_forward)
        norm(f"{layer}.output.LayerNorm")
    return weights


def save_hugging_face(shape, weights, folder):
    """`folder` in Hugging Face's layout: config.json and model.safetensors."""
    folder.mkdir()
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "type_vocab_size": 2,
        "vocab_size": shape.vocabulary,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


class Exporter:
    """Writes one encoder. Values are ONNX names."""

    opset = 17
    dims = ("batch", "sequence")
    inputs = ("input_ids", "attention_mask", "token_type_ids")

    def __init__(self, shape, weights):
        self.shape = shape
        self.weights = weights
        self.nodes = []
        self.initializers = {}

    # Building blocks

    def node(self, kind, *operands, **attributes):
        name = f"node_{kind}_{len(self.nodes)}"
        result = f"val_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(operands), [result], name=name, **attributes))
        return result

    def weight(self, name, value=None):
        value = self.weights[name] if value is None else value
        self.initializers.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def constant(self, value, dtype=np.int64):
        """A small constant; here an initializer."""
        array = np.array(value, dtype)
        return self.weight(f"const_{dtype.__name__}_{array.tolist()}", array)

    def number(self, value):
        return self.constant(value, np.float32)

    # Parts of the model, in the spelling most exporters share

    def size(self, value, axis):
        """The size of `value` along `axis` as a vector of one."""
        return self.node("Shape", value, start=axis, end=axis + 1)

    def dense(self, name, value):
        product = self.node("MatMul", value, self.weight(f"{name}.weight^T", self.weights[f"{name}.weight"].T))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def norm(self, name, value):
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", value, scale, bias, axis=-1, epsilon=1e-12)

    def gelu(self, value):
        shifted = self.node("Add", self.node("Erf", self.node("Div", value, self.number(math.sqrt(2)))), self.number(1))
        return self.node("Mul", value, self.node("Mul", self.number(0.5), shifted))

    def positions(self, length):
        table = self.weight("embeddings.position_ids", np.arange(self.shape.positions, dtype=np.int64)[None])
        one = self.constant([1])
        return self.node("Slice", table, self.constant([0]), length, one, one)

    def token_types(self):
        return "token_type_ids"

    def embeddings(self):
        def lookup(name, ids):
            return self.node("Gather", self.weight(f"embeddings.{name}_embeddings.weight"), ids, axis=0)

        total = self.node("Add", lookup("word", "input_ids"), lookup("token_type", self.token_types()))
        total = self.node("Add", total, lookup("position", self.positions(self.size("input_ids", 1))))
        return self.norm("embeddings.LayerNorm", total)

    def split_heads(self, value, permutation):
        batch, length = self.size(value, 0), self.size(value, 1)
        sizes = self.node("Concat", batch, length, self.constant([-1]), self.constant([self.shape.width]), axis=0)
        return self.node("Transpose", self.node("Reshape", value, sizes, **self.reshape), perm=permutation)

    def merge_heads(self, value, like):
        sizes = self.node("Concat", self.size(like, 0), self.size(like, 1), self.constant([self.shape.hidden]), axis=0)
        return self.node("Reshape", self.node("Transpose", value, perm=[0, 2, 1, 3]), sizes, **self.reshape)

    reshape = {"allowzero": 1}

    def attention(self, layer, value, mask):
        query, key, data = (self.dense(f"{layer}.attention.self.{part}", value) for part in ("query", "key", "value"))
        return self.merge_heads(self.scaled_dot_product(query, key, data, mask), value)

    def layer(self, layer, value, mask):
        attended = self.dense(f"{layer}.attention.output.dense", self.attention(layer, value, mask))
        value = self.norm(f"{layer}.attention.output.LayerNorm", self.node("Add", attended, value))
        inner = self.gelu(self.dense(f"{layer}.intermediate.dense", value))
        outer = self.dense(f"{layer}.output.dense", inner)
        return self.norm(f"{layer}.output.LayerNorm", self.node("Add", outer, value))

    def outputs(self, value):
        """What the model returns, by name: (value, sizes)."""
        return {"last_hidden_state": (value, [*self.dims, self.shape.hidden])}

    # What a spelling defines

    def mask(self, embedded):
        """What `scaled_dot_product` wants of the attention mask."""
        raise NotImplementedError

    def scaled_dot_product(self, query, key, value, mask):
        """Attention over heads: [batch, heads, sequence, width] from three [batch, sequence, hidden]."""
        raise NotImplementedError

    def model(self):
        value = self.embeddings()
        mask = self.mask(value)
        for index in range(self.shape.layers):
            value = self.layer(f"encoder.layer.{index}", value, mask)
        outputs = []
        for name, (result, sizes) in self.outputs(value).items():
            self.nodes.append(helper.make_node("Identity", [result], [name], name=f"output_{name}"))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, self.dims) for name in self.inputs]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        if self.opset > 22:
            model.ir_version = 10
        onnx.checker.check_model(model, full_check=True)
        return model


class Script(Exporter):
    """The TorchScript exporter of torch 2.3: constants are nodes, sizes are gathered, the mask is added. The model pools
    its tokens and takes no segments, as sentence encoders do."""

    dims = ("batch_size", "sequence_length")
    inputs = ("input_ids", "attention_mask")
    reshape = {"allowzero": 0}

    def constant(self, value, dtype=np.int64):
        return self.node("Constant", value=numpy_helper.from_array(np.array(value, dtype)))

    def size(self, value, axis):
        size = self.node("Gather", self.node("Shape", value), self.constant(axis), axis=0)
        return self.node("Unsqueeze", size, self.constant([0]))

    def expand(self, value, sizes):
        """Expand as the exporter writes it: a size of -1 would mean the operand's own."""
        sizes = self.node("Reshape", sizes, self.constant([-1]), allowzero=0)
        ones = self.node(
            "ConstantOfShape", self.node("Shape", sizes), value=numpy_helper.from_array(np.array([1], np.int64))
        )
        keep = self.node("Equal", sizes, self.node("Mul", ones, self.constant(-1)))
        return self.node("Expand", value, self.node("Where", keep, ones, sizes))

    def token_types(self):
        batch, length = self.size("input_ids", 0), self.size("input_ids", 1)
        zeros = np.zeros((1, self.shape.positions), np.int64)
        one = self.constant([1])
        row = self.node("Slice", self.constant(zeros), self.constant([0]), length, one, one)
        return self.expand(row, self.node("Concat", batch, length, axis=0))

    def mask(self, embedded):
        mask = self.node("Unsqueeze", "attention_mask", self.constant([1]))
        mask = self.node("Cast", self.node("Unsqueeze", mask, self.constant([2])), to=TensorProto.FLOAT)
        return self.node("Mul", self.node("Sub", self.number(1), mask), self.number(LOWEST))

    def scaled_dot_product(self, query, key, value, mask):
        query, value = self.split_heads(query, [0, 2, 1, 3]), self.split_heads(value, [0, 2, 1, 3])
        scores = self.node("MatMul", query, self.split_heads(key, [0, 2, 3, 1]))
        scores = self.node("Div", scores, self.number(math.sqrt(self.shape.width)))
        weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        return self.node("MatMul", weights, value)

    def outputs(self, value):
        mask = self.node("Unsqueeze", "attention_mask", self.constant([-1]))
        sizes = self.node("Concat", self.size(value, 0), self.size(value, 1), self.constant([self.shape.hidden]), axis=0)
        mask = self.node("Cast", self.expand(mask, sizes), to=TensorProto.FLOAT)
        axis = self.constant([1])
        total = self.node("ReduceSum", self.node("Mul", value, mask), axis, keepdims=0)
        count = self.node("Clip", self.node("ReduceSum", mask, axis, keepdims=0), self.number(1e-9), "")
        pooled = self.node("Concat", self.node("Div", total, count), axis=1)
        return {**super().outputs(value), "sentence_embedding": (pooled, [self.dims[0], self.shape.hidden])}


class Script14(Script):
    """The same before LayerNormalization was an operator."""

    opset = 14

    def norm(self, name, value):
        centred = self.node("Sub", value, self.node("ReduceMean", value, axes=[-1]))
        variance = self.node("ReduceMean", self.node("Pow", centred, self.number(2)), axes=[-1])
        deviation = self.node("Sqrt", self.node("Add", variance, self.number(1e-12)))
        scaled = self.node("Mul", self.node("Div", centred, deviation), self.weight(f"{name}.weight"))
        return self.node("Add", scaled, self.weight(f"{name}.bias"))


class ScriptBool(Script):
    """The TorchScript exporter of torch 2.15: a bool mask that is gathered by computed positions and then selects."""

    dims = ("batch", "sequence")
    inputs = Exporter.inputs

    def token_types(self):
        return "token_type_ids"

    def outputs(self, value):
        return Exporter.outputs(self, value)

    def mask(self, embedded):
        mask = self.node("Cast", "attention_mask", to=TensorProto.BOOL)

        def scalar(value, axis):
            return self.node("Gather", self.node("Shape", value), self.constant(axis), axis=0)

        def positions(size, axes):
            result = self.node("Range", self.constant(0), self.node("Cast", size, to=TensorProto.INT64), self.constant(1))
            for axis in axes:
                result = self.node("Unsqueeze", result, self.constant([axis]))
            return result

        batch, queries, keys = scalar(embedded, 0), scalar(embedded, 1), scalar(mask, 1)
        rows, columns = positions(batch, [1, 2, 3]), positions(keys, [0, 1, 2])
        true = numpy_helper.from_array(np.array([True]))
        all_keys = self.node("ConstantOfShape", self.constant([]), value=true)
        known = self.node("GreaterOrEqual", positions(queries, [0, 1, 3]), self.constant(0))
        all_keys = self.node("And", all_keys, self.node("Cast", known, to=TensorProto.BOOL))
        width = self.node("Gather", self.node("Shape", mask), self.constant([1]), axis=0)
        at = self.node("Add", columns, self.node("Mul", rows, width))
        picked = self.node("Gather", self.node("Flatten", mask, axis=2), at, axis=0)
        picked = self.node("Reshape", picked, self.constant([-1]), allowzero=0)
        picked = self.node("Reshape", picked, self.node("Concat", self.node("Shape", at), axis=0), allowzero=0)
        keep = self.node("And", all_keys, self.node("Cast", picked, to=TensorProto.BOOL))
        vectors = [self.node("Unsqueeze", value, self.constant([0])) for value in (batch, queries, keys)]
        sizes = self.node("Concat", vectors[0], self.constant([-1]), vectors[1], vectors[2], axis=0)
        return self.node("Where", self.expand(keep, sizes), self.number(0), self.number(LOWEST))

    def scaled_dot_product(self, query, key, value, mask):
        query, value = self.split_heads(query, [0, 2, 1, 3]), self.split_heads(value, [0, 2, 1, 3])
        scores = self.node("MatMul", query, self.split_heads(key, [0, 2, 3, 1]))
        scores = self.node("Mul", scores, self.number(1 / math.sqrt(self.shape.width)))
        weights = self.node("Softmax", self.node("Add", scores, mask), axis=-1)
        return self.node("MatMul", weights, value)


class Dynamo(Exporter):
    """The torch.export-based exporter, opset 18: scaled_dot_product_attention decomposed, NaN rows cleaned up."""

    opset = 18

    def mask(self, embedded):
        mask = self.node("Cast", "attention_mask", to=TensorProto.BOOL)

        def positions(axis):
            size = self.node("Squeeze", self.size("token_type_ids", axis))
            return self.node("Range", self.constant(0), size, self.constant(1))

        rows = self.node("Unsqueeze", self.node("Unsqueeze", positions(0), self.constant([1, 2])), self.constant([3]))
        columns = self.node("Unsqueeze", positions(1), self.constant([0, 1]))
        known = self.node("Unsqueeze", columns, self.constant([3]))
        columns = self.node("Unsqueeze", columns, self.constant([2]))
        known = self.node("And", self.constant(True, np.bool_), self.node("GreaterOrEqual", known, self.constant(0)))
        sizes = self.node("Shape", self.node("Max", rows, columns), start=0)
        last = self.constant([-1])
        at = [self.node("Unsqueeze", self.node("Expand", value, sizes), last) for value in (rows, columns)]
        picked = self.node("GatherND", mask, self.node("Concat", *at, axis=-1), batch_dims=0)
        return self.node("And", known, picked)

    def transposed_keys(self, keys):
        """[batch, heads, sequence, width] with the last axes swapped, by way of rank 3."""
        sizes = self.node("Shape", keys, start=0)
        one, two = self.constant([-1]), self.constant([-2])
        width = self.node("Slice", sizes, one, self.constant([np.iinfo(np.int64).max]))
        length = self.node("Slice", sizes, two, one)
        leading = self.node("Slice", sizes, self.constant([np.iinfo(np.int64).min]), two)
        flat = self.node("Reshape", keys, self.node("Concat", one, length, width, axis=0), allowzero=0)
        swapped = self.node("Transpose", flat, perm=[0, 2, 1])
        return self.node("Reshape", swapped, self.node("Concat", leading, width, length, axis=0), allowzero=0)

    def scaled_dot_product(self, query, key, value, mask):
        query, key, value = (self.split_heads(part, [0, 2, 1, 3]) for part in (query, key, value))
        root = self.number(self.shape.width**-0.25)
        query = self.node("Mul", query, root)
        key = self.node("Mul", self.transposed_keys(key), root)
        added = self.node("Where", mask, self.number(0), self.number(LOWEST))
        weights = self.node("Softmax", self.node("Add", self.node("MatMul", query, key), added), axis=-1)
        weights = self.node("Where", self.node("IsNaN", weights), self.number(0), weights)
        return self.node("MatMul", weights, value)


class Dynamo23(Dynamo):
    """The same at opset 23: Attention and Gelu are operators."""

    opset = 23

    def gelu(self, value):
        return self.node("Gelu", value, approximate="none")

    def scaled_dot_product(self, query, key, value, mask):
        query, key, value = (self.split_heads(part, [0, 2, 1, 3]) for part in (query, key, value))
        scale = 1 / math.sqrt(self.shape.width)
        return self.node(
            "Attention", query, key, value, mask, scale=scale, is_causal=0, softcap=0.0, qk_matmul_output_mode=0
        )


SPELLINGS = {
    "script14": Script14,
    "script17": Script,
    "script17_bool_mask": ScriptBool,
    "dynamo18": Dynamo,
    "dynamo23": Dynamo23,
}
