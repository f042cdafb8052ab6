// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX graph whose weights become integers.
#pragma once

#include "lib/import/OnnxWriter.h"
#include "onnx/onnx_pb.h"

namespace tamis {

/// Puts integers behind DequantizeLinear in the place of the initializers that `weights` has: those that MatMul, Gemm
/// (without factors and transA) or, for tables, Gather along axis 0 read, as they are or through a Transpose. Integers
/// with one scale a row have it per axis, others in blocks. Inputs that are quantized row by row are so by plain
/// arithmetic: ONNX has no scale a row. What rounding does to the mean is taken back by an Add. `model`: of opset 21 or
/// later; initializers that nothing reads any more are gone afterwards. Gives the number of weights that became
/// integers.
size_t quantizeOnnxGraph(onnx::ModelProto &model, const IntegerWeights &weights);

} // namespace tamis
