// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One tile of attention: scores, weights, weighted sum of values.
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace tamis;

// Steps over D in a row; more code than this does not run faster.
static constexpr int64_t kMostSteps = 32;

unsigned AttentionTiler::rowsOf(unsigned vectors, unsigned most) const {
  // Accumulators, one row of vectors and a broadcast share the registers.
  unsigned rows = most;
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

void AttentionTiler::score(const Tile &tile, WeighVector weigh) {
  if (kernel.mask.perQuery)
    fillTileBias(tile);
  multiplyKeys(tile, weigh);
  excludeKeys(tile, place.scores);
  raiseMaxima(tile);
}

/// scores = queries x keys + bias. A bool mask is where the sums begin, which costs nothing; a float one is added after
/// them, since its size would take bits from each of the sums.
void AttentionTiler::multiplyKeys(const Tile &tile, WeighVector weigh) {
  Value bias = kernel.mask.perQuery ? b.index(place.tileBias) : b.add(tile.packed, place.blockBias);
  bool addAfter = kernel.mask && !kernel.mask.isBool;
  chunks(tile.keyVectors, [&](unsigned first, unsigned count) {
    unsigned rows = rowsOf(count, tile.rows);
    b.loop(b.index(0), b.index(tile.rows), rows, [&](Value i0) {
      auto biasOf = [&](unsigned i, unsigned j) {
        Value offset = b.add(bias, int64_t(first + j) * lanes);
        return load(scratch, kernel.mask.perQuery ? b.add(offset, b.mul(b.add(i0, i), blockKeys)) : offset);
      };
      Vectors sums;
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          sums.push_back(addAfter ? b.splat(0, lanes) : biasOf(i, j));
      Value queryBase = at(place.queries, b.mul(b.add(tile.row, i0), paddedD));
      auto step = [&](Value d, ValueRange carried) {
        Vectors next(carried), keyRow;
        Value offset = b.add(b.add(tile.packed, b.mul(d, blockKeys)), int64_t(first) * lanes);
        for (unsigned j = 0; j < count; ++j)
          keyRow.push_back(load(scratch, b.add(offset, j * lanes)));
        for (unsigned i = 0; i < rows; ++i) {
          Value query = splatOf(b.add(b.add(queryBase, d), i * paddedD));
          for (unsigned j = 0; j < count; ++j)
            next[i * count + j] = vector::FMAOp::create(b, query, keyRow[j], next[i * count + j]);
        }
        return next;
      };
      // With weights to compute along, each of their vectors goes between as many steps as there are for it.
      int64_t done = 0;
      if (weigh) {
        int64_t steps = std::min<int64_t>(kernel.D / tile.keyVectors, kMostSteps);
        sums = b.loop(b.index(0), b.index(tile.keyVectors), 1, sums, [&](Value column, ValueRange carried) {
          Vectors next(carried);
          for (unsigned i = 0; i < tile.rows; ++i) {
            weigh(i, column);
            for (int64_t s = steps * i / tile.rows; s < steps * (i + 1) / tile.rows; ++s)
              next = step(b.add(b.mul(column, steps), s), next);
          }
          return next;
        });
        done = tile.keyVectors * steps;
      }
      sums = b.loop(b.index(done), b.index(kernel.D), 1, sums, step);
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j) {
          Value score = sums[i * count + j];
          if (addAfter)
            score = arith::AddFOp::create(b, score, biasOf(i, j));
          Value offset = b.add(b.mul(b.add(i0, i), blockKeys), int64_t(first + j) * lanes);
          store(score, scratch, at(place.scores, offset));
        }
    });
  });
}

/// Causal: query i keeps keys up to i + keys - queries, or where it stands. Only tiles on the diagonal hold others, and
/// those of queries that do not exist.
void AttentionTiler::excludeKeys(const Tile &tile, int64_t part) {
  if (!kernel.causal && !kernel.positions)
    return;
  Value first = b.add(tile.firstQuery, tile.row);
  auto lastKeptOf = [&](Value query) {
    return kernel.positions ? lastKeyAt(tile.group, query) : b.add(query, b.sub(keys, queries));
  };
  Value lastKept = lastKeptOf(first), lastKey = b.add(tile.firstKey, int64_t(tile.keyVectors) * lanes - 1);
  Value crosses = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, lastKey, lastKept);
  if (kernel.positions) {
    Value end = b.add(first, int64_t(tile.rows));
    crosses =
        arith::OrIOp::create(b, crosses, arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, end, tile.group.count));
  }
  b.branch(crosses, [&] {
    SmallVector<int32_t> numbers(lanes);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto type = b.vectorType(lanes, b.getI32Type());
    Value lane = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, numbers));
    b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
      Value limit = b.sub(lastKeptOf(b.add(first, i)), tile.firstKey); // key of the block
      for (unsigned j = 0; j < tile.keyVectors; ++j) {
        Value laneLimit = arith::IndexCastOp::create(b, b.getI32Type(), b.sub(limit, b.index(j * lanes)));
        Value keeps = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, lane, b.broadcast(laneLimit, lanes));
        Value offset = at(part, b.add(b.mul(i, blockKeys), int64_t(j) * lanes));
        Value score = load(scratch, offset);
        store(arith::SelectOp::create(b, keeps, score, b.splat(kExcluded, lanes)), scratch, offset);
      }
    });
  });
}

/// The lanes of each of `rows`, at most `lanes` of them, joined to one lane of a vector: 2^n rows take 2^n - 1 steps
/// rather than n each, and repeat until the vector is full.
Value AttentionTiler::joinLanes(llvm::ArrayRef<Value> rows, llvm::function_ref<Value(Value, Value)> join) {
  // Each vector holds `held` rows in segments of `segment` lanes; a step halves the segments and joins two vectors.
  Vectors vectors(rows);
  for (unsigned held = 1, segment = lanes; segment > 1; held *= 2, segment /= 2) {
    Vectors joined;
    for (unsigned pair = 0; pair < llvm::divideCeil(vectors.size(), 2); ++pair) {
      Value x = vectors[2 * pair], y = vectors[std::min<size_t>(2 * pair + 1, vectors.size() - 1)];
      SmallVector<int64_t> low, high;
      for (unsigned source = 0; source < 2; ++source)
        for (unsigned row = 0; row < held; ++row)
          for (unsigned lane = 0; lane < segment / 2; ++lane) {
            low.push_back(source * lanes + row * segment + lane);
            high.push_back(low.back() + segment / 2);
          }
      joined.push_back(join(vector::ShuffleOp::create(b, x, y, low), vector::ShuffleOp::create(b, x, y, high)));
    }
    vectors = joined;
  }
  return vectors.front();
}

Value AttentionTiler::largestOfRows(llvm::ArrayRef<Value> rows) {
  return joinLanes(rows, [&](Value x, Value y) { return math.larger(x, y); });
}

/// Raises the maxima of the tile, and rescales its sums and outputs, when a score is above its row's limit. NaN may
/// hide among the scores here: its weight is NaN, and so is what becomes of the row.
void AttentionTiler::raiseMaxima(const Tile &tile) {
  auto largestOf = [&](unsigned i) {
    Vectors scores;
    for (unsigned j = 0; j < tile.keyVectors; ++j)
      scores.push_back(load(scratch, b.index(place.scores + i * blockKeys + int64_t(j) * lanes)));
    for (; scores.size() > 1; scores.erase(scores.begin(), scores.begin() + 2))
      scores.push_back(math.larger(scores[0], scores[1]));
    return scores.front();
  };
  Value exceeds;
  for (unsigned i = 0; i < tile.rows; ++i) {
    Value limit = splatOf(at(place.limits, b.add(tile.row, i)));
    Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, largestOf(i), limit);
    exceeds = exceeds ? arith::OrIOp::create(b, exceeds, above).getResult() : above;
  }
  exceeds = vector::ReductionOp::create(b, vector::CombiningKind::OR, exceeds);
  b.branch(exceeds, [&] {
    unsigned group = std::min(lanes, tile.rows);
    for (unsigned i0 = 0; i0 < tile.rows; i0 += group) {
      Vectors largest;
      for (unsigned i = i0; i < i0 + group; ++i)
        largest.push_back(largestOf(i));
      Value joined = largestOfRows(largest); // its first `group` lanes are the rows
      joined = vector::ShuffleOp::create(b, joined, joined, llvm::to_vector(llvm::seq<int64_t>(0, group)));
      Value maxima = at(place.maxima, b.add(tile.row, i0));
      Value previous = b.loadVector(scratch, maxima, group);
      Value raised = math.larger(joined, previous);
      b.storeVector(raised, scratch, maxima);
      b.storeVector(arith::AddFOp::create(b, raised, b.splat(kSlack, group)), scratch,
                    at(place.limits, b.add(tile.row, i0)));
      b.storeVector(weightOf(arith::SubFOp::create(b, previous, raised)), scratch, b.index(place.factors + i0));
    }
    Value hasSums = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, tile.before, b.index(0));
    b.branch(hasSums, [&] {
      b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
        Value index = b.add(tile.row, i), factor = splatOf(at(place.factors, i));
        rescale(index, factor);
      });
    });
  });
}

void AttentionTiler::rescale(Value row, Value factor) {
  auto multiply = [&](Value offset) {
    store(arith::MulFOp::create(b, load(scratch, offset), factor), scratch, offset);
  };
  multiply(at(place.sums, b.mul(row, lanes)));
  for (int64_t e = 0; e < kernel.E; e += lanes)
    multiply(at(place.output, b.add(b.mul(row, paddedE), e)));
}

/// weights = 2^(scores - maxima) and their sums, one vector.
void AttentionTiler::weighVector(const Tile &tile, unsigned row, Value column) {
  Value index = b.add(tile.row, row), offset = b.add(b.mul(column, lanes), row * blockKeys);
  Value score = load(scratch, at(place.scores, offset));
  Value weight = weightOf(arith::SubFOp::create(b, score, splatOf(at(place.maxima, index))));
  store(weight, scratch, at(place.weights, offset));
  Value sums = at(place.sums, b.mul(index, lanes));
  store(arith::AddFOp::create(b, load(scratch, sums), weight), scratch, sums);
}

void AttentionTiler::weigh(const Tile &tile) {
  b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
    Value index = b.add(tile.row, i), maximum = splatOf(at(place.maxima, index));
    Value place0 = at(place.sums, b.mul(index, lanes));
    Value sum = load(scratch, place0);
    for (unsigned j = 0; j < tile.keyVectors; ++j) {
      Value offset = b.add(b.mul(i, blockKeys), j * lanes);
      Value weight = weightOf(arith::SubFOp::create(b, load(scratch, at(place.scores, offset)), maximum));
      store(weight, scratch, at(place.weights, offset));
      sum = arith::AddFOp::create(b, sum, weight);
    }
    store(sum, scratch, place0);
  });
}

/// output += weights x values.
void AttentionTiler::accumulateValues(const Tile &tile) {
  Value base = b.add(tile.packed, place.blockValues);
  chunks(llvm::divideCeil(kernel.E, lanes), [&](unsigned first, unsigned count) {
    unsigned rows = rowsOf(count, tile.rows);
    b.loop(b.index(0), b.index(tile.rows), rows, [&](Value i0) {
      auto outputOf = [&](unsigned i, unsigned j) {
        Value offset = b.mul(b.add(tile.row, b.add(i0, i)), paddedE);
        return at(place.output, b.add(offset, int64_t(first + j) * lanes));
      };
      auto step = [&](Value key, llvm::MutableArrayRef<Value> sums) {
        Vectors valueRow;
        Value offset = b.add(base, b.mul(key, paddedE));
        for (unsigned j = 0; j < count; ++j)
          valueRow.push_back(load(scratch, b.add(offset, int64_t(first + j) * lanes)));
        for (unsigned i = 0; i < rows; ++i) {
          Value weight = splatOf(at(place.weights, b.add(b.mul(b.add(i0, i), blockKeys), key)));
          for (unsigned j = 0; j < count; ++j)
            sums[i * count + j] = vector::FMAOp::create(b, weight, valueRow[j], sums[i * count + j]);
        }
      };
      // Few accumulators wait for themselves: then even and odd keys have their own.
      unsigned accumulators = rows * count;
      unsigned sets = accumulators < 12 && accumulators * 2 + count + 1 <= schedule.registers ? 2 : 1;
      constexpr unsigned unroll = 4;
      Vectors sums;
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          sums.push_back(load(scratch, outputOf(i, j)));
      sums.resize(sets * accumulators, b.splat(0, lanes));
      Value whole = b.mul(b.divFloor(tile.keyCount, b.index(unroll)), unroll);
      sums = b.loop(b.index(0), whole, unroll, sums, [&](Value key, ValueRange carried) {
        Vectors next(carried);
        for (unsigned u = 0; u < unroll; ++u)
          step(b.add(key, u), llvm::MutableArrayRef<Value>(next).slice(u % sets * accumulators, accumulators));
        return next;
      });
      for (unsigned k = accumulators; k < sums.size(); ++k)
        sums[k - accumulators] = arith::AddFOp::create(b, sums[k - accumulators], sums[k]);
      sums.truncate(accumulators);
      if (whole != tile.keyCount)
        sums = b.loop(whole, tile.keyCount, 1, sums, [&](Value key, ValueRange carried) {
          Vectors next(carried);
          step(key, next);
          return next;
        });
      for (unsigned i = 0; i < rows; ++i)
        for (unsigned j = 0; j < count; ++j)
          store(sums[i * count + j], scratch, outputOf(i, j));
    });
  });
  if (!leavesOutPairs())
    return;
  Value flag = arith::BitcastOp::create(b, b.getI32Type(), b.load(scratch, at(place.blockFlag, tile.packed)));
  Value none = arith::ConstantIntOp::create(b, 0, 32);
  b.branch(arith::CmpIOp::create(b, arith::CmpIPredicate::ne, flag, none), [&] { addSpecialValues(tile); });
}

Value AttentionTiler::keyOf(const Tile &tile, Value place) {
  return b.add(tile.firstKey, place);
}

/// The weights of the tile are not needed any more: what is left out is marked in their place.
void AttentionTiler::addSpecialValues(const Tile &tile) {
  if (kernel.mask.perQuery)
    fillTileBias(tile);
  Value last = b.sub(keys, b.index(1)), base = valueBase(tile.group);
  Value buffer = b.argument(kernel.value.source.getArgNumber());
  b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
    b.loop(b.index(0), b.index(int64_t(tile.keyVectors) * lanes), lanes, [&](Value column) {
      Value offset = b.add(b.mul(i, blockKeys), column);
      Value bias = kernel.mask.perQuery ? at(place.tileBias, offset) : at(place.blockBias, b.add(tile.packed, column));
      store(load(scratch, bias), scratch, at(place.weights, offset));
    });
  });
  excludeKeys(tile, place.weights);
  Value limit = arith::ConstantOp::create(b, b.getF32FloatAttr(float(kExcluded / 2))), zero = b.splat(0, lanes);
  b.loop(b.index(0), b.index(int64_t(tile.keyVectors) * lanes), 1, [&](Value column) {
    Value source = b.add(base, b.mul(b.minimum(keyOf(tile, column), last), kernel.value.rowStride));
    b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
      Value mark = b.load(scratch, at(place.weights, b.add(b.mul(i, blockKeys), column)));
      b.branch(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, mark, limit), [&] {
        for (int64_t e = 0; e < kernel.E; e += lanes) {
          Value value = load(buffer, b.add(source, e), std::min<int64_t>(lanes, kernel.E - e));
          Value product = arith::MulFOp::create(b, value, zero);
          Value isSpecial = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, product, product);
          Value to = at(place.output, b.add(b.mul(b.add(tile.row, i), paddedE), e)), sum = load(scratch, to);
          value = arith::AddFOp::create(b, sum, arith::SelectOp::create(b, isSpecial, value, zero));
          store(value, scratch, to);
        }
      });
    });
  });
}
