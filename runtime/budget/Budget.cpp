// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests to paths, and their times to controller and monitor.

#include "runtime/budget/Budget.h"
#include "runtime/budget/Numbers.h"
#include "runtime/status/Status.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <time.h>

namespace tamis::runtime {

static double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

static ControllerOptions controllerOptions(const tamis_budget_options &given) {
  ControllerOptions options;
  options.latency = given.latency_seconds;
  if (given.patience > 0)
    options.patience = uint32_t(given.patience);
  if (given.easy > 0 || given.hard > 0)
    options.easy = given.easy, options.hard = given.hard;
  return options;
}

Budget::Budget(const tamis_budget_options &options)
    : options(options), controller(controllerOptions(options)), monitor(now()) {}

Budget::~Budget() {
  for (int i = 0; i < kBudgetLevels; ++i) {
    tamis_context_destroy(contexts[i]);
    tamis_plan_destroy(plans[i]);
  }
}

/// The most elements that one index of the first axis of the first input can have; 0 where a size is no symbol.
static double longestOf(const tamis_plan *plan) {
  tamis_tensor_info info;
  if (tamis_plan_input(plan, 0, &info, nullptr))
    return 0;
  double length = 1;
  for (int32_t d = 1; d < info.rank; ++d) {
    double most = info.dims[d] >= 0 ? double(info.dims[d]) : 0;
    tamis_symbol_info symbol;
    for (size_t i = 0; !most && tamis_plan_symbol(plan, i, &symbol, nullptr) == TAMIS_OK; ++i)
      if (!strcmp(symbol.name, info.dim_names[d]))
        most = double(symbol.max);
    length *= most;
  }
  return length;
}

tamis_status Budget::open(const char *path, const tamis_load_options *load, tamis_error *error) {
  tamis_load_options own = {};
  if (load)
    memcpy(&own, load, load->struct_size < sizeof own ? load->struct_size : sizeof own);
  own.struct_size = sizeof own;
  if (own.device != TAMIS_DEVICE_CPU)
    return fail(error, TAMIS_INVALID_ARGUMENT, "a budget is for the CPU, and device %d was asked for", int(own.device));
  for (int i = 0; i < kBudgetLevels; ++i) {
    own.path = tamis_budget_path_name(tamis_budget_path(i));
    TAMIS_TRY(tamis_plan_load(path, &own, &plans[i], error));
    TAMIS_TRY(tamis_context_create(plans[i], options.threads, &contexts[i], error));
  }
  complexity.setLongest(longestOf(plans[0]));
  return TAMIS_OK;
}

tamis_status Budget::timed(int path, const tamis_tensor *inputs, size_t count, double &seconds, tamis_error *error) {
  double start = now();
  TAMIS_TRY(tamis_run(contexts[path], inputs, count, nullptr, 0, error));
  seconds = now() - start;
  tamis_memory_info memory;
  if (tamis_context_memory(contexts[path], &memory, nullptr) == TAMIS_OK) {
    int64_t bytes = memory.arena_bytes + memory.scratch_bytes + memory.output_bytes, all = 0;
    workingBytes[path] = bytes > workingBytes[path] ? bytes : workingBytes[path];
    for (int64_t each : workingBytes)
      all += each;
    monitor.setMemory(memory.weight_bytes, all);
  }
  return TAMIS_OK;
}

/// What the plan says that a run costs, at the sizes of the last one.
Served Budget::costs(int path) const {
  Served served = {};
  served.level = BudgetLevel(path);
  tamis_dispatch_cost cost;
  for (size_t i = 0; i < tamis_plan_dispatch_count(plans[path]); ++i)
    if (tamis_context_dispatch(contexts[path], i, &cost, nullptr) == TAMIS_OK)
      served.flops += double(cost.flops), served.bytes += double(cost.bytes);
  return served;
}

/// Every so many requests one, so that the share is kept without chance.
bool Budget::isSampled() {
  samplesOwed += options.sampled_share;
  if (samplesOwed < 1)
    return false;
  samplesOwed -= 1;
  return true;
}

/// The cosine of all outputs of f32 together.
static double cosineOf(const tamis_context *a, const tamis_context *b) {
  double aa = 0, bb = 0, ab = 0;
  tamis_tensor x, y;
  for (size_t i = 0; tamis_context_output(a, i, &x, nullptr) == TAMIS_OK; ++i) {
    if (x.element_type != TAMIS_F32 || tamis_context_output(b, i, &y, nullptr))
      continue;
    int64_t size = 1;
    for (int32_t d = 0; d < x.rank; ++d)
      size *= x.dims[d];
    const float *left = static_cast<const float *>(x.data), *right = static_cast<const float *>(y.data);
    for (int64_t j = 0; j < size; ++j)
      aa += double(left[j]) * left[j], bb += double(right[j]) * right[j], ab += double(left[j]) * right[j];
  }
  double cosine = ab / squareRoot(aa) / squareRoot(bb);
  return std::isfinite(cosine) ? cosine : aa == bb ? 1 : 0;
}

tamis_status Budget::compare(int path, const tamis_tensor *inputs, size_t count, double elements, double &cosine,
                             tamis_error *error) {
  double seconds = 0;
  TAMIS_TRY(timed(TAMIS_BUDGET_PRECISE, inputs, count, seconds, error));
  controller.observe(BudgetLevel::Precise, elements, seconds);
  cosine = cosineOf(contexts[path], contexts[TAMIS_BUDGET_PRECISE]);
  monitor.addAgreement(cosine);
  return TAMIS_OK;
}

tamis_status Budget::run(const tamis_tensor *inputs, size_t count, tamis_budget_path path, double waited,
                         tamis_budget_result *result, tamis_error *error) {
  // Shapes are checked before anything is decided by them.
  int first = path == TAMIS_BUDGET_AUTO ? int(controller.level()) : int(path);
  TAMIS_TRY(tamis_context_prepare(contexts[first], inputs, count, error));
  double elements = 1;
  for (int32_t d = 0; count && d < inputs[0].rank; ++d)
    elements *= double(inputs[0].dims[d]);
  double hard = complexity.of(inputs, count);
  BudgetLevel before = controller.level();
  int taken = path == TAMIS_BUDGET_AUTO ? int(controller.decide({elements, hard, waited})) : int(path);
  bool switched = controller.level() != before;
  if (switched)
    monitor.addSwitch(before, controller.level());
  double seconds = 0, cosine = -1;
  TAMIS_TRY(timed(taken, inputs, count, seconds, error));
  last = taken;
  controller.observe(BudgetLevel(taken), elements, seconds);
  tamis_tensor output;
  for (size_t i = 0; tamis_context_output(contexts[taken], i, &output, nullptr) == TAMIS_OK; ++i)
    if (output.element_type == TAMIS_F32) {
      complexity.see(output);
      break;
    }
  Served served = costs(taken);
  served.byHand = path != TAMIS_BUDGET_AUTO;
  served.seconds = seconds;
  served.latency = waited + seconds;
  served.elements = elements;
  monitor.add(served);
  if (taken != TAMIS_BUDGET_PRECISE && isSampled())
    TAMIS_TRY(compare(taken, inputs, count, elements, cosine, error));
  if (result)
    *result = {tamis_budget_path(taken), seconds, hard, cosine, switched};
  return TAMIS_OK;
}

tamis_status Budget::output(size_t index, tamis_tensor *tensor, tamis_error *error) const {
  if (last < 0)
    return fail(error, TAMIS_INVALID_ARGUMENT, "output %zu was asked for before any run", index);
  return tamis_context_output(contexts[last], index, tensor, error);
}

tamis_budget_stats Budget::stats() const {
  return monitor.stats(now());
}

} // namespace tamis::runtime
