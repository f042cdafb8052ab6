// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that gather single elements, and those that write some elements of a tensor.
#include "lib/import/OnnxEmit.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
LogicalResult importGatherElements(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1);
  if (data.rank() != indices.rank())
    return node.fail("data has " + Twine(data.rank()) + " axes but indices " + Twine(indices.rank()));
  auto axis = node.axis(node.integer("axis", 0), data.rank());
  if (failed(axis))
    return failure();
  for (int64_t i = 0; i < data.rank(); ++i)
    if (i != *axis && !node.rules().atLeast(data.dims[i] - indices.dims[i], 0))
      return node.fail("indices " + model::str(indices.dims) + " reach beyond data " + model::str(data.dims));
  return node.give(emitGatherElements(node, node.emit(0), node.emit(1), *axis));
}

/// How updates of one place join.
FailureOr<model::ScatterKind> reductionOf(OnnxNode &node) {
  StringRef text = node.text("reduction", "none");
  auto kind = llvm::StringSwitch<std::optional<model::ScatterKind>>(text)
                  .Case("none", model::ScatterKind::write)
                  .Case("add", model::ScatterKind::sum)
                  .Case("mul", model::ScatterKind::prod)
                  .Case("max", model::ScatterKind::max)
                  .Case("min", model::ScatterKind::min)
                  .Default(std::nullopt);
  if (!kind)
    return node.fail("reduction '" + text + "' is not known");
  if (*kind != model::ScatterKind::write && node.in(0).isBool())
    return node.fail("data are of bool; supported with reduction 'none'");
  if (node.in(0).element != node.in(2).element)
    return node.fail("data and updates differ in element type");
  return *kind;
}

LogicalResult importScatterElements(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  auto kind = reductionOf(node);
  auto axis = node.axis(node.integer("axis", 0), data.rank());
  if (failed(kind) || failed(axis))
    return failure();
  if (data.rank() != indices.rank() || updates.dims != indices.dims)
    return node.fail("data " + model::str(data.dims) + ", indices " + model::str(indices.dims) + " and updates " +
                     model::str(updates.dims) + " do not fit");
  // Axes before, that are as long, are walked side by side.
  int64_t shared = 0;
  while (shared < *axis && data.dims[shared] == indices.dims[shared])
    ++shared;
  for (int64_t i = shared; i < data.rank(); ++i)
    if (i != *axis && !node.rules().atLeast(data.dims[i] - indices.dims[i], 0))
      return node.fail("indices " + model::str(indices.dims) + " reach beyond data " + model::str(data.dims));
  Value to = node.emit(0), tuples = emitElementTuples(node, node.emit(1), *axis, shared);
  return node.give(node.create<model::ScatterOp>(to.getType(), *kind, to, tuples, node.emit(2), uint64_t(shared)));
}

LogicalResult importScatterNd(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  auto kind = reductionOf(node);
  if (failed(kind))
    return failure();
  auto width = indices.rank() ? indices.dims.back().constant() : std::nullopt;
  if (!width || *width < 1 || *width > data.rank())
    return node.fail("indices " + model::str(indices.dims) + " do not fit data " + model::str(data.dims));
  model::Dims wanted(indices.dims.begin(), indices.dims.end() - 1);
  wanted.append(data.dims.begin() + *width, data.dims.end());
  if (wanted != updates.dims)
    return node.fail("updates are " + model::str(updates.dims) + " but " + model::str(wanted) + " are wanted");
  Value to = node.emit(0), at = node.emit(1);
  return node.give(node.create<model::ScatterOp>(to.getType(), *kind, to, at, node.emit(2), uint64_t(0)));
}

/// A cache whose rows from `write_indices` on are replaced, each batch at its own place.
LogicalResult importTensorScatter(OnnxNode &node) {
  const OnnxValue &past = node.in(0), &update = node.in(1);
  if (past.rank() != update.rank() || past.rank() < 2)
    return node.fail("cache " + model::str(past.dims) + " and update " + model::str(update.dims) + " do not fit");
  auto axis = node.axis(node.integer("axis", -2), past.rank());
  if (failed(axis))
    return failure();
  if (*axis == 0)
    return node.fail("writes along the batch axis");
  for (int64_t i = 0; i < past.rank(); ++i)
    if (i != *axis && failed(node.meet(past.dims[i], update.dims[i])))
      return failure();
  DimExpr size = past.dims[*axis], count = update.dims[*axis];
  if (!node.rules().atLeast(count, 1))
    return node.fail("update may be empty; supported with one row at least");
  SmallVector<int64_t> order = moveAxis(past.rank(), *axis, 1);
  Value rows = node.transpose(node.emit(0), order), given = node.transpose(node.emit(1), order);
  Value place = emitIota(node, node.i64(), size, 1, 2);
  if (node.has(2))
    place = emitElementwise(node, K::sub, {place, emitUnsqueeze(node, emitCast(node, node.emit(2), node.i64()), 1)});
  Value none = node.splat(node.i64(), 0);
  if (node.text("mode", "linear") == "circular")
    place = emitElementwise(node, K::mod, {place, emitNumber(node, node.i64(), size)});
  Value isWritten = emitElementwise(node, K::logical_and,
                                    {emitElementwise(node, K::greater_equal, {place, none}),
                                     emitElementwise(node, K::less, {place, emitNumber(node, node.i64(), count)})});
  Value source = emitElementwise(node, K::select, {isWritten, place, none});
  model::Dims dims = dimsOf(rows), one{dims[0], size}, indexDims = one;
  indexDims.push_back(DimExpr(1));
  source = node.reshape(node.broadcast(source, one), indexDims);
  Value gathered = node.create<model::GatherNdOp>(model::tensorType(past.element, dims), given, source, uint64_t(1));
  model::Dims maskDims = dimsOf(isWritten);
  maskDims.append(past.rank() - 2, DimExpr(1));
  Value written = node.elementwise(K::select, {node.reshape(isWritten, maskDims), gathered, rows}, dims);
  return node.give(node.transpose(written, inverse(order)));
}
} // namespace

void tamis::addOnnxScatterOps(OnnxOpTable &table) {
  table["GatherElements"] = importGatherElements;
  table["ScatterElements"] = importScatterElements;
  table["ScatterND"] = importScatterNd;
  table["TensorScatter"] = importTensorScatter;
}
