// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that make, move or pick elements.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::reference;

namespace {
/// result[i] = source[start + i * strides], element by element.
void copyStrided(const TensorView &source, ArrayRef<int64_t> strides, int64_t start, HostTensor &result) {
  int64_t width = elementBytes(result.element);
  forEachElement(result.shape, strides, start, [&](int64_t i, int64_t from) {
    std::memcpy(result.bytes.data() + i * width, source.bytes.data() + from * width, width);
  });
}

int64_t countOf(ArrayRef<int64_t> shape) {
  return elementCount(shape).value_or(0);
}

llvm::Error unknownSize(Operation *op, StringRef expr) {
  return fail(op, "has the size " + expr + ", which the inputs do not determine");
}

/// An index as Python reads it: negative ones count from the end.
llvm::Expected<int64_t> checkedIndex(Operation *op, int64_t index, int64_t size, int64_t position) {
  if (index < -size || index >= size)
    return fail(op, "index " + std::to_string(index) + ", element " + std::to_string(position) +
                        " of the indices, is outside of [" + std::to_string(-size) + ", " + std::to_string(size) + ")");
  return index < 0 ? index + size : index;
}
} // namespace

llvm::Error tamis::reference::evaluateOp(ConstantOp op, const Scope &scope, HostTensor &result) {
  ElementsAttr value = op.getValue();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || blob->getData().size() != result.bytes.size())
      return fail(op, "has a resource of " + std::to_string(blob ? blob->getData().size() : 0) + " bytes but " +
                          std::to_string(result.bytes.size()) + " are wanted");
    result.bytes.assign(blob->getData().begin(), blob->getData().end());
    return llvm::Error::success();
  }
  if (isa<FloatType>(result.element)) {
    auto elements = value.tryGetValues<APFloat>();
    if (!elements)
      return fail(op, "has a value that cannot be read element by element");
    std::vector<double> numbers;
    for (APFloat element : *elements) {
      bool losesInfo; // none of the supported formats is wider than f64
      element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
      numbers.push_back(element.convertToDouble());
    }
    writeFloats(result, 0, numbers);
    return llvm::Error::success();
  }
  auto elements = value.tryGetValues<APInt>();
  if (!elements)
    return fail(op, "has a value that cannot be read element by element");
  std::vector<int64_t> numbers;
  for (const APInt &element : *elements)
    numbers.push_back(static_cast<int64_t>(element.getZExtValue())); // writing keeps the low bits, whatever the sign
  writeIntegers(result, numbers);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(SizesOp op, const Scope &scope, HostTensor &result) {
  std::vector<int64_t> sizes;
  for (StringRef expr : op.getExprs().getAsValueRange<StringAttr>()) {
    auto size = scope.evaluate(expr);
    if (!size)
      return unknownSize(op, expr);
    sizes.push_back(*size);
  }
  writeIntegers(result, sizes);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(IotaOp op, const Scope &scope, HostTensor &result) {
  auto start = scope.evaluate(op.getStart()), step = scope.evaluate(op.getStep());
  if (!start)
    return unknownSize(op, op.getStart());
  if (!step)
    return unknownSize(op, op.getStep());
  std::vector<int64_t> values(result.size());
  uint64_t value = *start; // unsigned: i64 wraps
  for (int64_t &element : values) {
    element = static_cast<int64_t>(value);
    value += static_cast<uint64_t>(*step);
  }
  writeIntegers(result, values);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ReshapeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  result.bytes.assign(input.bytes.begin(), input.bytes.end());
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(TransposeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  SmallVector<int64_t> own = rowMajorStrides(input.shape), strides;
  for (int64_t axis : op.getPermutation())
    strides.push_back(own[axis]);
  copyStrided(input, strides, 0, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(BroadcastOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  copyStrided(input, broadcastStrides(input.shape, result.shape), 0, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(SliceOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  if (countOf(result.shape) == 0)
    return llvm::Error::success();
  SmallVector<int64_t> own = rowMajorStrides(input.shape), strides;
  int64_t start = 0;
  for (auto [axis, expr] : llvm::enumerate(op.getStarts().getAsValueRange<StringAttr>())) {
    auto first = scope.evaluate(expr);
    if (!first)
      return unknownSize(op, expr);
    int64_t step = op.getSteps()[axis], last;
    if (llvm::MulOverflow(result.shape[axis] - 1, step, last) || llvm::AddOverflow(last, *first, last) || *first < 0 ||
        *first >= input.shape[axis] || last < 0 || last >= input.shape[axis])
      return fail(op, "picks " + std::to_string(result.shape[axis]) + " elements from " + std::to_string(*first) +
                          " by steps of " + std::to_string(step) + " along axis " + std::to_string(axis) +
                          ", which has " + std::to_string(input.shape[axis]));
    start += *first * own[axis];
    // A step that is never taken may be of any size.
    strides.push_back(result.shape[axis] == 1 ? 0 : step * own[axis]);
  }
  copyStrided(input, strides, start, result);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ConcatOp op, const Scope &scope, HostTensor &result) {
  int64_t outer = countOf(ArrayRef(result.shape).take_front(op.getAxis()));
  char *to = result.bytes.data();
  for (int64_t i = 0; i < outer; ++i)
    for (Value operand : op.getInputs()) {
      TensorView input = scope.view(operand);
      size_t row = input.bytes.size() / outer; // from the joined axis on
      std::copy_n(input.bytes.data() + i * row, row, to);
      to += row;
    }
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(GatherOp op, const Scope &scope, HostTensor &result) {
  TensorView data = scope.view(op.getData());
  std::vector<int64_t> indices = readIntegers(scope.view(op.getIndices()));
  int64_t outer = countOf(data.shape.take_front(op.getAxis())), size = data.shape[op.getAxis()];
  int64_t row = countOf(data.shape.drop_front(op.getAxis() + 1)) * elementBytes(data.element); // bytes
  std::vector<int64_t> rows;
  for (auto [position, index] : llvm::enumerate(indices)) {
    auto checked = checkedIndex(op, index, size, position);
    if (!checked)
      return checked.takeError();
    rows.push_back(*checked);
  }
  char *to = result.bytes.data();
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t index : rows) {
      std::copy_n(data.bytes.data() + (i * size + index) * row, row, to);
      to += row;
    }
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(GatherNdOp op, const Scope &scope, HostTensor &result) {
  TensorView data = scope.view(op.getData()), at = scope.view(op.getIndices());
  std::vector<int64_t> indices = readIntegers(at);
  int64_t batchDims = op.getBatchDims(), width = at.shape.back();
  ArrayRef<int64_t> picked = data.shape.slice(batchDims, width); // the axes that tuples index
  int64_t batches = countOf(data.shape.take_front(batchDims));
  int64_t tuples = countOf(at.shape.drop_front(batchDims).drop_back()); // a batch
  int64_t row = countOf(data.shape.drop_front(batchDims + width)) * elementBytes(data.element);
  char *to = result.bytes.data();
  for (int64_t i = 0; i < batches * tuples; ++i) {
    int64_t source = i / tuples;
    for (int64_t k = 0; k < width; ++k) {
      auto checked = checkedIndex(op, indices[i * width + k], picked[k], i * width + k);
      if (!checked)
        return checked.takeError();
      source = source * picked[k] + *checked;
    }
    std::copy_n(data.bytes.data() + source * row, row, to);
    to += row;
  }
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(CastOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  if (input.isFloat())
    writeFloats(result, 0, readFloats(input));
  else
    writeIntegers(result, readIntegers(input), input.element.isUnsignedInteger(64));
  return llvm::Error::success();
}
