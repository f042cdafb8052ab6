// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention: work groups, blocks of queries, blocks of keys.
#include "codegen/tile/Attention.h"
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;

AttentionTiler::AttentionTiler(KernelBuilder &builder, const AttentionKernel &kernel, const AttentionSchedule &schedule)
    : b(builder), kernel(kernel), schedule(schedule), place(schedule, kernel.D, kernel.E),
      math(builder, /*scalesWide=*/schedule.lanes == 16), lanes(schedule.lanes), blockKeys(schedule.blockKeys()),
      paddedD(llvm::alignTo(kernel.D, lanes)), paddedE(llvm::alignTo(kernel.E, lanes)) {
  scratch = b.scratch();
  queries = b.size(kernel.queries);
  keys = b.size(kernel.keys);
}

Value AttentionTiler::signedMin(Value x, Value y) {
  return b.createOrFold<arith::MinSIOp>(x, y);
}
Value AttentionTiler::signedMax(Value x, Value y) {
  return b.createOrFold<arith::MaxSIOp>(x, y);
}

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
  // LLVM 22 writes four bytes where the mask leaves two.
  if (valid == 1 && cast<VectorType>(vector.getType()).getElementTypeBitWidth() < 32)
    return b.store(vector::ExtractOp::create(b, vector, 0), buffer, offset);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  vector::MaskedStoreOp::create(b, buffer, offset, exists, vector);
}

/// Where the keys end that queries before `endQuery` keep.
Value AttentionTiler::endKeyOf(Value endQuery) {
  if (!kernel.causal)
    return keys;
  return signedMax(b.index(0), b.add(endQuery, b.sub(keys, queries)));
}

AttentionTiler::Group AttentionTiler::decode(Value index, int64_t groupQueries) {
  Group group;
  Value chunks = ceilDiv(queries, groupQueries);
  Value heads = b.index(kernel.heads), row = b.divFloor(index, chunks);
  group.head = b.rem(row, heads);
  group.batch = b.divFloor(row, heads);
  group.keyHead = b.divFloor(group.head, b.index(kernel.groupSize));
  group.firstQuery = b.mul(b.rem(index, chunks), groupQueries);
  group.endQuery = b.minimum(queries, b.add(group.firstQuery, groupQueries));
  group.endKey = endKeyOf(group.endQuery);
  return group;
}

Value AttentionTiler::emit() {
  Value begin = b.index(0);
  if (!kernel.positions) {
    // What is packed stays for the next group, if it is of the same head.
    b.loop(b.begin(), b.end(), 1, {b.index(-1), begin}, [&](Value index, ValueRange before) {
      Group group = decode(index, kAttentionQueries);
      Value head = packedHead(group), isSame = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, head, before[0]);
      groupOf(group, arith::SelectOp::create(b, isSame, before[1], begin));
      // A block that is not full may have more keys later.
      return Vectors{head, b.mul(b.divFloor(group.endKey, b.index(blockKeys)), blockKeys)};
    });
    return {};
  }
  Value fine = arith::ConstantIntOp::create(b, 0, 1);
  Value fault = b.loop(b.begin(), b.end(), 1, {fine}, [&](Value index, ValueRange carried) {
    Group group = decode(index, kAttentionQueries);
    readPositions(group);
    Value found = findFault(group);
    b.branch(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, found, fine), [&] { groupOf(group, begin); });
    return Vectors{arith::OrIOp::create(b, carried[0], found)};
  })[0];
  return arith::ExtUIOp::create(b, b.getI32Type(), fault);
}

void AttentionTiler::groupOf(const Group &group, Value firstKey) {
  packKeys(group, firstKey);
  packValues(group, firstKey);
  b.loop(group.firstQuery, group.endQuery, schedule.blockQueries,
         [&](Value firstQuery) { queryBlock(group, firstQuery); });
}

/// Numbers what is packed: heads that share keys, and their masks, have the same.
Value AttentionTiler::packedHead(const Group &group) {
  if (kernel.mask.perHead)
    return b.add(b.mul(group.batch, kernel.heads), group.head);
  return b.add(b.mul(group.batch, kernel.heads / kernel.groupSize), group.keyHead);
}

void AttentionTiler::queryBlock(const Group &group, Value firstQuery) {
  Value endQuery = b.minimum(group.endQuery, b.add(firstQuery, schedule.blockQueries));
  Value rows = b.sub(endQuery, firstQuery);
  Value endKey = kernel.positions ? endKeyAt(group, firstQuery, endQuery) : endKeyOf(endQuery);
  packQueries(group, firstQuery, rows);
  Value blocks = ceilDiv(endKey, blockKeys), pipelined = b.index(0);
  if (schedule.pipelinedRows) {
    // A pipeline needs two tiles of queries at least: tiles next to each other in it must not share rows.
    Value hasTwo = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, rows, b.index(schedule.pipelinedRows));
    Value full = b.divFloor(ceilDiv(endKey, lanes), b.index(schedule.keyVectors));
    pipelined = arith::SelectOp::create(b, hasTwo, full, pipelined);
    Value hasFull = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, pipelined, b.index(0));
    b.branch(hasFull, [&] {
      pipelineBlocks(
          rows, pipelined,
          [&](Value block, Value row) {
            Tile tile = tileAt(group, firstQuery, block, row, schedule.pipelinedRows, schedule.keyVectors);
            tile.keyCount = b.index(blockKeys); // rows of values beyond the last key are zero
            return tile;
          },
          [&](Value number) { fetchAhead(group, firstQuery, number); });
    });
  }
  plainBlocks(group, firstQuery, rows, pipelined, blocks);
  writeResult(group, firstQuery, rows);
}

AttentionTiler::Tile AttentionTiler::tileAt(const Group &group, Value firstQuery, Value block, Value row, unsigned rows,
                                            unsigned keyVectors) {
  Tile tile{group, firstQuery, row, rows, b.mul(block, blockKeys), {}, {}, keyVectors, {}, {}, {}};
  tile.before = tile.firstKey;
  tile.keyCount = b.minimum(b.index(blockKeys), b.sub(group.endKey, tile.firstKey)); // what is packed
  tile.packed = at(place.blocks, b.mul(block, place.blockSize));
  return tile;
}

void AttentionTiler::pipelineBlocks(Value rows, Value blocks, llvm::function_ref<Tile(Value, Value)> tileOf,
                                    llvm::function_ref<void(Value)> along) {
  Value zero = b.index(0);
  score(tileOf(zero, zero));
  Value tiles = b.mul(ceilDiv(rows, schedule.pipelinedRows), blocks);
  b.loop(zero, tiles, 1, {zero, zero}, [&](Value number, ValueRange place) {
    if (along)
      along(number);
    Value block = place[0], row = place[1], below = b.add(row, schedule.pipelinedRows);
    Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, below, rows);
    Value nextBlock = arith::SelectOp::create(b, wraps, b.add(block, 1), block);
    Value nextRow = arith::SelectOp::create(b, wraps, zero, below);
    Tile tile = tileOf(block, row);
    Value hasNext = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, b.add(number, 1), tiles);
    b.branch(
        hasNext,
        [&] { score(tileOf(nextBlock, nextRow), [&](unsigned row, Value column) { weighVector(tile, row, column); }); },
        [&] { weigh(tile); });
    accumulateValues(tile);
    return SmallVector<Value>{nextBlock, nextRow};
  });
}

void AttentionTiler::plainBlocks(const Group &group, Value firstQuery, Value rows, Value first, Value end) {
  b.loop(first, end, 1, [&](Value block) {
    Value vectors = ceilDiv(signedMin(b.index(blockKeys), b.sub(group.endKey, b.mul(block, blockKeys))), lanes);
    Value width = b.index(schedule.keyVectors); // the smallest that there is code for
    for (unsigned candidate : llvm::reverse(schedule.widths.drop_back())) {
      Value fits = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, vectors, b.index(candidate));
      width = arith::SelectOp::create(b, fits, b.index(candidate), width);
    }
    b.switchOver(width, schedule.widths, [&](int64_t keyVectors) {
      b.loop(b.index(0), rows, schedule.kRows, [&](Value row) {
        Tile tile = tileAt(group, firstQuery, block, row, schedule.kRows, keyVectors);
        score(tile);
        weigh(tile);
        accumulateValues(tile);
      });
    });
  });
}

/// result = output / sum of weights, rounded to bf16 where the kernel gives that; zeros for rows that kept no key.
/// Behind a row of a partial result, the logarithm of the sum of the exponentials.
void AttentionTiler::writeResult(const Group &group, Value firstQuery, Value rows) {
  int64_t width = kernel.isPartial ? kernel.E + 1 : kernel.heads * kernel.E;
  Value base = resultOffset(group, firstQuery);
  bool isRounded =
      cast<MemRefType>(b.result(0).getType()).getElementType().isInteger(16); // to bf16, whose bits it holds
  b.loop(b.index(0), rows, 1, [&](Value row) {
    Value partial = load(scratch, at(place.sums, b.mul(row, lanes)));
    Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, partial, arith::FastMathFlags::reassoc);
    Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
    Value factor = b.broadcast(arith::DivFOp::create(b, one, sum), lanes);
    Value maximum = splatOf(at(place.maxima, row));
    Value keptNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, maximum, b.splat(kExcluded / 2, lanes));
    Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, factor, factor);
    keptNone = arith::AndIOp::create(b, keptNone, isNumber);
    for (int64_t e = 0; e < kernel.E; e += lanes) {
      Value output = load(scratch, at(place.output, b.add(b.mul(row, paddedE), e)));
      Value result = arith::SelectOp::create(b, keptNone, b.splat(0, lanes), arith::MulFOp::create(b, output, factor));
      if (isRounded)
        result = math.toBFloat16(result);
      store(result, b.result(0), b.add(base, b.add(b.mul(row, width), e)), std::min<int64_t>(lanes, kernel.E - e));
    }
    if (kernel.isPartial) {
      Value logarithm = math.log(b.broadcast(sum, lanes)); // maxima are in base 2
      logarithm = vector::FMAOp::create(b, maximum, b.splat(M_LN2, lanes), logarithm);
      Value none = b.splat(-std::numeric_limits<double>::infinity(), lanes);
      logarithm = arith::SelectOp::create(b, keptNone, none, logarithm);
      Value first = vector::ExtractOp::create(b, logarithm, 0);
      b.store(first, b.result(0), b.add(base, b.add(b.mul(row, width), kernel.E)));
    }
  });
}

LogicalResult tamis::tileAttention(func::FuncOp function, const CpuTarget &target) {
  auto kernel = AttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  builder.finish(AttentionTiler(builder, *kernel, AttentionSchedule::of(*kernel, target)).emit());
  return success();
}

Launch tamis::attentionLaunch(func::FuncOp function) {
  auto kernel = AttentionKernel::analyse(function);
  if (failed(kernel))
    return {0, 0};
  DimExpr chunks = DimExpr::floorDiv(kernel->queries + (kAttentionQueries - 1), kAttentionQueries);
  return {kernel->batch * kernel->heads * chunks, AttentionScratch::bytes(kernel->D, kernel->E, kernel->keys)};
}
