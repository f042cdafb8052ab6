// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expectations, and when they change the path.

#include "runtime/budget/Controller.h"
#include "runtime/budget/Numbers.h"
#include <initializer_list>

namespace tamis::runtime {

/// How much of a new time is believed.
static constexpr double kNew = 0.3;
/// What is left of a time after each request that takes a faster path: half after 69 of them.
static constexpr double kKept = 0.99;
/// Times of a path over those of the fast one, where nothing was measured yet.
static constexpr double kUsual[kBudgetLevels] = {1, 1.3, 4};

static int sizeOf(double elements, int sizes) {
  int size = elements < 1 ? 0 : exponentOf(elements);
  return size < sizes ? size : sizes - 1;
}

const Controller::Times *Controller::nearest(BudgetLevel level, double elements) const {
  const Times *row = times[int(level)];
  int size = sizeOf(elements, kSizes);
  for (int apart = 0; apart < kSizes; ++apart)
    for (int at : {size - apart, size + apart})
      if (at >= 0 && at < kSizes && row[at].isKnown())
        return &row[at];
  return nullptr;
}

double Controller::expected(BudgetLevel level, double elements) const {
  const Times *known = nearest(level, elements);
  double ratio = 1;
  for (int other = 0; !known && other < kBudgetLevels; ++other) {
    known = nearest(BudgetLevel(other), elements);
    ratio = kUsual[int(level)] / kUsual[other];
  }
  return known ? known->seconds * ratio * (elements > 0 ? elements : 1) / known->elements : 0;
}

void Controller::observe(BudgetLevel level, double elements, double seconds) {
  if (!(seconds >= 0) || !(elements >= 0))
    return;
  elements = elements > 0 ? elements : 1;
  Times &own = times[int(level)][sizeOf(elements, kSizes)];
  // The first run of a size pays for its memory: a faster second one is believed whole.
  bool isFirst = own.runs == 0 || (own.runs == 1 && seconds * own.elements < own.seconds * elements);
  double share = isFirst ? 1 : kNew;
  ++own.runs;
  own.seconds += share * (seconds - own.seconds);
  own.elements += share * (elements - own.elements);
  // What is not run is not measured: the times of more accurate paths are forgotten, so that they are tried again.
  for (int slower = int(level) + 1; slower < kBudgetLevels; ++slower)
    times[slower][sizeOf(elements, kSizes)].seconds *= kKept;
}

/// By complexity alone; what is on a path stays there within the band.
BudgetLevel Controller::wanted(double complexity) const {
  double easy = options.easy + (current == BudgetLevel::Fast ? options.band : -options.band);
  double hard = options.hard + (current == BudgetLevel::Precise ? -options.band : options.band);
  return complexity <= easy ? BudgetLevel::Fast : complexity < hard ? BudgetLevel::Balanced : BudgetLevel::Precise;
}

bool Controller::fits(BudgetLevel level, const BudgetDemand &demand, double share) const {
  return options.latency <= 0 || demand.waited + expected(level, demand.elements) <= options.latency * share;
}

BudgetLevel Controller::decide(const BudgetDemand &demand) {
  auto change = [&](BudgetLevel level) {
    current = level;
    ++changed;
    streak = 0, direction = 0;
  };
  if (current != BudgetLevel::Fast && !fits(current, demand, 1)) {
    BudgetLevel level = current;
    while (level != BudgetLevel::Fast && !fits(level, demand, 1))
      level = BudgetLevel(int(level) - 1);
    change(level);
    return current;
  }
  BudgetLevel level = wanted(demand.complexity);
  while (level > current && !fits(level, demand, options.headroom))
    level = BudgetLevel(int(level) - 1);
  int side = level > current ? 1 : level < current ? -1 : 0;
  streak = side && side == direction ? streak + 1 : side ? 1 : 0;
  direction = side;
  if (side && streak >= options.patience)
    change(BudgetLevel(int(current) + side));
  return current;
}

} // namespace tamis::runtime
