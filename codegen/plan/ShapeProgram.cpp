// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Size expressions as the straight-line program of a plan.
#include "codegen/plan/ShapeProgram.h"

#include <cassert>

using namespace tamis;

ShapeProgram::ShapeProgram(llvm::ArrayRef<std::string> symbols) {
  for (const std::string &symbol : symbols)
    symbolNumbers.try_emplace(symbol, symbolNumbers.size());
}

ShapeProgram::Register ShapeProgram::emit(plan::SizeOp op, int64_t immediate, Register a, Register b) {
  auto [it, inserted] = known.try_emplace({op, immediate, a, b}, program.size());
  if (inserted)
    program.emplace_back(immediate, a, b, op);
  return it->second;
}

ShapeProgram::Register ShapeProgram::alignUp(Register value, int64_t alignment) {
  return emit(plan::SizeOp_AlignUp, alignment, value, 0);
}

ShapeProgram::Register ShapeProgram::compile(const DimExpr &expr) {
  if (auto number = expr.constant())
    return emit(plan::SizeOp_Constant, *number, 0, 0);
  std::optional<Register> total;
  for (const auto &[monomial, coefficient] : expr.terms()) {
    std::optional<Register> term;
    if (coefficient != 1 || monomial.empty())
      term = emit(plan::SizeOp_Constant, coefficient, 0, 0);
    for (const std::string &factor : monomial) {
      Register value;
      if (auto call = DimExpr::parseCall(factor)) {
        Register a = compile(call->operands[0]), b = compile(call->operands[1]);
        value = emit(call->name == "floordiv" ? plan::SizeOp_FloorDiv
                     : call->name == "max"    ? plan::SizeOp_Max
                                              : plan::SizeOp_Min,
                     0, a, b);
      } else {
        auto symbol = symbolNumbers.find(factor);
        assert(symbol != symbolNumbers.end() && "size uses a symbol that the program does not declare");
        value = emit(plan::SizeOp_Symbol, symbol->second, 0, 0);
      }
      term = term ? emit(plan::SizeOp_Mul, 0, *term, value) : value;
    }
    total = total ? add(*total, *term) : *term;
  }
  return *total;
}
