// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tells debuggers and profilers where a plan's kernels are.

#ifndef TAMIS_RUNTIME_DEVICE_CPU_DEBUGGERINTERFACE_H
#define TAMIS_RUNTIME_DEVICE_CPU_DEBUGGERINTERFACE_H

#include "runtime/device/cpu/CodeImage.h"

/// gdb's name for an entry of its list.
struct jit_code_entry;

namespace tamis::runtime {

/// Registers the symbols of a mapped image with gdb's JIT interface while this object lives: a backtrace then names
/// kernels. A failure is silent, since all that is lost is names. Thread-safe.
class DebuggerInterface {
public:
  DebuggerInterface() = default;
  DebuggerInterface(const DebuggerInterface &) = delete;
  DebuggerInterface &operator=(const DebuggerInterface &) = delete;
  ~DebuggerInterface();

  void add(const CodeImage &image);

private:
  jit_code_entry *entry = nullptr;
};

/// Names one kernel in /tmp/perf-PID.map, which `perf report` reads for anonymous memory. Failures are silent.
void addToPerfMap(const void *address, uint64_t size, const char *name);

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_DEVICE_CPU_DEBUGGERINTERFACE_H
