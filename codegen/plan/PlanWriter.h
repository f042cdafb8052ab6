// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a placed program, its code and its weights to one plan file.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace tamis {

/// Where a kernel lies in an image, in bytes from its base.
struct KernelEntry {
  std::string name;
  uint64_t entry, size;
};

/// Linked code for one target.
struct CodeSection {
  std::string name; ///< "x86-64-v4"
  uint16_t machine; ///< ELF e_machine
  std::vector<std::string> features;
  std::string image;
  std::vector<KernelEntry> kernels; ///< all kernels of the program
};

/// What the file says of its origin.
struct PlanOrigin {
  std::string compiler; ///< "tamis 0.1.0"
  std::string model;    ///< name of the source, no path
};

/// Writes `program` (after tamis-place-buffers) to `path`, under a temporary name that is renamed at the end; on an error
/// nothing is left. The same arguments give the same bytes. `code` is ordered from the most to the least demanding target.
/// Errors: a missing weight, a kernel that an image does not hold, a file that cannot be written.
llvm::Error writePlan(mlir::ModuleOp program, const WeightStore &weights, llvm::ArrayRef<CodeSection> code,
                      const PlanOrigin &origin, llvm::StringRef path);

} // namespace tamis
