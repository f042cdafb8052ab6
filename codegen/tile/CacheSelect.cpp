// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pages of each token that may hold its best keys, by bounds of the keys that they hold.
#include "codegen/tile/CacheTilers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
constexpr int64_t kMostLanes = 16;

/// Scores are kept in scratch as integers of the same order, so that the rank of one is found by halving.
class SelectTiler {
public:
  SelectTiler(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), sizes(kernel.sizes), places(builder, kernel), lanes(target.lanes),
        wanted(kernel.room - 1) {}

  Value emit() {
    Value fine = arith::ConstantIntOp::create(b, 0, 1), tokens = places.tokens();
    Value fault = b.loop(b.begin(), b.end(), 1, {fine}, [&](Value index, ValueRange carried) {
      Value head = b.rem(index, b.index(sizes.heads)), token = b.divFloor(index, b.index(sizes.heads));
      row = b.mul(index, kernel.room);
      text = places.text(token);
      Value position = places.position(token), isOutside = places.isOutside(text, position);
      used = b.add(b.divFloor(position, b.index(sizes.page)), 1);
      b.store(number(-1), b.result(0), row);
      Value isWrong = places.choose(isOutside, b.getI1Type(), [&] { return isOutside; }, [&] { return hasNoPage(); });
      Value isLong = compare(CmpIPredicate::ugt, used, b.index(wanted));
      Value selects = arith::AndIOp::create(b, isLong, isAlone(token, tokens));
      selects =
          arith::AndIOp::create(b, selects, arith::XOrIOp::create(b, isWrong, arith::ConstantIntOp::create(b, 1, 1)));
      b.branch(selects, [&] {
        score(token, head);
        write(threshold());
      });
      return SmallVector<Value>{arith::OrIOp::create(b, carried[0], isWrong)};
    })[0];
    return arith::ExtUIOp::create(b, b.getI32Type(), fault);
  }

private:
  Value number(int64_t value) { return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value))); }
  Value compare(CmpIPredicate predicate, Value x, Value y) { return arith::CmpIOp::create(b, predicate, x, y); }
  Value select(Value condition, Value yes, Value no) { return arith::SelectOp::create(b, condition, yes, no); }
  Value integers(Value scalar) { return vector::BroadcastOp::create(b, b.vectorType(lanes, b.getI32Type()), scalar); }

  Value hasNoPage() {
    Value fine = arith::ConstantIntOp::create(b, 0, 1);
    return b.loop(b.index(0), used, 1, {fine}, [&](Value place, ValueRange carried) {
      return SmallVector<Value>{arith::OrIOp::create(b, carried[0], places.isNoPage(places.page(text, place)))};
    })[0];
  }

  Value isAlone(Value token, Value tokens) {
    auto differs = [&](Value isEnd, Value other) {
      return places.choose(
          isEnd, b.getI1Type(), [&] { return isEnd; },
          [&] { return compare(CmpIPredicate::ne, places.text(other), text); });
    };
    Value before = differs(compare(CmpIPredicate::eq, token, b.index(0)), b.sub(token, b.index(1)));
    Value after = differs(compare(CmpIPredicate::eq, b.add(token, 1), tokens), b.add(token, 1));
    return arith::AndIOp::create(b, before, after);
  }

  /// Of all places; those that are kept anyhow are above all others, those that fill up a vector below.
  void score(Value token, Value head) {
    Value first = b.add(b.mul(token, kernel.query.rowStride), b.mul(head, kernel.groupSize * sizes.keyWidth));
    first = b.add(first, kernel.query.firstColumn);
    Value scratch = b.scratch();
    b.loop(used, b.add(used, kMostLanes), 1, [&](Value place) { b.store(bits(number(INT32_MIN)), scratch, place); });
    Value lastTwo = b.sub(used, b.index(2));
    b.loop(b.index(0), used, 1, [&](Value place) {
      Value line = b.add(b.mul(places.page(text, place), sizes.heads), head);
      Value low = b.mul(line, 2 * sizes.keyWidth), best;
      for (int64_t h = 0; h < kernel.groupSize; ++h) {
        Value sum = b.splat(0, lanes);
        for (int64_t d = 0; d < sizes.keyWidth; d += lanes) {
          Value query = load(kernel.query.source, b.add(first, h * sizes.keyWidth + d), d);
          Value below = arith::MulFOp::create(b, query, load(kernel.pools[0], b.add(low, d), d));
          Value above = arith::MulFOp::create(b, query, load(kernel.pools[0], b.add(low, sizes.keyWidth + d), d));
          sum = arith::AddFOp::create(b, sum, arith::MaximumFOp::create(b, below, above));
        }
        Value total = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum, arith::FastMathFlags::reassoc);
        best = best ? arith::MaximumFOp::create(b, best, total).getResult() : total;
      }
      // -0 is 0; the bits of negative numbers fall as the numbers rise.
      best = arith::AddFOp::create(b, best, arith::ConstantOp::create(b, b.getF32FloatAttr(0)));
      Value key = arith::BitcastOp::create(b, b.getI32Type(), best);
      Value sign = arith::ShRSIOp::create(b, key, number(31));
      key = arith::XOrIOp::create(b, key, arith::AndIOp::create(b, sign, number(INT32_MAX)));
      Value isKept = arith::OrIOp::create(b, compare(CmpIPredicate::eq, place, b.index(0)),
                                          compare(CmpIPredicate::uge, place, lastTwo));
      b.store(bits(select(isKept, number(INT32_MAX), key)), scratch, place);
    });
  }

  Value bits(Value integer) { return arith::BitcastOp::create(b, b.getF32Type(), integer); }
  Value load(BlockArgument source, Value offset, int64_t column) {
    Value buffer = b.argument(source.getArgNumber());
    if (column + lanes <= sizes.keyWidth)
      return b.loadVector(buffer, offset, lanes);
    auto type = VectorType::get({int64_t(lanes)}, b.getI1Type());
    Value exists = vector::ConstantMaskOp::create(b, type, ArrayRef<int64_t>{sizes.keyWidth - column});
    return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists, b.splat(0, lanes));
  }
  Value keyAt(Value place) { return arith::BitcastOp::create(b, b.getI32Type(), b.load(b.scratch(), place)); }

  /// Places whose key is at least `key`, an i32.
  Value countFrom(Value key) {
    Value limit = integers(key), one = integers(number(1)), zero = integers(number(0));
    Value counts = b.loop(b.index(0), used, lanes, {zero}, [&](Value place, ValueRange carried) {
      Value keys =
          arith::BitcastOp::create(b, b.vectorType(lanes, b.getI32Type()), b.loadVector(b.scratch(), place, lanes));
      Value isAbove = compare(CmpIPredicate::sge, keys, limit);
      return SmallVector<Value>{arith::AddIOp::create(b, carried[0], select(isAbove, one, zero))};
    })[0];
    return vector::ReductionOp::create(b, vector::CombiningKind::ADD, counts);
  }

  /// The largest key that as many places as are wanted have, or more: bit by bit from the highest, in the order of
  /// numbers without a sign.
  Value threshold() {
    Value sign = number(INT32_MIN);
    return b.loop(b.index(0), b.index(32), 1, {number(0)}, [&](Value step, ValueRange carried) {
      Value shift = arith::IndexCastOp::create(b, b.getI32Type(), b.sub(b.index(31), step));
      Value tried = arith::OrIOp::create(b, carried[0], arith::ShLIOp::create(b, number(1), shift));
      Value enough = compare(CmpIPredicate::sge, countFrom(arith::XOrIOp::create(b, tried, sign)), number(wanted));
      return SmallVector<Value>{select(enough, tried, carried[0])};
    })[0];
  }

  /// All places above the threshold, and of those at it the first, as many as are left.
  void write(Value unsignedKey) {
    Value key = arith::XOrIOp::create(b, unsignedKey, number(INT32_MIN));
    // Nothing is above the largest key, which is that of the places that are kept anyhow: they are fewer than wanted.
    Value above = countFrom(arith::AddIOp::create(b, key, number(1)));
    Value equal = arith::IndexCastOp::create(b, b.getIndexType(), arith::SubIOp::create(b, number(wanted), above));
    b.store(number(wanted), b.result(0), row);
    b.loop(b.index(0), used, 1, {b.add(row, 1), equal}, [&](Value place, ValueRange carried) {
      Value found = keyAt(place), isEqual = compare(CmpIPredicate::eq, found, key);
      Value hasLeft = arith::AndIOp::create(b, isEqual, compare(CmpIPredicate::ne, carried[1], b.index(0)));
      Value takes = arith::OrIOp::create(b, hasLeft, compare(CmpIPredicate::sgt, found, key));
      b.branch(takes, [&] { b.store(arith::IndexCastOp::create(b, b.getI32Type(), place), b.result(0), carried[0]); });
      return SmallVector<Value>{select(takes, b.add(carried[0], 1), carried[0]),
                                select(hasLeft, b.sub(carried[1], b.index(1)), carried[1])};
    });
  }

  KernelBuilder &b;
  const CacheKernel &kernel;
  const cache::PoolSizes &sizes;
  CachePlaces places;
  unsigned lanes;
  int64_t wanted;
  Value row, text, used; ///< of the token at work: its row of the result, its text and how many pages that has
};
} // namespace

DimExpr tamis::cacheSelectScratchBytes(const CacheKernel &kernel) {
  return (kernel.places + kMostLanes) * int64_t(sizeof(float));
}

Value tamis::tileCacheSelect(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target) {
  return SelectTiler(builder, kernel, target).emit();
}
