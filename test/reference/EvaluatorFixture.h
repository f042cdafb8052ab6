// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every test of the evaluator needs: a context, text to function, tensors from numbers.
#pragma once

#include "lib/reference/Evaluator.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

namespace tamis::reference {

class EvaluatorFixture : public testing::Test {
protected:
  EvaluatorFixture();

  /// The type that `text` spells, such as `f32` or `tensor<2xf32>`.
  mlir::Type type(llvm::StringRef text);
  /// A tensor of numbers, rounded to `element`; the numbers of a tensor of one axis need no shape.
  HostTensor tensor(llvm::StringRef element, llvm::ArrayRef<int64_t> shape, std::vector<double> values);
  HostTensor vector(llvm::StringRef element, std::vector<double> values);
  HostTensor i64s(std::vector<int64_t> values);

  /// Evaluates the function `@main` of a module.
  llvm::Expected<std::vector<HostTensor>> evaluateText(llvm::StringRef module, llvm::ArrayRef<HostTensor> inputs);
  /// The result `%r` of `body`, of type `result`, for inputs `%a`, `%b`, ... of the static types of `inputs`. A failure
  /// is reported and gives an empty tensor.
  HostTensor run(llvm::StringRef body, llvm::StringRef result, llvm::ArrayRef<HostTensor> inputs);
  /// As run(), but the error's text, empty when there is none.
  std::string errorOf(llvm::StringRef body, llvm::StringRef result, llvm::ArrayRef<HostTensor> inputs);
  /// As evaluateText(), but the error's text.
  std::string errorOfText(llvm::StringRef module, llvm::ArrayRef<HostTensor> inputs);

  mlir::MLIRContext context;
  WeightStore weights;
  EvaluateOptions options;
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< of the last evaluation

private:
  std::string moduleOf(llvm::StringRef body, llvm::StringRef result, llvm::ArrayRef<HostTensor> inputs);
};

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Checks numbers one by one; NaN equals NaN, and the sign of a zero counts when `wanted` has a negative one.
void expectNumbers(const HostTensor &found, const std::vector<double> &wanted, double tolerance = 0);

} // namespace tamis::reference
