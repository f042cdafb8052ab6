// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading code and constants once for all contexts of a plan.

#include "runtime/device/cuda/CudaProgram.h"
#include "runtime/device/cuda/DeviceLayout.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstring>

using tamis::runtime::fail;

namespace tamis::cuda {

/// What the driver gives every kernel without being asked.
static constexpr uint32_t kSharedByDefault = 48 << 10;

CudaProgram::~CudaProgram() {
  if (!cudaDevice.context())
    return;
  CurrentContext current(cudaDevice);
  for (DeviceMemory &each : memory)
    each.release();
  if (module)
    cudaDevice.driver().moduleUnload(module);
}

/// The first lines of a log, in one.
static void shorten(char *log, size_t room) {
  size_t length = strnlen(log, room - 1);
  while (length && (log[length - 1] == '\n' || log[length - 1] == ' '))
    --length;
  log[length] = '\0';
  for (char *c = log; *c; ++c)
    if (*c == '\n')
      *c = ';';
}

tamis_status CudaProgram::loadModule(const void *code, size_t size, bool isPtx, tamis_error *error) {
  const Driver &driver = cudaDevice.driver();
  if (isPtx && (!size || static_cast<const char *>(code)[size - 1]))
    return fail(error, TAMIS_DAMAGED_PLAN, "its PTX does not end in NUL");
  CurrentContext current(cudaDevice);
  TAMIS_TRY(current.check(error));
  char log[640] = {};
  JitOption options[] = {kJitErrorLog, kJitErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(uintptr_t(sizeof log - 1))};
  Result result = driver.moduleLoadData(&module, code, 2, options, values);
  if (result == kSuccess)
    return TAMIS_OK;
  module = nullptr;
  char text[256];
  driver.describe(result, text, sizeof text);
  shorten(log, sizeof log);
  tamis_status status = result == kOutOfMemory ? TAMIS_OUT_OF_MEMORY : TAMIS_NO_CODE_FOR_MACHINE;
  return fail(error, status, "is refused by the driver of CUDA %d.%d: %s%s%s", driver.version() / 1000,
              driver.version() % 1000 / 10, text, *log ? ": " : "", log);
}

tamis_status CudaProgram::load(const plan::Plan &plan, const plan::Program &program, const uint8_t *weights,
                               tamis_error *error) {
  CurrentContext current(cudaDevice);
  TAMIS_TRY(current.check(error));
  TAMIS_TRY(findKernels(program, error));
  return uploadConstants(plan, program, weights, error);
}

tamis_status CudaProgram::findKernels(const plan::Program &program, tamis_error *error) {
  const Driver &driver = cudaDevice.driver();
  if (!functions.allocate(program.kernels()->size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u kernels", program.kernels()->size());
  for (uint32_t i = 0; i < functions.size(); ++i) {
    const plan::Kernel &kernel = *program.kernels()->Get(i);
    const char *name = kernel.name()->c_str();
    char text[256];
    Result result = driver.moduleGetFunction(&functions[i], module, name);
    if (result == kNotFound)
      return fail(error, TAMIS_DAMAGED_PLAN, "kernel '%s' has no entry of its name in the code for the device", name);
    snprintf(text, sizeof text, "find kernel '%s'", name);
    TAMIS_TRY(driver.check(result, text, error));
    if (kernel.shared() > uint32_t(cudaDevice.mostShared()))
      return fail(error, TAMIS_NO_CODE_FOR_MACHINE,
                  "kernel '%s' needs %u bytes of shared memory, the device (%s) has %d for a block", name,
                  kernel.shared(), cudaDevice.text(), int(cudaDevice.mostShared()));
    if (kernel.shared() <= kSharedByDefault)
      continue;
    snprintf(text, sizeof text, "give kernel '%s' %u bytes of shared memory", name, kernel.shared());
    result = driver.functionSetAttribute(functions[i], kFunctionMaxDynamicShared, int32_t(kernel.shared()));
    TAMIS_TRY(driver.check(result, text, error));
  }
  return TAMIS_OK;
}

tamis_status CudaProgram::uploadConstants(const plan::Plan &plan, const plan::Program &program, const uint8_t *weights,
                                          tamis_error *error) {
  const Driver &driver = cudaDevice.driver();
  const uint32_t count = plan.constants()->size();
  bool apart = cudaDevice.wantsSeparateBuffers();
  if (!constants.allocate(count) || !memory.allocate(apart ? count : 1))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u constants", count);
  // Another program's constants stay in the file.
  runtime::Array<bool> used;
  if (!used.allocate(count))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u constants", count);
  for (const plan::Dispatch *dispatch : *program.dispatches())
    for (const plan::BufferRef *buffer : *dispatch->buffers())
      if (buffer->kind() == plan::BufferKind_Constant)
        used[buffer->index()] = true;
  uint64_t total = 0;
  for (uint32_t i = 0; i < count && !apart; ++i)
    if (used[i]) {
      constants[i] = total; // from the start, until it is known
      total = alignUp(total + plan.constants()->Get(i)->size());
    }
  if (!apart && total)
    TAMIS_TRY(memory[0].allocate(driver, total, "constants", error));
  for (uint32_t i = 0; i < count; ++i) {
    if (!used[i])
      continue;
    const plan::Constant &constant = *plan.constants()->Get(i);
    if (apart)
      TAMIS_TRY(memory[i].allocate(driver, constant.size(), "a constant", error));
    constants[i] = apart ? memory[i].address() : memory[0].address() + constants[i];
    if (constant.size())
      TAMIS_TRY(driver.check(driver.copyToDevice(constants[i], weights + constant.offset(), constant.size()),
                             "copy constants to the device", error));
  }
  return TAMIS_OK;
}

} // namespace tamis::cuda
