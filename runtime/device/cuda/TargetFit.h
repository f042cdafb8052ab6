// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which devices run the code of a CUDA target.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_TARGETFIT_H
#define TAMIS_RUNTIME_DEVICE_CUDA_TARGETFIT_H

#include <cstddef>

namespace tamis::cuda {

/// Ends the name of a section that holds a cubin.
inline constexpr char kCubinEnding[] = "-cubin";

struct ComputeCapability {
  int major = 0, minor = 0;
};

/// A target by its section's name: "sm_80", "sm_90a", "sm_100f", each also with the ending "-cubin".
struct Target {
  ComputeCapability capability;
  char kind = 0;        ///< 'a': code for exactly this capability; 'f': for its family; 0: for all later ones
  bool isCubin = false; ///< machine code, else PTX

  /// False when `name` is none.
  static bool parse(const char *name, Target &target);

  /// Whether a device runs it. PTX is compiled by the driver for any later device; machine code runs on those of the
  /// same major capability. If not, why goes to `reason`.
  bool fits(ComputeCapability device, char *reason, size_t room) const;

  /// Of two that fit the larger is better: the later target, then the more specific, then machine code.
  int rank() const;
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_TARGETFIT_H
