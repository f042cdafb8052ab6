// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one device of the emulated driver, and what the environment says of it:
//   TAMIS_EMULATED_DEVICE    which GPU it is like: sm_80 (the default), sm_86, sm_89, sm_90, sm_90a, sm_120
//   TAMIS_EMULATED_CHECKS    fail (the default): what is found goes to standard error and the launch fails; report: it
//                            goes there, and the program runs on; off: nothing is looked for
//   TAMIS_EMULATED_SEED      of the order in which warps run; 0
//   TAMIS_EMULATED_THREADS   blocks that are run at a time; one a processor
//   TAMIS_EMULATED_PROFILE   a file that gets a line of JSON with the counts of each launch
// Counts and times are those of an interpreter: they say nothing of a GPU's speed.

#ifndef TAMIS_RUNTIME_EMULATOR_DRIVER_EMULATEDDEVICE_H
#define TAMIS_RUNTIME_EMULATOR_DRIVER_EMULATEDDEVICE_H

#include "runtime/device/cuda/DriverTypes.h"
#include "runtime/device/cuda/TargetFit.h"
#include "runtime/emulator/Emulator.h"

namespace tamis::emulator {

/// What a GPU of an architecture is like; from the tables of NVIDIA's programming guide and of its white papers.
struct DeviceModel {
  const char *target; ///< "sm_80"
  const char *name;
  int32_t multiprocessors, sharedPerMultiprocessor, sharedPerBlock; ///< bytes; the last on request
  int32_t threadsPerMultiprocessor, blocksPerMultiprocessor;
  int32_t clock, memoryClock, busWidth, l2Bytes; ///< kHz, kHz, bits
  uint64_t memoryBytes;
};

enum class Checking : uint8_t { Off, Report, Fail };

/// Made at the first call of the driver; lives as long as the process.
class EmulatedDevice {
public:
  static EmulatedDevice &get();

  const DeviceModel &model() const { return *kind; }
  cuda::ComputeCapability capability() const { return computeCapability; }
  /// Code for this target runs; why not goes to `reason`.
  bool runs(const std::string &target, char *reason, size_t room) const;
  int32_t attribute(cuda::DeviceAttribute which) const;

  Memory &memory() { return deviceMemory; }
  Checking checking() const { return checks; }
  const Options &options() const { return launchOptions; }
  /// Appends the counts of a launch to the profile, if there is one.
  void profile(const std::string &kernel, const LaunchShape &shape, const Counts &counts, double seconds);

private:
  EmulatedDevice();

  const DeviceModel *kind;
  cuda::ComputeCapability computeCapability;
  Checking checks = Checking::Fail;
  Options launchOptions;
  Memory deviceMemory;
  std::string profilePath;
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_DRIVER_EMULATEDDEVICE_H
