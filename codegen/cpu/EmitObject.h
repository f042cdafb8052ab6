// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the LLVM dialect to an object file in memory.
#pragma once

#include "codegen/schedule/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace tamis {

/// Translates a module in the LLVM dialect to LLVM IR, optimises it and emits relocatable ELF for `target`. The code
/// calls nothing outside of the module, unless the module does. Thread-safe for modules of different contexts.
llvm::Expected<llvm::SmallVector<char, 0>> emitObject(mlir::ModuleOp module, const CpuTarget &target);

} // namespace tamis
