// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of queries that stand where an index says.
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
/// Negative numbers are large ones.
Value loadNumber(KernelBuilder &b, Value buffer, Value offset) {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset));
}
} // namespace

void AttentionTiler::readPositions(Group &group) {
  Value row = b.mul(group.batch, b.add(queries, 1)); // there is room for as many as there are queries
  group.count = loadNumber(b, b.argument(kernel.positions.getArgNumber()), row);
  group.positions = b.add(row, 1);
  group.endKey = endKeyAt(group, group.firstQuery, group.endQuery);
}

Value AttentionTiler::findFault(const Group &group) {
  Value buffer = b.argument(kernel.positions.getArgNumber());
  Value isTooLong = arith::CmpIOp::create(b, CmpIPredicate::ugt, group.count, queries);
  Value end = b.minimum(group.endQuery, arith::MaxUIOp::create(b, group.firstQuery, group.count));
  return b.loop(group.firstQuery, end, 1, {isTooLong}, [&](Value query, ValueRange carried) {
    Value key = loadNumber(b, buffer, b.add(group.positions, query));
    return Vectors{arith::OrIOp::create(b, carried[0], arith::CmpIOp::create(b, CmpIPredicate::uge, key, keys))};
  })[0];
}

Value AttentionTiler::lastKeyAt(const Group &group, Value query) {
  Value exists = arith::CmpIOp::create(b, CmpIPredicate::ult, query, group.count), last = b.sub(keys, b.index(1));
  if (kernel.causal) {
    Value offset = b.add(group.positions, b.minimum(query, b.sub(queries, b.index(1))));
    last = loadNumber(b, b.argument(kernel.positions.getArgNumber()), offset);
  }
  return arith::SelectOp::create(b, exists, last, b.index(-1));
}

/// Positions ascend, so that the last query that exists sees the most.
Value AttentionTiler::endKeyAt(const Group &group, Value firstQuery, Value endQuery) {
  Value end = b.minimum(endQuery, group.count), isEmpty = arith::CmpIOp::create(b, CmpIPredicate::uge, firstQuery, end);
  Value last = lastKeyAt(group, arith::SelectOp::create(b, isEmpty, firstQuery, b.sub(end, b.index(1))));
  // Of a position that is none, findFault tells.
  Value endKey = signedMax(b.index(0), signedMin(keys, b.add(last, 1)));
  return arith::SelectOp::create(b, isEmpty, b.index(0), endKey);
}
