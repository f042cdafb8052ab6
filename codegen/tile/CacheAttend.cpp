// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over pages: runs of tokens of one text, pages, register tiles.
#include "codegen/tile/CacheTilers.h"
#include "codegen/tile/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
/// Rows of a register tile: queries of all heads that share a key head. With few vectors beside them they fill the
/// registers.
constexpr int64_t kMostTileRows = 6;
/// Rows of a work group: enough to make little of reading pages, few enough to stay in the first-level cache.
constexpr int64_t kGroupRows = 48;
constexpr int64_t kMostLanes = 16;
/// The score of keys that a query does not read, and what is known of a row that has read none (as AttentionTiler's).
constexpr double kExcluded = -1e38;
constexpr double kLowestPower = -100;

/// Offsets of the parts of a thread's scratch, in f32.
struct Scratch {
  int64_t rows, width, valueWidth; ///< padded
  int64_t queries, output, sums, maxima, scores, fault, size;

  explicit Scratch(const CacheKernel &kernel) {
    int64_t tokens = cacheGroupTokens(kernel);
    rows = tokens * kernel.groupSize + kMostTileRows;
    width = llvm::alignTo(kernel.sizes.keyWidth, kMostLanes);
    valueWidth = llvm::alignTo(kernel.sizes.valueWidth, kMostLanes);
    int64_t next = 0;
    auto take = [&](int64_t elements) { return std::exchange(next, next + llvm::alignTo(elements, kMostLanes)); };
    queries = take(rows * width);
    output = take(rows * valueWidth);
    sums = take(rows * kMostLanes);
    maxima = take(rows);
    scores = take(kMostTileRows * llvm::alignTo(kernel.sizes.page, kMostLanes));
    fault = take(1);
    size = next;
  }
};

class AttendTiler {
public:
  AttendTiler(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), sizes(kernel.sizes), places(builder, kernel),
        math(builder, /*scalesWide=*/target.lanes == 16), scratchPlaces(kernel), lanes(target.lanes),
        registers(target.registers), vectors(llvm::divideCeil(sizes.page, lanes)),
        tileRows(target.registers == 32 ? kMostTileRows : 4) {
    scratch = b.scratch();
  }

  Value emit() {
    Value fine = number(0), parts = b.size(kernel.parts), tokens = places.tokens();
    b.store(fine, scratch, b.index(scratchPlaces.fault));
    int64_t most = cacheGroupTokens(kernel);
    Value chunks = b.divFloor(b.add(tokens, most - 1), b.index(most));
    b.loop(b.begin(), b.end(), 1, [&](Value index) {
      Value first = b.mul(b.rem(index, chunks), most), rest = b.divFloor(index, chunks);
      Value part = b.rem(rest, parts), head = b.divFloor(rest, parts);
      Value end = b.minimum(tokens, b.add(first, most));
      // A run ends where the next token is of another text.
      b.loop(first, end, 1, {first}, [&](Value token, ValueRange begins) {
        Value next = b.add(token, 1), isLast = compare(CmpIPredicate::eq, next, end);
        Value ends = places.choose(
            isLast, b.getI1Type(), [&] { return isLast; },
            [&] { return compare(CmpIPredicate::ne, places.text(token), places.text(next)); });
        b.branch(ends, [&] { run(head, part, begins[0], next); });
        return Vectors{select(ends, next, begins[0])};
      });
    });
    Value fault = b.load(scratch, b.index(scratchPlaces.fault));
    Value isWrong = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, fault, fine);
    return arith::ExtUIOp::create(b, b.getI32Type(), isWrong);
  }

private:
  using Vectors = SmallVector<Value>;
  struct Run {
    Value head, part, first, end, text; ///< tokens of one text
    Value rows;                         ///< tokens times heads of the group
    Value lastPosition;                 ///< of any of its tokens
    Value list, isListed;               ///< where its row of the index begins; whether that says which pages it reads
  };
  struct Page {
    Value keys, values, scales; ///< where it begins in the pools
    Value firstPosition, count; ///< tokens of it that the run reads
  };

  Value number(double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value))); }
  Value compare(CmpIPredicate predicate, Value x, Value y) { return arith::CmpIOp::create(b, predicate, x, y); }
  Value select(Value condition, Value yes, Value no) { return arith::SelectOp::create(b, condition, yes, no); }
  Value pool(unsigned index) { return b.argument(kernel.pools[index].getArgNumber()); }
  Value at(int64_t part, Value offset) { return b.add(offset, part); }
  Value splatOf(Value offset) { return b.broadcast(b.load(scratch, offset), lanes); }
  Value loadScratch(Value offset) { return b.loadVector(scratch, offset, lanes); }
  void storeScratch(Value vector, Value offset) { b.storeVector(vector, scratch, offset); }
  Value maskOf(int64_t count) {
    return vector::ConstantMaskOp::create(b, VectorType::get({int64_t(lanes)}, b.getI1Type()),
                                          ArrayRef<int64_t>{count});
  }

  /// A vector of a pool as f32, of which `valid` lanes exist.
  Value loadPool(unsigned index, Value offset, int64_t valid) {
    bool isByte = sizes.isByte && index < 2;
    Value buffer = pool(index), loaded;
    if (valid >= lanes) {
      loaded = b.loadVector(buffer, offset, lanes);
    } else {
      auto type = b.vectorType(lanes, isByte ? Type(b.getI8Type()) : b.getF32Type());
      Value nothing = arith::ConstantOp::create(b, b.getZeroAttr(type));
      loaded = vector::MaskedLoadOp::create(b, type, buffer, offset, maskOf(valid), nothing);
    }
    if (!isByte)
      return loaded;
    Value wide = arith::ExtSIOp::create(b, b.vectorType(lanes, b.getI32Type()), loaded);
    return arith::SIToFPOp::create(b, b.vectorType(lanes), wide);
  }

  void run(Value head, Value part, Value first, Value end) {
    Run run{head, part, first, end, places.text(first), b.mul(b.sub(end, first), kernel.groupSize), {}, {}, {}};
    run.lastPosition = b.loop(first, end, 1, {b.index(0)}, [&](Value token, ValueRange most) {
      return Vectors{b.createOrFold<arith::MaxUIOp>(most[0], places.position(token))};
    })[0];
    Value isOutside = places.isOutside(run.text, run.lastPosition);
    b.branch(
        isOutside, [&] { b.store(number(1), scratch, b.index(scratchPlaces.fault)); },
        [&] {
          Value used = b.add(b.divFloor(run.lastPosition, b.index(sizes.page)), 1), begin = b.index(0), stop = used;
          Value width = b.size(kernel.places); // what is cut into parts
          if (kernel.index) {
            run.list = b.mul(b.add(b.mul(run.first, sizes.heads), run.head), kernel.room);
            Value count = listed(run.list);
            run.isListed = arith::AndIOp::create(b, compare(CmpIPredicate::ne, count, b.index(-1)),
                                                 compare(CmpIPredicate::eq, b.add(run.first, 1), run.end));
            used = stop = select(run.isListed, b.minimum(count, used), used);
            width = select(run.isListed, used, width);
          }
          if (kernel.isPartial) {
            Value parts = b.size(kernel.parts);
            Value each = b.divFloor(b.add(width, b.sub(parts, b.index(1))), parts);
            begin = b.minimum(used, b.mul(part, each));
            stop = b.minimum(used, b.add(begin, each));
          }
          packQueries(run);
          Value fine = arith::ConstantIntOp::create(b, 0, 1);
          Value fault = b.loop(begin, stop, 1, {fine}, [&](Value place, ValueRange carried) {
            return Vectors{arith::OrIOp::create(b, carried[0], isFault(run, place))};
          })[0];
          b.branch(
              fault, [&] { b.store(number(1), scratch, b.index(scratchPlaces.fault)); },
              [&] {
                b.loop(begin, stop, 1, [&](Value number) { readPage(run, placeOf(run, number)); });
                writeRows(run);
              });
        });
  }

  /// A number of the index; negative ones are large.
  Value listed(Value offset) {
    Value number = b.load(b.argument(kernel.index.getArgNumber()), offset);
    return arith::IndexCastOp::create(b, b.getIndexType(), number);
  }
  /// The place in the table of what is read as `number`.
  Value placeOf(const Run &run, Value number) {
    if (!kernel.index)
      return number;
    return places.choose(
        run.isListed, b.getIndexType(), [&] { return listed(b.add(b.add(run.list, 1), number)); },
        [&] { return number; });
  }
  /// Whether there is no such place, or no page in it.
  Value isFault(const Run &run, Value number) {
    Value place = placeOf(run, number);
    if (!kernel.index)
      return places.isNoPage(places.page(run.text, place));
    Value last = b.divFloor(run.lastPosition, b.index(sizes.page));
    Value isOutside = compare(CmpIPredicate::ugt, place, last);
    return places.choose(
        isOutside, b.getI1Type(), [&] { return isOutside; },
        [&] { return places.isNoPage(places.page(run.text, place)); });
  }

  /// Row r is head `r % groupSize` of token `r / groupSize`.
  Value tokenOf(const Run &run, Value row) { return b.add(run.first, b.divFloor(row, b.index(kernel.groupSize))); }

  /// Queries times scale * log2(e); rows beyond the last, as far as tiles read, are the last again.
  void packQueries(const Run &run) {
    Value buffer = b.argument(kernel.query.source.getArgNumber()), last = b.sub(run.rows, b.index(1));
    Value scale = b.splat(kernel.scale * M_LOG2E, lanes);
    b.loop(b.index(0), b.add(run.rows, tileRows - 1), 1, [&](Value row) {
      Value source = b.minimum(row, last), inGroup = b.rem(source, b.index(kernel.groupSize));
      Value queryHead = b.add(b.mul(run.head, kernel.groupSize), inGroup);
      Value from = b.add(b.mul(tokenOf(run, source), kernel.query.rowStride), b.mul(queryHead, sizes.keyWidth));
      from = b.add(from, kernel.query.firstColumn);
      Value to = at(scratchPlaces.queries, b.mul(row, scratchPlaces.width));
      for (int64_t d = 0; d < sizes.keyWidth; d += lanes) {
        Value offset = b.add(from, d), query;
        if (d + lanes <= sizes.keyWidth)
          query = b.loadVector(buffer, offset, lanes);
        else
          query = vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, maskOf(sizes.keyWidth - d),
                                               b.splat(0, lanes));
        storeScratch(arith::MulFOp::create(b, query, scale), b.add(to, d));
      }
      for (int64_t e = 0; e < sizes.valueWidth; e += lanes)
        storeScratch(b.splat(0, lanes), at(scratchPlaces.output + e, b.mul(row, scratchPlaces.valueWidth)));
      storeScratch(b.splat(0, lanes), at(scratchPlaces.sums, b.mul(row, lanes)));
      b.store(number(kExcluded), scratch, at(scratchPlaces.maxima, row));
    });
  }

  void readPage(const Run &run, Value place) {
    Value line = b.add(b.mul(places.page(run.text, place), sizes.heads), run.head);
    Page page;
    page.keys = b.mul(line, sizes.keyWidth * sizes.page);
    page.values = b.mul(line, sizes.page * sizes.valueWidth);
    page.scales = b.mul(line, sizes.page);
    page.firstPosition = b.mul(place, sizes.page);
    page.count = b.minimum(b.index(sizes.page), b.sub(b.add(run.lastPosition, 1), page.firstPosition));
    // One token's rows, and tiles of more.
    int64_t few = std::min(kernel.groupSize, tileRows);
    if (few == tileRows)
      return tiles(run, page, tileRows);
    b.branch(
        compare(CmpIPredicate::ule, run.rows, b.index(few)), [&] { tiles(run, page, few); },
        [&] { tiles(run, page, tileRows); });
  }

  void tiles(const Run &run, const Page &page, int64_t rows) {
    b.loop(b.index(0), run.rows, rows, [&](Value row) {
      multiplyKeys(page, row, rows);
      b.loop(b.index(0), b.index(rows), 1, [&](Value i) { weigh(run, page, row, i); });
      accumulateValues(page, row, rows);
    });
  }

  /// f(first, count, rows): vectors in chunks, rows in groups of `rows`, so that sums fit the registers.
  void chunks(int64_t total, int64_t rows, llvm::function_ref<void(int64_t, int64_t, int64_t)> f) {
    int64_t most = registers == 32 ? 4 : 3, count = llvm::divideCeil(total, most);
    for (int64_t i = 0, first = 0; i < count; ++i) {
      int64_t width = (total - first) / (count - i), group = rows;
      while (group > 1 && (group * width + width + 1 > registers || rows % group))
        --group;
      f(first, width, group);
      first += width;
    }
  }

  int64_t keyLanes(int64_t vector) { return std::min<int64_t>(lanes, sizes.page - vector * lanes); }
  int64_t paddedPage() const { return llvm::alignTo(sizes.page, kMostLanes); }
  Value scoreAt(Value i, int64_t vector) { return at(scratchPlaces.scores + vector * lanes, b.mul(i, paddedPage())); }

  void multiplyKeys(const Page &page, Value row, int64_t tile) {
    chunks(vectors, tile, [&](int64_t first, int64_t count, int64_t rows) {
      b.loop(b.index(0), b.index(tile), rows, [&](Value i0) {
        Value queries = at(scratchPlaces.queries, b.mul(b.add(row, i0), scratchPlaces.width));
        Vectors sums(rows * count, b.splat(0, lanes));
        int64_t unroll = sizes.keyWidth % 4 ? 1 : 4;
        sums = b.loop(b.index(0), b.index(sizes.keyWidth), unroll, sums, [&](Value d0, ValueRange carried) {
          Vectors next(carried), keys(count);
          for (int64_t u = 0; u < unroll; ++u) {
            Value d = b.add(d0, u), offset = b.add(page.keys, b.mul(d, sizes.page));
            for (int64_t j = 0; j < count; ++j)
              keys[j] = loadPool(0, b.add(offset, (first + j) * lanes), keyLanes(first + j));
            for (int64_t i = 0; i < rows; ++i) {
              Value query = splatOf(b.add(b.add(queries, d), i * scratchPlaces.width));
              for (int64_t j = 0; j < count; ++j)
                next[i * count + j] = vector::FMAOp::create(b, query, keys[j], next[i * count + j]);
            }
          }
          return next;
        });
        for (int64_t j = 0; j < count; ++j) {
          Value scale;
          if (sizes.isByte)
            scale = loadPool(2, b.add(page.scales, (first + j) * lanes), keyLanes(first + j));
          for (int64_t i = 0; i < rows; ++i) {
            Value score = sums[i * count + j];
            if (scale)
              score = arith::MulFOp::create(b, score, scale);
            storeScratch(score, scoreAt(b.add(i0, i), first + j));
          }
        }
      });
    });
  }

  /// Scores of row `row + i` become weights; what is summed so far is rescaled where its maximum grows.
  void weigh(const Run &run, const Page &page, Value row, Value i) {
    Value index = b.add(row, i), last = b.sub(run.rows, b.index(1));
    Value position = places.position(tokenOf(run, b.minimum(index, last)));
    Value limit = b.sub(position, page.firstPosition); // the last slot that it reads; may be negative
    SmallVector<int32_t> numbers(lanes);
    std::iota(numbers.begin(), numbers.end(), 0);
    Value lane = arith::ConstantOp::create(
        b, DenseIntElementsAttr::get(b.vectorType(lanes, b.getI32Type()), ArrayRef<int32_t>(numbers)));
    Vectors scores;
    for (int64_t j = 0; j < vectors; ++j) {
      // Slots that no token has may hold anything.
      Value laneLimit = arith::IndexCastOp::create(
          b, b.getI32Type(),
          b.createOrFold<arith::MinSIOp>(b.sub(limit, b.index(j * lanes)), b.index(keyLanes(j) - 1)));
      Value keeps = compare(CmpIPredicate::sle, lane, b.broadcast(laneLimit, lanes));
      scores.push_back(select(keeps, loadScratch(scoreAt(i, j)), b.splat(kExcluded, lanes)));
    }
    Value largest = scores[0];
    for (int64_t j = 1; j < vectors; ++j)
      largest = math.larger(scores[j], largest);
    Value most = vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF, largest);
    Value maximumAt = at(scratchPlaces.maxima, index), before = b.load(scratch, maximumAt);
    Value grows = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, most, before);
    Value sumsAt = at(scratchPlaces.sums, b.mul(index, lanes));
    b.branch(grows, [&] {
      Value factor = math.exp2From(kLowestPower, b.broadcast(arith::SubFOp::create(b, before, most), lanes));
      auto multiply = [&](Value offset) {
        storeScratch(arith::MulFOp::create(b, loadScratch(offset), factor), offset);
      };
      multiply(sumsAt);
      for (int64_t e = 0; e < sizes.valueWidth; e += lanes)
        multiply(at(scratchPlaces.output + e, b.mul(index, scratchPlaces.valueWidth)));
      b.store(most, scratch, maximumAt);
    });
    Value maximum = splatOf(maximumAt), sum = loadScratch(sumsAt);
    for (int64_t j = 0; j < vectors; ++j) {
      Value weight = math.exp2From(kLowestPower, arith::SubFOp::create(b, scores[j], maximum));
      sum = arith::AddFOp::create(b, sum, weight);
      if (sizes.isByte)
        weight = arith::MulFOp::create(b, weight, loadPool(3, b.add(page.scales, j * lanes), keyLanes(j)));
      storeScratch(weight, scoreAt(i, j));
    }
    storeScratch(sum, sumsAt);
  }

  void accumulateValues(const Page &page, Value row, int64_t tile) {
    chunks(llvm::divideCeil(sizes.valueWidth, lanes), tile, [&](int64_t first, int64_t count, int64_t rows) {
      auto valid = [&](int64_t j) { return std::min<int64_t>(lanes, sizes.valueWidth - (first + j) * lanes); };
      b.loop(b.index(0), b.index(tile), rows, [&](Value i0) {
        auto outputOf = [&](int64_t i, int64_t j) {
          Value index = b.add(row, b.add(i0, i));
          return at(scratchPlaces.output + (first + j) * lanes, b.mul(index, scratchPlaces.valueWidth));
        };
        auto step = [&](Value slot, Vectors &sums) {
          Vectors values;
          Value offset = b.add(page.values, b.mul(slot, sizes.valueWidth));
          for (int64_t j = 0; j < count; ++j)
            values.push_back(loadPool(1, b.add(offset, (first + j) * lanes), valid(j)));
          for (int64_t i = 0; i < rows; ++i) {
            Value weight = splatOf(b.add(at(scratchPlaces.scores, b.mul(b.add(i0, i), paddedPage())), slot));
            for (int64_t j = 0; j < count; ++j)
              sums[i * count + j] = vector::FMAOp::create(b, weight, values[j], sums[i * count + j]);
          }
        };
        Vectors sums;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < count; ++j)
            sums.push_back(loadScratch(outputOf(i, j)));
        constexpr int64_t unroll = 4;
        Value whole = b.mul(b.divFloor(page.count, b.index(unroll)), unroll);
        auto loop = [&](Value begin, Value end, int64_t by) {
          sums = b.loop(begin, end, by, sums, [&](Value slot, ValueRange carried) {
            Vectors next(carried);
            for (int64_t u = 0; u < by; ++u)
              step(b.add(slot, u), next);
            return next;
          });
        };
        loop(b.index(0), whole, unroll);
        loop(whole, page.count, 1);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < count; ++j)
            storeScratch(sums[i * count + j], outputOf(i, j));
      });
    });
  }

  /// Rows over their sums; of a partial result with the logarithm of the sum of the exponentials behind them.
  void writeRows(const Run &run) {
    int64_t width = sizes.valueWidth;
    b.loop(b.index(0), run.rows, 1, [&](Value row) {
      Value queryHead = b.add(b.mul(run.head, kernel.groupSize), b.rem(row, b.index(kernel.groupSize)));
      Value line = tokenOf(run, row);
      if (kernel.isPartial)
        line = b.add(b.mul(line, b.size(kernel.parts)), run.part);
      Value to = b.mul(b.add(b.mul(line, kernel.heads), queryHead), width + kernel.isPartial);
      Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD,
                                              loadScratch(at(scratchPlaces.sums, b.mul(row, lanes))),
                                              arith::FastMathFlags::reassoc);
      Value maximum = b.load(scratch, at(scratchPlaces.maxima, row));
      Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, maximum, number(kExcluded / 2));
      Value factor = select(isEmpty, number(0), arith::DivFOp::create(b, number(1), sum));
      // What a row without keys has summed may be no number.
      Value empty = b.broadcast(isEmpty, lanes), factors = b.broadcast(factor, lanes);
      for (int64_t e = 0; e < width; e += lanes) {
        Value output = loadScratch(at(scratchPlaces.output + e, b.mul(row, scratchPlaces.valueWidth)));
        Value result = select(empty, b.splat(0, lanes), arith::MulFOp::create(b, output, factors));
        if (e + lanes <= width)
          b.storeVector(result, b.result(0), b.add(to, e));
        else
          vector::MaskedStoreOp::create(b, b.result(0), b.add(to, e), maskOf(width - e), result);
      }
      if (!kernel.isPartial)
        return;
      Value logarithm = vector::ExtractOp::create(b, math.log(b.broadcast(sum, lanes)), 0);
      logarithm = arith::AddFOp::create(b, logarithm, arith::MulFOp::create(b, maximum, number(M_LN2)));
      b.store(select(isEmpty, number(-std::numeric_limits<double>::infinity()), logarithm), b.result(0),
              b.add(to, width));
    });
  }

  KernelBuilder &b;
  const CacheKernel &kernel;
  const cache::PoolSizes &sizes;
  CachePlaces places;
  VectorMath math;
  Scratch scratchPlaces;
  unsigned lanes;
  int64_t registers, vectors, tileRows;
  Value scratch;
};
} // namespace

int64_t tamis::cacheGroupTokens(const CacheKernel &kernel) {
  return std::max<int64_t>(1, kGroupRows / kernel.groupSize);
}

int64_t tamis::cacheScratchBytes(const CacheKernel &kernel) {
  return Scratch(kernel).size * int64_t(sizeof(float));
}

Value tamis::tileCacheAttend(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target) {
  return AttendTiler(builder, kernel, target).emit();
}
