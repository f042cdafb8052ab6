// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How attention on GPUs is cut: chosen by a model of what each cut costs.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include <optional>

namespace tamis {

struct GpuAttentionShape {
  int64_t heads;                ///< of all batch items, one of those that may come, for the choice
  int64_t queries, keys;        ///< so are these
  int64_t keyWidth, valueWidth; ///< columns of a head, as they lie in shared memory
  bool isHalf;                  ///< operands lie in memory as f16, else as f32 that is rounded on its way
  bool isSplit;                 ///< GpuLinearShape::isSplit
};

/// Queries of a work group, 16 a warp; keys come in blocks, with their values.
struct GpuAttentionSchedule {
  int64_t queries;
  static constexpr int64_t keys = 64; ///< of a block

  int64_t warps() const { return queries / 16; }
  int64_t threads() const { return warps() * 32; }
  static int64_t stages(const GpuAttentionShape &shape) { return shape.isHalf ? 2 : 1; }
  /// Where the queries lie behind a block of keys and values, f16 of all.
  int64_t sharedBytes(const GpuAttentionShape &shape) const;
  /// Registers of a thread, about.
  int64_t registers(const GpuAttentionShape &shape) const;
  /// Work groups for which the assembler shall share out registers: left to itself, it spills to hold one more.
  int64_t groupsWanted(const GpuAttentionShape &shape) const;
  /// Work groups that a multiprocessor holds; 0 when it cannot hold one.
  int64_t groupsPerProcessor(const GpuTarget &target, const GpuAttentionShape &shape) const;
  /// Cycles, by the model; to be compared with that of other schedules and with nothing else.
  double cost(const GpuTarget &target, const GpuAttentionShape &shape) const;
  /// "64x64"
  std::string name() const;

  /// All that there is code for.
  static std::vector<GpuAttentionSchedule> candidates(const GpuAttentionShape &shape);
  /// The one of a name, where it fits the target; else the cheapest. `decision` tells of all candidates.
  static GpuAttentionSchedule decide(const GpuTarget &target, const GpuAttentionShape &shape,
                                     std::optional<llvm::StringRef> wanted, GpuDecision &decision);
};

} // namespace tamis
