// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One device, its primary context, and memory that goes with its owner.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define TAMIS_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/device/cuda/Driver.h"
#include "runtime/device/cuda/TargetFit.h"
#include <utility>

namespace tamis::cuda {

/// Immutable once open; then usable from any thread.
class CudaDevice {
public:
  CudaDevice() = default;
  CudaDevice(const CudaDevice &) = delete;
  CudaDevice &operator=(const CudaDevice &) = delete;
  ~CudaDevice();

  /// Opens the driver (Driver::open) and device `number` of it. TAMIS_NO_DEVICE when there is no such device.
  tamis_status open(tamis_device device, const char *driverPath, int32_t number, tamis_error *error);

  const Driver &driver() const { return library; }
  ComputeCapability capability() const { return computeCapability; }
  /// "NVIDIA A100-SXM4-80GB, compute capability 8.0".
  const char *text() const { return description; }
  /// Bytes of dynamic shared memory a block can have, if the kernel asks for it.
  int32_t mostShared() const { return sharedLimit; }
  /// The driver checks every access, or compute-sanitizer does: each tensor then has an allocation of its own, so that
  /// a step beyond its end is seen. The emulated device wants it; TAMIS_CUDA_SEPARATE_BUFFERS=1 in the environment,
  /// too.
  bool wantsSeparateBuffers() const { return separateBuffers; }
  Context context() const { return primary; }

private:
  tamis_status describe(tamis_error *error);

  Driver library;
  Device device = 0;
  Context primary = nullptr;
  ComputeCapability computeCapability;
  int32_t sharedLimit = 0;
  bool separateBuffers = false;
  char description[192] = {};
};

/// Makes the device's context current in this thread for a while; what was current before is current after.
class CurrentContext {
public:
  explicit CurrentContext(const CudaDevice &device)
      : driver(device.driver()), result(driver.contextPush(device.context())) {}
  CurrentContext(const CurrentContext &) = delete;
  CurrentContext &operator=(const CurrentContext &) = delete;
  ~CurrentContext() {
    Context ignored;
    if (result == kSuccess)
      driver.contextPop(&ignored);
  }
  tamis_status check(tamis_error *error) const {
    return driver.check(result, "make the device's context current", error);
  }

private:
  const Driver &driver;
  Result result;
};

/// Device memory. The context must be current in every call, the destructor included.
class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory() { release(); }

  /// Other memory of `size` bytes, one at least; contents are lost.
  tamis_status allocate(const Driver &driver, size_t size, const char *what, tamis_error *error);
  void release();
  Address address() const { return start; }
  size_t size() const { return bytes; }

private:
  const Driver *driver = nullptr;
  Address start = 0;
  size_t bytes = 0;
};

/// Pinned memory of the host, which the device copies from and to by itself. As DeviceMemory.
class PinnedMemory {
public:
  PinnedMemory() = default;
  PinnedMemory(const PinnedMemory &) = delete;
  PinnedMemory &operator=(const PinnedMemory &) = delete;
  ~PinnedMemory() { release(); }

  tamis_status allocate(const Driver &driver, size_t size, const char *what, tamis_error *error);
  void release();
  char *data() const { return start; }
  size_t size() const { return bytes; }

private:
  const Driver *driver = nullptr;
  char *start = nullptr;
  size_t bytes = 0;
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
