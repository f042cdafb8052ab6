// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the scores of a row to their ranks on GPUs, and from a budget to the limit above which ranks are kept.
#include "codegen/nvptx/GpuSelect.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;
using sattn::BudgetKind;

/// Of a number that is not NaN and not -0.
Value GpuSelectTiler::rankOfNumber(Value number) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), number);
  Value sign = arith::ShRSIOp::create(b, bits, integer(31));
  return arith::XOrIOp::create(b, bits, both(sign, integer(INT32_MAX)));
}

/// NaN for the ranks that are none of numbers.
Value GpuSelectTiler::numberOf(Value rank) {
  Value sign = arith::ShRSIOp::create(b, rank, integer(31));
  Value bits = arith::XOrIOp::create(b, rank, both(sign, integer(INT32_MAX)));
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

std::pair<Value, Value> GpuSelectTiler::rankOf(const Row &row, Number item) {
  Value readable = item < row.span.end;
  if (isRefining)
    readable = bits->has(item);
  else if (kernel.candidates)
    readable = either(both(readable, row.span.first < item + 1), item < row.span.sinks);
  Value forced = arith::ConstantIntOp::create(b, 0, 1);
  Values found = gpu.ifElse(
      readable,
      [&] {
        if (!kernel.mask || isRefining)
          return Values{arith::ConstantIntOp::create(b, 1, 1)};
        return Values{isAnyKept(kernel.mask, row.group.batch, item, kernel.C)};
      },
      [&] { return Values{forced}; });
  readable = found[0];
  if (op().getSinks() || op().getLocal()) {
    Value isSink = item < gpu.index(std::min<int64_t>(op().getSinks(), INT32_MAX / 2));
    Number before = row.last - std::min<int64_t>(op().getLocal(), INT32_MAX / 2);
    forced = both(readable, either(isSink, both(before < item, item < row.last + 1)));
  }
  // Weights are summed by all lanes together, of items that may not be read, too.
  Value weighed = kernel.weighed.op && !isRefining ? weighedScore(row, item) : Value();
  Value rank = gpu.ifElse(
      readable,
      [&] {
        Value number = weighed ? weighed : score(row, item),
              isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, number, number);
        Value rank = rankOfNumber(gpu.add(number, gpu.f32(0))); // the zeros are equal
        return Values{gpu.select(isNaN, integer(kNaN), rank)};
      },
      [&] { return Values{integer(kUnreadable)}; })[0];
  return {rank, forced};
}

GpuSelectTiler::Census GpuSelectTiler::takeCensus(const Row &row) {
  Number zero = gpu.index(0);
  bool sumsForced = op().getBudget().getKind() == BudgetKind::share && (op().getSinks() || op().getLocal());
  Values init{integer(kForced), integer(kUnreadable), zero, zero, gpu.f32(0)};
  Values totals = b.loop(zero, row.chunks, 1, init, [&](Value number, ValueRange carried) {
    Number chunk(b, number);
    auto [rank, forced] = rankOf(row, firstItemOf(row, chunk) + lane);
    Value readable = compare(CmpIPredicate::ne, rank, integer(kUnreadable)), others = both(readable, negation(forced));
    Value forcedSum = carried[4];
    if (sumsForced) { // NaN counts as zero
      Value score = numberOf(rank), isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, score, gpu.f32(0));
      forcedSum = gpu.add(forcedSum, gpu.select(both(forced, isPositive), score, gpu.f32(0)));
    }
    Value least = arith::MinSIOp::create(b, carried[0], gpu.select(others, rank, integer(kForced)));
    Value most = arith::MaxSIOp::create(b, carried[1], gpu.select(others, rank, integer(kUnreadable)));
    rank = gpu.select(forced, integer(kForced), rank);
    Number address = shared + toInteger(chunk * kWarp + lane) * 4;
    auto keep = [&] { gpu.storeShared(address, queryWords * 4, rank); };
    if (fitsRanks)
      keep();
    else
      b.branch(chunk < rankWords / kWarp, keep);
    return Values{least, most, Number(b, carried[2]) + gpu.bitCount(gpu.ballot(others)),
                  Number(b, carried[3]) + gpu.bitCount(gpu.ballot(forced)), forcedSum};
  });
  auto sum = [&](Value x, Value y) { return gpu.add(x, y); };
  return {gpu.leastOfLanes(totals[0]),
          gpu.largestOfLanes(totals[1]),
          {b, totals[2]},
          {b, totals[3]},
          sumsForced ? gpu.acrossLanes(totals[4], kWarp, sum) : totals[4]};
}

/// The lane's rank of a chunk, of those that the census has seen.
Value GpuSelectTiler::rankAt(const Row &row, Number chunk) {
  Number address = shared + toInteger(chunk * kWarp + lane) * 4;
  auto known = [&] { return gpu.loadShared(address, queryWords * 4, 1, b.getI32Type())[0]; };
  if (fitsRanks)
    return known();
  return gpu.ifElse(
      chunk < rankWords / kWarp, [&] { return Values{known()}; },
      [&] {
        auto [rank, forced] = rankOf(row, firstItemOf(row, chunk) + lane);
        return Values{gpu.select(forced, integer(kForced), rank)};
      })[0];
}

GpuSelectTiler::Choice GpuSelectTiler::choose(const Row &row, const Census &census) {
  sattn::BudgetAttr budget = op().getBudget();
  Number zero = gpu.index(0);
  // The whole part of a share, as the reference computes it.
  auto shareOf = [&](Number count) -> Number {
    Type f64 = b.getF64Type(), i64 = b.getI64Type();
    Value share = arith::ConstantOp::create(b, b.getF64FloatAttr(budget.number()));
    Value product = arith::MulFOp::create(b, arith::SIToFPOp::create(b, f64, count.as(i64)), share);
    return Number(b, arith::FPToSIOp::create(b, i64, product)).as(b.getIndexType());
  };
  switch (budget.getKind()) {
  case BudgetKind::count:
    return largest(row, census, gpu.index(int64_t(std::min<double>(budget.number(), INT32_MAX))));
  case BudgetKind::fraction:
    return largest(row, census, shareOf(gpu.size(kernel.items)).maximum(gpu.index(1)));
  case BudgetKind::mass:
  case BudgetKind::share:
    return bySum(row, census);
  case BudgetKind::threshold:
    return {integer(rankOfThreshold(budget.number()) - 1), zero};
  case BudgetKind::quantile: {
    Value limit = gpu.ifElse(
        zero < census.others,
        [&] {
          Number below = shareOf(census.others - 1);
          return Values{search(row, census, census.forced + census.others - below, /*exact=*/true).limit};
        },
        [&] { return Values{integer(kForced - 1)}; })[0];
    return {limit, zero};
  }
  }
  llvm_unreachable("unknown budget");
}

/// The `count` largest, forced ones among them, and no more than there is room for.
GpuSelectTiler::Choice GpuSelectTiler::largest(const Row &row, const Census &census, Number count) {
  count = count.minimum(gpu.size(isRefining ? kernel.refined.capacity : kernel.capacity)).maximum(census.forced);
  Value all = census.forced + census.others < count + 1, none = count == census.forced;
  Values choice = gpu.ifElse(
      either(all, none),
      [&] { return Values{gpu.select(all, integer(kUnreadable), integer(kForced - 1)), b.index(0)}; },
      [&] {
        Choice found = search(row, census, count, /*exact=*/false);
        return Values{found.limit, found.ties};
      });
  return {choice[0], choice[1]};
}

/// A rank above `low` and at most `high`: in the middle by value or by bits, in turn, so that neither far numbers nor
/// those near zero make the halving slow.
Value GpuSelectTiler::middle(Value low, Value high, Value byBits) {
  Value width = arith::SubIOp::create(b, high, low), half = arith::ShRUIOp::create(b, width, integer(1));
  Value bits = arith::AddIOp::create(b, arith::AddIOp::create(b, low, half), integer(1));
  auto halved = [&](Value rank) { return gpu.mul(numberOf(rank), gpu.f32(0.5)); };
  Value value = rankOfNumber(gpu.add(halved(low), halved(high)));
  Value isBetween = both(compare(CmpIPredicate::sgt, value, low), compare(CmpIPredicate::sle, value, high));
  return gpu.select(both(isBetween, negation(byBits)), value, bits);
}

Number GpuSelectTiler::countAtLeast(const Row &row, Value limit) {
  return {b, b.loop(b.index(0), row.chunks, 1, {b.index(0)}, [&](Value chunk, ValueRange carried) {
            Value isAbove = compare(CmpIPredicate::sge, rankAt(row, Number(b, chunk)), limit);
            return Values{Number(b, carried[0]) + gpu.bitCount(gpu.ballot(isAbove))};
          })[0]};
}

/// The least rank that is no less than a limit.
Value GpuSelectTiler::leastFrom(const Row &row, Value limit) {
  Value least = b.loop(b.index(0), row.chunks, 1, {integer(kForced)}, [&](Value chunk, ValueRange carried) {
    Value rank = rankAt(row, Number(b, chunk)), isFrom = compare(CmpIPredicate::sge, rank, limit);
    return Values{gpu.select(isFrom, arith::MinSIOp::create(b, rank, carried[0]), carried[0])};
  })[0];
  return gpu.leastOfLanes(least);
}

/// Keeps the `count` largest, forced ones among them; forced < count <= all. `exact`: the limit is the rank of the last
/// of them, and nothing of it is kept.
GpuSelectTiler::Choice GpuSelectTiler::search(const Row &row, const Census &census, Number count, bool exact) {
  // The rank that is looked for is in [low, high]. Of all ranks `above` are greater than high and `atLeast` no less
  // than low.
  Values end = gpu.whileLoop(
      {census.least, census.most, census.forced, census.forced + census.others, arith::ConstantIntOp::create(b, 0, 1)},
      [&](ValueRange state) {
        return both(compare(CmpIPredicate::slt, state[0], state[1]), negation(Number(b, state[3]) == count));
      },
      [&](ValueRange state) {
        Value mid = middle(state[0], state[1], state[4]);
        Number total = countAtLeast(row, mid);
        Value isUpper = count < total + 1, below = arith::SubIOp::create(b, mid, integer(1));
        return Values{gpu.select(isUpper, mid, state[0]), gpu.select(isUpper, state[1], below),
                      gpu.select(isUpper, state[2], total), gpu.select(isUpper, total, state[3]), negation(state[4])};
      });
  if (exact)
    return {leastFrom(row, end[0]), b.index(0)};
  Value isWhole = Number(b, end[3]) == count; // no tie is left out
  Value below = arith::SubIOp::create(b, end[0], integer(1));
  return {gpu.select(isWhole, below, end[0]), pick(isWhole, gpu.index(0), count - Number(b, end[2]))};
}

/// What the rank of a number adds to a sum: its share of a softmax before it is divided, or what it is above zero.
Value GpuSelectTiler::weightOf(Value rank, const Census &census) {
  Value number = numberOf(rank);
  if (op().getBudget().getKind() == BudgetKind::share) {
    Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, number, gpu.f32(0));
    return gpu.select(isPositive, number, gpu.f32(0));
  }
  Value weight = math.exp(gpu.sub(number, numberOf(census.most)));
  // An infinity less itself is no number.
  return gpu.select(compare(CmpIPredicate::eq, rank, census.most), gpu.f32(1), weight);
}

Value GpuSelectTiler::sumAtLeast(const Row &row, const Census &census, Value limit) {
  Value sum = b.loop(b.index(0), row.chunks, 1, {gpu.f32(0)}, [&](Value chunk, ValueRange carried) {
    Value rank = rankAt(row, Number(b, chunk)), isNumber = both(compare(CmpIPredicate::sgt, rank, integer(kNaN)),
                                                                compare(CmpIPredicate::slt, rank, integer(kForced)));
    Value counts = both(isNumber, compare(CmpIPredicate::sge, rank, limit));
    return Values{gpu.add(carried[0], gpu.select(counts, weightOf(rank, census), gpu.f32(0)))};
  })[0];
  return gpu.acrossLanes(sum, kWarp, [&](Value x, Value y) { return gpu.add(x, y); });
}

/// As search, with sums of weights in place of counts. A row without any number leaves none but the forced.
GpuSelectTiler::Choice GpuSelectTiler::bySum(const Row &row, const Census &census) {
  Value sum = sumAtLeast(row, census, integer(kNaN)), nothing = gpu.f32(0);
  Value share = gpu.f32(op().getBudget().number()), wanted = gpu.mul(share, sum);
  Value isSound = compare(CmpIPredicate::sgt, census.most, integer(kNaN));
  if (op().getBudget().getKind() == BudgetKind::share) {
    wanted = gpu.sub(gpu.mul(share, gpu.add(sum, census.forcedSum)), census.forcedSum);
    isSound = both(isSound, arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, wanted, nothing));
  }
  Values choice = gpu.ifElse(
      isSound,
      [&] {
        Values end = gpu.whileLoop(
            {census.least, census.most, nothing, arith::ConstantIntOp::create(b, 0, 1)},
            [&](ValueRange state) { return compare(CmpIPredicate::slt, state[0], state[1]); },
            [&](ValueRange state) {
              Value mid = middle(state[0], state[1], state[3]), reached = sumAtLeast(row, census, mid);
              Value isUpper = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, reached, wanted);
              Value below = arith::SubIOp::create(b, mid, integer(1));
              return Values{gpu.select(isUpper, mid, state[0]), gpu.select(isUpper, state[1], below),
                            gpu.select(isUpper, state[2], reached), negation(state[3])};
            });
        // As many of the equal ones as their weight takes to reach the share.
        Value quotient = gpu.div(gpu.sub(wanted, end[2]), weightOf(end[0], census));
        Value most = arith::SIToFPOp::create(b, b.getF32Type(), toInteger(row.chunks * kWarp));
        Value isLess = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, quotient, most);
        quotient = gpu.select(isLess, quotient, most);
        Number whole(b, arith::FPToSIOp::create(b, b.getI32Type(), quotient));
        Value isBelow = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT,
                                              arith::SIToFPOp::create(b, b.getF32Type(), whole), quotient);
        whole = pick(isBelow, whole + 1, whole).as(b.getIndexType());
        return Values{end[0], whole.maximum(gpu.index(1))};
      },
      [&] { return Values{integer(kForced - 1), b.index(0)}; });
  return {choice[0], choice[1]};
}
