// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop nest of map kernels. It is written as scf loops rather than as a linalg.generic: the body of a generic sees
// only the innermost point, while here what depends on outer loops alone (a row of an embedding, a mean) must be placed
// in them, and a generic would be lowered to these very loops one step later.
#include "codegen/tile/Map.h"

#include "codegen/tile/MapPoints.h"
#include "codegen/tile/MapSpace.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
class MapNest {
public:
  MapNest(KernelBuilder &builder, const CpuTarget &target, const MapSpace &space)
      : builder(builder), points(builder, target), space(space),
        results(builder.source().front().getTerminator()->getOperands()) {}

  LogicalResult run() {
    Value total = points.size(space.elements()), chunk = points.index(space.chunk);
    Value first = points.mul(builder.begin(), chunk);
    Value last = points.minimum(points.mul(builder.end(), chunk), total);
    scf::ForOp outer;
    if (space.isFlat || space.dims.size() == 1) {
      outer = points.loop(first, last, [&](Value number) { element({}, number, number); });
    } else {
      Value length = points.size(space.rowElements());
      // Groups of whole rows have whole ends; else the last row may be shared with the next group. No row is empty
      // here.
      Value end = space.hasWholeRows ? points.div(last, length)
                                     : points.div(points.add(last, points.sub(length, points.index(1))), length);
      outer = points.loop(points.div(first, length), end, [&](Value row) {
        Value start = points.mul(row, length), low = points.index(0), high = length;
        if (!space.hasWholeRows) {
          low = points.maximum(points.sub(first, start), low);
          high = points.minimum(points.sub(last, start), length);
        }
        Dims others = space.dims;
        others.erase(others.begin() + space.innermost);
        SmallVector<Value> indices = points.delinearize(others, row);
        if (space.buffered)
          points.fillRow(space.buffered, indices, low, high);
        points.loop(low, high, [&](Value column) {
          if (space.buffered)
            points.readRow(space.buffered, indices, low, column);
          element(indices, column, points.add(start, column));
        });
      });
    }
    if (points.isTooLarge())
      return builder.source().emitError()
             << "computes values at more than " << MapPoints::kMaxPoints << " different points for one element";
    if (Value refusal = points.refusal()) {
      builder.setInsertionPoint(outer);
      outer.setUpperBound(arith::SelectOp::create(builder, refusal, outer.getLowerBound(), outer.getUpperBound()));
    }
    builder.finish(points.status());
    return success();
  }

private:
  /// Computes and stores the element of every result at `column` of a row, the `number`-th of the loops' order.
  void element(ArrayRef<Value> row, Value column, Value number) {
    SmallVector<Value> indices(row);
    if (!space.isFlat)
      indices.insert(indices.begin() + (space.dims.size() == 1 ? 0 : space.innermost), column);
    Value offset = number;
    if (!space.isFlat && space.innermost + 1 != space.dims.size())
      offset = points.linearize(space.dims, indices);
    for (auto [i, result] : llvm::enumerate(results)) {
      Value value = space.isFlat
                        ? points.atNumber(result, number)
                        : points.at(result, points.reshapeIndices(space.dims, dimsOf(result.getType()), indices));
      points.store(value, cast<RankedTensorType>(result.getType()).getElementType(), builder.result(i), offset);
    }
  }

  KernelBuilder &builder;
  MapPoints points;
  const MapSpace &space;
  ValueRange results;
};
} // namespace

FailureOr<Launch> tamis::mapLaunch(func::FuncOp kernel) {
  auto space = MapSpace::of(kernel);
  if (failed(space))
    return failure();
  Launch launch;
  launch.grid = DimExpr::floorDiv(space->elements() + space->chunk - 1, space->chunk);
  launch.scratchBytes = space->buffered ? space->rowElements() * 4 : DimExpr(0);
  return launch;
}

LogicalResult tamis::tileMap(func::FuncOp kernel, const CpuTarget &target) {
  auto space = MapSpace::of(kernel);
  if (failed(space))
    return failure();
  KernelBuilder builder(kernel);
  return MapNest(builder, target, *space).run();
}
