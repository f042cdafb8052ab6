// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which ops of a model serve some sizes alone.
#include "codegen/tile/SizeGuards.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"

using namespace mlir;
using namespace tamis;

namespace {
/// A scalar of the sizes alone.
std::optional<DimExpr> sizeOf(Value value) {
  if (auto sizes = value.getDefiningOp<model::SizesOp>(); sizes && sizes.getExprs().size() == 1)
    return DimExpr::parse(cast<StringAttr>(sizes.getExprs()[0]).getValue());
  auto constant = value.getDefiningOp<model::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseIntElementsAttr>(constant.getValue()) : DenseIntElementsAttr();
  if (!elements || !elements.isSplat() || !elements.getElementType().isInteger(64))
    return std::nullopt;
  return DimExpr(elements.getSplatValue<APInt>().getSExtValue());
}

/// 1 where a is less than b, else 0.
DimExpr less(const DimExpr &a, const DimExpr &b) {
  return DimExpr::min(1, DimExpr::max(0, b - a));
}

/// The condition of a `select` as 1 and 0, and its opposite.
struct Condition {
  DimExpr holds, fails;
};
std::optional<Condition> conditionOf(Value value) {
  auto op = value.getDefiningOp<model::ElementwiseOp>();
  if (!op || op->getNumOperands() != 2)
    return std::nullopt;
  auto a = sizeOf(op->getOperand(0)), b = sizeOf(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  switch (op.getKind()) {
  case model::ElementwiseKind::less:
    return Condition{less(*a, *b), less(*b, *a + 1)};
  case model::ElementwiseKind::greater_equal:
    return Condition{less(*b, *a + 1), less(*a, *b)};
  case model::ElementwiseKind::greater:
    return Condition{less(*b, *a), less(*a, *b + 1)};
  case model::ElementwiseKind::less_equal:
    return Condition{less(*a, *b + 1), less(*b, *a)};
  default:
    return std::nullopt;
  }
}

/// Gives a guard to the producer of `value` and to what it alone needs.
void guard(Value value, Operation *reader, const DimExpr &when, llvm::DenseMap<Operation *, DimExpr> &guards) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<model::ModelDialect, sattn::SattnDialect>(op->getDialect()) || guards.count(op))
    return;
  for (Operation *user : op->getUsers())
    if (auto known = guards.find(user); user != reader && (known == guards.end() || known->second != when))
      return;
  guards[op] = when;
  for (Value operand : op->getOperands())
    guard(operand, op, when, guards);
}
} // namespace

llvm::DenseMap<Operation *, DimExpr> tamis::sizeGuardsOf(func::FuncOp function) {
  llvm::DenseMap<Operation *, DimExpr> guards;
  for (auto op : function.getOps<model::ElementwiseOp>()) {
    if (op.getKind() != model::ElementwiseKind::select)
      continue;
    auto when = conditionOf(op->getOperand(0));
    // A value that is both sides is needed always.
    if (!when || op->getOperand(1) == op->getOperand(2))
      continue;
    guard(op->getOperand(1), op, when->holds, guards);
    guard(op->getOperand(2), op, when->fails, guards);
  }
  return guards;
}
