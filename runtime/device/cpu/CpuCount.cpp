// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sched_getaffinity with room for 8192 CPUs, since cpu_set_t ends at 1024.

#include "runtime/device/cpu/CpuCount.h"
#include <sched.h>

namespace tamis::runtime {

int32_t availableCpus() {
  cpu_set_t sets[8];
  CPU_ZERO_S(sizeof sets, sets);
  int count = sched_getaffinity(0, sizeof sets, sets) == 0 ? CPU_COUNT_S(sizeof sets, sets) : 1;
  return count > 0 ? count : 1;
}

} // namespace tamis::runtime
