// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors in the compiler's memory, and their elements as numbers.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cassert>
#include <cstring>
#include <vector>

namespace tamis::reference {

/// Whether the evaluator knows the elements: f8E4M3FN, f8E5M2, f16, bf16, f32, f64, i1, i4, i8, i16, i32, i64, ui4,
/// ui8.
bool isSupported(mlir::Type element);

/// Number of elements of a shape, 1 for none; nothing when it overflows or a size is negative.
std::optional<int64_t> elementCount(llvm::ArrayRef<int64_t> shape);

/// A tensor that owns its bytes: row-major, little-endian, bool one byte of 0 or 1, 4 bits one byte with
/// their sign or zeros above.
/// Invariant: `bytes` holds exactly the elements of `shape`; evaluate() rejects inputs for which it does not.
struct HostTensor {
  mlir::Type element;
  llvm::SmallVector<int64_t> shape;
  std::vector<char> bytes;

  /// All zeros. The shape must be countable and the element supported.
  static HostTensor zeros(mlir::Type element, llvm::ArrayRef<int64_t> shape);
  /// Copies `values`, one an element, of a C++ type as wide as `element`.
  template <typename T>
  static HostTensor of(mlir::Type element, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<T> values) {
    HostTensor tensor{element, llvm::SmallVector<int64_t>(shape), std::vector<char>(values.size() * sizeof(T))};
    if (!values.empty())
      std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    return tensor;
  }
  /// Rounds numbers to `element` as `model.cast` from f64 does.
  static HostTensor ofNumbers(mlir::Type element, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values);

  int64_t size() const;
  /// The elements as C++ values of the same width.
  template <typename T> llvm::ArrayRef<T> values() const {
    assert(bytes.size() == size() * sizeof(T) && "width of the C++ type and of the element differ");
    return {reinterpret_cast<const T *>(bytes.data()), bytes.size() / sizeof(T)};
  }
  /// The elements as numbers; i64 beyond 2^53 are rounded.
  std::vector<double> numbers() const;
};

/// A tensor whose bytes lie elsewhere, at any alignment.
struct TensorView {
  mlir::Type element;
  llvm::ArrayRef<int64_t> shape;
  llvm::ArrayRef<char> bytes;

  TensorView(mlir::Type element, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<char> bytes)
      : element(element), shape(shape), bytes(bytes) {}
  TensorView(const HostTensor &tensor) : TensorView(tensor.element, tensor.shape, tensor.bytes) {}

  int64_t size() const;
  bool isFloat() const { return llvm::isa<mlir::FloatType>(element); }
};

/// Elements [begin, begin + count) as numbers, without loss for floats.
std::vector<double> readFloats(const TensorView &tensor, int64_t begin, int64_t count);
std::vector<double> readFloats(const TensorView &tensor);
/// Elements as 64-bit integers, without loss for integers; floats are converted as `model.cast` does.
std::vector<int64_t> readIntegers(const TensorView &tensor);

/// Writes elements [begin, begin + values.size()): to nearest, ties to even; integers saturate and NaN becomes 0; bool:
/// is not zero.
void writeFloats(HostTensor &tensor, int64_t begin, llvm::ArrayRef<double> values);
/// Writes all elements: floats to nearest, of bits of u64 where `isUnsigned`; integers keep the low bits; bool: is not
/// zero.
void writeIntegers(HostTensor &tensor, llvm::ArrayRef<int64_t> values, bool isUnsigned = false);

} // namespace tamis::reference
