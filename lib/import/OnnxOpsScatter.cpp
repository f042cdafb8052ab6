// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that gather single elements, and those that write some elements of a tensor. The latter ask for every
// element whether, and by which update, it is written: the work is elements times updates of an axis.
#include "lib/import/OnnxEmit.h"

#include <limits>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// Indices from -size to size - 1 as ones from 0.
Value fromZero(OnnxNode &node, Value indices, const DimExpr &size) {
  indices = emitCast(node, indices, node.i64());
  Value isNegative = emitElementwise(node, K::less, {indices, node.splat(node.i64(), 0)});
  Value moved = emitElementwise(node, K::add, {indices, emitNumber(node, node.i64(), size)});
  return emitElementwise(node, K::select, {isNegative, moved, indices});
}

LogicalResult importGatherElements(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1);
  if (data.rank() != indices.rank())
    return node.fail("data has " + Twine(data.rank()) + " axes but indices " + Twine(indices.rank()));
  auto axis = node.axis(node.integer("axis", 0), data.rank());
  if (failed(axis))
    return failure();
  int64_t rank = data.rank();
  SmallVector<Value> parts;
  for (int64_t i = 0; i < rank; ++i) {
    if (i != *axis && !node.rules().atLeast(data.dims[i] - indices.dims[i], 0))
      return node.fail("indices " + model::str(indices.dims) + " reach beyond data " + model::str(data.dims));
    Value part = i == *axis ? emitCast(node, node.emit(1), node.i64())
                            : node.broadcast(emitIota(node, node.i64(), indices.dims[i], i, rank), indices.dims);
    parts.push_back(emitUnsqueeze(node, part, rank));
  }
  return node.give(node.create<model::GatherNdOp>(model::tensorType(data.element, indices.dims), node.emit(0),
                                                  emitConcat(node, parts, rank), uint64_t(0)));
}

/// How updates of one place join.
struct Reduction {
  std::optional<model::ReduceKind> kind; ///< nothing: the last one counts
  std::optional<K> join;
};

FailureOr<Reduction> reductionOf(OnnxNode &node) {
  StringRef text = node.text("reduction", "none");
  if (text == "none")
    return Reduction{};
  if (text == "add")
    return Reduction{model::ReduceKind::sum, K::add};
  if (text == "mul")
    return Reduction{model::ReduceKind::prod, K::mul};
  if (text == "max")
    return Reduction{model::ReduceKind::max, K::maximum};
  if (text == "min")
    return Reduction{model::ReduceKind::min, K::minimum};
  return node.fail("reduction '" + text + "' is not known");
}

/// `data` [places, ..] with updates [places or 1, updates, ..] written where `isMine` [places, updates, 1..] holds.
Value writeUpdates(OnnxNode &node, Value data, Value updates, Value isMine, const Reduction &reduction, int64_t axis) {
  Type element = elementOf(data);
  auto any = [&](Value which) {
    Value counted = emitReduce(node, model::ReduceKind::max, emitCast(node, which, node.i64()), axis);
    return emitSqueeze(node, emitElementwise(node, K::greater, {counted, node.splat(node.i64(), 0)}), axis);
  };
  Value written = any(isMine);
  if (!reduction.kind) {
    DimExpr count = dimsOf(isMine)[axis];
    Value places = emitIota(node, node.i64(), count, axis, dimsOf(isMine).size());
    Value found = emitElementwise(node, K::select, {isMine, places, node.splat(node.i64(), -1)});
    Value last = emitReduce(node, model::ReduceKind::max, found, axis);
    isMine = emitElementwise(node, K::logical_and, {isMine, emitElementwise(node, K::equal, {places, last})});
  }
  model::ReduceKind kind = reduction.kind.value_or(model::ReduceKind::sum);
  Value neutral;
  if (kind == model::ReduceKind::max || kind == model::ReduceKind::min) // the element itself takes part
    neutral = emitUnsqueeze(node, data, axis);
  else
    neutral = node.splat(element, kind == model::ReduceKind::prod ? 1 : 0);
  Value kept = emitElementwise(node, K::select, {isMine, updates, neutral});
  Value joined = emitSqueeze(node, emitReduce(node, kind, kept, axis), axis);
  if (reduction.join)
    joined = emitElementwise(node, *reduction.join, {data, joined});
  return emitElementwise(node, K::select, {written, joined, data});
}

LogicalResult importScatterElements(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  auto reduction = reductionOf(node);
  auto axis = node.axis(node.integer("axis", 0), data.rank());
  if (failed(reduction) || failed(axis))
    return failure();
  if (data.rank() != indices.rank() || updates.dims != indices.dims || data.isBool() ||
      data.element.isUnsignedInteger())
    return node.fail("data " + model::str(data.dims) + ", indices " + model::str(indices.dims) + " and updates " +
                     model::str(updates.dims) + " do not fit, or are of bool or unsigned");
  // Indices may cover a corner of the data: what lies beside it stays.
  Value corner = node.emit(0);
  for (int64_t i = 0; i < data.rank(); ++i) {
    if (i == *axis)
      continue;
    if (!node.rules().atLeast(data.dims[i] - indices.dims[i], 0))
      return node.fail("indices " + model::str(indices.dims) + " reach beyond data " + model::str(data.dims));
    corner = emitSlice(node, corner, i, DimExpr(0), indices.dims[i]);
  }
  Value at = emitUnsqueeze(node, fromZero(node, node.emit(1), data.dims[*axis]), *axis);
  Value place = emitIota(node, node.i64(), data.dims[*axis], *axis, data.rank() + 1);
  Value isMine = emitElementwise(node, K::equal, {at, place});
  Value written = writeUpdates(node, corner, emitUnsqueeze(node, node.emit(2), *axis), isMine, *reduction, *axis + 1);
  for (int64_t i = data.rank(); i-- > 0;) {
    if (i == *axis || data.dims[i] == indices.dims[i])
      continue;
    Value beside = node.emit(0);
    for (int64_t k = 0; k < i; ++k)
      if (k != *axis)
        beside = emitSlice(node, beside, k, DimExpr(0), indices.dims[k]);
    beside = emitSlice(node, beside, i, indices.dims[i], data.dims[i] - indices.dims[i]);
    written = emitConcat(node, {written, beside}, i);
  }
  return node.give(written);
}

LogicalResult importScatterNd(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1), &updates = node.in(2);
  auto reduction = reductionOf(node);
  if (failed(reduction))
    return failure();
  auto width = indices.rank() ? indices.dims.back().constant() : std::nullopt;
  if (!width || *width < 1 || *width > data.rank() || data.isBool() || data.element.isUnsignedInteger())
    return node.fail("indices " + model::str(indices.dims) + " do not fit data " + model::str(data.dims) +
                     ", or data are of bool or unsigned");
  ArrayRef<DimExpr> dims(data.dims);
  model::Dims wanted(indices.dims.begin(), indices.dims.end() - 1);
  wanted.append(dims.begin() + *width, dims.end());
  if (wanted != updates.dims)
    return node.fail("updates are " + model::str(updates.dims) + " but " + model::str(wanted) + " are wanted");
  // Places in one row, updates in one row, what follows as it is.
  DimExpr places = product(dims.take_front(*width)), count = product(ArrayRef(indices.dims).drop_back());
  auto flat = [&](const DimExpr &first, Value value) {
    model::Dims to{first};
    to.append(dims.begin() + *width, dims.end());
    return node.reshape(value, to);
  };
  Value tuples = node.reshape(emitCast(node, node.emit(1), node.i64()), {count, DimExpr(*width)}), at;
  for (int64_t i = 0; i < *width; ++i) {
    Value part = fromZero(node, emitSlice(node, tuples, 1, DimExpr(i), DimExpr(1)), dims[i]);
    at = at ? emitElementwise(node, K::add,
                              {emitElementwise(node, K::mul, {at, emitNumber(node, node.i64(), dims[i])}), part})
            : part;
  }
  int64_t slices = data.rank() - *width;
  model::Dims atDims{DimExpr(1), count}, placeDims{places, DimExpr(1)};
  atDims.append(slices, DimExpr(1));
  Value place = emitIota(node, node.i64(), places, 0, 2 + slices);
  Value isMine = emitElementwise(node, K::equal, {node.reshape(at, atDims), place});
  Value given = emitUnsqueeze(node, flat(count, node.emit(2)), 0);
  Value written = writeUpdates(node, flat(places, node.emit(0)), given, isMine, *reduction, 1);
  return node.give(node.reshape(written, data.dims));
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
