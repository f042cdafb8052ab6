// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that walk along an axis, and those that write at places known at run time.
#include "lib/reference/EvaluateOps.h"
#include "lib/reference/ScalarMath.h"
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::reference;
using Kind = ElementwiseKind;

namespace {
int64_t countOf(ArrayRef<int64_t> shape) {
  return elementCount(shape).value_or(0);
}

/// Calls `visit` with the first element of each line along `axis`.
void forEachLine(ArrayRef<int64_t> shape, int64_t axis, llvm::function_ref<void(int64_t first, int64_t step)> visit) {
  int64_t inner = countOf(shape.drop_front(axis + 1)), outer = countOf(shape.take_front(axis));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i)
      visit(o * shape[axis] * inner + i, inner);
}

template <typename T> void accumulate(CumulativeOp op, std::vector<T> &values, ArrayRef<int64_t> shape) {
  bool isSum = op.getKind() == ReduceKind::sum;
  int64_t count = shape[op.getAxis()];
  forEachLine(shape, op.getAxis(), [&](int64_t first, int64_t step) {
    T total = isSum ? 0 : 1;
    for (int64_t i = 0; i < count; ++i) {
      T &value = values[first + (op.getReverse() ? count - 1 - i : i) * step];
      T before = total;
      total = binary(isSum ? Kind::add : Kind::mul, total, value);
      value = op.getExclusive() ? before : total;
    }
  });
}

/// Places of a line in the order of its numbers.
template <typename T> void rank(TopKOp op, ArrayRef<T> values, ArrayRef<int64_t> shape, HostTensor &result) {
  auto isNumber = [](T x) { return !(x != x); };
  auto before = [&](T a, T b) {
    if (!isNumber(a) || !isNumber(b))
      return op.getSmallest() ? isNumber(a) && !isNumber(b) : isNumber(b) && !isNumber(a);
    return op.getSmallest() ? a < b : a > b;
  };
  int64_t axis = op.getAxis(), wanted = result.shape[axis];
  std::vector<int64_t> places(result.size()), order(shape[axis]);
  int64_t line = 0, inner = countOf(shape.drop_front(axis + 1));
  forEachLine(shape, axis, [&](int64_t first, int64_t step) {
    std::iota(order.begin(), order.end(), 0);
    llvm::stable_sort(order,
                      [&](int64_t a, int64_t b) { return before(values[first + a * step], values[first + b * step]); });
    for (int64_t i = 0; i < wanted; ++i)
      places[(line / inner * wanted + i) * inner + line % inner] = order[i];
    ++line;
  });
  writeIntegers(result, places);
}
} // namespace

llvm::Error tamis::reference::evaluateOp(CumulativeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  if (input.isFloat()) {
    std::vector<double> values = readFloats(input);
    accumulate(op, values, input.shape);
    writeFloats(result, 0, values);
  } else {
    std::vector<int64_t> values = readIntegers(input);
    accumulate(op, values, input.shape);
    writeIntegers(result, values);
  }
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(TopKOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  if (result.shape[op.getAxis()] > input.shape[op.getAxis()])
    return fail(op, "takes more elements than there are");
  std::vector<int64_t> integers = readIntegers(input);
  if (input.isFloat())
    rank<double>(op, readFloats(input), input.shape, result);
  else if (input.element.isUnsignedInteger(64))
    rank<uint64_t>(op, std::vector<uint64_t>(integers.begin(), integers.end()), input.shape, result);
  else
    rank<int64_t>(op, integers, input.shape, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ScatterOp op, const Scope &scope, HostTensor &result) {
  TensorView data = scope.view(op.getData()), at = scope.view(op.getIndices()), updates = scope.view(op.getUpdates());
  std::vector<int64_t> indices = readIntegers(at);
  int64_t batchDims = op.getBatchDims(), width = at.shape.back();
  ArrayRef<int64_t> picked = data.shape.slice(batchDims, width);
  int64_t batches = countOf(data.shape.take_front(batchDims));
  int64_t tuples = countOf(at.shape.drop_front(batchDims).drop_back()); // a batch
  int64_t row = countOf(data.shape.drop_front(batchDims + width)), bytes = elementBytes(data.element);
  std::copy(data.bytes.begin(), data.bytes.end(), result.bytes.begin());
  Kind join = op.getKind() == ScatterKind::sum    ? Kind::add
              : op.getKind() == ScatterKind::prod ? Kind::mul
              : op.getKind() == ScatterKind::max  ? Kind::maximum
                                                  : Kind::minimum;
  std::vector<double> floats, floatUpdates;
  std::vector<int64_t> numbers, numberUpdates;
  bool isWide = data.element.isUnsignedInteger(64);
  if (data.isFloat())
    floats = readFloats(data), floatUpdates = readFloats(updates);
  else
    numbers = readIntegers(data), numberUpdates = readIntegers(updates);
  for (int64_t i = 0; i < batches * tuples; ++i) {
    int64_t place = i / tuples;
    for (int64_t k = 0; k < width; ++k) {
      int64_t index = indices[i * width + k];
      if (index < -picked[k] || index >= picked[k])
        return fail(op, "index " + llvm::Twine(index) + ", element " + llvm::Twine(i * width + k) +
                            " of the indices, is outside of [" + llvm::Twine(-picked[k]) + ", " +
                            llvm::Twine(picked[k]) + ")");
      place = place * picked[k] + (index < 0 ? index + picked[k] : index);
    }
    if (op.getKind() == ScatterKind::write) {
      std::copy_n(updates.bytes.data() + i * row * bytes, row * bytes, result.bytes.data() + place * row * bytes);
      continue;
    }
    for (int64_t e = 0; e < row; ++e) {
      int64_t to = place * row + e, from = i * row + e;
      if (data.isFloat())
        floats[to] = binary(join, floats[to], floatUpdates[from]);
      else if (isWide)
        numbers[to] = int64_t(binary(join, uint64_t(numbers[to]), uint64_t(numberUpdates[from])));
      else
        numbers[to] = binary(join, numbers[to], numberUpdates[from]);
    }
  }
  if (op.getKind() == ScatterKind::write)
    return llvm::Error::success();
  if (data.isFloat())
    writeFloats(result, 0, floats);
  else
    writeIntegers(result, numbers);
  return llvm::Error::success();
}
