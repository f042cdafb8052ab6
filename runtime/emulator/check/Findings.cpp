// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Merging of diagnostics, and their text.

#include "runtime/emulator/check/Findings.h"
#include <cstdio>

namespace tamis::emulator {

void Findings::add(Diagnostic diagnostic, uint64_t order) {
  auto [at, isNew] = found.try_emplace({diagnostic.line, diagnostic.kind}, Entry{diagnostic, order});
  if (isNew)
    return;
  uint64_t count = at->second.diagnostic.count + diagnostic.count;
  if (order < at->second.order)
    at->second = {std::move(diagnostic), order};
  at->second.diagnostic.count = count;
}

bool Findings::count(DiagnosticKind kind, uint32_t line, uint64_t lanes) {
  auto at = found.find({line, kind});
  if (at == found.end())
    return false;
  at->second.diagnostic.count += lanes;
  return true;
}

void Findings::merge(Findings &&other) {
  for (auto &[key, entry] : other.found)
    add(std::move(entry.diagnostic), entry.order);
}

std::vector<Diagnostic> Findings::list() const {
  std::vector<Diagnostic> all;
  for (auto &[key, entry] : found)
    all.push_back(entry.diagnostic);
  return all;
}

const char *kindName(DiagnosticKind kind) {
  switch (kind) {
  case DiagnosticKind::SharedRace:
    return "shared race";
  case DiagnosticKind::UninitialisedRead:
    return "uninitialised read";
  case DiagnosticKind::UnwaitedRead:
    return "unwaited read";
  case DiagnosticKind::OutOfBounds:
    return "out of bounds";
  case DiagnosticKind::Misaligned:
    return "misaligned";
  case DiagnosticKind::DivergentBarrier:
    return "divergent barrier";
  case DiagnosticKind::PartialWarp:
    return "partial warp";
  case DiagnosticKind::UndefinedRegister:
    return "undefined register";
  case DiagnosticKind::AsyncMisuse:
    return "asynchronous misuse";
  case DiagnosticKind::Trap:
    return "trap";
  case DiagnosticKind::InstructionLimit:
    return "instruction limit";
  case DiagnosticKind::LaunchError:
    return "launch error";
  }
  return "unknown";
}

std::string Diagnostic::text() const {
  char buffer[160];
  std::string text = line ? "ptx:" + std::to_string(line) + ": " : "";
  text += std::string(kindName(kind)) + ": " + detail;
  if (kind == DiagnosticKind::LaunchError)
    return text;
  snprintf(buffer, sizeof buffer, ", block (%u,%u,%u) warp %u lane %u", block[0], block[1], block[2], warp, lane);
  text += buffer;
  if (count > 1)
    text += ", " + std::to_string(count) + " times";
  return text;
}

bool Report::failed() const {
  for (const Diagnostic &each : diagnostics)
    if (each.kind == DiagnosticKind::LaunchError || each.kind == DiagnosticKind::Trap ||
        each.kind == DiagnosticKind::InstructionLimit || each.kind == DiagnosticKind::DivergentBarrier)
      return true;
  return false;
}

} // namespace tamis::emulator
