// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API of plans.

#include "runtime/session/LoadedPlan.h"
#include "runtime/status/Status.h"
#include <cstring>

using namespace tamis::runtime;

const char *tamis_version(void) {
  return TAMIS_VERSION;
}

uint32_t tamis_plan_format_version(void) {
  return static_cast<uint32_t>(tamis::plan::FormatVersion_Current);
}

/// The caller's options in this version's struct; a caller compiled against an older, shorter one gets defaults for the
/// rest.
static tamis_status readOptions(const tamis_load_options *given, tamis_load_options &options, tamis_error *error) {
  options = {};
  if (!given)
    return TAMIS_OK;
  if (given->struct_size < offsetof(tamis_load_options, level) || given->struct_size > sizeof options)
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_load_options: struct_size is %zu, at most %zu is known",
                given->struct_size, sizeof options);
  memcpy(&options, given, given->struct_size);
  if (options.code < TAMIS_CODE_AUTO || options.code > TAMIS_CODE_COPY)
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_load_options: code is %d, no tamis_code_mapping",
                int(options.code));
  if (options.device < TAMIS_DEVICE_CPU || options.device > TAMIS_DEVICE_NONE)
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_load_options: device is %d, no tamis_device",
                int(options.device));
  if (options.perf_map && options.code == TAMIS_CODE_MAP)
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_load_options: perf_map needs the code to be copied");
  return TAMIS_OK;
}

static tamis_status load(const char *path, const void *data, size_t size, const tamis_load_options *given,
                         tamis_plan **plan, tamis_error *error) {
  if (!plan || (!path && !data && size))
    return fail(error, TAMIS_INVALID_ARGUMENT, "a plan cannot be loaded from or to a null pointer");
  tamis_load_options options;
  TAMIS_TRY(readOptions(given, options, error));
  auto *loaded = make<tamis_plan>();
  if (!loaded)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to load a plan");
  tamis_status status = loaded->open(path, data, size, options, error);
  if (status)
    loaded->release();
  else
    *plan = loaded;
  return status;
}

tamis_status tamis_plan_load(const char *path, const tamis_load_options *options, tamis_plan **plan,
                             tamis_error *error) {
  if (!path)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the path of the plan is null");
  return load(path, nullptr, 0, options, plan, error);
}

tamis_status tamis_plan_load_memory(const void *data, size_t size, const tamis_load_options *options, tamis_plan **plan,
                                    tamis_error *error) {
  return load(nullptr, data, size, options, plan, error);
}

void tamis_plan_destroy(tamis_plan *plan) {
  if (plan)
    plan->release();
}

tamis_status tamis_plan_verify(const tamis_plan *plan, tamis_error *error) {
  for (const tamis::plan::Section *section : *plan->metadata().sections())
    TAMIS_TRY(plan->file().checkHash(*section, error));
  return TAMIS_OK;
}

const char *tamis_plan_compiler(const tamis_plan *plan) {
  return plan->metadata().compiler()->c_str();
}
const char *tamis_plan_model(const tamis_plan *plan) {
  return plan->metadata().model()->c_str();
}
size_t tamis_plan_file_bytes(const tamis_plan *plan) {
  return plan->file().size();
}
tamis_device tamis_plan_device(const tamis_plan *plan) {
  return plan->device();
}
const char *tamis_plan_device_text(const tamis_plan *plan) {
  return plan->deviceText();
}
int32_t tamis_plan_code_copied(const tamis_plan *plan) {
  return plan->code().isCopied();
}

size_t tamis_plan_path_count(const tamis_plan *plan) {
  size_t count = 0;
  while (plan->path(count))
    ++count;
  return count;
}
const char *tamis_plan_path(const tamis_plan *plan, size_t index) {
  return plan->path(index);
}
const char *tamis_plan_path_in_use(const tamis_plan *plan) {
  return plan->pathInUse();
}

size_t tamis_plan_symbol_count(const tamis_plan *plan) {
  return plan->metadata().symbols()->size();
}
size_t tamis_plan_input_count(const tamis_plan *plan) {
  return plan->metadata().inputs()->size();
}
size_t tamis_plan_output_count(const tamis_plan *plan) {
  return plan->metadata().outputs()->size();
}
size_t tamis_plan_dispatch_count(const tamis_plan *plan) {
  return plan->program().dispatches()->size();
}
size_t tamis_plan_section_count(const tamis_plan *plan) {
  return plan->metadata().sections()->size();
}
size_t tamis_plan_arena_buffer_count(const tamis_plan *plan) {
  return plan->program().arena()->size();
}

/// Whether entry `index` of `count` can be told.
static tamis_status checkQuery(size_t index, size_t count, const void *info, const char *what, tamis_error *error) {
  if (!info)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the place for %s %zu is null", what, index);
  if (index >= count)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%s %zu was asked for, the plan has %zu", what, index, count);
  return TAMIS_OK;
}

tamis_status tamis_plan_symbol(const tamis_plan *plan, size_t index, tamis_symbol_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(index, tamis_plan_symbol_count(plan), info, "symbol", error));
  const tamis::plan::Symbol &symbol = *plan->metadata().symbols()->Get(uint32_t(index));
  *info = {symbol.name()->c_str(), symbol.min(), symbol.max()};
  return TAMIS_OK;
}

tamis_status tamis_plan_input(const tamis_plan *plan, size_t index, tamis_tensor_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(index, tamis_plan_input_count(plan), info, "input", error));
  *info = plan->inputInfo(index);
  return TAMIS_OK;
}

tamis_status tamis_plan_output(const tamis_plan *plan, size_t index, tamis_tensor_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(index, tamis_plan_output_count(plan), info, "output", error));
  *info = plan->outputInfo(index);
  return TAMIS_OK;
}

tamis_status tamis_plan_dispatch(const tamis_plan *plan, size_t index, tamis_dispatch_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(index, tamis_plan_dispatch_count(plan), info, "dispatch", error));
  *info = plan->dispatchInfo(index);
  return TAMIS_OK;
}

tamis_status tamis_plan_section(const tamis_plan *plan, size_t index, tamis_section_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(index, tamis_plan_section_count(plan), info, "section", error));
  *info = plan->sectionInfo(index);
  return TAMIS_OK;
}
