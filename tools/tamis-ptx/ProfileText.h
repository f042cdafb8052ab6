// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts of a launch as a table.

#ifndef TAMIS_TOOLS_TAMIS_PTX_PROFILETEXT_H
#define TAMIS_TOOLS_TAMIS_PTX_PROFILETEXT_H

#include "runtime/emulator/Emulator.h"

namespace tamis::tool {

/// Totals, the lines with bank conflicts or wasted sectors, and the opcodes by how often they ran.
std::string profileText(const emulator::Counts &counts);

/// One line an instruction with bank conflicts: "ptx:41: bank conflict: ...".
std::string conflictText(const emulator::Counts &counts);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PTX_PROFILETEXT_H
