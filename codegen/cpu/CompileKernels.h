// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Station 6: tiled kernels become machine code.
#pragma once

#include "codegen/schedule/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace tamis {

/// Machine code for one CPU target: what the runtime maps, and where its kernels begin.
struct KernelImage {
  struct Kernel {
    std::string name;
    uint64_t entry; ///< bytes from the image's base
    uint64_t size;  ///< bytes of code
  };
  llvm::SmallVector<char, 0> bytes; ///< ELF, pages of 4 KiB, of AArch64 of 64 KiB
  std::vector<Kernel> kernels;      ///< in the module's order
};

/// Compiles every public function of `tiledKernels` (the form that KernelBuilder documents) and links them into one
/// image. Lowers the module in place, by buildCpuPipeline; `configure` may add printing, timing and the like to the
/// pass manager before. Deterministic: the same module and target give the same bytes. Errors: a failing pass (its diagnostics are on the ops), the linker's text when code needs a symbol that no kernel
/// defines, no kernel at all. Thread-safe for modules of different contexts.
llvm::Expected<KernelImage> compileKernels(mlir::ModuleOp tiledKernels, const CpuTarget &target,
                                            llvm::function_ref<llvm::LogicalResult(mlir::PassManager &)> configure = {});

} // namespace tamis
