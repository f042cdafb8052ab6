// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA driver library, opened at run time.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_DRIVER_H
#define TAMIS_RUNTIME_DEVICE_CUDA_DRIVER_H

#include "runtime/device/cuda/DriverTypes.h"
#include "tamis/tamis.h"

// X(member, symbol, parameter types...). The symbol is that of the version of the interface whose parameters these are.
#define TAMIS_CUDA_REQUIRED(X)                                                                                         \
  X(deviceGetCount, "cuDeviceGetCount", int32_t *)                                                                     \
  X(deviceGet, "cuDeviceGet", Device *, int32_t)                                                                       \
  X(deviceGetName, "cuDeviceGetName", char *, int32_t, Device)                                                         \
  X(deviceGetAttribute, "cuDeviceGetAttribute", int32_t *, DeviceAttribute, Device)                                    \
  X(primaryContextRetain, "cuDevicePrimaryCtxRetain", Context *, Device)                                               \
  X(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", Device)                                                     \
  X(contextPush, "cuCtxPushCurrent_v2", Context)                                                                       \
  X(contextPop, "cuCtxPopCurrent_v2", Context *)                                                                       \
  X(moduleLoadData, "cuModuleLoadDataEx", Module *, const void *, unsigned, JitOption *, void **)                      \
  X(moduleUnload, "cuModuleUnload", Module)                                                                            \
  X(moduleGetFunction, "cuModuleGetFunction", Function *, Module, const char *)                                        \
  X(functionSetAttribute, "cuFuncSetAttribute", Function, FunctionAttribute, int32_t)                                  \
  X(memoryAllocate, "cuMemAlloc_v2", Address *, size_t)                                                                \
  X(memoryFree, "cuMemFree_v2", Address)                                                                               \
  X(hostAllocate, "cuMemHostAlloc", void **, size_t, unsigned)                                                         \
  X(hostFree, "cuMemFreeHost", void *)                                                                                 \
  X(copyToDevice, "cuMemcpyHtoD_v2", Address, const void *, size_t)                                                    \
  X(copyToDeviceAsync, "cuMemcpyHtoDAsync_v2", Address, const void *, size_t, Stream)                                  \
  X(copyToHostAsync, "cuMemcpyDtoHAsync_v2", void *, Address, size_t, Stream)                                          \
  X(streamCreate, "cuStreamCreate", Stream *, unsigned)                                                                \
  X(streamDestroy, "cuStreamDestroy_v2", Stream)                                                                       \
  X(streamSynchronize, "cuStreamSynchronize", Stream)                                                                  \
  X(eventCreate, "cuEventCreate", Event *, unsigned)                                                                   \
  X(eventDestroy, "cuEventDestroy_v2", Event)                                                                          \
  X(eventRecord, "cuEventRecord", Event, Stream)                                                                       \
  X(eventElapsedTime, "cuEventElapsedTime", float *, Event, Event)                                                     \
  X(launchKernel, "cuLaunchKernel", Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,    \
    Stream, void **, void **)

// Without all of these, runs are launched dispatch by dispatch.
#define TAMIS_CUDA_GRAPHS(X)                                                                                           \
  X(streamBeginCapture, "cuStreamBeginCapture_v2", Stream, CaptureMode)                                                \
  X(streamEndCapture, "cuStreamEndCapture", Stream, Graph *)                                                           \
  X(graphInstantiate, "cuGraphInstantiateWithFlags", GraphExec *, Graph, unsigned long long)                           \
  X(graphLaunch, "cuGraphLaunch", GraphExec, Stream)                                                                   \
  X(graphDestroy, "cuGraphDestroy", Graph)                                                                             \
  X(graphExecDestroy, "cuGraphExecDestroy", GraphExec)

namespace tamis::cuda {

/// Immutable once open; then const members and the entry points may be used from any thread. The library stays loaded
/// until the process ends: NVIDIA's driver keeps threads and exit handlers of its own.
class Driver {
public:
  /// The oldest driver plans run on, as cuDriverGetVersion counts: CUDA 11.0 is the first that knows sm_80.
  static constexpr int32_t kOldest = 11000;

  Driver() = default;
  Driver(const Driver &) = delete;
  Driver &operator=(const Driver &) = delete;

  /// Opens the library at `path`, or the one of `device` when it is null: TAMIS_CUDA_DRIVER of the environment or
  /// libcuda.so.1; for the emulated device libtamis_emulated_cuda.so beside the runtime. TAMIS_NO_DEVICE when it is
  /// missing, too old, lacks an entry point or will not start; each with a message of its own.
  tamis_status open(tamis_device device, const char *path, tamis_error *error);

  /// TAMIS_OK for kSuccess; else "cannot WHAT: NAME (TEXT)" with the driver's name and text of the result, as
  /// TAMIS_OUT_OF_MEMORY or TAMIS_DEVICE_FAILED.
  tamis_status check(Result result, const char *what, tamis_error *error) const;
  /// The driver's own "NAME (TEXT)" of a result, written to `text`.
  void describe(Result result, char *text, size_t room) const;

  /// 12040 for CUDA 12.4.
  int32_t version() const { return versionNumber; }
  bool hasGraphs() const { return graphs; }

#define TAMIS_ENTRY(member, symbol, ...) Result (*member)(__VA_ARGS__) = nullptr;
  TAMIS_CUDA_REQUIRED(TAMIS_ENTRY)
  TAMIS_CUDA_GRAPHS(TAMIS_ENTRY)
#undef TAMIS_ENTRY

private:
  tamis_status load(tamis_device device, const char *path, tamis_error *error);
  tamis_status start(tamis_error *error);
  tamis_status findEntryPoints(tamis_error *error);
  template <typename Pointer> bool find(const char *symbol, Pointer &pointer) const;

  void *library = nullptr;
  char name[256] = {}; ///< of the library, for messages
  int32_t versionNumber = 0;
  bool graphs = false;
  Result (*getErrorName)(Result, const char **) = nullptr;
  Result (*getErrorString)(Result, const char **) = nullptr;
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_DRIVER_H
