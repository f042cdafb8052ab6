// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Choosing a device and asking what it is.

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

using tamis::runtime::fail;

namespace tamis::cuda {

CudaDevice::~CudaDevice() {
  if (primary)
    library.primaryContextRelease(device);
}

tamis_status CudaDevice::open(tamis_device kind, const char *driverPath, int32_t number, tamis_error *error) {
  TAMIS_TRY(library.open(kind, driverPath, error));
  int32_t count = 0;
  TAMIS_TRY(library.check(library.deviceGetCount(&count), "count the CUDA devices", error));
  if (!count)
    return fail(error, TAMIS_NO_DEVICE, "the CUDA driver knows no device");
  if (number < 0 || number >= count)
    return fail(error, TAMIS_NO_DEVICE, "CUDA device %d was asked for, there %s %d", int(number),
                count == 1 ? "is" : "are", int(count));
  TAMIS_TRY(library.check(library.deviceGet(&device, number), "get the CUDA device", error));
  TAMIS_TRY(describe(error));
  const char *separate = getenv("TAMIS_CUDA_SEPARATE_BUFFERS");
  separateBuffers = separate && *separate ? strcmp(separate, "0") != 0 : kind == TAMIS_DEVICE_EMULATED;
  return library.check(library.primaryContextRetain(&primary, device), "start the CUDA device", error);
}

tamis_status CudaDevice::describe(tamis_error *error) {
  char name[128] = {};
  TAMIS_TRY(library.check(library.deviceGetName(name, sizeof name - 1, device), "name the CUDA device", error));
  int32_t major = 0, minor = 0;
  struct {
    DeviceAttribute attribute;
    int32_t *value;
  } const wanted[] = {
      {kComputeCapabilityMajor, &major}, {kComputeCapabilityMinor, &minor}, {kMaxSharedPerBlockOptIn, &sharedLimit}};
  for (const auto &each : wanted)
    TAMIS_TRY(library.check(library.deviceGetAttribute(each.value, each.attribute, device),
                            "ask what the CUDA device can do", error));
  computeCapability = {major, minor};
  snprintf(description, sizeof description, "%s, compute capability %d.%d", name, int(major), int(minor));
  return TAMIS_OK;
}

/// "allocate 12 bytes for WHAT".
static tamis_status checkAllocation(const Driver &driver, Result result, size_t size, const char *kind,
                                    const char *what, tamis_error *error) {
  char text[128];
  snprintf(text, sizeof text, "allocate %zu bytes of %s for %s", size, kind, what);
  return driver.check(result, text, error);
}

tamis_status DeviceMemory::allocate(const Driver &from, size_t size, const char *what, tamis_error *error) {
  release();
  driver = &from;
  Result result = driver->memoryAllocate(&start, size ? size : 1);
  bytes = result ? 0 : size;
  start = result ? 0 : start;
  return checkAllocation(from, result, size, "device memory", what, error);
}

void DeviceMemory::release() {
  if (start)
    driver->memoryFree(start);
  start = 0;
  bytes = 0;
}

tamis_status PinnedMemory::allocate(const Driver &from, size_t size, const char *what, tamis_error *error) {
  release();
  driver = &from;
  void *memory = nullptr;
  Result result = driver->hostAllocate(&memory, size ? size : 1, kHostMemoryPortable);
  bytes = result ? 0 : size;
  start = result ? nullptr : static_cast<char *>(memory);
  return checkAllocation(from, result, size, "pinned memory", what, error);
}

void PinnedMemory::release() {
  if (start)
    driver->hostFree(start);
  start = nullptr;
  bytes = 0;
}

} // namespace tamis::cuda
