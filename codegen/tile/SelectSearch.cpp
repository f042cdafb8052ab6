// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The limit above which the ranks of a row are kept: no sort, but a range of ranks halved until it holds no other.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

constexpr int64_t kBlock = SelectScratch::kBlock;
// Ranks are copied together when so few of an array are left that halving the copy pays for it.
constexpr int64_t kWorthCopying = 4 * kBlock, kShrinks = 4;
// Partial sums of a loop over ranks.
constexpr unsigned kSums = 4;

/// A rank above `low` and at most `high`: in the middle by value or by bits, in turn, so that neither far numbers nor
/// those near zero make the halving slow.
Value SelectTiler::middle(Value low, Value high, Value byBits) {
  Value one = integer(1), width = arith::SubIOp::create(b, high, low);
  Value bits = arith::AddIOp::create(b, arith::AddIOp::create(b, low, arith::ShRUIOp::create(b, width, one)), one);
  Value half = arith::ConstantOp::create(b, b.getF32FloatAttr(0.5));
  auto halved = [&](Value rank) { return arith::MulFOp::create(b, numberOf(rank), half); };
  Value value = rankOf(arith::AddFOp::create(b, halved(low), halved(high)));
  Value isBetween =
      arith::AndIOp::create(b, compare(CmpIPredicate::sgt, value, low), compare(CmpIPredicate::sle, value, high));
  Value notByBits = arith::XOrIOp::create(b, byBits, arith::ConstantIntOp::create(b, 1, 1));
  return pick(arith::AndIOp::create(b, isBetween, notByBits), value, bits);
}

Value SelectTiler::countAtLeast(Value ranks, Value length, Value limit) {
  Value limits = splat(limit);
  Values sums = b.loop(b.index(0), length, kBlock, Values(kSums, integers(0)), [&](Value i, ValueRange carried) {
    Values next(carried);
    for (unsigned j = 0; j < kBlock / lanes; ++j) {
      Value isAbove = compare(CmpIPredicate::sge, loadInts(b.add(b.add(ranks, i), int64_t(j) * lanes)), limits);
      Value more = arith::AddIOp::create(b, next[j % kSums], integers(1));
      next[j % kSums] = pick(isAbove, more, next[j % kSums]);
    }
    return next;
  });
  for (; sums.size() > 1; sums.pop_back())
    sums[0] = arith::AddIOp::create(b, sums[0], sums.back());
  return toIndex(vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums[0]));
}

SelectTiler::Choice SelectTiler::search(const Row &row, const Census &census, Value count, bool exact) {
  Value falsehood = arith::ConstantIntOp::create(b, 0, 1), survivors = at(place.survivors, b.index(0));
  // The rank that is looked for is in [low, high]. Of all ranks `above` are greater than high and `atLeast` no less
  // than low; the array, `length` from `ranks` on, holds those in the range and maybe others, `outside` are not in it
  // and greater.
  Values init{census.least, census.most, census.forced,        b.add(census.forced, census.others),
              b.index(0),   row.ranks,   row.positions.padded, falsehood};
  Values end = whileLoop(
      init,
      [&](ValueRange state) {
        Value isOpen = compare(CmpIPredicate::slt, state[0], state[1]);
        return arith::AndIOp::create(b, isOpen, compare(CmpIPredicate::ne, state[3], count)).getResult();
      },
      [&](ValueRange state) {
        Value low = state[0], high = state[1], above = state[2], atLeast = state[3], outside = state[4],
              ranks = state[5], length = state[6], byBits = state[7];
        Value mid = middle(low, high, byBits), total = b.add(outside, countAtLeast(ranks, length, mid));
        Value isUpper = compare(CmpIPredicate::sge, total, count);
        low = pick(isUpper, mid, low);
        high = pick(isUpper, high, arith::SubIOp::create(b, mid, integer(1)));
        above = pick(isUpper, above, total);
        atLeast = pick(isUpper, total, atLeast);
        Value isLong = compare(CmpIPredicate::ugt, length, b.index(kWorthCopying));
        Value isSparse = compare(CmpIPredicate::ult, b.mul(b.sub(atLeast, above), kShrinks), length);
        Values array = ifElse(
            arith::AndIOp::create(b, isLong, isSparse),
            [&] {
              Value number = b.loop(b.index(0), length, lanes, {b.index(0)}, [&](Value i, ValueRange carried) {
                Value values = loadInts(b.add(ranks, i));
                Value isIn = arith::AndIOp::create(b, compare(CmpIPredicate::sge, values, splat(low)),
                                                   compare(CmpIPredicate::sle, values, splat(high)));
                return Values{b.add(carried[0], append(values, isIn, b.add(survivors, carried[0])))};
              })[0];
              for (int64_t i = 0; i < kBlock; i += lanes)
                store(integers(kUnreadable), b.add(b.add(survivors, number), i));
              return Values{above, survivors, fillUp(number)};
            },
            [&] { return Values{outside, ranks, length}; });
        Value turned = arith::XOrIOp::create(b, byBits, arith::ConstantIntOp::create(b, 1, 1));
        return Values{low, high, above, atLeast, array[0], array[1], array[2], turned};
      });
  if (exact)
    return {leastFrom(end[5], end[6], end[0]), b.index(0)};
  Value isWhole = compare(CmpIPredicate::eq, end[3], count); // no tie is left out
  Value below = arith::SubIOp::create(b, end[0], integer(1));
  return {pick(isWhole, below, end[0]), pick(isWhole, b.index(0), b.sub(count, end[2]))};
}

/// The least rank that is no less than a limit.
Value SelectTiler::leastFrom(Value ranks, Value length, Value limit) {
  Value least = b.loop(b.index(0), length, lanes, {integers(kForced)}, [&](Value i, ValueRange carried) {
    Value values = loadInts(b.add(ranks, i));
    Value isFrom = compare(CmpIPredicate::sge, values, splat(limit));
    return Values{pick(isFrom, arith::MinSIOp::create(b, values, carried[0]), carried[0])};
  })[0];
  return vector::ReductionOp::create(b, vector::CombiningKind::MINSI, least);
}

Value SelectTiler::sumAtLeast(Value ranks, Value length, Value limit) {
  Value limits = splat(limit);
  Values sums = b.loop(b.index(0), length, kBlock, Values(kSums, b.splat(0, lanes)), [&](Value i, ValueRange carried) {
    Values next(carried);
    for (unsigned j = 0; j < kBlock / lanes; ++j) {
      Value offset = b.add(i, int64_t(j) * lanes);
      Value isAbove = compare(CmpIPredicate::sge, loadInts(b.add(ranks, offset)), limits);
      Value weight = pick(isAbove, load(at(place.weights, offset)), b.splat(0, lanes));
      next[j % kSums] = arith::AddFOp::create(b, next[j % kSums], weight);
    }
    return next;
  });
  for (; sums.size() > 1; sums.pop_back())
    sums[0] = arith::AddFOp::create(b, sums[0], sums.back());
  return vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums[0], arith::FastMathFlags::reassoc);
}

/// What ranks of numbers add to a sum: their share of a softmax before it is divided, or what they are above zero.
Value SelectTiler::weightOf(Value ranks, const Census &census) {
  bool isVector = isa<VectorType>(ranks.getType());
  auto constant = [&](double value) {
    return isVector ? b.splat(value, lanes) : arith::ConstantOp::create(b, b.getF32FloatAttr(value)).getResult();
  };
  Value number = numberOf(ranks), zero = constant(0);
  if (kernel.op.getBudget().getKind() == sattn::BudgetKind::share) {
    Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, number, zero);
    return pick(isPositive, number, zero);
  }
  Value most = census.most, maximum = numberOf(most);
  if (isVector) {
    most = splat(most);
    maximum = b.broadcast(maximum, lanes);
  }
  Value weight = math.exp(arith::SubFOp::create(b, number, maximum));
  // An infinity less itself is no number.
  return pick(compare(CmpIPredicate::eq, ranks, most), constant(1), weight);
}

/// As search, with sums of weights in place of counts. A row without any number leaves none but the forced.
SelectTiler::Choice SelectTiler::bySum(const Row &row, const Census &census) {
  Value ranks = row.ranks, length = row.positions.padded;
  b.loop(b.index(0), length, lanes, [&](Value i) {
    Value values = loadInts(b.add(ranks, i));
    Value isNumber = arith::AndIOp::create(b, compare(CmpIPredicate::sgt, values, integers(kNaN)),
                                           compare(CmpIPredicate::slt, values, integers(kForced)));
    store(pick(isNumber, weightOf(values, census), b.splat(0, lanes)), at(place.weights, i));
  });
  Value zero = b.index(0), nothing = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value sum = sumAtLeast(ranks, length, integer(kNaN));
  Value share = arith::ConstantOp::create(b, b.getF32FloatAttr(float(kernel.op.getBudget().number())));
  Value isSound = compare(CmpIPredicate::sgt, census.most, integer(kNaN)), wanted;
  if (kernel.op.getBudget().getKind() == sattn::BudgetKind::share) {
    Value all = arith::AddFOp::create(b, sum, census.forcedSum);
    wanted = arith::SubFOp::create(b, arith::MulFOp::create(b, share, all), census.forcedSum);
    isSound = arith::AndIOp::create(b, isSound, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, wanted, nothing));
  } else {
    wanted = arith::MulFOp::create(b, share, sum);
  }
  Values choice = ifElse(
      isSound,
      [&] {
        Value falsehood = arith::ConstantIntOp::create(b, 0, 1);
        Values end = whileLoop(
            {census.least, census.most, nothing, falsehood},
            [&](ValueRange state) { return compare(CmpIPredicate::slt, state[0], state[1]); },
            [&](ValueRange state) {
              Value mid = middle(state[0], state[1], state[3]), reached = sumAtLeast(ranks, length, mid);
              Value isUpper = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, reached, wanted);
              Value turned = arith::XOrIOp::create(b, state[3], arith::ConstantIntOp::create(b, 1, 1));
              return Values{pick(isUpper, mid, state[0]),
                            pick(isUpper, state[1], arith::SubIOp::create(b, mid, integer(1))),
                            pick(isUpper, state[2], reached), turned};
            });
        // As many of the equal ones as their weight takes to reach the share.
        Value quotient = arith::DivFOp::create(b, arith::SubFOp::create(b, wanted, end[2]), weightOf(end[0], census));
        Value most = arith::SIToFPOp::create(b, b.getF32Type(), toInteger(length));
        quotient = pick(arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, quotient, most), quotient, most);
        Value whole = arith::FPToSIOp::create(b, b.getI32Type(), quotient);
        Value isBelow = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT,
                                              arith::SIToFPOp::create(b, b.getF32Type(), whole), quotient);
        whole = arith::AddIOp::create(b, whole, arith::ExtUIOp::create(b, b.getI32Type(), isBelow));
        return Values{end[0], signedMax(b.index(1), toIndex(whole))};
      },
      [&] { return Values{integer(kForced - 1), zero}; });
  return {choice[0], choice[1]};
}
