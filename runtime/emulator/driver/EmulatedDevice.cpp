// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Models of devices, and the environment.

#include "runtime/emulator/driver/EmulatedDevice.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tamis::emulator {

static constexpr uint64_t kGiB = uint64_t(1) << 30;
static const DeviceModel kModels[] = {
    {"sm_80", "Tamis emulated sm_80 (as A100)", 108, 167936, 166912, 2048, 32, 1410000, 1215000, 5120, 41943040,
     40 * kGiB},
    {"sm_86", "Tamis emulated sm_86 (as RTX 3090)", 82, 102400, 101376, 1536, 16, 1695000, 9751000, 384, 6291456,
     24 * kGiB},
    {"sm_89", "Tamis emulated sm_89 (as L40S)", 142, 102400, 101376, 1536, 24, 2520000, 9001000, 384, 100663296,
     48 * kGiB},
    {"sm_90", "Tamis emulated sm_90 (as H100)", 132, 233472, 232448, 2048, 32, 1980000, 2619000, 5120, 52428800,
     80 * kGiB},
    {"sm_90a", "Tamis emulated sm_90a (as H100)", 132, 233472, 232448, 2048, 32, 1980000, 2619000, 5120, 52428800,
     80 * kGiB},
    {"sm_120", "Tamis emulated sm_120 (as RTX 5090)", 170, 102400, 101376, 1536, 24, 2407000, 14001000, 512, 100663296,
     32 * kGiB},
};

/// The value of a variable, or `otherwise` when it is not set.
static const char *environment(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value && *value ? value : otherwise;
}

static void warn(const char *variable, const char *value, const char *wanted) {
  fprintf(stderr, "emulated cuda: %s is '%s', wanted is %s\n", variable, value, wanted);
}

static uint64_t numberOf(const char *variable, const char *otherwise) {
  const char *text = environment(variable, otherwise);
  char *end = nullptr;
  uint64_t value = strtoull(text, &end, 10);
  if (!*end)
    return value;
  warn(variable, text, "a number");
  return strtoull(otherwise, nullptr, 10);
}

static const DeviceModel *modelOf(const char *target) {
  for (const DeviceModel &model : kModels)
    if (!strcmp(model.target, target))
      return &model;
  warn("TAMIS_EMULATED_DEVICE", target, "sm_80, sm_86, sm_89, sm_90, sm_90a or sm_120");
  return &kModels[0];
}

EmulatedDevice &EmulatedDevice::get() {
  static auto *device =
      new EmulatedDevice(); // never destroyed: other threads may call the driver while the process ends
  return *device;
}

EmulatedDevice::EmulatedDevice()
    : kind(modelOf(environment("TAMIS_EMULATED_DEVICE", "sm_80"))), deviceMemory(kind->memoryBytes),
      profilePath(environment("TAMIS_EMULATED_PROFILE", "")) {
  cuda::Target target;
  cuda::Target::parse(kind->target, target);
  computeCapability = target.capability;
  const char *word = environment("TAMIS_EMULATED_CHECKS", "fail");
  if (!strcmp(word, "off"))
    checks = Checking::Off;
  else if (!strcmp(word, "report"))
    checks = Checking::Report;
  else if (strcmp(word, "fail"))
    warn("TAMIS_EMULATED_CHECKS", word, "fail, report or off");
  launchOptions.checks = checks != Checking::Off;
  launchOptions.traffic = !profilePath.empty();
  launchOptions.seed = numberOf("TAMIS_EMULATED_SEED", "0");
  launchOptions.threads = uint32_t(numberOf("TAMIS_EMULATED_THREADS", "0"));
}

bool EmulatedDevice::runs(const std::string &name, char *reason, size_t room) const {
  cuda::Target target;
  if (!cuda::Target::parse(name.c_str(), target)) {
    snprintf(reason, room, "'%s' is no target", name.c_str());
    return false;
  }
  // sm_90a is a feature set, which a device that is like sm_90 does not offer.
  if (target.kind && name != kind->target) {
    snprintf(reason, room, "is code for %s alone, the device is %s", name.c_str(), kind->target);
    return false;
  }
  return target.fits(computeCapability, reason, room);
}

int32_t EmulatedDevice::attribute(cuda::DeviceAttribute which) const {
  switch (which) {
  case cuda::kMaxThreadsPerBlock:
  case cuda::kMaxBlockX:
  case cuda::kMaxBlockY:
    return 1024;
  case cuda::kMaxBlockZ:
    return 64;
  case cuda::kMaxGridX:
    return 0x7fffffff;
  case cuda::kMaxGridY:
  case cuda::kMaxGridZ:
    return 65535;
  case cuda::kMaxSharedPerBlock:
    return 48 << 10;
  case cuda::kTotalConstantMemory:
  case cuda::kMaxRegistersPerBlock:
  case cuda::kMaxRegistersPerMultiprocessor:
    return 65536;
  case cuda::kWarpSize:
    return 32;
  case cuda::kClockRate:
    return kind->clock;
  case cuda::kMultiprocessors:
    return kind->multiprocessors;
  case cuda::kMemoryClockRate:
    return kind->memoryClock;
  case cuda::kMemoryBusWidth:
    return kind->busWidth;
  case cuda::kL2Bytes:
    return kind->l2Bytes;
  case cuda::kMaxThreadsPerMultiprocessor:
    return kind->threadsPerMultiprocessor;
  case cuda::kComputeCapabilityMajor:
    return computeCapability.major;
  case cuda::kComputeCapabilityMinor:
    return computeCapability.minor;
  case cuda::kMaxSharedPerMultiprocessor:
    return kind->sharedPerMultiprocessor;
  case cuda::kMaxSharedPerBlockOptIn:
    return kind->sharedPerBlock;
  case cuda::kMaxBlocksPerMultiprocessor:
    return kind->blocksPerMultiprocessor;
  case cuda::kReservedSharedPerBlock:
    return 1024;
  case cuda::kCanMapHostMemory:
  case cuda::kConcurrentKernels:
  case cuda::kUnifiedAddressing:
  case cuda::kAsyncEngines:
    return 1;
  case cuda::kIntegrated:
  case cuda::kComputeMode:
  case cuda::kPciBus:
  case cuda::kPciDevice:
  case cuda::kManagedMemory:
  case cuda::kCooperativeLaunch:
    return 0;
  }
  return 0; // of what it does not know the device has nothing
}

void EmulatedDevice::profile(const std::string &kernel, const LaunchShape &shape, const Counts &counts,
                             double seconds) {
  FILE *file = profilePath.empty() ? nullptr : fopen(profilePath.c_str(), "a");
  if (!file)
    return;
  auto number = [&](const char *name, uint64_t value) {
    fprintf(file, ",\"%s\":%llu", name, static_cast<unsigned long long>(value));
  };
  fprintf(file, "{\"kernel\":\"%s\",\"target\":\"%s\",\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u]", kernel.c_str(),
          kind->target, shape.gridX, shape.gridY, shape.gridZ, shape.blockX, shape.blockY, shape.blockZ);
  number("shared_bytes", shape.sharedBytes);
  number("warp_instructions", counts.warpInstructions);
  number("tensor_macs", counts.tensorMacs);
  number("special_functions", counts.specialFunctions);
  number("global_load_bytes", counts.globalLoadBytes);
  number("global_store_bytes", counts.globalStoreBytes);
  number("global_sectors", counts.globalSectors);
  number("ideal_global_sectors", counts.idealGlobalSectors);
  number("shared_wavefronts", counts.sharedWavefronts);
  number("ideal_shared_wavefronts", counts.idealSharedWavefronts);
  fprintf(file, ",\"interpreter_seconds\":%.6f}\n", seconds);
  fclose(file);
}

} // namespace tamis::emulator
