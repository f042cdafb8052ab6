# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes one attention as an ONNX model, 2 heads of 8 over a dynamic sequence: make_local_global.py FILE.onnx

Short names of types in docs/walkthrough-sparse.md:
!tokens = tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
!means = tensor<?x2x?x8xf32, #model.dims<"batch", "2", "floordiv(sequence + 15, 16)", "8">>
!scores = tensor<?x2x?x?xf32, #model.dims<"batch", "2", "floordiv(sequence + 15, 16)", "sequence">>
!blocks = !sattn.index<16 x 16 block, shape["1", "1", "floordiv(sequence + 15, 16)"], items "floordiv(sequence + 15, 16)", capacity "min(1, floordiv(sequence + 15, 16))">
!blocks = <16 x 16 block, shape["1", "1", "floordiv(sequence + 15, 16)"], items "floordiv(sequence + 15, 16)", capacity "min(1, floordiv(sequence + 15, 16))">
!tokens_of_block = !sattn.index<16 x 1 token, shape["1", "1", "floordiv(sequence + 15, 16)"], items "sequence", capacity "min(16, sequence)">
!tokens_of_block = <16 x 1 token, shape["1", "1", "floordiv(sequence + 15, 16)"], items "sequence", capacity "min(16, sequence)">
!two_of_block = <16 x 1 token, shape["batch", "2", "floordiv(sequence + 15, 16)"], items "sequence", capacity "min(2, sequence)">
!pool = !sattn.index<0 x 1 token, shape["batch", "2", "1"], items "sequence", capacity "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence)">
!pool = <0 x 1 token, shape["batch", "2", "1"], items "sequence", capacity "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence)">
!stored = tensor<?x2x1x?xi32, #model.dims<"batch", "2", "1", "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 1">>
"""

import sys

import onnx
from onnx import TensorProto, helper


def main():
    tokens = ["batch", "sequence", 16]
    node = helper.make_node("Attention", ["q", "k", "v"], ["output"], "attention", q_num_heads=2, kv_num_heads=2)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, tokens) for name in ("q", "k", "v")]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, tokens)
    graph = helper.make_graph([node], "local_global", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11), sys.argv[1])


if __name__ == "__main__":
    main()
