// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the LLVM dialect to PTX text.
#pragma once

#include "codegen/schedule/GpuTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>

namespace tamis {

/// Translates a module in the LLVM dialect to LLVM IR, optimises it and emits PTX. Errors: code that would need a
/// function that the module does not define, such as libdevice's. Thread-safe for modules of different contexts.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module, const GpuTarget &target);

} // namespace tamis
