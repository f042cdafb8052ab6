// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API of contexts.

#include "runtime/device/cpu/CpuCount.h"
#include "runtime/session/Context.h"
#include "runtime/status/Status.h"

using namespace tamis::runtime;

tamis_status tamis_context_create(const tamis_plan *plan, int32_t threads, tamis_context **context,
                                  tamis_error *error) {
  if (!plan || !context)
    return fail(error, TAMIS_INVALID_ARGUMENT, "a context cannot be made from or to a null pointer");
  if (threads < 0 || threads > ThreadPool::kMaxThreads)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%d threads were asked for, allowed are 1 to %d, or 0 for all CPUs",
                int(threads), int(ThreadPool::kMaxThreads));
  if (threads == 0) {
    threads = availableCpus();
    threads = threads < ThreadPool::kMaxThreads ? threads : ThreadPool::kMaxThreads;
  }
  if (plan->device() != TAMIS_DEVICE_CPU)
    threads = 1;
  auto *made = make<tamis_context>(*plan, threads);
  if (!made)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a context");
  tamis_status status = made->create(error);
  if (status)
    destroy(made);
  else
    *context = made;
  return status;
}

void tamis_context_destroy(tamis_context *context) {
  destroy(context);
}

int32_t tamis_context_threads(const tamis_context *context) {
  return context->threadCount();
}

void tamis_context_set_profiling(tamis_context *context, int32_t on) {
  context->setProfiling(on);
}

tamis_status tamis_context_prepare(tamis_context *context, const tamis_tensor *inputs, size_t count,
                                   tamis_error *error) {
  return context->prepare(inputs, count, error);
}

tamis_status tamis_context_prepare_sizes(tamis_context *context, const int64_t *symbols, size_t count,
                                         tamis_error *error) {
  return context->prepareSizes(symbols, count, error);
}

tamis_status tamis_run(tamis_context *context, const tamis_tensor *inputs, size_t inputCount, tamis_tensor *outputs,
                       size_t outputCount, tamis_error *error) {
  return context->run(inputs, inputCount, outputs, outputCount, error);
}

/// Whether entry `index` of `count` can be told at the prepared sizes.
static tamis_status checkQuery(const tamis_context *context, size_t index, size_t count, const void *place,
                               const char *what, tamis_error *error) {
  if (!context->isPrepared())
    return fail(error, TAMIS_INVALID_ARGUMENT, "the context is not prepared: sizes are not known");
  if (!place)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the place for %s %zu is null", what, index);
  if (index >= count)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%s %zu was asked for, the plan has %zu", what, index, count);
  return TAMIS_OK;
}

tamis_status tamis_context_input(const tamis_context *context, size_t index, tamis_tensor *tensor, tamis_error *error) {
  size_t count = context->loadedPlan().metadata().inputs()->size();
  TAMIS_TRY(checkQuery(context, index, count, tensor, "input", error));
  *tensor = context->input(index);
  return TAMIS_OK;
}

tamis_status tamis_context_output(const tamis_context *context, size_t index, tamis_tensor *tensor,
                                  tamis_error *error) {
  size_t count = context->loadedPlan().metadata().outputs()->size();
  TAMIS_TRY(checkQuery(context, index, count, tensor, "output", error));
  *tensor = context->output(index);
  return TAMIS_OK;
}

tamis_status tamis_context_memory(const tamis_context *context, tamis_memory_info *info, tamis_error *error) {
  TAMIS_TRY(checkQuery(context, 0, 1, info, "the memory", error));
  *info = context->memory();
  return TAMIS_OK;
}

tamis_status tamis_context_dispatch(const tamis_context *context, size_t index, tamis_dispatch_cost *cost,
                                    tamis_error *error) {
  size_t count = context->loadedPlan().program().dispatches()->size();
  TAMIS_TRY(checkQuery(context, index, count, cost, "dispatch", error));
  *cost = context->cost(index);
  return TAMIS_OK;
}

tamis_status tamis_context_arena_buffer(const tamis_context *context, size_t index, tamis_arena_buffer *buffer,
                                        tamis_error *error) {
  size_t count = context->loadedPlan().program().arena()->size();
  TAMIS_TRY(checkQuery(context, index, count, buffer, "arena buffer", error));
  *buffer = context->arenaBuffer(index);
  return TAMIS_OK;
}
