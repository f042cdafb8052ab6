// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops with graphs inside, where it is known at import which run and how often: their nodes are imported in place.
#include "lib/import/OnnxEmit.h"

using namespace mlir;
using namespace tamis;

namespace {
/// Nodes of all rounds of a loop.
constexpr int64_t mostNodes = 1 << 16;

const onnx::GraphProto *graphOf(OnnxNode &node, StringRef name) {
  const onnx::AttributeProto *attribute = node.find(name);
  return attribute && attribute->has_g() ? &attribute->g() : nullptr;
}

/// The only element of a value, if it is known.
std::optional<int64_t> knownNumber(const OnnxValue &value) {
  auto splat = value.contents ? value.contents->splat() : std::nullopt;
  return splat ? splat->constant() : std::nullopt;
}

LogicalResult importIf(OnnxNode &node) {
  auto condition = knownNumber(node.in(0));
  if (!condition)
    return node.fail("its condition is computed at run time; supported where it follows from sizes and constants");
  const onnx::GraphProto *branch = graphOf(node, *condition ? "then_branch" : "else_branch");
  if (!branch || branch->output_size() != static_cast<int>(node.results()))
    return node.fail("its branch does not give its " + Twine(node.results()) + " results");
  if (failed(node.importGraph(*branch)))
    return failure();
  for (size_t i = 0; i < node.results(); ++i)
    if (failed(node.give(OnnxValue(node.named(branch->output(i).name())), i)))
      return failure();
  return success();
}

/// A result that has one part for each round, one after the other along `axis`.
LogicalResult giveStacked(OnnxNode &node, SmallVector<Value> &parts, int64_t axis, bool backwards, size_t result) {
  if (parts.empty())
    return node.fail("runs no round and gives a list of their results");
  Type type = parts[0].getType();
  int64_t rank = dimsOf(parts[0]).size() + 1;
  auto at = node.axis(axis, rank);
  if (failed(at))
    return failure();
  for (Value &part : parts) {
    if (part.getType() != type)
      return node.fail("rounds give results of different sizes, " + model::str(model::dimsOf(type)) + " and " +
                       model::str(dimsOf(part)));
    part = emitUnsqueeze(node, part, *at);
  }
  if (backwards)
    std::reverse(parts.begin(), parts.end());
  return node.give(emitConcat(node, parts, *at), result);
}

LogicalResult importLoop(OnnxNode &node) {
  const onnx::GraphProto *body = graphOf(node, "body");
  int64_t states = static_cast<int64_t>(node.size()) - 2;
  if (!body || states < 0 || body->input_size() != states + 2 || body->output_size() < states + 1)
    return node.fail("its body does not fit its operands");
  std::optional<int64_t> rounds, condition = 1;
  if (node.has(0) && !(rounds = knownNumber(node.in(0))))
    return node.fail(
        "its number of rounds is computed at run time; supported where it follows from sizes and constants");
  if (node.has(1) && !(condition = knownNumber(node.in(1))))
    return node.fail("its condition is computed at run time; supported where it follows from sizes and constants");
  std::vector<OnnxValue> state;
  for (int64_t i = 0; i < states; ++i)
    state.push_back(node.in(2 + i));
  size_t lists = body->output_size() - 1 - states;
  std::vector<SmallVector<Value>> listed(lists);
  for (int64_t round = 0; *condition && (!rounds || round < *rounds); ++round) {
    if ((round + 1) * body->node_size() > mostNodes)
      return node.fail("runs more than " + Twine(mostNodes) + " nodes");
    OnnxValue number, holds;
    number.element = node.builder().getI64Type();
    number.contents = Contents::ofList({DimExpr(round)}, {});
    holds.element = node.builder().getI1Type();
    holds.contents = Contents::ofList({DimExpr(1)}, {});
    node.named(body->input(0).name()) = number;
    node.named(body->input(1).name()) = holds;
    for (int64_t i = 0; i < states; ++i)
      node.named(body->input(2 + i).name()) = state[i];
    if (failed(node.importGraph(*body)))
      return failure();
    condition = knownNumber(node.named(body->output(0).name()));
    if (!condition)
      return node.fail("its body computes at run time whether to go on; supported where that is known");
    for (int64_t i = 0; i < states; ++i)
      state[i] = node.named(body->output(1 + i).name());
    for (size_t i = 0; i < lists; ++i)
      listed[i].push_back(node.emit(node.named(body->output(1 + states + i).name())));
  }
  for (int64_t i = 0; i < states; ++i)
    if (failed(node.give(std::move(state[i]), i)))
      return failure();
  for (size_t i = 0; i < lists; ++i)
    if (node.wants(states + i) && failed(giveStacked(node, listed[i], 0, false, states + i)))
      return failure();
  return success();
}

LogicalResult importScan(OnnxNode &node) {
  const onnx::GraphProto *body = graphOf(node, "body");
  int64_t sequences = node.integer("num_scan_inputs", 0), states = static_cast<int64_t>(node.size()) - sequences;
  if (!body || sequences < 1 || states < 0 || body->input_size() != static_cast<int>(node.size()) ||
      body->output_size() < states)
    return node.fail("its body does not fit its operands");
  int64_t lists = body->output_size() - states;
  auto listed = [&](StringRef name, size_t count) {
    auto given = node.integers(name).value_or(SmallVector<int64_t>(count, 0));
    given.resize(count, 0);
    return given;
  };
  SmallVector<int64_t> axes = listed("scan_input_axes", sequences), outAxes = listed("scan_output_axes", lists);
  SmallVector<int64_t> backwards = listed("scan_input_directions", sequences),
                       outBackwards = listed("scan_output_directions", lists);
  std::vector<OnnxValue> state;
  for (int64_t i = 0; i < states; ++i)
    state.push_back(node.in(i));
  std::optional<int64_t> rounds;
  for (int64_t i = 0; i < sequences; ++i) {
    const OnnxValue &sequence = node.in(states + i);
    auto axis = node.axis(axes[i], sequence.rank());
    if (failed(axis))
      return failure();
    axes[i] = *axis;
    auto size = sequence.dims[*axis].constant();
    if (!size || (rounds && *rounds != *size))
      return node.fail("runs over '" + sequence.dims[*axis].str() +
                       "' elements; supported where all sequences have one "
                       "length that is a number");
    rounds = size;
  }
  if (*rounds * body->node_size() > mostNodes)
    return node.fail("runs more than " + Twine(mostNodes) + " nodes");
  std::vector<SmallVector<Value>> parts(lists);
  for (int64_t round = 0; round < *rounds; ++round) {
    for (int64_t i = 0; i < states; ++i)
      node.named(body->input(i).name()) = state[i];
    for (int64_t i = 0; i < sequences; ++i) {
      int64_t at = backwards[i] ? *rounds - 1 - round : round;
      Value part = emitSlice(node, node.emit(states + i), axes[i], DimExpr(at), DimExpr(1));
      OnnxValue element;
      element.value = emitSqueeze(node, part, axes[i]);
      element.element = elementOf(element.value);
      element.dims = dimsOf(element.value);
      node.named(body->input(states + i).name()) = std::move(element);
    }
    if (failed(node.importGraph(*body)))
      return failure();
    for (int64_t i = 0; i < states; ++i)
      state[i] = node.named(body->output(i).name());
    for (int64_t i = 0; i < lists; ++i)
      parts[i].push_back(node.emit(node.named(body->output(states + i).name())));
  }
  for (int64_t i = 0; i < states; ++i)
    if (failed(node.give(std::move(state[i]), i)))
      return failure();
  for (int64_t i = 0; i < lists; ++i)
    if (node.wants(states + i) && failed(giveStacked(node, parts[i], outAxes[i], outBackwards[i], states + i)))
      return failure();
  return success();
}
} // namespace

void tamis::addOnnxControlOps(OnnxOpTable &table) {
  table["If"] = importIf;
  table["Loop"] = importLoop;
  table["Scan"] = importScan;
}
