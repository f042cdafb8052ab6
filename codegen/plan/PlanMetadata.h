// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The metadata of a plan file, from a placed program.
#pragma once

#include "codegen/plan/PlanWriter.h"
#include "codegen/plan/ShapeProgram.h"
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
  PlanMetadata(llvm::ArrayRef<DeviceProgram> programs, const PlanOrigin &origin);

  /// The constants of all programs, equal ones once, in the order in which they are to be written and added.
  llvm::ArrayRef<plan::ConstantOp> constants() const { return constantOps; }

  /// Code of program `program`. Errors: a kernel of it that the code does not hold.
  llvm::Error addCode(unsigned program, const CodeSection &section, const SectionPlace &place);
  /// Weights or a report.
  void addSection(plan::SectionKind kind, llvm::StringRef name, const SectionPlace &place);
  void addConstant(uint64_t offset, uint64_t size) { data.constants.emplace_back(offset, size); }

  /// The FlatBuffers bytes. Errors: a program whose buffers are not placed, or an element type plans do not have.
  llvm::Expected<std::string> finish();

private:
  struct Program {
    mlir::func::FuncOp main;
    const DeviceProgram *given;
    llvm::SmallVector<unsigned> constants; ///< numbers of its constants in the plan, in the order of its ops
    llvm::StringMap<unsigned> kernelNumbers;
  };
  llvm::Error addSignature(ShapeProgram &shapes);
  llvm::Error addDispatches(const Program &program, plan::ProgramT &entry, ShapeProgram &shapes);

  plan::PlanT data;
  std::vector<Program> programs;
  llvm::SmallVector<plan::ConstantOp> constantOps;
};

} // namespace tamis
