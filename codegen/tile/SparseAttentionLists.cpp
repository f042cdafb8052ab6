// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys that each query reads one by one: their softmax goes on from that of the blocks.
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

void SparseAttentionTiler::readLists(const Rows &rows) {
  if (sparse.lists.size() > 1)
    b.loop(b.index(0), keys, 1, [&](Value key) { storeInteger(b.index(0), partOf(parts.seen, key)); });
  b.loop(b.index(0), rows.count, 1, [&](Value row) {
    Value count = listKeys(rows, row), query = b.add(rows.firstQuery, row);
    // Whole vectors are read: beyond the last key there is another, of no weight.
    b.loop(count, b.mul(ceilDiv(count, lanes), lanes), 1,
           [&](Value number) { storeInteger(loadInteger(b.size(parts.listed)), partOf(parts.listed, number)); });
    b.loop(b.index(0), count, blockKeys, [&](Value first) {
      attendListed(rows.group, query, row, first, b.minimum(b.index(blockKeys), b.sub(count, first)));
    });
  });
}

/// Lists the keys of a query's rows that it may read and has not read yet; gives their number.
Value SparseAttentionTiler::listKeys(const Rows &rows, Value row) {
  Value query = b.add(rows.firstQuery, row), count = b.index(0);
  SmallVector<Range> ranges;
  for (const BandIndex &band : sparse.bands)
    ranges.push_back(rangeOf(band, query));
  auto listKey = [&](Value key, Value count) {
    storeInteger(key, partOf(parts.listed, count));
    Value isNew = arith::ConstantIntOp::create(b, 1, 1);
    if (kernel.causal)
      isNew = compare(CmpIPredicate::sle, key, positionOf(query));
    for (const Range &range : ranges) {
      isNew = both(isNew,
                   either(compare(CmpIPredicate::slt, key, range.low), compare(CmpIPredicate::sge, key, range.high)));
      isNew = both(isNew, compare(CmpIPredicate::sge, key, range.sinks));
    }
    if (!sparse.blocks.empty()) {
      Value cover = loadInteger(partOf(parts.cover, b.divFloor(key, b.index(blockKeys))));
      isNew = both(isNew, compare(CmpIPredicate::ult, cover, b.index(kAll)));
    }
    if (kernel.mask) { // what is left out may hold anything, and is not touched
      Value element = b.load(b.argument(kernel.mask.source.getArgNumber()), maskOffset(rows.group, query, key));
      Value keeps;
      if (kernel.mask.isBool)
        keeps = compare(CmpIPredicate::ne, element, arith::ConstantIntOp::create(b, 0, 8));
      else
        keeps = arith::CmpFOp::create(
            b, arith::CmpFPredicate::UNE, element,
            arith::ConstantOp::create(b, b.getF32FloatAttr(-std::numeric_limits<float>::infinity())));
      isNew = both(isNew, keeps);
    }
    if (sparse.lists.size() > 1) {
      Value seen = partOf(parts.seen, key), number = b.add(row, 1);
      isNew = both(isNew, compare(CmpIPredicate::ne, loadInteger(seen), number));
      storeInteger(number, seen);
    }
    b.branch(isNew, [&] { copyRow(rows.group, key); });
    return Vectors{select(isNew, b.add(count, 1), count)};
  };
  for (const StoredIndex &list : sparse.lists)
    count = items(list, rowOf(list, rows.group, rowOfQuery(list, query)), count, [&](Value item, ValueRange carried) {
      if (list.columns() == 1)
        return listKey(item, carried[0]);
      Value first = b.mul(item, list.columns()), end = b.minimum(keys, b.add(first, list.columns()));
      return b.loop(first, end, 1, carried, [&](Value key, ValueRange carried) { return listKey(key, carried[0]); });
    })[0];
  return count;
}

/// Brings a key and its value into rows of their own, if they are not there yet: in the rows of a wide buffer those of
/// one head lie apart, and fall on few sets of a cache.
void SparseAttentionTiler::copyRow(const Group &group, Value key) {
  Type byte = b.getI8Type();
  Value flag = bytePointer(parts.copied, key), isCopied = LLVM::LoadOp::create(b, byte, flag);
  Value zero = arith::ConstantIntOp::create(b, 0, 8);
  b.branch(compare(CmpIPredicate::eq, isCopied, zero), [&] {
    LLVM::StoreOp::create(b, arith::ConstantIntOp::create(b, 1, 8), flag);
    Value target = partOf(parts.keyRows, b.mul(key, paddedD + paddedE));
    Value keyOffset = b.add(keyBase(group), b.mul(key, kernel.key.rowStride));
    for (int64_t d = 0; d < kernel.D; d += lanes)
      store(load(b.argument(kernel.key.source.getArgNumber()), b.add(keyOffset, d),
                 std::min<int64_t>(lanes, kernel.D - d)),
            scratch, b.add(target, d));
    packValueRow(b.add(valueBase(group), b.mul(key, kernel.value.rowStride)), b.add(target, paddedD), b.index(0));
  });
}

Value SparseAttentionTiler::listedRow(Value number) {
  return partOf(parts.keyRows, b.mul(loadInteger(partOf(parts.listed, number)), paddedD + paddedE));
}

/// Scores, maximum and weights of listed keys [first, first + count) for one query, no more than a block.
void SparseAttentionTiler::attendListed(const Group &group, Value query, Value row, Value first, Value count) {
  Value packedQuery = at(place.queries, b.mul(row, paddedD)), none = b.index(0);
  Value largest = b.loop(none, count, lanes, b.splat(kExcluded, lanes), [&](Value lane, ValueRange carried) {
    Vectors offsets, sums(lanes, b.splat(0, lanes));
    for (unsigned i = 0; i < lanes; ++i)
      offsets.push_back(listedRow(b.add(b.add(first, lane), i)));
    for (int64_t d = 0; d < kernel.D; d += lanes) {
      Value part = load(scratch, b.add(packedQuery, d));
      for (unsigned i = 0; i < lanes; ++i) {
        Value key = load(scratch, b.add(offsets[i], d));
        sums[i] = vector::FMAOp::create(b, part, key, sums[i]);
      }
    }
    Value score = joinLanes(sums, [&](Value x, Value y) { return arith::AddFOp::create(b, x, y).getResult(); });
    if (kernel.mask) {
      Value mask = b.argument(kernel.mask.source.getArgNumber());
      Vectors elements;
      for (unsigned i = 0; i < (kernel.mask.perKey ? lanes : 1); ++i)
        elements.push_back(
            b.load(mask, maskOffset(group, query, loadInteger(partOf(parts.listed, b.add(b.add(first, lane), i))))));
      auto type = b.vectorType(lanes, elements[0].getType());
      Value bias = maskBias(kernel.mask.perKey ? vector::FromElementsOp::create(b, type, elements).getResult()
                                               : b.broadcast(elements[0], lanes));
      score = arith::AddFOp::create(b, score, bias);
    }
    store(score, scratch, at(place.scores, lane));
    return Vectors{math.larger(score, carried[0])};
  })[0];

  Value previous = splatOf(at(place.maxima, row));
  Value exceeds = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, largest, splatOf(at(place.limits, row)));
  b.branch(vector::ReductionOp::create(b, vector::CombiningKind::OR, exceeds), [&] {
    Value raised = math.larger(largestOfRows(largest), previous);
    auto storeFirst = [&](Value vector, Value offset) {
      b.store(vector::ExtractOp::create(b, vector, 0), scratch, offset);
    };
    storeFirst(raised, at(place.maxima, row));
    storeFirst(arith::AddFOp::create(b, raised, b.splat(kSlack, lanes)), at(place.limits, row));
    rescale(row, weightOf(arith::SubFOp::create(b, previous, raised)));
  });

  // Keys beyond the last have no weight.
  Value maximum = splatOf(at(place.maxima, row)), sumsOffset = at(place.sums, b.mul(row, lanes));
  auto maskType = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value sums = b.loop(none, count, lanes, load(scratch, sumsOffset), [&](Value lane, ValueRange carried) {
    Value weight = weightOf(arith::SubFOp::create(b, load(scratch, at(place.scores, lane)), maximum));
    Value exists = vector::CreateMaskOp::create(b, maskType, signedMin(b.sub(count, lane), b.index(lanes)));
    weight = arith::SelectOp::create(b, exists, weight, b.splat(0, lanes));
    store(weight, scratch, at(place.weights, lane));
    return Vectors{arith::AddFOp::create(b, carried[0], weight)};
  })[0];
  store(sums, scratch, sumsOffset);
  sumListed(row, first, count);
}

/// output += weights x values of listed keys.
void SparseAttentionTiler::sumListed(Value row, Value first, Value count) {
  Value output = at(place.output, b.mul(row, paddedE));
  constexpr unsigned sets = 2; // few accumulators wait for themselves: even and odd keys have their own
  chunks(llvm::divideCeil(kernel.E, lanes), [&](unsigned firstVector, unsigned width) {
    Vectors sums(sets * width, b.splat(0, lanes));
    for (unsigned j = 0; j < width; ++j)
      sums[j] = load(scratch, b.add(output, int64_t(firstVector + j) * lanes));
    // A key that is not there has the value of another, which may be infinite: not even 0 times it is added.
    Value pairs = b.mul(b.divFloor(count, b.index(sets)), sets);
    auto add = [&](Value number, ValueRange carried, unsigned several) {
      Vectors next(carried);
      for (unsigned set = 0; set < several; ++set) {
        Value each = b.add(number, set), weight = splatOf(at(place.weights, each));
        Value offset = b.add(listedRow(b.add(first, each)), paddedD);
        for (unsigned j = 0; j < width; ++j) {
          Value value = load(scratch, b.add(offset, int64_t(firstVector + j) * lanes));
          next[set * width + j] = vector::FMAOp::create(b, weight, value, next[set * width + j]);
        }
      }
      return next;
    };
    auto both = [&](Value number, ValueRange carried) { return add(number, carried, sets); };
    auto last = [&](Value number, ValueRange carried) { return add(number, carried, 1); };
    sums = b.loop(b.index(0), pairs, sets, sums, both);
    sums = b.loop(pairs, count, 1, sums, last);
    for (unsigned j = 0; j < width; ++j) {
      Value sum = arith::AddFOp::create(b, sums[j], sums[width + j]);
      store(sum, scratch, b.add(output, int64_t(firstVector + j) * lanes));
    }
  });
}
