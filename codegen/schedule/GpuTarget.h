// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What GPU kernels are generated for.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace tamis {

/// An NVIDIA GPU that code is generated for. Limits of the hardware: CUDA C++ Programming Guide, "Compute
/// Capabilities".
struct GpuTarget {
  std::string name;            ///< as plans call it, and LLVM's -mcpu: "sm_80"
  std::string features;        ///< LLVM's, the PTX version among them: "+ptx80"
  int64_t sharedPerGroup;      ///< bytes that a work group may ask for
  int64_t sharedPerProcessor;  ///< bytes of a multiprocessor
  int64_t registers;           ///< 32-bit registers of a multiprocessor
  int64_t threadsPerProcessor; ///< that may be resident
  int64_t processors;          ///< multiprocessors of the GPU that the schedule has in mind

  /// Whether there are instructions of warp groups: wgmma.
  bool hasWarpGroups() const { return name == "sm_90a"; }

  /// `sm_80`, `sm_86`, `sm_89`, `sm_90`, `sm_90a`, `sm_120`, with or without a leading `cuda:`. All but sm_80 are taken
  /// as its relatives. Errors: an unknown name; the message lists the known ones.
  static llvm::Expected<GpuTarget> parse(llvm::StringRef name);
};

} // namespace tamis
