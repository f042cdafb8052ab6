// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The metadata of a plan file, from a placed program.
#pragma once

#include "codegen/plan/PlanWriter.h"
#include "dialects/plan/PlanDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/plan/Plan_generated.h"

namespace tamis {

/// A section's place in the file.
struct SectionPlace {
  uint64_t offset, size, alignment, hash;
};

/// Collects what the file is made of while it is written, then gives the serialised form. Not thread-safe.
class PlanMetadata {
public:
  PlanMetadata(mlir::ModuleOp program, const PlanOrigin &origin);

  /// The program's constants, in the order in which they are to be written and added.
  llvm::ArrayRef<plan::ConstantOp> constants() const { return constantOps; }

  /// Errors: a kernel of the program that the image does not hold.
  llvm::Error addCode(const CodeSection &section, const SectionPlace &place);
  void addWeights(const SectionPlace &place);
  void addConstant(uint64_t offset, uint64_t size) { data.constants.emplace_back(offset, size); }

  /// The FlatBuffers bytes. Errors: a program whose buffers are not placed, or an element type plans do not have.
  llvm::Expected<std::string> finish();

private:
  plan::PlanT data;
  mlir::func::FuncOp main;
  llvm::SmallVector<plan::ConstantOp> constantOps;
  llvm::StringMap<unsigned> kernelNumbers;
};

} // namespace tamis
