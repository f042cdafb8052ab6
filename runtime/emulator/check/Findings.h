// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Diagnostics of one worker, equal ones merged.

#ifndef TAMIS_RUNTIME_EMULATOR_CHECK_FINDINGS_H
#define TAMIS_RUNTIME_EMULATOR_CHECK_FINDINGS_H

#include "runtime/emulator/Emulator.h"
#include <map>

namespace tamis::emulator {

class Findings {
public:
  /// Keeps the first of a kind and line; `order` is the number of the block, so that merging does not depend on
  /// threads.
  void add(Diagnostic diagnostic, uint64_t order);
  bool has(DiagnosticKind kind, uint32_t line) const { return found.count({line, kind}) != 0; }
  /// Only counts; false when there is no such finding yet.
  bool count(DiagnosticKind kind, uint32_t line, uint64_t lanes);
  void merge(Findings &&other);
  std::vector<Diagnostic> list() const;

private:
  struct Entry {
    Diagnostic diagnostic;
    uint64_t order = 0;
  };
  std::map<std::pair<uint32_t, DiagnosticKind>, Entry> found;
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_CHECK_FINDINGS_H
