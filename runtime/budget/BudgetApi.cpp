// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API of budgets.

#include "runtime/budget/Budget.h"
#include "runtime/status/Status.h"
#include <cmath>
#include <cstring>

using namespace tamis::runtime;

const char *tamis_budget_path_name(tamis_budget_path path) {
  switch (path) {
  case TAMIS_BUDGET_FAST:
    return "fast";
  case TAMIS_BUDGET_BALANCED:
    return "balanced";
  case TAMIS_BUDGET_PRECISE:
    return "precise";
  case TAMIS_BUDGET_AUTO:
    return "auto";
  }
  return nullptr;
}

/// Whether the path is one of a plan's.
static bool isPath(tamis_budget_path path) {
  return path >= TAMIS_BUDGET_FAST && path <= TAMIS_BUDGET_PRECISE;
}

static tamis_status readOptions(const tamis_budget_options *given, tamis_budget_options &options, tamis_error *error) {
  options = {};
  if (!given)
    return TAMIS_OK;
  if (given->struct_size != sizeof options)
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_budget_options: struct_size is %zu, wanted is %zu",
                given->struct_size, sizeof options);
  options = *given;
  auto refuse = [&](const char *field, double value, const char *wanted) {
    return fail(error, TAMIS_INVALID_ARGUMENT, "tamis_budget_options: %s is %g, wanted is %s", field, value, wanted);
  };
  if (!(options.latency_seconds >= 0) || std::isinf(options.latency_seconds))
    return refuse("latency_seconds", options.latency_seconds, "0 or more");
  if (!(options.sampled_share >= 0 && options.sampled_share <= 1))
    return refuse("sampled_share", options.sampled_share, "from 0 to 1");
  if (!(options.easy >= 0 && options.easy <= options.hard && options.hard <= 1))
    return refuse("easy", options.easy, "from 0 to hard, which is no more than 1");
  if (options.patience < 0)
    return refuse("patience", options.patience, "0 or more");
  return TAMIS_OK;
}

tamis_status tamis_budget_create(const char *path, const tamis_load_options *load, const tamis_budget_options *given,
                                 tamis_budget **budget, tamis_error *error) {
  if (!path || !budget)
    return fail(error, TAMIS_INVALID_ARGUMENT, "a budget cannot be made from or to a null pointer");
  tamis_budget_options options;
  TAMIS_TRY(readOptions(given, options, error));
  auto *made = make<tamis_budget>(options);
  if (!made)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a budget");
  tamis_status status = made->open(path, load, error);
  if (status)
    destroy(made);
  else
    *budget = made;
  return status;
}

void tamis_budget_destroy(tamis_budget *budget) {
  destroy(budget);
}

const tamis_plan *tamis_budget_plan(const tamis_budget *budget, tamis_budget_path path) {
  return isPath(path) ? budget->plan(path) : nullptr;
}

tamis_status tamis_budget_run(tamis_budget *budget, const tamis_tensor *inputs, size_t count, tamis_budget_path path,
                              double waited, tamis_budget_result *result, tamis_error *error) {
  if (path != TAMIS_BUDGET_AUTO && !isPath(path))
    return fail(error, TAMIS_INVALID_ARGUMENT, "%d is no tamis_budget_path", int(path));
  if (!(waited >= 0) || std::isinf(waited))
    return fail(error, TAMIS_INVALID_ARGUMENT, "a request has waited %g seconds, wanted is 0 or more", waited);
  return budget->run(inputs, count, path, waited, result, error);
}

tamis_status tamis_budget_output(const tamis_budget *budget, size_t index, tamis_tensor *tensor, tamis_error *error) {
  return budget->output(index, tensor, error);
}

tamis_status tamis_budget_get_stats(const tamis_budget *budget, tamis_budget_stats *stats, tamis_error *error) {
  if (!stats)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the place for the stats is null");
  *stats = budget->stats();
  return TAMIS_OK;
}

size_t tamis_budget_write(const tamis_budget *budget, tamis_budget_format format, char *text, size_t size) {
  return Monitor::write(budget->stats(), format, text, size);
}
