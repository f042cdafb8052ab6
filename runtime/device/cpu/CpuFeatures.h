// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this CPU and this system can execute, by the names LLVM uses.

#ifndef TAMIS_RUNTIME_DEVICE_CPU_CPUFEATURES_H
#define TAMIS_RUNTIME_DEVICE_CPU_CPUFEATURES_H

#include <cstdint>

namespace tamis::runtime {

/// ELF's e_machine value of this machine; 0 where plans cannot run.
uint16_t hostMachine();

/// "x86-64", "aarch64", or "unknown" for another e_machine value.
const char *machineName(uint16_t machine);

/// Whether a feature of hostMachine() may be used. Registers the system does not save ("avx512f" without OS support)
/// count as lacking, and so do unknown names. For AMX asks Linux to allow the tile registers in this process.
/// Thread-safe; x86-64 executes cpuid each time (about a microsecond under a hypervisor).
bool hasCpuFeature(const char *name);

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_DEVICE_CPU_CPUFEATURES_H
