// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of the emulated driver: what is asked for is checked as a driver checks it, then interpreted.

#include "runtime/emulator/driver/DriverObjects.h"
#include <cstdio>
#include <cstring>

using namespace tamis;
using namespace tamis::cuda;

static Result refuse(const emulator::EntryInfo &entry, Result result, const std::string &why) {
  fprintf(stderr, "emulated cuda: kernel '%s' is not launched: %s\n", entry.name.c_str(), why.c_str());
  return result;
}

/// The parameters as one block of bytes: from the caller's, or from a pointer to each.
static Result takeParameters(const emulator::EntryInfo &entry, void **parameters, void **extra,
                             std::vector<uint8_t> &bytes) {
  bytes.assign(entry.parameterBytes, 0);
  if (parameters) {
    for (size_t i = 0; i < entry.parameters.size(); ++i) {
      if (!parameters[i])
        return refuse(entry, kInvalidValue, "the pointer to parameter " + std::to_string(i) + " is null");
      memcpy(&bytes[entry.parameters[i].offset], parameters[i], entry.parameters[i].bytes);
    }
    return kSuccess;
  }
  const void *buffer = nullptr;
  size_t size = 0;
  for (void **at = extra; at && *at != launchMark(kLaunchEnd); at += 2) {
    if (*at == launchMark(kLaunchBuffer))
      buffer = at[1];
    else if (*at == launchMark(kLaunchBufferBytes))
      size = *static_cast<size_t *>(at[1]);
    else
      return refuse(entry, kInvalidValue, "its extra options are none that are known");
  }
  // The end may be rounded up to the largest parameter's alignment.
  if (size < entry.parameterBytes || size >= size_t(entry.parameterBytes) + 8)
    return refuse(entry, kInvalidValue,
                  "it was given " + std::to_string(size) + " bytes of parameters and takes " +
                      std::to_string(entry.parameterBytes));
  if (!bytes.empty())
    memcpy(bytes.data(), buffer, bytes.size());
  return kSuccess;
}

static Result checkShape(const FunctionObject &function, const emulator::LaunchShape &shape) {
  const emulator::EntryInfo &entry = *function.entry;
  uint64_t threads = uint64_t(shape.blockX) * shape.blockY * shape.blockZ;
  if (!shape.gridX || !shape.gridY || !shape.gridZ || !threads)
    return refuse(entry, kInvalidValue, "a size of its grid or block is 0");
  if (shape.gridX > kMostBlocks || shape.gridY > 65535 || shape.gridZ > 65535)
    return refuse(entry, kInvalidValue, "its grid is larger than a device's");
  uint64_t most = entry.maxThreads ? entry.maxThreads : 1024;
  if (threads > most || shape.blockZ > 64)
    return refuse(entry, kInvalidValue,
                  "its block has " + std::to_string(threads) + " threads, at most " + std::to_string(most) +
                      " are allowed");
  if (int64_t(shape.sharedBytes) > function.dynamicShared)
    return refuse(entry, kInvalidValue,
                  "it asks for " + std::to_string(shape.sharedBytes) +
                      " bytes of dynamic shared memory, cuFuncSetAttribute allowed " +
                      std::to_string(function.dynamicShared));
  return kSuccess;
}

static Result run(const std::shared_ptr<emulator::Module> &module, const std::string &name,
                  const emulator::LaunchShape &shape, const std::vector<uint8_t> &parameters) {
  constexpr size_t most = 20; // findings that are printed of a launch
  auto &device = emulator::EmulatedDevice::get();
  auto start = std::chrono::steady_clock::now();
  emulator::Report report =
      emulator::launch(*module, name, shape, parameters.data(), parameters.size(), device.options());
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  device.profile(name, shape, report.counts, time.count());
  for (size_t i = 0; i < report.diagnostics.size() && i < most; ++i)
    fprintf(stderr, "emulated cuda: kernel '%s': %s\n", name.c_str(), report.diagnostics[i].text().c_str());
  if (report.diagnostics.size() > most)
    fprintf(stderr, "emulated cuda: kernel '%s': %zu more findings\n", name.c_str(), report.diagnostics.size() - most);
  if (report.failed()) // it trapped, or ended early: as on a device, whatever is looked for
    return currentContexts().back()->failure = kLaunchFailed;
  return report.diagnostics.empty() ? kSuccess : found();
}

TAMIS_CUDA_API cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                              unsigned blockY, unsigned blockZ, unsigned shared, Stream stream, void **parameters,
                              void **extra) {
  TAMIS_CUDA_ENTER;
  if (!function)
    return kInvalidHandle;
  emulator::LaunchShape shape{gridX, gridY, gridZ, blockX, blockY, blockZ, shared};
  std::vector<uint8_t> bytes;
  if (Result result = checkShape(*function, shape))
    return result;
  if (Result result = takeParameters(*function->entry, parameters, extra, bytes))
    return result;
  // Held by value: a graph may outlive the module's handle.
  return enqueue(stream, [module = function->module->module, name = function->entry->name, shape, bytes] {
    return run(module, name, shape, bytes);
  });
}
