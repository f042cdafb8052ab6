// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a cut is chosen among candidates of any kind of product.
#pragma once

#include "codegen/schedule/GpuSchedule.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstdlib>

namespace tamis {

/// See GpuLinearSchedule::choose.
template <typename Schedule> Schedule chooseGpuTile(const GpuTarget &target, const GpuLinearShape &shape) {
  auto all = Schedule::candidates(shape);
  if (const char *wanted = std::getenv("TAMIS_LINEAR_TILE"))
    for (const Schedule &each : all)
      if (std::to_string(each.rows) + "x" + std::to_string(each.columns) == wanted)
        return each;
  return *std::min_element(all.begin(), all.end(), [&](const Schedule &a, const Schedule &b) {
    return a.cost(target, shape) < b.cost(target, shape);
  });
}

/// See GpuLinearSchedule::decide.
template <typename Schedule>
Schedule decideGpuTile(const GpuTarget &target, const GpuLinearShape &shape, std::optional<llvm::StringRef> wanted,
                       GpuDecision &decision) {
  auto n = [](int64_t value) { return std::to_string(value); };
  decision.shape = n(shape.rows) + " x " + n(shape.K) + " x " + n(shape.columns) + (shape.isSplit ? ", split" : "");
  auto all = Schedule::candidates(shape);
  std::string name = chooseGpuTile<Schedule>(target, shape).name();
  for (const Schedule &each : all) {
    GpuCandidate &candidate = decision.candidates.emplace_back();
    candidate.tile = each.name();
    candidate.warps = each.threads() / 32;
    candidate.stages = each.stages;
    candidate.registers = each.registers(shape.isHalf);
    candidate.sharedBytes = each.sharedBytes();
    candidate.groups = each.groupsPerProcessor(target, shape.isHalf);
    candidate.occupancy = double(candidate.groups * each.threads()) / double(target.threadsPerProcessor);
    candidate.cycles = each.cost(target, shape);
    if (wanted && *wanted == candidate.tile && candidate.fits()) {
      decision.byHand = name != candidate.tile;
      name = candidate.tile;
    }
  }
  auto found = llvm::find_if(all, [&](const Schedule &each) { return each.name() == name; });
  decision.chosen = found - all.begin();
  return *found;
}

} // namespace tamis
