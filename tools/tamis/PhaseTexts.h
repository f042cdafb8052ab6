// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model's IR after each phase, short enough to read, and what a phase changed.

#ifndef TAMIS_TOOLS_TAMIS_PHASETEXTS_H
#define TAMIS_TOOLS_TAMIS_PHASETEXTS_H

#include "tools/tamis/Compiler.h"
#include <string>
#include <vector>

namespace tamis::tool {

/// A line of IR against that of the phase before.
struct PhaseLine {
  enum Fate { same, gone, come, leftOut } fate;
  std::string text;
};

struct PhaseText {
  std::string phase;
  std::vector<PhaseLine> lines; ///< all lines are `same` in the first phase
  size_t gone = 0, come = 0;
};

/// A weight that the imported model names; its numbers are in no text.
struct NamedWeight {
  std::string key, type;
};

struct Phases {
  std::vector<PhaseText> texts;
  std::vector<std::string> results; ///< of each dispatch, "f32 [batch, sequence, 384]"; empty where it has several
  std::vector<NamedWeight> weights;
};

/// Compiles `model` for this machine up to the phase that makes dispatches, with `dims` for its sizes and `attention`
/// as of a compilation. Of kernels the first lines are kept. Errors of the compiler have been printed.
Result<Phases> readPhases(const std::string &model, const std::vector<DimRange> &dims, const std::string &attention);

/// What became of the lines of `before`. Names of values (%12) change with every line above them, so they do not count.
std::vector<PhaseLine> difference(const std::vector<std::string> &before, const std::vector<std::string> &after);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PHASETEXTS_H
