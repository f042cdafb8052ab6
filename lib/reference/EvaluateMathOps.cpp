// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that compute, element by element or over axes.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateOps.h"
#include "lib/reference/ScalarMath.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::reference;
using Kind = ElementwiseKind;

namespace {
std::vector<double> read(const TensorView &tensor, double) {
  return readFloats(tensor);
}
std::vector<int64_t> read(const TensorView &tensor, int64_t) {
  return readIntegers(tensor);
}
std::vector<uint64_t> read(const TensorView &tensor, uint64_t) {
  std::vector<int64_t> bits = readIntegers(tensor);
  return {bits.begin(), bits.end()};
}
void write(HostTensor &tensor, ArrayRef<double> values) {
  writeFloats(tensor, 0, values);
}
void write(HostTensor &tensor, ArrayRef<int64_t> values) {
  writeIntegers(tensor, values);
}
void write(HostTensor &tensor, ArrayRef<uint64_t> values) {
  writeIntegers(tensor, std::vector<int64_t>(values.begin(), values.end()));
}

/// An operand repeated to the result's shape.
template <typename T> std::vector<T> spread(const TensorView &operand, ArrayRef<int64_t> shape) {
  std::vector<T> own = read(operand, T()), values(elementCount(shape).value_or(0));
  forEachElement(shape, broadcastStrides(operand.shape, shape), 0,
                 [&](int64_t i, int64_t source) { values[i] = own[source]; });
  return values;
}

template <typename T> void elementwise(ElementwiseOp op, const Scope &scope, HostTensor &result) {
  auto operand = [&](unsigned i) { return spread<T>(scope.view(op.getOperands()[i]), result.shape); };
  std::vector<T> first = operand(0);
  if (op.getOperands().size() == 1) {
    for (T &x : first)
      x = unary(op.getKind(), x);
  } else if (op.getOperands().size() == 2) {
    std::vector<T> second = operand(1);
    for (size_t i = 0; i < first.size(); ++i)
      first[i] = binary(op.getKind(), first[i], second[i]);
  } else { // select
    std::vector<T> second = operand(1), third = operand(2);
    for (size_t i = 0; i < first.size(); ++i)
      first[i] = first[i] != 0 ? second[i] : third[i];
  }
  write(result, first);
}

/// What a reduction over no element gives.
template <typename T> T neutral(ReduceKind kind, Type element) {
  switch (kind) {
  case ReduceKind::sum:
  case ReduceKind::mean:
    return 0;
  case ReduceKind::prod:
    return 1;
  case ReduceKind::max:
  case ReduceKind::min:
    break;
  }
  bool lowest = kind == ReduceKind::max;
  if constexpr (std::is_same_v<T, double>) {
    return lowest ? -INFINITY : INFINITY;
  } else {
    unsigned bits = element.getIntOrFloatBitWidth();
    if (element.isUnsignedInteger())
      return lowest ? 0 : llvm::maxUIntN(bits);
    return lowest ? llvm::minIntN(bits) : llvm::maxIntN(bits);
  }
}

template <typename T> void reduce(ReduceOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  Kind combine = op.getKind() == ReduceKind::max    ? Kind::maximum
                 : op.getKind() == ReduceKind::min  ? Kind::minimum
                 : op.getKind() == ReduceKind::prod ? Kind::mul
                                                    : Kind::add;
  std::vector<T> values = read(input, T());
  std::vector<T> totals(result.size(), neutral<T>(op.getKind(), input.element));
  forEachElement(input.shape, broadcastStrides(result.shape, input.shape), 0,
                 [&](int64_t i, int64_t to) { totals[to] = binary(combine, totals[to], values[i]); });
  if (op.getKind() == ReduceKind::mean) {
    T count = 1;
    for (int64_t axis : op.getAxes())
      count *= input.shape[axis];
    if constexpr (!std::is_same_v<T, double>) { // the sum of the type itself, wrapped
      write(result, totals);
      totals = read(TensorView(result), T());
    }
    for (T &total : totals)
      total = binary(Kind::div, total, count);
  }
  write(result, totals);
}

/// Sums in 64 bits; what is written keeps the low bits of integers.
template <typename T> void multiply(MatmulOp op, const Scope &scope, HostTensor &result) {
  TensorView lhs = scope.view(op.getLhs()), rhs = scope.view(op.getRhs());
  std::vector<T> a = read(lhs, T()), b = read(rhs, T()), product(result.size());
  int64_t rows = result.shape[result.shape.size() - 2], columns = result.shape.back(), inner = lhs.shape.back();
  // Matrices of the operands by index of the leading axes, numbered row-major as the result's are.
  ArrayRef<int64_t> lead = ArrayRef(result.shape).drop_back(2);
  std::vector<int64_t> rhsMatrix(elementCount(lead).value_or(0));
  forEachElement(lead, broadcastStrides(rhs.shape.drop_back(2), lead), 0,
                 [&](int64_t i, int64_t matrix) { rhsMatrix[i] = matrix; });
  std::vector<T> sums(columns);
  forEachElement(lead, broadcastStrides(lhs.shape.drop_back(2), lead), 0, [&](int64_t i, int64_t lhsMatrix) {
    for (int64_t m = 0; m < rows; ++m) {
      std::fill(sums.begin(), sums.end(), T(0));
      for (int64_t k = 0; k < inner; ++k) {
        T left = a[(lhsMatrix * rows + m) * inner + k];
        const T *right = b.data() + (rhsMatrix[i] * inner + k) * columns;
        for (int64_t n = 0; n < columns; ++n)
          sums[n] += left * right[n];
      }
      std::copy(sums.begin(), sums.end(), product.begin() + (i * rows + m) * columns);
    }
  });
  write(result, product);
}
} // namespace

llvm::Error tamis::reference::evaluateOp(ElementwiseOp op, const Scope &scope, HostTensor &result) {
  if (scope.view(op.getOperands().back()).isFloat())
    elementwise<double>(op, scope, result);
  else if (scope.view(op.getOperands().back()).element.isUnsignedInteger(64))
    elementwise<uint64_t>(op, scope, result);
  else
    elementwise<int64_t>(op, scope, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ActivationOp op, const Scope &scope, HostTensor &result) {
  std::vector<double> values = readFloats(scope.view(op.getInput()));
  for (double &value : values)
    value = activate(op.getKind(), value);
  writeFloats(result, 0, values);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ReduceOp op, const Scope &scope, HostTensor &result) {
  if (scope.view(op.getInput()).isFloat())
    reduce<double>(op, scope, result);
  else if (scope.view(op.getInput()).element.isUnsignedInteger(64))
    reduce<uint64_t>(op, scope, result);
  else
    reduce<int64_t>(op, scope, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(SoftmaxOp op, const Scope &scope, HostTensor &result) {
  std::vector<double> values = readFloats(scope.view(op.getInput()));
  SmallVector<int64_t> strides = rowMajorStrides(result.shape), rows = result.shape;
  int64_t length = result.shape[op.getAxis()], stride = strides[op.getAxis()];
  rows[op.getAxis()] = 1;
  forEachElement(rows, strides, 0, [&](int64_t, int64_t first) {
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < length; ++i)
      largest = binary(Kind::maximum, largest, values[first + i * stride]);
    for (int64_t i = 0; i < length; ++i)
      sum += values[first + i * stride] = std::exp(values[first + i * stride] - largest);
    for (int64_t i = 0; i < length; ++i)
      values[first + i * stride] /= sum;
  });
  writeFloats(result, 0, values);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(MatmulOp op, const Scope &scope, HostTensor &result) {
  if (scope.view(op.getLhs()).isFloat())
    multiply<double>(op, scope, result);
  else
    multiply<int64_t>(op, scope, result);
  return llvm::Error::success();
}
