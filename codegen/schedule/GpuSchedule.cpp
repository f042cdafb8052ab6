// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model of what cuts of GPU kernels cost.
#include "codegen/schedule/GpuSchedule.h"

#include "codegen/schedule/GpuChoice.h"

using namespace tamis;

int64_t GpuLinearSchedule::registers(bool isHalf) const {
  int64_t sums = warpRows * warpColumns / 32, operands = warpRows / 16 * 4 + warpColumns / 8 * 2;
  if (isSplit) // the other half of the input, while that of the weight is read
    operands += warpRows / 16 * 4;
  int64_t staged = isHalf ? 0 : (rows + columns) * depth / threads();
  return sums + operands + staged + 40;
}

int64_t GpuLinearSchedule::groupsPerProcessor(const GpuTarget &target, bool isHalf) const {
  if (registers(isHalf) > 255 || sharedBytes() > target.sharedPerGroup)
    return 0;
  int64_t reserved = 1024; // shared memory that the system takes of each group's
  return std::min({target.sharedPerProcessor / (sharedBytes() + reserved), target.threadsPerProcessor / threads(),
                   target.registers / (registers(isHalf) * threads())});
}

double GpuLinearSchedule::cost(const GpuTarget &target, const GpuLinearShape &shape) const {
  // A multiprocessor of sm_80 multiplies 1024 pairs of f16 a cycle (A100 whitepaper: 312 TFLOPS at 1.41 GHz of 108),
  // and takes about 48 bytes a cycle from the second-level cache (5120 a cycle for all).
  constexpr double multiplies = 1024, bytesPerCycle = 48, latency = 600, sharedBytesPerCycle = 128,
                   sumsPerWarp = 1.0 / 8;
  int64_t held = groupsPerProcessor(target, shape.isHalf);
  if (!held)
    return 1e30;
  auto ceilDiv = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t groups = ceilDiv(shape.rows, rows) * ceilDiv(shape.columns, columns), tiles = ceilDiv(shape.K, depth);
  int64_t waves = ceilDiv(groups, target.processors * held);
  // Groups that share a multiprocessor: of the last wave too.
  double sharing = double(std::min(held, ceilDiv(groups, target.processors)));
  double element = shape.isHalf ? 2 : 4;
  double products = isSplit ? 3 : 1, reads = isSplit ? 2 : 1;
  double arithmetic = products * rows * columns * depth / multiplies;
  // Each warp issues the matrix instructions of one of four schedulers.
  arithmetic = std::max(arithmetic, products * warpRows * warpColumns * depth / (multiplies / 4));
  double transfer = (rows + columns) * depth * element / bytesPerCycle;
  double shared = reads * warps() * (warpRows + warpColumns) * depth * 2 / sharedBytesPerCycle;
  // What does not bound the whole hides behind what does, but for some.
  double bound = std::max({arithmetic, transfer, shared}), rest = arithmetic + transfer + shared - bound;
  double tile = std::max(sharing * (bound + rest / 4), latency / double(stages - 1));
  double epilogue = latency + rows * columns * sumsPerWarp;
  return waves * (tiles * tile + latency + epilogue);
}

std::string GpuLinearSchedule::str(const GpuTarget &target, bool isHalf) const {
  auto n = [](int64_t value) { return std::to_string(value); };
  int64_t held = groupsPerProcessor(target, isHalf);
  return n(rows) + " x " + n(columns) + " x " + n(depth) + ", " + n(warps()) + " warps of " + n(warpRows) + " x " +
         n(warpColumns) + ", " + n(stages) + " stages, " + n(held) + (held == 1 ? " group" : " groups") +
         " a processor" + (isSplit ? ", split" : "");
}

std::string GpuLinearSchedule::name() const {
  return std::to_string(rows) + "x" + std::to_string(columns) + "x" + std::to_string(depth);
}

std::vector<GpuLinearSchedule> GpuLinearSchedule::candidates(const GpuLinearShape &shape) {
  if (shape.isHalf)
    return {
        {128, 128, 64, 64, 3}, {128, 64, 64, 32, 4}, {64, 128, 32, 64, 4}, {64, 64, 32, 32, 4}, {32, 64, 16, 32, 4}};
  // Sums, and what is on its way, share the registers: warps have smaller tiles.
  std::vector<GpuLinearSchedule> all{
      {128, 128, 64, 32, 2}, {64, 128, 32, 32, 2}, {64, 64, 32, 32, 2}, {32, 64, 16, 32, 2}};
  for (GpuLinearSchedule &each : all)
    each.isSplit = shape.isSplit;
  return all;
}

GpuLinearSchedule GpuLinearSchedule::choose(const GpuTarget &target, const GpuLinearShape &shape) {
  return chooseGpuTile<GpuLinearSchedule>(target, shape);
}

GpuLinearSchedule GpuLinearSchedule::decide(const GpuTarget &target, const GpuLinearShape &shape,
                                            std::optional<llvm::StringRef> wanted, GpuDecision &decision) {
  return decideGpuTile<GpuLinearSchedule>(target, shape, wanted, decision);
}
