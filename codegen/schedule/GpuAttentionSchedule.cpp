// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model of what cuts of attention cost.
#include "codegen/schedule/GpuAttentionSchedule.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

using namespace tamis;

int64_t GpuAttentionSchedule::sharedBytes(const GpuAttentionShape &shape) const {
  int64_t stage = keys * (shape.keyWidth + shape.valueWidth) * 2, own = queries * shape.keyWidth * 2;
  if (shape.isHalf) // queries are in registers before the second stage comes
    return stage + std::max(stage, own);
  return (stage + own) * (shape.isSplit ? 2 : 1);
}

int64_t GpuAttentionSchedule::registers(const GpuAttentionShape &shape) const {
  int64_t output = shape.valueWidth / 2, scores = keys / 2, operands = shape.keyWidth / 4 * (shape.isSplit ? 2 : 1);
  return output + scores + operands + 40;
}

int64_t GpuAttentionSchedule::groupsWanted(const GpuAttentionShape &shape) const {
  int64_t most = std::max(shape.keyWidth, shape.valueWidth) <= 64 ? 384 : 256; // threads
  return std::max<int64_t>(most / threads(), 1);
}

int64_t GpuAttentionSchedule::groupsPerProcessor(const GpuTarget &target, const GpuAttentionShape &shape) const {
  if (registers(shape) > 255 || sharedBytes(shape) > target.sharedPerGroup)
    return 0;
  int64_t reserved = 1024; // shared memory that the system takes of each group's
  return std::min({target.sharedPerProcessor / (sharedBytes(shape) + reserved), target.threadsPerProcessor / threads(),
                   groupsWanted(shape)});
}

double GpuAttentionSchedule::cost(const GpuTarget &target, const GpuAttentionShape &shape) const {
  // Of a multiprocessor of sm_80 a cycle: see GpuLinearSchedule::cost; 16 special functions, 128 of f32 besides, of
  // which a score takes about 4 (CUDA C++ Programming Guide, "Arithmetic Instructions").
  constexpr double multiplies = 1024, bytesPerCycle = 48, latency = 600, sharedBytesPerCycle = 128, special = 16,
                   simple = 128.0 / 4;
  int64_t held = groupsPerProcessor(target, shape);
  if (!held)
    return 1e30;
  auto ceilDiv = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  int64_t groups = shape.heads * ceilDiv(shape.queries, queries), blocks = ceilDiv(shape.keys, keys);
  int64_t waves = ceilDiv(groups, target.processors * held);
  auto sharing = double(std::min(held, ceilDiv(groups, target.processors)));
  double products = shape.isSplit ? 3 : 1, reads = shape.isSplit ? 2 : 1, element = shape.isHalf ? 2 : 4;
  auto columns = double(shape.keyWidth + shape.valueWidth);
  double arithmetic = products * queries * keys * columns / multiplies;
  // Each warp issues the instructions of one of four schedulers.
  double alone = std::max(1.0, 4.0 / (double(warps()) * sharing));
  double softmax = double(queries * keys) * (1 / special + 1 / simple);
  double transfer = keys * columns * element / bytesPerCycle;
  double shared = reads * warps() * keys * columns * 2 / sharedBytesPerCycle;
  double compute = (arithmetic + softmax) * alone;
  double bound = std::max({compute, transfer, shared}), rest = compute + transfer + shared - bound;
  // What has one stage waits for each block; other groups of the multiprocessor compute meanwhile.
  double block = shape.isHalf ? std::max(sharing * (bound + rest / 4), latency)
                              : std::max(sharing * (bound + rest / 4), latency + bound + rest);
  return double(waves) * (double(blocks) * block + 2 * latency);
}

std::string GpuAttentionSchedule::name() const {
  return std::to_string(queries) + "x" + std::to_string(keys);
}

std::vector<GpuAttentionSchedule> GpuAttentionSchedule::candidates(const GpuAttentionShape &shape) {
  std::vector<GpuAttentionSchedule> all{{64}, {32}};
  // All threads together take no more than the rows of a block at once.
  if (int64_t across = shape.keyWidth / (shape.isHalf ? 8 : 4),
      valuesAcross = shape.valueWidth / (shape.isHalf ? 8 : 4);
      256 / std::min(across, valuesAcross) <= keys)
    all.push_back({128});
  return all;
}

GpuAttentionSchedule GpuAttentionSchedule::decide(const GpuTarget &target, const GpuAttentionShape &shape,
                                                  std::optional<llvm::StringRef> wanted, GpuDecision &decision) {
  auto n = [](int64_t value) { return std::to_string(value); };
  decision.shape = n(shape.heads) + " heads, " + n(shape.queries) + " x " + n(shape.keys) + " of " + n(shape.keyWidth) +
                   (shape.isSplit ? ", split" : "");
  auto all = candidates(shape);
  auto found = std::min_element(all.begin(), all.end(), [&](const auto &a, const auto &b) {
    return a.cost(target, shape) < b.cost(target, shape);
  });
  for (auto each = all.begin(); each != all.end(); ++each) {
    GpuCandidate &candidate = decision.candidates.emplace_back();
    candidate.tile = each->name();
    candidate.warps = each->warps();
    candidate.stages = stages(shape);
    candidate.registers = each->registers(shape);
    candidate.sharedBytes = each->sharedBytes(shape);
    candidate.groups = each->groupsPerProcessor(target, shape);
    candidate.occupancy = double(candidate.groups * each->threads()) / double(target.threadsPerProcessor);
    candidate.cycles = each->cost(target, shape);
    if (wanted && *wanted == candidate.tile && candidate.fits() && found != each) {
      decision.byHand = true;
      found = each;
    }
  }
  decision.chosen = found - all.begin();
  return *found;
}
