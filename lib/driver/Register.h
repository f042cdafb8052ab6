// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The one list of dialects and passes.
#pragma once

#include "mlir/IR/DialectRegistry.h"

namespace tamis {

/// Registers every dialect a phase may print, ours and upstream's, in `registry`, and every pass, ours and upstream's,
/// in MLIR's process-wide table. Call once a process, before threads start.
void registerAll(mlir::DialectRegistry &registry);

} // namespace tamis
