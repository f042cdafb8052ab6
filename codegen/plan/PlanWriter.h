// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a placed program, its code and its weights to one plan file.
#pragma once

#include "lib/support/DimExpr.h"
#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace tamis {

/// A kernel of a target's code: on a CPU where it lies in the image, in bytes from its base; on a GPU how it is
/// launched.
struct KernelEntry {
  std::string name;
  uint64_t entry = 0, size = 0;
  uint32_t threads = 0, shared = 0; ///< of a block: threads, bytes of dynamic shared memory
  std::vector<DimExpr> arguments;   ///< the sizes that it takes after its buffers
};

/// Code for one target: a linked image, or PTX text that ends in NUL.
struct CodeSection {
  std::string name; ///< "x86-64-v4", "sm_80"
  uint16_t machine; ///< ELF e_machine
  std::vector<std::string> features;
  std::string image;
  std::vector<KernelEntry> kernels; ///< all kernels of the program
};

/// A placed program (after tamis-place-buffers) and its code, ordered from the most to the least demanding target. All
/// CPU targets share a program, or have one a path; each GPU target has its own, since grids differ.
struct DeviceProgram {
  mlir::ModuleOp module;
  std::vector<CodeSection> code;
  std::string path =
      {}; ///< its name, where a plan has several for the CPU, which run by name; the first is the default
};

/// How something was decided, for `tamis inspect`; the runtime does not read it.
struct PlanReport {
  std::string name; ///< what about: "attention"
  std::string json;
};

/// What the file says of its origin.
struct PlanOrigin {
  std::string compiler; ///< "tamis 0.1.0"
  std::string model;    ///< name of the source, no path
  std::vector<PlanReport> reports = {};
};

/// Writes `programs`, one at least and all of one model, to `path`, under a temporary name that is renamed at the end;
/// on an error nothing is left. The same arguments give the same bytes. Errors: a missing weight, a kernel that the
/// code does not hold, a file that cannot be written.
llvm::Error writePlan(llvm::ArrayRef<DeviceProgram> programs, const WeightStore &weights, const PlanOrigin &origin,
                      llvm::StringRef path);

} // namespace tamis
