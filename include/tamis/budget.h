/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Requests under a compute budget: a plan of several paths (`tamis compile --precision=budget`), of which each request
// takes one, by hand or as the controller chooses, and a monitor that counts. docs/budget.md tells how it decides.

#ifndef TAMIS_BUDGET_H
#define TAMIS_BUDGET_H

#include "tamis/tamis.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The paths, from the fastest to the most accurate: "fast", "balanced" and "precise" of the plan.
typedef enum tamis_budget_path {
  TAMIS_BUDGET_FAST = 0,
  TAMIS_BUDGET_BALANCED = 1,
  TAMIS_BUDGET_PRECISE = 2,
  TAMIS_BUDGET_AUTO = -1 ///< the controller chooses
} tamis_budget_path;
enum { TAMIS_BUDGET_PATHS = 3 };

/// The name of a path, "fast"; "auto" for TAMIS_BUDGET_AUTO, NULL for any other number.
TAMIS_API const char *tamis_budget_path_name(tamis_budget_path path);

/// A plan with its three paths loaded, a context each, and the state of its controller and monitor. One thread at a
/// time.
typedef struct tamis_budget tamis_budget;

/// Set `struct_size` to sizeof(tamis_budget_options) and zero the rest for the defaults.
typedef struct tamis_budget_options {
  size_t struct_size;
  int32_t threads;        ///< of each run; 0: one for each CPU
  int32_t patience;       ///< requests in a row that want another path before it is taken; 0: 4
  double latency_seconds; ///< that a request may take, waiting included; 0: any
  double sampled_share;   ///< of the requests of other paths, run on the precise one as well and compared; 0 to 1
  double easy, hard; ///< complexities up to which fast is enough and from which precise is wanted; both 0: 0.3, 0.6
} tamis_budget_options;

/// Loads the paths of the plan at `path`. Their weights are one mapping of the file for the system. `load` may be NULL;
/// its `path` is not looked at, its device must be the CPU. TAMIS_INVALID_ARGUMENT for a plan without the three paths.
TAMIS_API tamis_status tamis_budget_create(const char *path, const tamis_load_options *load,
                                           const tamis_budget_options *options, tamis_budget **budget,
                                           tamis_error *error);
/// NULL is allowed.
TAMIS_API void tamis_budget_destroy(tamis_budget *budget);

/// The plan of a path, to be asked; it lives as long as the budget. NULL for a path that is none.
TAMIS_API const tamis_plan *tamis_budget_plan(const tamis_budget *budget, tamis_budget_path path);

/// What was done with a request.
typedef struct tamis_budget_result {
  tamis_budget_path path; ///< that it took
  double seconds;         ///< of the run, without waiting and without a comparison
  double complexity;      ///< that the controller assumed, 0 to 1
  double cosine;          ///< of the answer with the precise path's; negative where they were not compared
  int32_t switched;       ///< non-zero: the controller took another path than for the request before
} tamis_budget_result;

/// Runs one request. `path`: TAMIS_BUDGET_AUTO, or the one to take, which leaves the controller's choice for others as
/// it is. `waited`: seconds for which it has waited already, which count against the latency. `result` may be NULL.
/// Outputs: tamis_budget_output, until the next run. Errors: those of tamis_run, which are not counted.
TAMIS_API tamis_status tamis_budget_run(tamis_budget *budget, const tamis_tensor *inputs, size_t count,
                                        tamis_budget_path path, double waited, tamis_budget_result *result,
                                        tamis_error *error);

/// Output `index` of the last run.
TAMIS_API tamis_status tamis_budget_output(const tamis_budget *budget, size_t index, tamis_tensor *tensor,
                                           tamis_error *error);

/// What the monitor counted since the budget was made.
typedef struct tamis_budget_stats {
  uint64_t requests[TAMIS_BUDGET_PATHS];                   ///< by path, by hand or not
  uint64_t by_hand[TAMIS_BUDGET_PATHS];                    ///< of them, those that named it
  double p50[TAMIS_BUDGET_PATHS], p99[TAMIS_BUDGET_PATHS]; ///< seconds, waiting included
  double all_p50, all_p99;
  uint64_t switches_up, switches_down;  ///< of the controller, to more accurate paths and to faster ones
  uint64_t compared;                    ///< requests that ran on the precise path as well
  double mean_cosine, worst_cosine;     ///< of their answers; 1 without any
  double elapsed_seconds, busy_seconds; ///< since the start; of runs
  double utilisation;                   ///< the one over the other
  double flops;                         ///< of all runs, as the plan counts them
  double bytes_per_element; ///< read and written, of an element of the first input: a token, of a text model
  int64_t weight_bytes;     ///< of the plan, shared by the paths
  int64_t working_bytes;    ///< arenas, scratch and outputs of the paths, as large as they have become
} tamis_budget_stats;

TAMIS_API tamis_status tamis_budget_get_stats(const tamis_budget *budget, tamis_budget_stats *stats,
                                              tamis_error *error);

typedef enum tamis_budget_format {
  TAMIS_BUDGET_PROMETHEUS = 0, ///< the text exposition format, version 0.0.4
  TAMIS_BUDGET_JSON = 1        ///< one object
} tamis_budget_format;

/// Writes the stats as text into `text`, no more than `size` bytes with the terminating NUL, and gives the length of
/// the whole text without it: call again with more room when that is `size` or more. `text` may be NULL with size 0.
TAMIS_API size_t tamis_budget_write(const tamis_budget *budget, tamis_budget_format format, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif // TAMIS_BUDGET_H
