// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Machine code of GPUs, by NVIDIA's assembler where it is installed.
#pragma once

#include "codegen/plan/PlanWriter.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace tamis {

/// The path of ptxas: what the environment variable TAMIS_PTXAS names, where it is set, else the one in PATH. Empty
/// where there is none, or the variable is empty.
std::string findPtxas();

/// The kernels of a section of PTX as `ptxas` assembles them for its target; the driver of a GPU that they fit need not
/// compile them. Errors: an assembler that cannot be run or refuses the text, with the first line of what it says.
llvm::Expected<CodeSection> assembleCubin(const CodeSection &ptx, llvm::StringRef ptxas);

/// What the assembler says of a kernel.
struct AssembledKernel {
  int64_t registers = 0;  ///< of a thread
  int64_t spillBytes = 0; ///< that a thread stores for want of registers
};

/// Assembles a text of PTX with one kernel, for what `ptxas -v` says of it. Errors: those of assembleCubin, and an
/// assembler that tells no registers.
llvm::Expected<AssembledKernel> measureKernel(llvm::StringRef ptx, llvm::StringRef target, llvm::StringRef ptxas);

} // namespace tamis
