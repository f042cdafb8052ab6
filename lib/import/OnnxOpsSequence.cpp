// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Optional values, which are given, and sequences, which hold one tensor: both are that tensor.
#include "lib/import/OnnxEmit.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace tamis;

namespace {
/// The tensor, as one or as what holds it.
LogicalResult giveOperand(OnnxNode &node, bool isHeld) {
  OnnxValue value = node.in(0);
  value.isHeld = isHeld;
  return node.give(std::move(value));
}

LogicalResult importHolder(OnnxNode &node) {
  if (node.size() != 1 || !node.has(0))
    return node.fail("it holds " + Twine(node.size()) + " values; supported where there is one tensor");
  return giveOperand(node, /*isHeld=*/true);
}

LogicalResult importOptionalGetElement(OnnxNode &node) {
  return giveOperand(node, /*isHeld=*/false);
}

LogicalResult importOptionalHasElement(OnnxNode &node) {
  auto contents = Contents::ofList({DimExpr(node.has(0))}, {});
  return node.give(node.builder().getI1Type(), {}, std::move(*contents));
}

LogicalResult importSequenceLength(OnnxNode &node) {
  return node.give(node.i64(), {}, std::move(*Contents::ofList({DimExpr(1)}, {})));
}

LogicalResult importSequenceAt(OnnxNode &node) {
  auto position = node.numbers(1, "position");
  if (failed(position))
    return failure();
  if (position->size() != 1 || (position->front() != 0 && position->front() != -1))
    return node.fail("position " + Twine(position->empty() ? 0 : position->front()) +
                     " is outside of a sequence of one tensor");
  return giveOperand(node, /*isHeld=*/false);
}

LogicalResult importConcatFromSequence(OnnxNode &node) {
  int64_t rank = node.in(0).rank(), isNew = node.integer("new_axis", 0);
  auto axis = node.axis(node.integer("axis", 0), rank + isNew);
  if (failed(axis))
    return failure();
  if (!isNew)
    return giveOperand(node, /*isHeld=*/false);
  model::Dims dims = node.in(0).dims;
  dims.insert(dims.begin() + *axis, DimExpr(1));
  return node.give(node.reshape(node.emit(0), dims));
}
} // namespace

void tamis::addOnnxSequenceOps(OnnxOpTable &table) {
  table["Optional"] = importHolder;
  table["OptionalGetElement"] = importOptionalGetElement;
  table["OptionalHasElement"] = importOptionalHasElement;
  table["SequenceConstruct"] = importHolder;
  table["SequenceLength"] = importSequenceLength;
  table["SequenceAt"] = importSequenceAt;
  table["ConcatFromSequence"] = importConcatFromSequence;
}

bool tamis::takesHeldTensors(StringRef op) {
  return llvm::StringSwitch<bool>(op)
      .Cases({"Identity", "Optional", "OptionalGetElement", "OptionalHasElement"}, true)
      .Cases({"SequenceLength", "SequenceAt", "ConcatFromSequence"}, true)
      .Default(false);
}
