// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX's norms whose parameters belong to channels.
#include "lib/import/OnnxEmit.h"

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// A list over the channels of [batch, channels, ..].
FailureOr<Value> channelList(OnnxNode &node, size_t i, StringRef what) {
  const OnnxValue &input = node.in(0), &list = node.in(i);
  if (input.rank() < 2 || list.rank() != 1 || !list.isFloat())
    return node.fail("'" + what + "' of " + model::str(list.dims) + " is no list over the channels of " +
                     model::str(input.dims));
  if (failed(node.meet(input.dims[1], list.dims[0])))
    return failure();
  model::Dims dims(input.rank() - 1, DimExpr(1));
  dims[0] = list.dims[0];
  return node.reshape(emitCast(node, node.emit(i), input.element), dims);
}

/// (x - mean) / sqrt(variance + epsilon) * scale + bias.
Value normalise(OnnxNode &node, Value x, Value mean, Value variance, Value scale, Value bias) {
  Value epsilon = node.splat(elementOf(x), node.real("epsilon", 1e-5f));
  Value factor = emitElementwise(node, K::rsqrt, emitElementwise(node, K::add, {variance, epsilon}));
  Value centred = emitElementwise(node, K::sub, {x, mean});
  Value scaled = emitElementwise(node, K::mul, {centred, emitElementwise(node, K::mul, {factor, scale})});
  return emitElementwise(node, K::add, {scaled, bias});
}

LogicalResult importBatchNormalization(OnnxNode &node) {
  if (node.integer("training_mode", 0) || node.wants(1) || node.wants(2))
    return node.fail("it is in training mode; supported in inference mode");
  SmallVector<Value> lists;
  constexpr const char *names[] = {"scale", "B", "input_mean", "input_var"};
  for (auto [i, what] : llvm::enumerate(names)) {
    auto list = channelList(node, i + 1, what);
    if (failed(list))
      return failure();
    lists.push_back(*list);
  }
  return node.give(normalise(node, node.emit(0), lists[2], lists[3], lists[0], lists[1]));
}

LogicalResult importInstanceNormalization(OnnxNode &node) {
  auto scale = channelList(node, 1, "scale"), bias = failed(scale) ? scale : channelList(node, 2, "B");
  if (failed(bias))
    return failure();
  Value x = node.emit(0);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, node.in(0).rank()));
  Value mean = emitReduce(node, model::ReduceKind::mean, x, axes);
  Value centred = emitElementwise(node, K::sub, {x, mean});
  Value variance = emitReduce(node, model::ReduceKind::mean, emitElementwise(node, K::mul, {centred, centred}), axes);
  return node.give(normalise(node, x, mean, variance, *scale, *bias));
}
} // namespace

void tamis::addOnnxNormOps(OnnxOpTable &table) {
  table["BatchNormalization"] = importBatchNormalization;
  table["InstanceNormalization"] = importInstanceNormalization;
}
