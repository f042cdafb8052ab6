// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Size expressions as the straight-line program of a plan.
#pragma once

#include "lib/support/DimExpr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "runtime/plan/Plan_generated.h"
#include <map>
#include <tuple>
#include <vector>

namespace tamis {

/// Collects size expressions into instructions; equal ones share a register. Not thread-safe.
class ShapeProgram {
public:
  using Register = uint32_t;

  /// `symbols`: names in the plan's order.
  explicit ShapeProgram(llvm::ArrayRef<std::string> symbols);

  /// The register that holds the value of `expr`; every symbol of it must be known.
  Register compile(const DimExpr &expr);
  Register alignUp(Register value, int64_t alignment);
  Register add(Register a, Register b) { return emit(plan::SizeOp_Add, 0, a, b); }
  const std::vector<plan::SizeInst> &instructions() const { return program; }

private:
  Register emit(plan::SizeOp op, int64_t immediate, Register a, Register b);
  llvm::StringMap<unsigned> symbolNumbers;
  std::map<std::tuple<int, int64_t, Register, Register>, Register> known;
  std::vector<plan::SizeInst> program;
};

} // namespace tamis
