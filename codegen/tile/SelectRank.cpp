// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the scores of a row to their ranks, and what a budget makes of them.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;
using sattn::BudgetKind;

int32_t tamis::rankOfThreshold(double number) {
  float f = float(number);
  if (double(f) < number)
    f = std::nextafter(f, std::numeric_limits<float>::infinity());
  int32_t bits = llvm::bit_cast<int32_t>(f + 0.0f);
  return bits ^ ((bits >> 31) & INT32_MAX);
}

/// Of numbers that are not NaN and not -0.
Value SelectTiler::rankOf(Value numbers) {
  Type type = b.getI32Type();
  bool isVector = isa<VectorType>(numbers.getType());
  if (isVector)
    type = b.vectorType(lanes, type);
  auto number = [&](int64_t value) { return isVector ? integers(value) : integer(value); };
  Value bits = arith::BitcastOp::create(b, type, numbers);
  Value sign = arith::ShRSIOp::create(b, bits, number(31));
  return arith::XOrIOp::create(b, bits, arith::AndIOp::create(b, sign, number(INT32_MAX)));
}

/// NaN for the ranks that are none of numbers.
Value SelectTiler::numberOf(Value ranks) {
  Type type = b.getF32Type();
  bool isVector = isa<VectorType>(ranks.getType());
  if (isVector)
    type = b.vectorType(lanes, type);
  auto number = [&](int64_t value) { return isVector ? integers(value) : integer(value); };
  Value sign = arith::ShRSIOp::create(b, ranks, number(31));
  Value bits = arith::XOrIOp::create(b, ranks, arith::AndIOp::create(b, sign, number(INT32_MAX)));
  return arith::BitcastOp::create(b, type, bits);
}

/// Turns the scores of a row into ranks, in place.
SelectTiler::Census SelectTiler::rank(const Row &row) {
  bool hasForced = kernel.op.getSinks() || kernel.op.getLocal();
  auto whether = [&](Value mask) { return pick(mask, integers(1), integers(0)); };
  bool sumsForced = hasForced && kernel.op.getBudget().getKind() == BudgetKind::share;
  Values init{integers(kForced), integers(kUnreadable), integers(0), integers(0), b.splat(0, lanes)};
  Values totals = b.loop(b.index(0), row.positions.padded, lanes, init, [&](Value position, ValueRange carried) {
    Value offset = b.add(row.ranks, position), item = itemsAt(row.positions, position);
    Value score = load(offset);
    Value positive = arith::AddFOp::create(b, score, b.splat(0, lanes)); // the zeros are equal
    Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, score, score);
    Value ranks = pick(isNaN, integers(kNaN), rankOf(positive));
    Value readable = compare(CmpIPredicate::slt, item, splatOf(row.readable.end));
    if (kernel.candidates) {
      Value isFollowing = compare(CmpIPredicate::sge, item, splatOf(row.readable.first));
      Value isSink = compare(CmpIPredicate::slt, item, splatOf(row.readable.sinks));
      readable = arith::OrIOp::create(b, arith::AndIOp::create(b, readable, isFollowing), isSink);
    }
    if (kernel.mask) {
      Value isKept = compare(CmpIPredicate::ne, loadInts(at(place.kept, position)), integers(0));
      readable = arith::AndIOp::create(b, readable, isKept);
    }
    Value others = readable, forced;
    ranks = pick(readable, ranks, integers(kUnreadable));
    if (hasForced) {
      Value isSink = compare(CmpIPredicate::slt, item, integers(std::min<int64_t>(kernel.op.getSinks(), INT32_MAX)));
      Value before = b.sub(row.last, b.index(std::min<int64_t>(kernel.op.getLocal(), INT32_MAX / 2)));
      Value isLocal = arith::AndIOp::create(b, compare(CmpIPredicate::sgt, item, splatOf(before)),
                                            compare(CmpIPredicate::sle, item, splatOf(row.last)));
      forced = arith::AndIOp::create(b, readable, arith::OrIOp::create(b, isSink, isLocal));
      ranks = pick(forced, integers(kForced), ranks);
      Value isFree = arith::XOrIOp::create(
          b, forced, arith::ConstantOp::create(b, DenseElementsAttr::get(cast<VectorType>(forced.getType()), true)));
      others = arith::AndIOp::create(b, readable, isFree);
    }
    store(ranks, offset);
    Value least = arith::MinSIOp::create(b, carried[0], pick(others, ranks, integers(kForced)));
    Value most = arith::MaxSIOp::create(b, carried[1], pick(others, ranks, integers(kUnreadable)));
    Value otherCount = arith::AddIOp::create(b, carried[2], whether(others));
    Value forcedCount = hasForced ? arith::AddIOp::create(b, carried[3], whether(forced)).getResult() : carried[3];
    Value forcedSum = carried[4];
    if (sumsForced) {
      Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, score, b.splat(0, lanes));
      Value counts = arith::AndIOp::create(b, forced, isPositive);
      forcedSum = arith::AddFOp::create(b, forcedSum, pick(counts, score, b.splat(0, lanes)));
    }
    return Values{least, most, otherCount, forcedCount, forcedSum};
  });
  auto reduce = [&](vector::CombiningKind kind, Value x) {
    return vector::ReductionOp::create(b, kind, x).getResult();
  };
  using vector::CombiningKind;
  Value forced = hasForced ? toIndex(reduce(CombiningKind::ADD, totals[3])) : b.index(0);
  return {reduce(CombiningKind::MINSI, totals[0]), reduce(CombiningKind::MAXSI, totals[1]),
          toIndex(reduce(CombiningKind::ADD, totals[2])), forced,
          vector::ReductionOp::create(b, CombiningKind::ADD, totals[4], arith::FastMathFlags::reassoc)};
}

SelectTiler::Choice SelectTiler::choose(const Row &row, const Census &census) {
  sattn::BudgetAttr budget = kernel.op.getBudget();
  Value zero = b.index(0);
  // The whole part of a share, as the reference computes it.
  auto shareOf = [&](Value count) {
    Value share = arith::ConstantOp::create(b, b.getF64FloatAttr(budget.number()));
    Value number = arith::SIToFPOp::create(b, b.getF64Type(), toInteger(count));
    Value product = arith::MulFOp::create(b, share, number);
    return toIndex(arith::FPToSIOp::create(b, b.getI32Type(), product));
  };
  switch (budget.getKind()) {
  case BudgetKind::count:
    return largest(row, census, b.index(int64_t(budget.number())));
  case BudgetKind::fraction:
    return largest(row, census, signedMax(b.index(1), shareOf(b.size(kernel.items))));
  case BudgetKind::mass:
  case BudgetKind::share:
    return bySum(row, census);
  case BudgetKind::threshold:
    return {integer(rankOfThreshold(budget.number()) - 1), zero};
  case BudgetKind::quantile: {
    Value some = compare(CmpIPredicate::ne, census.others, zero);
    Values limit = ifElse(
        some,
        [&] {
          Value below = shareOf(b.sub(census.others, b.index(1)));
          Value count = b.sub(b.add(census.forced, census.others), below);
          return Values{search(row, census, count, /*exact=*/true).limit};
        },
        [&] { return Values{integer(kForced - 1)}; });
    return {limit[0], zero};
  }
  }
  llvm_unreachable("unknown budget");
}

/// The `count` largest, forced ones among them, and no more than there is room for.
SelectTiler::Choice SelectTiler::largest(const Row &row, const Census &census, Value count) {
  count = signedMax(signedMin(count, b.size(kernel.capacity)), census.forced);
  Value all = compare(CmpIPredicate::sge, count, b.add(census.forced, census.others));
  Value none = compare(CmpIPredicate::eq, count, census.forced);
  Values choice = ifElse(
      arith::OrIOp::create(b, all, none),
      [&] { return Values{pick(all, integer(kUnreadable), integer(kForced - 1)), b.index(0)}; },
      [&] {
        Choice found = search(row, census, count, /*exact=*/false);
        return Values{found.limit, found.ties};
      });
  return {choice[0], choice[1]};
}
