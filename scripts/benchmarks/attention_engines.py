# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The peers' attention, as engines.py wants them: each takes the JSON file of a case (attention_cases.py) and feeds
q, k, v of [1, length, heads * size], and gives its answer in that form. Operands are brought into the form an engine likes
best before the clock runs."""

import json
import pathlib

from benchmarks import attention_cases as cases
from benchmarks.attention_cases import BLOCK, HEADS, SIZE, WIDTH


def read(file):
    return json.loads(pathlib.Path(file).read_text())


def heads_first(tensor):
    """[1, length, width] as contiguous [1, heads, length, size]."""
    import numpy as np

    return np.ascontiguousarray(tensor.reshape(1, -1, HEADS, SIZE).transpose(0, 2, 1, 3))


def heads_last(result):
    import numpy as np

    return np.asarray(result).transpose(0, 2, 1, 3).reshape(1, -1, WIDTH)


def block_mask(case):
    import numpy as np

    rows = cases.rows_of_blocks(case)
    mask = np.zeros((len(rows), len(rows)), bool)
    for row, blocks in enumerate(rows):
        mask[row, blocks] = True
    return mask


def torch_of(threads):
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return torch


def torch_sdpa(threads):
    torch = torch_of(threads)

    def prepare(file, feeds):
        case = read(file)
        q, k, v = (torch.from_numpy(heads_first(feeds[name])) for name in "qkv")
        state = {}

        def run():
            state["y"] = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=case["pattern"] == "causal")

        return run, lambda: [heads_last(state["y"].numpy())]

    return prepare


def torch_flex(threads):
    """FlexAttention, compiled, with the same blocks."""
    torch = torch_of(threads)
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def prepare(file, feeds):
        case = read(file)
        q, k, v = (torch.from_numpy(heads_first(feeds[name])) for name in "qkv")
        blocks, causal, length = torch.from_numpy(block_mask(case)), case["pattern"] in cases.CAUSAL, case["length"]

        def keeps(_batch, _head, i, j):
            kept = blocks[i // BLOCK, j // BLOCK]
            return kept & (i >= j) if causal else kept

        mask = create_block_mask(keeps, None, None, length, length, device="cpu", BLOCK_SIZE=BLOCK)
        compiled = torch.compile(flex_attention, dynamic=False)
        state = {}

        def run():
            state["y"] = compiled(q, k, v, block_mask=mask)

        return run, lambda: [heads_last(state["y"].numpy())]

    return prepare


def ort_session(threads, nodes, inputs, outputs):
    """A session of a graph of com.microsoft nodes; inputs and outputs are name -> array that gives type and shape."""
    import onnxruntime
    from onnx import helper

    def values(arrays):
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in arrays.items()
        ]

    graph = helper.make_graph(nodes, "attention", values(inputs), values(outputs))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def ort_mha(threads):
    from onnx import helper

    def prepare(file, feeds):
        causal = {"unidirectional": 1} if read(file)["pattern"] == "causal" else {}
        node = helper.make_node("MultiHeadAttention", list("qkv"), ["y"], domain="com.microsoft", num_heads=HEADS, **causal)
        session = ort_session(threads, [node], feeds, {"y": feeds["q"]})
        state = {}

        def run():
            state["y"] = session.run(None, feeds)

        return run, lambda: state["y"]

    return prepare


def ort_sparse(threads):
    """com.microsoft.SparseAttention: causal, blocks as CSR. Past and present keys share one buffer."""
    import numpy as np
    import onnxruntime
    from onnx import helper

    def prepare(file, feeds):
        case = read(file)
        rows = cases.rows_of_blocks(case)
        starts = np.cumsum([0, *map(len, rows)]).astype(np.int32)[None]
        columns = np.array([block for row in rows for block in row], np.int32)[None]
        past = np.zeros((1, HEADS, case["length"], SIZE), np.float32)
        total = np.array([case["length"]], np.int32)
        names = ["q", "k", "v", "past_k", "past_v", "starts", "columns", "total", "lengths"]
        inputs = dict(zip(names, [*(feeds[n] for n in "qkv"), past, past.copy(), starts, columns, total, total]))
        node = helper.make_node(
            "SparseAttention", names, ["y", "k_out", "v_out"], domain="com.microsoft", num_heads=HEADS,
            kv_num_heads=HEADS, sparse_block_size=BLOCK, scale=SIZE**-0.5, do_rotary=0,
        )  # fmt: skip
        session = ort_session(threads, [node], inputs, {"y": feeds["q"], "k_out": past, "v_out": past})
        binding = session.io_binding()
        held = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in inputs.items()}
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        result = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(feeds["q"]))
        for name, value in (("y", result), ("k_out", held["past_k"]), ("v_out", held["past_v"])):
            binding.bind_ortvalue_output(name, value)
        return (lambda: session.run_with_iobinding(binding)), lambda: [result.numpy()]

    return prepare


def openvino_sdpa(threads):
    import numpy as np
    import openvino
    import openvino.opset13 as ops

    def prepare(file, feeds):
        case = read(file)
        operands = [ops.parameter([1, HEADS, case["length"], SIZE], np.float32, name=name) for name in "qkv"]
        result = ops.scaled_dot_product_attention(*operands, causal=case["pattern"] == "causal")
        compiled = openvino.Core().compile_model(
            openvino.Model([result], operands, "attention"),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
                "ENABLE_CPU_PINNING": False,
            },
        )
        request = compiled.create_infer_request()
        inputs = [heads_first(feeds[name]) for name in "qkv"]
        state = {}

        def run():
            state["y"] = request.infer(inputs, share_inputs=True, share_outputs=True)[0]

        return run, lambda: [heads_last(state["y"])]

    return prepare


ENGINES = {
    "torch SDPA": torch_sdpa,
    "FlexAttention": torch_flex,
    "ORT MHA": ort_mha,
    "ORT SparseAttention": ort_sparse,
    "OpenVINO SDPA": openvino_sdpa,
}
