// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Modules and functions of the emulated driver.

#include "runtime/emulator/driver/DriverObjects.h"
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

using namespace tamis;
using namespace tamis::cuda;

/// Dynamic and static shared memory that every kernel may have unasked.
static constexpr int32_t kSharedByDefault = 48 << 10;

/// Where the caller wants the log of errors, by the options of a load.
static void writeLog(const std::string &text, unsigned count, JitOption *options, void **values) {
  char *log = nullptr;
  size_t room = 0;
  void **length = nullptr;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == kJitErrorLog)
      log = static_cast<char *>(values[i]);
    if (options[i] == kJitErrorLogBytes)
      room = uintptr_t(values[i]) & 0xffffffffu, length = &values[i];
  }
  if (!log || !room)
    return;
  size_t written = std::min(text.size(), room - 1);
  memcpy(log, text.data(), written);
  log[written] = '\0';
  *length = reinterpret_cast<void *>(written);
}

static Result load(Module *made, const char *text, std::string &log) {
  // What other code comes in begins with: an ELF image, a fat binary.
  static const char elf[] = {0x7f, 'E', 'L', 'F'}, fat[] = {0x50, char(0xed), 0x55, char(0xba)};
  if (!memcmp(text, elf, 4) || !memcmp(text, fat, 4)) {
    log = "the emulated driver runs PTX, and this is machine code";
    return kNoBinaryForGpu;
  }
  auto &device = emulator::EmulatedDevice::get();
  emulator::ParseResult parsed = emulator::parseModule(text, device.memory());
  for (const emulator::ParseError &error : parsed.errors)
    log += "ptx:" + std::to_string(error.line) + ": " + error.message + "\n";
  if (!parsed.module)
    return kInvalidPtx;
  char reason[160];
  if (!device.runs(parsed.module->target(), reason, sizeof reason)) {
    log = std::string("the PTX ") + reason;
    return kNoBinaryForGpu;
  }
  auto *module = new ModuleObject{parsed.module, {}};
  for (const emulator::EntryInfo &entry : parsed.module->entries())
    module->functions[entry.name] = {module, &entry, kSharedByDefault - int32_t(entry.sharedBytes)};
  *made = *DriverState::get().modules.insert(module).first;
  return kSuccess;
}

TAMIS_CUDA_API cuModuleLoadDataEx(Module *module, const void *image, unsigned count, JitOption *options,
                                  void **values) {
  TAMIS_CUDA_ENTER;
  if (!module || !image || (count && (!options || !values)))
    return kInvalidValue;
  std::string log;
  Result result = load(module, static_cast<const char *>(image), log);
  writeLog(log, count, options, values);
  return result;
}
TAMIS_CUDA_API cuModuleLoadData(Module *module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}
TAMIS_CUDA_API cuModuleLoad(Module *module, const char *path) {
  std::ifstream file(path ? path : "", std::ios::binary);
  if (!file)
    return kFileNotFound;
  std::string text(std::istreambuf_iterator<char>(file), {});
  return cuModuleLoadData(module, text.c_str());
}
TAMIS_CUDA_API cuModuleUnload(Module module) {
  TAMIS_CUDA_ENTER;
  return destroyKnown(DriverState::get().modules, module);
}

TAMIS_CUDA_API cuModuleGetFunction(Function *function, Module module, const char *name) {
  TAMIS_CUDA_ENTER;
  if (!function || !name)
    return kInvalidValue;
  if (!isKnown(DriverState::get().modules, module))
    return kInvalidHandle;
  auto known = module->functions.find(name);
  if (known == module->functions.end())
    return kNotFound;
  *function = &known->second;
  return kSuccess;
}
TAMIS_CUDA_API cuModuleGetGlobal_v2(Address *address, size_t *bytes, Module module, const char *name) {
  TAMIS_CUDA_ENTER;
  if (!name)
    return kInvalidValue;
  if (!isKnown(DriverState::get().modules, module))
    return kInvalidHandle;
  for (const emulator::VariableInfo &variable : module->module->variables()) {
    if (variable.name != name)
      continue;
    if (address)
      *address = variable.address;
    if (bytes)
      *bytes = variable.bytes;
    return kSuccess;
  }
  return kNotFound;
}

/// Whether the function is of a module that is still loaded.
static bool isLoaded(Function function) {
  for (ModuleObject *module : DriverState::get().modules)
    for (auto &[name, known] : module->functions)
      if (&known == function)
        return true;
  return false;
}

TAMIS_CUDA_API cuFuncGetAttribute(int32_t *value, FunctionAttribute attribute, Function function) {
  TAMIS_CUDA_ENTER;
  if (!value)
    return kInvalidValue;
  if (!isLoaded(function))
    return kInvalidHandle;
  const emulator::EntryInfo &entry = *function->entry;
  auto &device = emulator::EmulatedDevice::get();
  switch (attribute) {
  case kFunctionMaxThreads:
    *value = entry.maxThreads ? int32_t(entry.maxThreads) : 1024;
    return kSuccess;
  case kFunctionStaticShared:
    *value = int32_t(entry.sharedBytes);
    return kSuccess;
  case kFunctionLocalBytes:
    *value = int32_t(entry.localBytes);
    return kSuccess;
  case kFunctionRegisters: // virtual ones: no compiler has placed them
    *value = int32_t(std::min(entry.registers, 255u));
    return kSuccess;
  case kFunctionPtxVersion:
    *value = int32_t(function->module->module->version());
    return kSuccess;
  case kFunctionBinaryVersion:
    *value = 10 * device.capability().major + device.capability().minor;
    return kSuccess;
  case kFunctionMaxDynamicShared:
    *value = function->dynamicShared;
    return kSuccess;
  case kFunctionConstantBytes:
  case kFunctionCacheMode:
  case kFunctionSharedCarveout:
    *value = 0;
    return kSuccess;
  }
  return kInvalidValue;
}
TAMIS_CUDA_API cuFuncSetAttribute(Function function, FunctionAttribute attribute, int32_t value) {
  TAMIS_CUDA_ENTER;
  if (!isLoaded(function))
    return kInvalidHandle;
  if (attribute == kFunctionSharedCarveout)
    return kSuccess;
  int32_t most = emulator::EmulatedDevice::get().model().sharedPerBlock - int32_t(function->entry->sharedBytes);
  if (attribute != kFunctionMaxDynamicShared || value < 0 || value > most)
    return kInvalidValue;
  function->dynamicShared = value;
  return kSuccess;
}
TAMIS_CUDA_API cuFuncSetCacheConfig(Function function, int32_t) {
  TAMIS_CUDA_ENTER;
  return isLoaded(function) ? kSuccess : kInvalidHandle;
}

/// By threads and shared memory alone: the registers that a compiler would use are not known.
TAMIS_CUDA_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int32_t *blocks, Function function, int32_t threads,
                                                           size_t dynamicShared) {
  TAMIS_CUDA_ENTER;
  if (!blocks || threads <= 0)
    return kInvalidValue;
  if (!isLoaded(function))
    return kInvalidHandle;
  const emulator::DeviceModel &model = emulator::EmulatedDevice::get().model();
  constexpr size_t reserved = 1024; // of every block, for the system
  size_t shared = dynamicShared + function->entry->sharedBytes + reserved;
  int32_t byShared = int32_t(size_t(model.sharedPerMultiprocessor) / shared);
  *blocks = std::min({model.threadsPerMultiprocessor / threads, model.blocksPerMultiprocessor, byShared});
  return kSuccess;
}
