// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finding the driver library and its entry points, and saying why that fails.

#include "runtime/device/cuda/Driver.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <initializer_list>

using tamis::runtime::fail;

namespace tamis::cuda {

static constexpr char kEmulatedLibrary[] = "libtamis_emulated_cuda.so";

/// The emulated driver's path beside the file that holds the runtime, or in the lib folder beside its bin folder; the
/// bare name, which the system's search path is asked for, when neither is there.
static void findEmulatedDriver(char *path, size_t room) {
  snprintf(path, room, "%s", kEmulatedLibrary);
  Dl_info self;
  if (!dladdr(reinterpret_cast<const void *>(&tamis_version), &self) || !self.dli_fname)
    return;
  const char *slash = strrchr(self.dli_fname, '/');
  int folder = slash ? int(slash - self.dli_fname) : 0;
  for (const char *between : {"/", "/../lib/"}) {
    char candidate[512];
    int length = snprintf(candidate, sizeof candidate, "%.*s%s%s", slash ? folder : 1, slash ? self.dli_fname : ".",
                          between, kEmulatedLibrary);
    FILE *file = length > 0 && size_t(length) < sizeof candidate ? fopen(candidate, "rb") : nullptr;
    if (!file)
      continue;
    fclose(file);
    snprintf(path, room, "%s", candidate);
    return;
  }
}

template <typename Pointer> bool Driver::find(const char *symbol, Pointer &pointer) const {
  void *address = dlsym(library, symbol);
  static_assert(sizeof pointer == sizeof address);
  memcpy(&pointer, &address, sizeof address);
  return address;
}

tamis_status Driver::open(tamis_device device, const char *path, tamis_error *error) {
  TAMIS_TRY(load(device, path, error));
  return start(error);
}

tamis_status Driver::load(tamis_device device, const char *path, tamis_error *error) {
  char found[512];
  if (!path && device == TAMIS_DEVICE_EMULATED) {
    findEmulatedDriver(found, sizeof found);
    path = found;
  } else if (!path) {
    path = getenv("TAMIS_CUDA_DRIVER");
    path = path && *path ? path : "libcuda.so.1";
  }
  snprintf(name, sizeof name, "%.255s", path);
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library)
    return TAMIS_OK;
  const char *why = dlerror();
  return fail(error, TAMIS_NO_DEVICE, "%s: cannot open '%s': %s",
              device == TAMIS_DEVICE_EMULATED ? "the emulated CUDA driver is missing" : "no NVIDIA driver was found",
              path, why ? why : "the system gives no reason");
}

tamis_status Driver::start(tamis_error *error) {
  Result (*getVersion)(int32_t *) = nullptr;
  Result (*init)(unsigned) = nullptr;
  if (!find("cuDriverGetVersion", getVersion) || !find("cuInit", init))
    return fail(error, TAMIS_NO_DEVICE, "'%s' is no CUDA driver: it has no cuInit and cuDriverGetVersion", name);
  find("cuGetErrorName", getErrorName);
  find("cuGetErrorString", getErrorString);
  // Before the entry points: an old driver lacks some, and its age says more than their names.
  char text[256];
  if (Result result = getVersion(&versionNumber)) {
    describe(result, text, sizeof text);
    return fail(error, TAMIS_NO_DEVICE, "the CUDA driver '%s' does not tell its version: %s", name, text);
  }
  if (versionNumber < kOldest)
    return fail(error, TAMIS_NO_DEVICE, "the CUDA driver '%s' is of CUDA %d.%d, wanted is %d.%d or later", name,
                versionNumber / 1000, versionNumber % 1000 / 10, kOldest / 1000, kOldest % 1000 / 10);
  TAMIS_TRY(findEntryPoints(error));
  if (Result result = init(0)) {
    describe(result, text, sizeof text);
    return fail(error, TAMIS_NO_DEVICE, "the CUDA driver '%s' does not start: %s", name, text);
  }
  return TAMIS_OK;
}

tamis_status Driver::findEntryPoints(tamis_error *error) {
#define TAMIS_FIND(member, symbol, ...)                                                                                \
  if (!find(symbol, member))                                                                                           \
    return fail(error, TAMIS_NO_DEVICE, "the CUDA driver '%s' of CUDA %d.%d has no %s", name, versionNumber / 1000,    \
                versionNumber % 1000 / 10, symbol);
  TAMIS_CUDA_REQUIRED(TAMIS_FIND)
#undef TAMIS_FIND
  graphs = true;
#define TAMIS_FIND(member, symbol, ...) graphs &= find(symbol, member);
  TAMIS_CUDA_GRAPHS(TAMIS_FIND)
#undef TAMIS_FIND
  return TAMIS_OK;
}

void Driver::describe(Result result, char *text, size_t room) const {
  const char *word = nullptr, *sentence = nullptr;
  if (!getErrorName || getErrorName(result, &word) || !word)
    word = nullptr;
  if (!getErrorString || getErrorString(result, &sentence) || !sentence)
    sentence = nullptr;
  if (word)
    snprintf(text, room, "%s%s%s%s", word, sentence ? " (" : "", sentence ? sentence : "", sentence ? ")" : "");
  else
    snprintf(text, room, "CUDA error %d, for which the driver has no name", int(result));
}

tamis_status Driver::check(Result result, const char *what, tamis_error *error) const {
  if (result == kSuccess)
    return TAMIS_OK;
  char text[256];
  describe(result, text, sizeof text);
  return fail(error, result == kOutOfMemory ? TAMIS_OUT_OF_MEMORY : TAMIS_DEVICE_FAILED, "cannot %s: %s", what, text);
}

} // namespace tamis::cuda
