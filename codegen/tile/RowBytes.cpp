// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Units of rows, and exact quotients without dividing.
#include "codegen/tile/RowBytes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

RowBytes::RowBytes(KernelBuilder &builder, const CpuTarget &target, QuantizeRowsOp op)
    : b(builder), math(builder, target), op(op), lanes(target.lanes),
      hasMultiplyAdd(llvm::is_contained(target.features, "fma")), f32(builder.getF32Type()),
      byte(cast<RankedTensorType>(op.getResult().getType()).getElementType()) {}

bool RowBytes::isResult(Value value) {
  return llvm::is_contained(b.source().front().getTerminator()->getOperands(), value);
}

Value RowBytes::larger(Value a, Value c) {
  return arith::MaximumFOp::create(b, a, c, arith::FastMathFlags::nsz);
}

Value RowBytes::rounded(Value x, Value scale) {
  return math.elementwise(ElementwiseKind::round, {math.div(x, scale)}, f32);
}

void RowBytes::setUnit(Value high, Value below, Value row) {
  scale = math.div(math.add(high, below), math.constant(f32, 255));
  zeroPoint = math.cast(rounded(below, scale), f32, byte);
  if (isResult(op.getScale()))
    b.store(scale, b.bufferOf(op.getScale()), row);
  if (isResult(op.getZeroPoint()))
    b.store(zeroPoint, b.bufferOf(op.getZeroPoint()), row);
}

void RowBytes::write(function_ref<void(function_ref<Value(Value)>)> sweep) {
  if (!isResult(op.getResult()))
    return;
  Value scales = b.broadcast(scale, lanes), zeros = b.broadcast(math.cast(zeroPoint, byte, f32), lanes);
  auto byDivision = [&] { sweep([&](Value x) { return math.cast(math.add(rounded(x, scales), zeros), f32, byte); }); };
  if (!hasMultiplyAdd)
    return byDivision();
  // Between these bounds, nothing of what follows overflows or loses digits; NaN is not.
  auto compare = [&](arith::CmpFPredicate predicate, double bound) -> Value {
    return arith::CmpFOp::create(b, predicate, scale, math.constant(f32, bound));
  };
  Value isUsual = arith::AndIOp::create(b, compare(arith::CmpFPredicate::OGE, 0x1p-100),
                                        compare(arith::CmpFPredicate::OLE, 0x1p100));
  b.branch(isUsual, [&] { sweep(byReciprocal()); }, byDivision);
}

/// Bytes of vectors by the exact quotient, without dividing: from the reciprocal, which is rounded to nearest, one step
/// gives one of the two floats beside the quotient, and a step more the nearer one (Markstein, IBM J. Res. Dev. 34,
/// 1990). Adding 3 * 2^22 rounds it to an integer, ties to even, in the low bits.
std::function<Value(Value)> RowBytes::byReciprocal() {
  constexpr double kRounder = 0x1.8p23;
  constexpr int64_t kRounderBits = 0x4b400000;
  Type i32 = b.getI32Type();
  Value inverse = b.broadcast(math.div(math.constant(f32, 1.0), scale), lanes), scales = b.broadcast(scale, lanes);
  Value shift = arith::SubIOp::create(b, arith::ExtUIOp::create(b, i32, zeroPoint), math.integer(i32, kRounderBits));
  Value shifts = b.broadcast(shift, lanes);
  return [=, this](Value x) -> Value {
    Value quotient = math.mul(x, inverse);
    for (int step = 0; step < 2; ++step) {
      Value negated = arith::NegFOp::create(b, quotient);
      Value rest = vector::FMAOp::create(b, negated, scales, x);
      quotient = vector::FMAOp::create(b, rest, inverse, quotient);
    }
    Value bits = arith::BitcastOp::create(b, b.vectorType(lanes, i32), math.add(quotient, b.splat(kRounder, lanes)));
    Value sum = arith::AddIOp::create(b, bits, shifts);
    sum = arith::MinUIOp::create(b, sum, math.integer(sum.getType(), 255));
    return arith::TruncIOp::create(b, b.vectorType(lanes, b.getI8Type()), sum);
  };
}
