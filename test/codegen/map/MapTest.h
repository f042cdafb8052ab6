// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Map kernels from text, random operands, exact comparison.
#pragma once

#include "test/codegen/KernelHarness.h"

namespace tamis::test {

/// A map kernel; null after a test failure.
std::unique_ptr<KernelHarness> mapKernel(llvm::StringRef ir, llvm::StringRef target);

/// Text of a kernel: `func.func @kernel(%a0: TYPE, ...) -> (TYPES) { BODY return VALUES : TYPES }`. Symbols "n", "m"
/// and "k" of 0 to 1000 are declared.
std::string kernelText(llvm::ArrayRef<std::string> arguments, llvm::StringRef body,
                       llvm::ArrayRef<std::pair<std::string, std::string>> results);

/// `tensor<2x?xf32, #model.dims<"2", "n">>` from {"2", "n"}.
std::string typeText(llvm::ArrayRef<std::string> dims, llvm::StringRef element);

/// The element type of a text such as "f32".
mlir::Type elementType(mlir::MLIRContext *context, llvm::StringRef text);

/// Random elements: many special values (infinities, NaN, halves, extremes of the type) among small and large numbers,
/// or only numbers in [-4, 4) when `isTame`.
HostTensor randomTensor(mlir::Type element, llvm::ArrayRef<int64_t> shape, std::mt19937 &random, bool isTame = false);

/// Runs kernel and evaluator and fails the test where an element's bits differ; NaN equals any NaN.
void expectExact(KernelHarness &kernel, llvm::ArrayRef<HostTensor> inputs);

/// The same for two tensors; `what` names them in the message.
void expectEqual(const HostTensor &found, const HostTensor &wanted, const std::string &what);

class MapTest : public KernelTest {};

} // namespace tamis::test
