// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Start, device and contexts of the emulated driver.

#include "runtime/emulator/driver/DriverObjects.h"
#include <cstdio>
#include <cstring>
#include <dlfcn.h>

using namespace tamis;
using namespace tamis::cuda;

/// What the driver says it is: CUDA 13.0, the latest whose PTX the compiler writes.
static constexpr int32_t kVersion = 13000;

DriverState &DriverState::get() {
  static auto *state = new DriverState(); // never destroyed, as the device
  return *state;
}

std::vector<Context> &tamis::cuda::currentContexts() {
  static thread_local std::vector<Context> stack;
  return stack;
}

Result tamis::cuda::enter() {
  DriverState &state = DriverState::get();
  if (!state.initialised)
    return kNotInitialized;
  std::vector<Context> &stack = currentContexts();
  if (stack.empty() || !stack.back())
    return kInvalidContext;
  if (stack.back() == &state.primary)
    return state.primary.retained ? state.primary.failure : kContextIsDestroyed;
  return isKnown(state.contexts, stack.back()) ? stack.back()->failure : kContextIsDestroyed;
}

Result tamis::cuda::found() {
  if (emulator::EmulatedDevice::get().checking() != emulator::Checking::Fail)
    return kSuccess;
  return currentContexts().back()->failure = kLaunchFailed;
}

#define TAMIS_CUDA_STARTED                                                                                             \
  std::lock_guard<std::recursive_mutex> lock(DriverState::get().mutex);                                                \
  if (!DriverState::get().initialised)                                                                                 \
  return kNotInitialized

TAMIS_CUDA_API cuInit(unsigned flags) {
  std::lock_guard<std::recursive_mutex> lock(DriverState::get().mutex);
  if (flags)
    return kInvalidValue;
  emulator::EmulatedDevice::get();
  DriverState::get().initialised = true;
  return kSuccess;
}
TAMIS_CUDA_API cuDriverGetVersion(int32_t *version) {
  if (!version)
    return kInvalidValue;
  *version = kVersion;
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceGetCount(int32_t *count) {
  TAMIS_CUDA_STARTED;
  if (!count)
    return kInvalidValue;
  *count = 1;
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceGet(Device *device, int32_t number) {
  TAMIS_CUDA_STARTED;
  if (!device)
    return kInvalidValue;
  if (number)
    return kInvalidDevice;
  *device = 0;
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceGetName(char *name, int32_t room, Device device) {
  TAMIS_CUDA_STARTED;
  if (!name || room <= 0)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  snprintf(name, size_t(room), "%s", emulator::EmulatedDevice::get().model().name);
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceGetAttribute(int32_t *value, DeviceAttribute attribute, Device device) {
  TAMIS_CUDA_STARTED;
  if (!value)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  *value = emulator::EmulatedDevice::get().attribute(attribute);
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceComputeCapability(int32_t *major, int32_t *minor, Device device) {
  if (Result result = cuDeviceGetAttribute(major, kComputeCapabilityMajor, device))
    return result;
  return cuDeviceGetAttribute(minor, kComputeCapabilityMinor, device);
}
TAMIS_CUDA_API cuDeviceTotalMem_v2(size_t *bytes, Device device) {
  TAMIS_CUDA_STARTED;
  if (!bytes)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  *bytes = emulator::EmulatedDevice::get().model().memoryBytes;
  return kSuccess;
}
TAMIS_CUDA_API cuDeviceGetUuid(char *uuid, Device device) {
  TAMIS_CUDA_STARTED;
  if (!uuid)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  memcpy(uuid, "tamis emulated.", 16); // 16 bytes of CUuuid
  return kSuccess;
}
TAMIS_CUDA_ALIAS(cuDeviceGetUuid_v2, cuDeviceGetUuid);

TAMIS_CUDA_API cuDevicePrimaryCtxRetain(Context *context, Device device) {
  TAMIS_CUDA_STARTED;
  if (!context)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  ++DriverState::get().primary.retained;
  *context = &DriverState::get().primary;
  return kSuccess;
}
TAMIS_CUDA_API cuDevicePrimaryCtxRelease_v2(Device device) {
  TAMIS_CUDA_STARTED;
  ContextObject &primary = DriverState::get().primary;
  if (device)
    return kInvalidDevice;
  if (!primary.retained)
    return kInvalidContext;
  if (!--primary.retained) // a new one is healthy again
    primary.failure = kSuccess;
  return kSuccess;
}
TAMIS_CUDA_ALIAS(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2);
TAMIS_CUDA_API cuDevicePrimaryCtxGetState(Device, unsigned *flags, int32_t *active) {
  TAMIS_CUDA_STARTED;
  if (!flags || !active)
    return kInvalidValue;
  *flags = 0;
  *active = DriverState::get().primary.retained > 0;
  return kSuccess;
}
TAMIS_CUDA_API cuDevicePrimaryCtxSetFlags_v2(Device, unsigned) {
  TAMIS_CUDA_STARTED;
  return kSuccess;
}

TAMIS_CUDA_API cuCtxCreate_v2(Context *context, unsigned, Device device) {
  TAMIS_CUDA_STARTED;
  if (!context)
    return kInvalidValue;
  if (device)
    return kInvalidDevice;
  *context = *DriverState::get().contexts.insert(new ContextObject()).first;
  currentContexts().push_back(*context);
  return kSuccess;
}
TAMIS_CUDA_API cuCtxDestroy_v2(Context context) {
  TAMIS_CUDA_STARTED;
  if (!currentContexts().empty() && currentContexts().back() == context)
    currentContexts().pop_back();
  return destroyKnown(DriverState::get().contexts, context) ? kInvalidContext : kSuccess;
}
TAMIS_CUDA_API cuCtxPushCurrent_v2(Context context) {
  TAMIS_CUDA_STARTED;
  if (!context)
    return kInvalidContext;
  currentContexts().push_back(context);
  return kSuccess;
}
TAMIS_CUDA_API cuCtxPopCurrent_v2(Context *context) {
  TAMIS_CUDA_STARTED;
  if (currentContexts().empty())
    return kInvalidContext;
  if (context)
    *context = currentContexts().back();
  currentContexts().pop_back();
  return kSuccess;
}
TAMIS_CUDA_API cuCtxSetCurrent(Context context) {
  TAMIS_CUDA_STARTED;
  if (!currentContexts().empty())
    currentContexts().pop_back();
  if (context)
    currentContexts().push_back(context);
  return kSuccess;
}
TAMIS_CUDA_API cuCtxGetCurrent(Context *context) {
  TAMIS_CUDA_STARTED;
  if (!context)
    return kInvalidValue;
  *context = currentContexts().empty() ? nullptr : currentContexts().back();
  return kSuccess;
}
TAMIS_CUDA_API cuCtxGetDevice(Device *device) {
  TAMIS_CUDA_ENTER;
  if (!device)
    return kInvalidValue;
  *device = 0;
  return kSuccess;
}
TAMIS_CUDA_API cuCtxSynchronize() {
  TAMIS_CUDA_ENTER;
  return kSuccess; // every call is done when it returns
}

/// The latest version of an entry point, for programs that do not look symbols up themselves.
TAMIS_CUDA_API cuGetProcAddress_v2(const char *symbol, void **function, int32_t, uint64_t, int32_t *status) {
  if (!symbol || !function)
    return kInvalidValue;
  Dl_info self;
  void *library =
      dladdr(reinterpret_cast<void *>(&cuInit), &self) ? dlopen(self.dli_fname, RTLD_NOLOAD | RTLD_NOW) : nullptr;
  std::string name = symbol;
  *function = library ? dlsym(library, (name + "_v2").c_str()) : nullptr;
  if (library && !*function)
    *function = dlsym(library, symbol);
  if (library)
    dlclose(library);
  if (status)
    *status = *function ? 0 : 1; // found; not found
  return *function ? kSuccess : kNotFound;
}
TAMIS_CUDA_API cuGetProcAddress(const char *symbol, void **function, int32_t version, uint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
