// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of the emulated driver. Pointers of the host and of the device are never mixed up: a copy says which is which.

#include "runtime/emulator/driver/DriverObjects.h"
#include <cstdio>
#include <cstdlib>

using namespace tamis;
using namespace tamis::cuda;

static emulator::Memory &memory() {
  return emulator::EmulatedDevice::get().memory();
}

TAMIS_CUDA_API cuMemAlloc_v2(Address *address, size_t bytes) {
  TAMIS_CUDA_ENTER;
  if (!address || !bytes)
    return kInvalidValue;
  *address = memory().allocate(bytes);
  return *address ? kSuccess : kOutOfMemory;
}
TAMIS_CUDA_API cuMemFree_v2(Address address) {
  TAMIS_CUDA_ENTER;
  return !address || memory().free(address) ? kSuccess : kInvalidValue;
}
TAMIS_CUDA_API cuMemAllocAsync(Address *address, size_t bytes, Stream) {
  return cuMemAlloc_v2(address, bytes);
}
TAMIS_CUDA_API cuMemFreeAsync(Address address, Stream) {
  return cuMemFree_v2(address);
}
TAMIS_CUDA_API cuMemGetInfo_v2(size_t *unused, size_t *total) {
  TAMIS_CUDA_ENTER;
  if (!unused || !total)
    return kInvalidValue;
  *total = memory().capacity();
  *unused = *total - memory().used();
  return kSuccess;
}
TAMIS_CUDA_API cuMemGetAddressRange_v2(Address *start, size_t *bytes, Address address) {
  TAMIS_CUDA_ENTER;
  emulator::Memory::Range range = memory().find(address);
  if (!range.bytes)
    return kNotFound;
  if (start)
    *start = range.address;
  if (bytes)
    *bytes = range.bytes;
  return kSuccess;
}

TAMIS_CUDA_API cuMemHostAlloc(void **start, size_t bytes, unsigned) {
  TAMIS_CUDA_ENTER;
  if (!start || !bytes)
    return kInvalidValue;
  constexpr size_t page = 4096;
  if (posix_memalign(start, page, bytes))
    return kOutOfMemory;
  DriverState::get().hostMemory[*start] = bytes;
  return kSuccess;
}
TAMIS_CUDA_API cuMemAllocHost_v2(void **start, size_t bytes) {
  return cuMemHostAlloc(start, bytes, 0);
}
TAMIS_CUDA_API cuMemFreeHost(void *start) {
  TAMIS_CUDA_ENTER;
  if (!DriverState::get().hostMemory.erase(start))
    return kInvalidValue;
  free(start);
  return kSuccess;
}

static Result copyIn(Address to, const void *from, size_t bytes) {
  return !bytes || memory().copyIn(to, from, bytes) ? kSuccess : kInvalidValue;
}

/// What nobody wrote is no result: it is reported as kernels' reads of such bytes are.
static Result copyOut(void *to, Address from, size_t bytes) {
  if (bytes && !memory().copyOut(to, from, bytes))
    return kInvalidValue;
  if (!bytes || emulator::EmulatedDevice::get().checking() == emulator::Checking::Off ||
      memory().isWritten(from, bytes))
    return kSuccess;
  size_t written = 0, end = bytes; // the first byte that was not written is in [written, end)
  while (end - written > 1) {
    size_t middle = written + (end - written) / 2;
    (memory().isWritten(from + written, middle - written) ? written : end) = middle;
  }
  fprintf(stderr, "emulated cuda: %zu bytes are copied to the host of which byte %zu was never written\n", bytes,
          written);
  return found();
}

static Result fill(Address to, uint32_t pattern, uint32_t width, size_t count) {
  return !count || memory().fill(to, pattern, width, count) ? kSuccess : kInvalidValue;
}

TAMIS_CUDA_API cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return copyIn(to, from, bytes); });
}
TAMIS_CUDA_API cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return copyOut(to, from, bytes); });
}
TAMIS_CUDA_API cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return !bytes || memory().copy(to, from, bytes) ? kSuccess : kInvalidValue; });
}
TAMIS_CUDA_API cuMemsetD8Async(Address to, unsigned char value, size_t count, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return fill(to, value, 1, count); });
}
TAMIS_CUDA_API cuMemsetD16Async(Address to, unsigned short value, size_t count, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return fill(to, value, 2, count); });
}
TAMIS_CUDA_API cuMemsetD32Async(Address to, unsigned value, size_t count, Stream stream) {
  TAMIS_CUDA_ENTER;
  return enqueue(stream, [=] { return fill(to, value, 4, count); });
}

// The same on the default stream.
TAMIS_CUDA_API cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
  return cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
}
TAMIS_CUDA_API cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
  return cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr);
}
TAMIS_CUDA_API cuMemcpyDtoD_v2(Address to, Address from, size_t bytes) {
  return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr);
}
TAMIS_CUDA_API cuMemsetD8_v2(Address to, unsigned char value, size_t count) {
  return cuMemsetD8Async(to, value, count, nullptr);
}
TAMIS_CUDA_API cuMemsetD16_v2(Address to, unsigned short value, size_t count) {
  return cuMemsetD16Async(to, value, count, nullptr);
}
TAMIS_CUDA_API cuMemsetD32_v2(Address to, unsigned value, size_t count) {
  return cuMemsetD32Async(to, value, count, nullptr);
}
