// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Station 6 for NVIDIA GPUs: kernels become PTX text.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include "lib/support/DimExpr.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace tamis {

/// PTX for one target, and how its kernels are launched.
struct PtxModule {
  struct Kernel {
    std::string name;               ///< of the function, and of the entry
    unsigned threads;               ///< of a work group: 1-D, a multiple of 32, also stated in the text
    int64_t sharedBytes;            ///< dynamic shared memory of a work group
    std::vector<std::string> sizes; ///< symbols whose values follow the buffers as 64-bit arguments, in order
    DimExpr grid;                   ///< work groups, over those symbols; 0 is not launched
    std::string schedule;           ///< what the cost model chose, for people
    GpuDecision decision;           ///< from what
  };
  std::string text;            ///< one module
  std::vector<Kernel> kernels; ///< in the order of the functions
};

/// Compiles every function of `kernels`, the module of kernels in model form that tamis-form-dispatches makes, which
/// stays as it is. An entry takes a pointer to global memory a buffer, aligned to 16 bytes, operands before results (as
/// dispatches name them), then a 64-bit integer a size; it traps where the CPU's kernel returns a status other than 0.
/// Deterministic. Errors: kernels that there is no code for, each with a diagnostic on it (all of them are tried), a
/// failing pass, no kernel at all. `choices` names tiles to take instead of the cost model's, by kernel; errors:
/// kernels that there are none of, tiles that are no candidate or do not fit the target. Thread-safe for modules of
/// different contexts.
llvm::Expected<PtxModule> compileForNvptx(mlir::ModuleOp kernels, const GpuTarget &target,
                                          const std::map<std::string, std::string> &choices = {});

} // namespace tamis
