// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How GPU kernels are cut into work groups, warps and stages: chosen by a model of what each cut costs.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tamis {

/// A product of matrices, rows x K by K x columns.
struct GpuLinearShape {
  int64_t rows; ///< one of those that may come, for the choice
  int64_t K, columns;
  bool isHalf; ///< operands lie in memory as f16, else as f32 that is rounded on its way
  /// Operands of f32 become two of f16, x = high + low, and three products of them: high * high + high * low + low *
  /// high, which is right to about 2^-21.
  bool isSplit = false;
};

/// Tiles of such a product. Each warp has warpRows x warpColumns of the group's tile.
struct GpuLinearSchedule {
  int64_t rows, columns, warpRows, warpColumns;
  int64_t stages;                      ///< tiles along K in shared memory: one is computed while others come
  bool isSplit = false;                ///< GpuLinearShape::isSplit
  static constexpr int64_t depth = 32; ///< of a tile along K

  int64_t warps() const { return rows / warpRows * (columns / warpColumns); }
  int64_t threads() const { return warps() * 32; }
  int64_t sharedBytes() const { return stages * (rows + columns) * depth * (isSplit ? 4 : 2); }

  /// Registers of a thread, about: sums, operands of one step, what is on its way to shared memory, addresses.
  int64_t registers(bool isHalf) const;
  /// Work groups that a multiprocessor holds; 0 when it cannot hold one.
  int64_t groupsPerProcessor(const GpuTarget &target, bool isHalf) const;
  /// Cycles, by the model; to be compared with that of other schedules and with nothing else.
  double cost(const GpuTarget &target, const GpuLinearShape &shape) const;
  /// "128 x 128 x 32, 4 warps of 64 x 64, 3 stages, 1 group a processor"
  std::string str(const GpuTarget &target, bool isHalf) const;

  /// "128x128x32"
  std::string name() const;

  /// All that there is code for.
  static std::vector<GpuLinearSchedule> candidates(const GpuLinearShape &shape);
  /// The cheapest. The environment variable TAMIS_LINEAR_TILE ("64x128") chooses by rows and columns instead.
  static GpuLinearSchedule choose(const GpuTarget &target, const GpuLinearShape &shape);
  /// The one of a name, where it fits the target; else what choose() gives. `decision` tells of all candidates.
  static GpuLinearSchedule decide(const GpuTarget &target, const GpuLinearShape &shape,
                                  std::optional<llvm::StringRef> wanted, GpuDecision &decision);
};

} // namespace tamis
