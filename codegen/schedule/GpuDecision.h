// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What was decided about the launch of GPU kernels, from what, and decisions that are made by hand.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis {

/// One way to cut a kernel, as the cost model sees it. What there is no model of is 0.
struct GpuCandidate {
  std::string tile;        ///< its name among the kernel's candidates: "128x128x32"
  int64_t warps = 0;       ///< of a work group
  int64_t stages = 0;      ///< of shared memory
  int64_t registers = 0;   ///< of a thread, about
  int64_t sharedBytes = 0; ///< of a work group
  int64_t groups = 0;      ///< that a multiprocessor holds; one that holds none cannot be chosen
  double occupancy = 0;    ///< share of the threads that a multiprocessor may hold
  double cycles = 0;       ///< predicted; to be compared within one kernel and with nothing else
  bool fits() const { return groups > 0; }
};

/// What was decided about one kernel.
struct GpuDecision {
  std::string kernel;                   ///< name
  std::string shape;                    ///< that the choice was made for: "128 x 384 x 1536"; may be empty
  std::vector<GpuCandidate> candidates; ///< at least one
  size_t chosen = 0;                    ///< of the candidates
  bool byHand = false;                  ///< not what the cost model would choose

  const std::string &tile() const { return candidates[chosen].tile; }
};

/// What the PTX interpreter counted of a candidate, for each work group, and what NVIDIA's assembler says of it.
struct GpuCounts {
  double instructions = 0;     ///< of warps
  double tensorMacs = 0;       ///< multiply-accumulates of matrix instructions
  double specialFunctions = 0; ///< of lanes
  double wavefronts = 0;       ///< passes over the banks of shared memory
  double sectors = 0;          ///< of 32 bytes of global memory
  double barriers = 0;         ///< that each warp comes to
  int64_t registers = 0;       ///< of a thread, by the assembler; 0 where there is none
  int64_t spillBytes = 0;      ///< of a thread, by the assembler
  int64_t groups = 0;          ///< that a multiprocessor holds, by those registers or the estimate; 0: not counted
  double cycles = 0;           ///< of the grid, which follow; 0: not counted, for it does not fit
};

/// All of one target.
struct GpuDecisions {
  std::string target;
  std::vector<GpuDecision> kernels;
  /// Of the kernels that were tuned: what was counted of each candidate. Their choices follow from that.
  std::map<std::string, std::vector<GpuCounts>> counted;
};

/// Tiles by target and kernel.
using GpuChoices = std::map<std::string, std::map<std::string, std::string>>;

/// {"targets": [{"target", "kernels": [{"kernel", "shape", "chosen", "by_hand", "tuned", "candidates": [{"tile",
/// ...}]}]}]}, which parseGpuChoices reads back when "chosen" was edited.
std::string printGpuDecisions(llvm::ArrayRef<GpuDecisions> targets);
/// The same as a table for people.
std::string tableOfGpuDecisions(llvm::ArrayRef<GpuDecisions> targets);
/// Reads the "chosen" of every kernel. Errors: text that is not of this form; `name` is for the message.
llvm::Expected<GpuChoices> parseGpuChoices(llvm::StringRef text, llvm::StringRef name);

} // namespace tamis
