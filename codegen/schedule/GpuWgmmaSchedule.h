// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How products of warp groups are cut: chosen by a model of what each cut costs.
#pragma once

#include "codegen/schedule/GpuSchedule.h"

namespace tamis {

/// Tiles of a product of matrices on sm_90a. Warp groups share the rows of a work group's tile; each has whole columns.
struct GpuWgmmaSchedule {
  int64_t rows, columns;
  int64_t warpGroups;                  ///< of 128 threads
  int64_t stages;                      ///< tiles along K in shared memory: one is computed while others come
  static constexpr int64_t depth = 64; ///< of a tile along K: f16 of 128 bytes

  int64_t threads() const { return warpGroups * 128; }
  int64_t sharedBytes() const { return stages * (rows + columns) * depth * 2; }
  /// Blocks of 64 rows that a warp group has.
  int64_t parts() const { return rows / warpGroups / 64; }
  /// Registers of a thread, about.
  int64_t registers(bool isHalf) const;
  /// Work groups that a multiprocessor holds; 0 when it cannot hold one.
  int64_t groupsPerProcessor(const GpuTarget &target, bool isHalf) const;
  /// Cycles, by the model; to be compared with that of other schedules and with nothing else.
  double cost(const GpuTarget &target, const GpuLinearShape &shape) const;
  /// "128 x 128 x 64, 1 warp group, 3 stages, 2 groups a processor"
  std::string str(const GpuTarget &target, bool isHalf) const;

  /// "128x128x64"
  std::string name() const;

  static std::vector<GpuWgmmaSchedule> candidates(const GpuLinearShape &shape);
  /// As GpuLinearSchedule::decide.
  static GpuWgmmaSchedule decide(const GpuTarget &target, const GpuLinearShape &shape,
                                 std::optional<llvm::StringRef> wanted, GpuDecision &decision);
};

} // namespace tamis
