// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The public headers in C99, and libtamis.so as a user links it: loads the plan named on the command line, a chain plan
// of 10 steps, and runs it.

#include "tamis/budget.h"
#include "tamis/tamis.h"
#include <stdio.h>
#include <string.h>

static int report(const char *what, const tamis_error *error) {
  fprintf(stderr, "%s: %s: %s\n", what, tamis_status_name(error->status), error->message);
  return 1;
}

int main(int argc, char **argv) {
  tamis_plan *plan = NULL;
  tamis_context *context = NULL;
  tamis_error error;
  memset(&error, 0, sizeof error);
  if (argc != 2)
    return 2;
  tamis_budget_options options = {0};
  tamis_budget *budget = NULL;
  options.struct_size = sizeof options;
  if (strcmp(tamis_budget_path_name(TAMIS_BUDGET_FAST), "fast"))
    return 3;
  if (tamis_budget_create(argv[1], NULL, &options, &budget, &error) != TAMIS_INVALID_ARGUMENT || budget)
    return report("a plan of one path", &error);
  if (tamis_plan_load("/nonexistent", NULL, &plan, &error) != TAMIS_CANNOT_READ || plan)
    return report("a missing file", &error);
  if (tamis_plan_load(argv[1], NULL, &plan, &error))
    return report("load", &error);
  if (tamis_context_create(plan, 2, &context, &error))
    return report("context", &error);
  tamis_plan_destroy(plan);
  int64_t values[5] = {1, 2, 3, 4, 5}, results[5] = {0}, dims[1] = {5};
  tamis_tensor input = {values, dims, 1, TAMIS_I64}, output = {results, dims, 1, TAMIS_I64};
  if (tamis_run(context, &input, 1, &output, 1, &error))
    return report("run", &error);
  for (int i = 0; i < 5; ++i)
    if (results[i] != values[i] + 10)
      return fprintf(stderr, "result %d is %lld\n", i, (long long)results[i]), 1;
  tamis_context_destroy(context);
  printf("%s, format %u: right\n", tamis_version(), (unsigned)tamis_plan_format_version());
  return 0;
}
