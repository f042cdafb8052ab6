// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Handlers of .rz, .rm and .rp arithmetic.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_ROUNDEDOPS_H
#define TAMIS_RUNTIME_EMULATOR_OPS_ROUNDEDOPS_H

#include "runtime/emulator/run/Program.h"

namespace tamis::emulator {

/// By canonical name, as "add.rz.ftz.f32"; null when there is none.
Handler findRoundedHandler(std::string_view name);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_OPS_ROUNDEDOPS_H
