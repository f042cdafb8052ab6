// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A second selection, by exact products, among the items that a first one found.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

/// Of the `count` items in the list, which the row may read, those that the second selection keeps; how many.
Value SelectTiler::refine(const Group &group, Value number, Value count) {
  const RefinedSelection refined = kernel.refined;
  Value zero = b.index(0), none = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value query = tokenOffset(refined.query, group.batch, group.head, number);
  Value keyHead = b.divFloor(group.head, b.index(refined.groupSize));
  b.loop(zero, fillUp(count), lanes, [&](Value i) {
    store(loadInts(at(place.list, i)), at(place.found, i));
    store(b.splat(0, lanes), at(place.refined, i));
  });
  auto columnsOf = [&](const ScoreOperand &operand, Value offset, int64_t column) {
    return loadColumns(b.argument(operand.tokens.source.getArgNumber()), offset, column, refined.D);
  };
  b.loop(zero, count, 1, [&](Value i) {
    Value key = tokenOffset(refined.key, group.batch, keyHead, toIndex(loadInt(at(place.found, i))));
    Value sums = b.splat(0, lanes);
    for (int64_t column = 0; column < refined.D; column += lanes)
      sums =
          vector::FMAOp::create(b, columnsOf(refined.query, query, column), columnsOf(refined.key, key, column), sums);
    Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums, none, arith::FastMathFlags::reassoc);
    b.store(sum, b.scratch(), at(place.refined, i));
  });
  // Order and masks are those of the first selection; what is left to select from are places in its list.
  SelectKernel first = kernel;
  kernel.op = refined.op;
  kernel.candidates = {};
  kernel.mask = {};
  kernel.capacity = refined.capacity;
  Positions all{{zero, zero, count}, count, fillUp(count)};
  Row row{number, zero, all, {zero, zero, count}, b.index(-1), b.size(place.refined)};
  Census census = rank(row);
  Value kept = list(all, row.ranks, choose(row, census), b.size(kernel.capacity));
  kernel = first;
  b.loop(zero, kept, 1, [&](Value i) {
    Value item = loadInt(at(place.found, toIndex(loadInt(at(place.list, i)))));
    storeInt(item, at(place.list, i));
  });
  return kept;
}
