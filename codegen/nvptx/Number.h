// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integers of generated code, written as expressions.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tamis {

/// An integer value of generated code, i32 or index, with the operators of C++; each emits an op at the builder's
/// insertion point, or folds. Values are never negative, so that / and % are unsigned; <, - and minimum are signed.
/// Both operands have one type.
class Number {
public:
  Number(mlir::ImplicitLocOpBuilder &builder, mlir::Value value) : b(&builder), v(value) {}
  operator mlir::Value() const { return v; }
  mlir::Value value() const { return v; }

  Number operator+(const Number &y) const { return make<mlir::arith::AddIOp>(y); }
  Number operator-(const Number &y) const { return make<mlir::arith::SubIOp>(y); }
  Number operator*(const Number &y) const { return make<mlir::arith::MulIOp>(y); }
  Number operator/(const Number &y) const { return make<mlir::arith::DivUIOp>(y); }
  Number operator%(const Number &y) const { return make<mlir::arith::RemUIOp>(y); }
  Number operator^(const Number &y) const { return make<mlir::arith::XOrIOp>(y); }
  Number operator+(int64_t y) const { return *this + like(y); }
  Number operator-(int64_t y) const { return *this - like(y); }
  Number operator*(int64_t y) const { return *this * like(y); }
  Number operator/(int64_t y) const { return *this / like(y); }
  Number operator%(int64_t y) const { return *this % like(y); }
  Number operator^(int64_t y) const { return *this ^ like(y); }
  Number minimum(const Number &y) const { return make<mlir::arith::MinSIOp>(y); }
  Number maximum(const Number &y) const { return make<mlir::arith::MaxSIOp>(y); }

  // i1.
  mlir::Value operator<(const Number &y) const { return compare(mlir::arith::CmpIPredicate::slt, y); }
  mlir::Value operator<(int64_t y) const { return *this < like(y); }
  mlir::Value operator==(const Number &y) const { return compare(mlir::arith::CmpIPredicate::eq, y); }
  mlir::Value operator==(int64_t y) const { return *this == like(y); }

  /// A constant of this one's type.
  Number like(int64_t y) const {
    return {*b, mlir::arith::ConstantOp::create(*b, mlir::IntegerAttr::get(v.getType(), y))};
  }
  /// The same number as an index or an i32, and back.
  Number as(mlir::Type type) const {
    return v.getType() == type ? *this : Number(*b, b->createOrFold<mlir::arith::IndexCastOp>(type, v));
  }

private:
  template <typename Op> Number make(const Number &y) const { return {*b, b->createOrFold<Op>(v, y.v)}; }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, const Number &y) const {
    return b->createOrFold<mlir::arith::CmpIOp>(predicate, v, y.v);
  }
  mlir::ImplicitLocOpBuilder *b;
  mlir::Value v;
};

} // namespace tamis
