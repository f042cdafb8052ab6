// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One tile of attention: scores, weights, weighted sum of values.
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace tamis;

void AttentionTiler::tile(const Block &block, Value row) {
  if (kernel.mask.perQuery)
    fillTileBias(block, row);
  const char *skip = getenv("SKIP") ? getenv("SKIP") : "";
  if (!strchr(skip, 's')) scoreTile(block, row);
  if (kernel.op.getCausal())
    excludeLaterKeys(block, row);
  if (!strchr(skip, 'r')) raiseMaxima(block, row);
  if (!strchr(skip, 'w')) weighTile(block, row);
  if (!strchr(skip, 'v')) accumulateValues(block, row);
}

unsigned AttentionTiler::rowsOf(unsigned vectors) const {
  // Accumulators, one row of vectors and a broadcast share the registers.
  unsigned rows = schedule.rows;
  while (rows > 1 && rows * vectors + vectors + 1 > schedule.registers)
    rows /= 2;
  return rows;
}

void AttentionTiler::chunks(unsigned total, llvm::function_ref<void(unsigned, unsigned)> f) {
  unsigned most = schedule.registers == 32 ? 4 : 3, count = llvm::divideCeil(total, most);
  for (unsigned i = 0, first = 0; i < count; ++i) {
    unsigned width = (total - first) / (count - i);
    f(first, width);
    first += width;
  }
}

/// scores = queries x keys + bias. A bool mask is where the sums begin, which costs nothing; a float one is added after
/// them, since its size would take bits from each of the sums.
void AttentionTiler::scoreTile(const Block &block, Value row) {
  Value bias = kernel.mask.perQuery ? b.index(place.tileBias) : b.add(block.packed, place.blockBias);
  bool addAfter = kernel.mask && !kernel.mask.isBool;
  chunks(block.keyVectors, [&](unsigned first, unsigned count) {
    unsigned rows = rowsOf(count);
    for (unsigned i0 = 0; i0 < schedule.rows; i0 += rows) {
      auto biasOf = [&](unsigned i, unsigned j) {
        int64_t offset = int64_t(first + j) * lanes + (kernel.mask.perQuery ? (i0 + i) * blockKeys : 0);
        return load(scratch, b.add(bias, offset));
      };
      Tile sums;
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          sums.push_back(addAfter ? b.splat(0, lanes) : biasOf(i, j));
      Value queryBase = at(place.queries, b.mul(b.add(row, i0), paddedD));
      sums = b.loop(b.index(0), b.index(kernel.D), 1, sums, [&](Value d, ValueRange carried) {
        Tile next(carried), keyRow;
        Value offset = b.add(b.add(block.packed, b.mul(d, blockKeys)), int64_t(first) * lanes);
        for (unsigned j = 0; j < count; ++j)
          keyRow.push_back(load(scratch, b.add(offset, j * lanes)));
        for (unsigned i = 0; i < rows; ++i) {
          Value query = splatOf(b.add(b.add(queryBase, d), i * paddedD));
          for (unsigned j = 0; j < count; ++j)
            next[i * count + j] = vector::FMAOp::create(b, query, keyRow[j], next[i * count + j]);
        }
        return next;
      });
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j) {
          Value score = sums[i * count + j];
          if (addAfter)
            score = arith::AddFOp::create(b, score, biasOf(i, j));
          store(score, scratch, b.index(place.scores + (i0 + i) * blockKeys + int64_t(first + j) * lanes));
        }
    }
  });
}

/// Causal: query i keeps keys up to i + keys - queries. Only blocks on the diagonal hold others.
void AttentionTiler::excludeLaterKeys(const Block &block, Value row) {
  Value lastKept = b.add(b.add(block.firstQuery, row), b.sub(keys, queries)); // of the tile's first query
  Value lastKey = b.add(block.firstKey, int64_t(block.keyVectors) * lanes - 1);
  Value crosses = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, lastKey, lastKept);
  b.branch(crosses, [&] {
    SmallVector<int32_t> numbers(lanes);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto type = b.vectorType(lanes, b.getI32Type());
    Value lane = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, numbers));
    Value first = arith::IndexCastOp::create(b, b.getI32Type(), b.sub(lastKept, block.firstKey));
    Value limit = b.broadcast(first, lanes);
    for (unsigned i = 0; i < schedule.rows; ++i)
      for (unsigned j = 0; j < block.keyVectors; ++j) {
        // Lane l of vector j is key j * lanes + l; row i keeps it while that is at most limit + i.
        int32_t shift = int32_t(j * lanes) - int32_t(i);
        Value shifted = arith::ConstantOp::create(b, DenseElementsAttr::get(type, shift));
        Value number = arith::AddIOp::create(b, lane, shifted);
        Value keeps = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, number, limit);
        Value offset = b.index(place.scores + i * blockKeys + int64_t(j) * lanes);
        Value score = load(scratch, offset);
        store(arith::SelectOp::create(b, keeps, score, b.splat(kExcluded, lanes)), scratch, offset);
      }
  });
}

/// Raises the maxima of the tile, and rescales its sums and outputs, when a score is above its row's limit or NaN.
void AttentionTiler::raiseMaxima(const Block &block, Value row) {
  auto scoreOf = [&](unsigned i, unsigned j) {
    return load(scratch, b.index(place.scores + i * blockKeys + int64_t(j) * lanes));
  };
  Value fits;
  for (unsigned i = 0; i < schedule.rows; ++i) {
    Value limit = splatOf(at(place.limits, b.add(row, i)));
    for (unsigned j = 0; j < block.keyVectors; ++j) {
      Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, scoreOf(i, j), limit);
      fits = fits ? arith::AndIOp::create(b, fits, below).getResult() : below;
    }
  }
  Value allFit = vector::ReductionOp::create(b, vector::CombiningKind::AND, fits);
  Value exceeds = arith::XOrIOp::create(b, allFit, arith::ConstantIntOp::create(b, 1, 1));
  b.branch(exceeds, [&] {
    for (unsigned i = 0; i < schedule.rows; ++i) {
      Value index = b.add(row, i);
      Value largest = scoreOf(i, 0);
      for (unsigned j = 1; j < block.keyVectors; ++j)
        largest = arith::MaximumFOp::create(b, largest, scoreOf(i, j));
      Value previous = b.load(scratch, at(place.maxima, index));
      Value maximum = vector::ReductionOp::create(b, vector::CombiningKind::MAXIMUMF, largest);
      maximum = arith::MaximumFOp::create(b, previous, maximum);
      Value slack = arith::ConstantOp::create(b, b.getF32FloatAttr(float(kSlack)));
      b.store(maximum, scratch, at(place.maxima, index));
      b.store(arith::AddFOp::create(b, maximum, slack), scratch, at(place.limits, index));
      Value factor = math.exp2Limited(b.broadcast(arith::SubFOp::create(b, previous, maximum), lanes));
      auto rescale = [&](Value offset) {
        store(arith::MulFOp::create(b, load(scratch, offset), factor), scratch, offset);
      };
      rescale(at(place.sums, b.mul(index, lanes)));
      for (int64_t e = 0; e < kernel.E; e += lanes)
        rescale(at(place.output, b.add(b.mul(index, paddedE), e)));
    }
  });
}

/// weights = 2^(scores - maxima), and their sums.
void AttentionTiler::weighTile(const Block &block, Value row) {
  SmallVector<Value> maxima, sums;
  for (unsigned i = 0; i < schedule.rows; ++i) {
    maxima.push_back(splatOf(at(place.maxima, b.add(row, i))));
    sums.push_back(load(scratch, at(place.sums, b.mul(b.add(row, i), lanes))));
  }
  for (unsigned j = 0; j < block.keyVectors; ++j)
    for (unsigned i = 0; i < schedule.rows; ++i) {
      int64_t offset = i * blockKeys + int64_t(j) * lanes;
      Value score = load(scratch, b.index(place.scores + offset));
      Value weight = math.exp2Limited(arith::SubFOp::create(b, score, maxima[i]));
      sums[i] = arith::AddFOp::create(b, sums[i], weight);
      store(weight, scratch, b.index(place.weights + offset));
    }
  for (unsigned i = 0; i < schedule.rows; ++i)
    store(sums[i], scratch, at(place.sums, b.mul(b.add(row, i), lanes)));
}

/// output += weights x values.
void AttentionTiler::accumulateValues(const Block &block, Value row) {
  Value base = b.add(block.packed, place.blockValues);
  chunks(llvm::divideCeil(kernel.E, lanes), [&](unsigned first, unsigned count) {
    unsigned rows = rowsOf(count);
    for (unsigned i0 = 0; i0 < schedule.rows; i0 += rows) {
      auto outputOf = [&](unsigned i, unsigned j) {
        Value offset = b.mul(b.add(row, i0 + i), paddedE);
        return at(place.output, b.add(offset, int64_t(first + j) * lanes));
      };
      Tile sums;
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          sums.push_back(load(scratch, outputOf(i, j)));
      sums = b.loop(b.index(0), block.keyCount, 1, sums, [&](Value key, ValueRange carried) {
        Tile next(carried), valueRow;
        Value offset = b.add(base, b.mul(key, paddedE));
        for (unsigned j = 0; j < count; ++j)
          valueRow.push_back(load(scratch, b.add(offset, int64_t(first + j) * lanes)));
        for (unsigned i = 0; i < rows; ++i) {
          Value weight = splatOf(b.add(key, place.weights + (i0 + i) * blockKeys));
          for (unsigned j = 0; j < count; ++j)
            next[i * count + j] = vector::FMAOp::create(b, weight, valueRow[j], next[i * count + j]);
        }
        return next;
      });
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          store(sums[i * count + j], scratch, outputOf(i, j));
    }
  });
}
