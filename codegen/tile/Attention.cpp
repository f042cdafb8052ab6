// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention: work groups, blocks of queries, blocks of keys.
#include "codegen/tile/Attention.h"
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

AttentionTiler::AttentionTiler(KernelBuilder &builder, AttentionKernel &kernel, const AttentionSchedule &schedule)
    : b(builder), kernel(kernel), schedule(schedule), place(schedule, kernel.D, kernel.E), math(builder), lanes(schedule.lanes),
      blockKeys(schedule.blockKeys()), paddedD(llvm::alignTo(kernel.D, lanes)), paddedE(llvm::alignTo(kernel.E, lanes)) {
  scratch = b.scratch();
  queries = b.size(kernel.queries);
  keys = b.size(kernel.keys);
}

Value AttentionTiler::signedMin(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
Value AttentionTiler::signedMax(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }

Value AttentionTiler::load(Value buffer, Value offset, int64_t valid) {
  if (valid == lanes)
    return b.loadVector(buffer, offset, lanes);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists, b.splat(0, lanes));
}

void AttentionTiler::store(Value vector, Value buffer, Value offset, int64_t valid) {
  if (valid == lanes)
    return b.storeVector(vector, buffer, offset);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  vector::MaskedStoreOp::create(b, buffer, offset, exists, vector);
}

AttentionTiler::Group AttentionTiler::decode(Value index) {
  Group group;
  Value chunks = b.divFloor(b.add(queries, kAttentionQueries - 1), b.index(kAttentionQueries));
  Value heads = b.index(kernel.heads), row = b.divFloor(index, chunks);
  group.head = b.rem(row, heads);
  group.batch = b.divFloor(row, heads);
  group.keyHead = b.divFloor(group.head, b.index(kernel.groupSize));
  group.firstQuery = b.mul(b.rem(index, chunks), kAttentionQueries);
  group.endQuery = b.minimum(queries, b.add(group.firstQuery, kAttentionQueries));
  group.endKey = keys;
  if (kernel.op.getCausal()) // the last query keeps keys up to itself + keys - queries
    group.endKey = signedMax(b.index(0), b.add(group.endQuery, b.sub(keys, queries)));
  return group;
}

void AttentionTiler::emit() {
  b.loop(b.begin(), b.end(), 1, [&](Value index) {
    Group group = decode(index);
    packKeys(group);
    packValues(group);
    b.loop(group.firstQuery, group.endQuery, AttentionSchedule::kBlockQueries,
           [&](Value firstQuery) { queryBlock(group, firstQuery); });
  });
}

void AttentionTiler::queryBlock(const Group &group, Value firstQuery) {
  Value endQuery = b.minimum(group.endQuery, b.add(firstQuery, AttentionSchedule::kBlockQueries));
  Value rows = b.sub(endQuery, firstQuery);
  packQueries(group, firstQuery, rows);
  Value endKey = keys;
  if (kernel.op.getCausal())
    endKey = signedMax(b.index(0), b.add(endQuery, b.sub(keys, queries)));
  Value blocks = b.divFloor(b.add(endKey, blockKeys - 1), b.index(blockKeys));
  b.loop(b.index(0), blocks, 1, [&](Value index) {
    Value packed = at(place.blocks, b.mul(index, place.blockSize));
    Block block{group, firstQuery, packed, b.mul(index, blockKeys), {}, 0};
    block.keyCount = b.minimum(b.index(blockKeys), b.sub(keys, block.firstKey));
    Value vectors = b.divFloor(b.add(block.keyCount, lanes - 1), b.index(lanes));
    b.switchOver(vectors, 1, schedule.keyVectors, [&](int64_t keyVectors) {
      block.keyVectors = keyVectors;
      b.loop(b.index(0), rows, schedule.rows, [&](Value row) { tile(block, row); });
    });
  });
  writeResult(group, firstQuery, rows);
}

/// result = output / sum of weights; zeros for rows that kept no key.
void AttentionTiler::writeResult(const Group &group, Value firstQuery, Value rows) {
  int64_t width = kernel.heads * kernel.E;
  Value base = b.mul(b.add(b.mul(group.batch, queries), firstQuery), width);
  base = b.add(base, b.mul(group.head, kernel.E));
  b.loop(b.index(0), rows, 1, [&](Value row) {
    Value partial = load(scratch, at(place.sums, b.mul(row, lanes)));
    Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, partial, arith::FastMathFlags::reassoc);
    Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
    Value factor = b.broadcast(arith::DivFOp::create(b, one, sum), lanes);
    Value maximum = splatOf(at(place.maxima, row));
    Value keptNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, maximum, b.splat(kExcluded / 2, lanes));
    for (int64_t e = 0; e < kernel.E; e += lanes) {
      Value output = load(scratch, at(place.output, b.add(b.mul(row, paddedE), e)));
      Value result = arith::SelectOp::create(b, keptNone, b.splat(0, lanes), arith::MulFOp::create(b, output, factor));
      store(result, b.result(0), b.add(base, b.add(b.mul(row, width), e)), std::min<int64_t>(lanes, kernel.E - e));
    }
  });
}

LogicalResult tamis::tileAttention(func::FuncOp function, const CpuTarget &target) {
  auto kernel = AttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  AttentionTiler(builder, *kernel, AttentionSchedule::of(target)).emit();
  builder.finish();
  return success();
}

Launch tamis::attentionLaunch(func::FuncOp function) {
  auto kernel = AttentionKernel::analyse(function);
  if (failed(kernel))
    return {0, 0};
  DimExpr chunks = DimExpr::floorDiv(kernel->queries + (kAttentionQueries - 1), kAttentionQueries);
  return {kernel->batch * kernel->heads * chunks, AttentionScratch::bytes(kernel->D, kernel->E, kernel->keys)};
}
