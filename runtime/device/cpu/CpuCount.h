// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many CPUs this process may use.

#ifndef TAMIS_RUNTIME_DEVICE_CPU_CPUCOUNT_H
#define TAMIS_RUNTIME_DEVICE_CPU_CPUCOUNT_H

#include <cstdint>

namespace tamis::runtime {

/// CPUs in the calling thread's affinity mask, at least 1. Quotas of a container are no CPUs and do not count.
int32_t availableCpus();

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_DEVICE_CPU_CPUCOUNT_H
