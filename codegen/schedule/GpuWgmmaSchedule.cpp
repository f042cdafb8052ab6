// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model of what cuts of products of warp groups cost.
#include "codegen/schedule/GpuWgmmaSchedule.h"

#include "codegen/schedule/GpuChoice.h"

using namespace tamis;

int64_t GpuWgmmaSchedule::registers(bool isHalf) const {
  int64_t staged = isHalf ? 0 : (rows + columns) * depth / threads();
  return parts() * columns / 2 + staged + 50;
}

int64_t GpuWgmmaSchedule::groupsPerProcessor(const GpuTarget &target, bool isHalf) const {
  if (registers(isHalf) > 255 || sharedBytes() > target.sharedPerGroup)
    return 0;
  int64_t reserved = 1024; // shared memory that the system takes of each group's
  return std::min({target.sharedPerProcessor / (sharedBytes() + reserved), target.threadsPerProcessor / threads(),
                   target.registers / (registers(isHalf) * threads())});
}

double GpuWgmmaSchedule::cost(const GpuTarget &target, const GpuLinearShape &shape) const {
  // A multiprocessor of sm_90 multiplies 2048 pairs of f16 a cycle (H100 whitepaper: 989 TFLOPS at 1.83 GHz of 132),
  // and takes about 48 bytes a cycle from the second-level cache.
  constexpr double multiplies = 2048, bytesPerCycle = 48, latency = 700, sumsPerWarp = 1.0 / 8;
  int64_t held = groupsPerProcessor(target, shape.isHalf);
  if (!held)
    return 1e30;
  auto ceilDiv = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t groups = ceilDiv(shape.rows, rows) * ceilDiv(shape.columns, columns), tiles = ceilDiv(shape.K, depth);
  int64_t waves = ceilDiv(groups, target.processors * held);
  double sharing = double(std::min(held, ceilDiv(groups, target.processors)));
  double arithmetic = rows * columns * depth / multiplies;
  double transfer = (rows + columns) * depth * (shape.isHalf ? 2.0 : 4.0) / bytesPerCycle;
  double bound = std::max(arithmetic, transfer), rest = std::min(arithmetic, transfer);
  double tile = std::max(sharing * (bound + rest / 4), latency / double(stages - 1));
  double epilogue = latency + rows * columns * sumsPerWarp;
  return waves * (tiles * tile + latency + epilogue);
}

std::string GpuWgmmaSchedule::str(const GpuTarget &target, bool isHalf) const {
  auto n = [](int64_t value) { return std::to_string(value); };
  int64_t held = groupsPerProcessor(target, isHalf);
  return n(rows) + " x " + n(columns) + " x " + n(depth) + ", " + n(warpGroups) +
         (warpGroups == 1 ? " warp group, " : " warp groups, ") + n(stages) + " stages, " + n(held) +
         (held == 1 ? " group" : " groups") + " a processor";
}

std::string GpuWgmmaSchedule::name() const {
  return std::to_string(rows) + "x" + std::to_string(columns) + "x" + std::to_string(depth);
}

std::vector<GpuWgmmaSchedule> GpuWgmmaSchedule::candidates(const GpuLinearShape &shape) {
  if (shape.isHalf)
    return {{128, 128, 1, 3}, {64, 128, 1, 4}, {64, 64, 1, 4}};
  return {{128, 128, 2, 2}, {64, 128, 1, 2}, {64, 64, 1, 2}};
}

GpuWgmmaSchedule GpuWgmmaSchedule::decide(const GpuTarget &target, const GpuLinearShape &shape,
                                          std::optional<llvm::StringRef> wanted, GpuDecision &decision) {
  return decideGpuTile<GpuWgmmaSchedule>(target, shape, wanted, decision);
}
