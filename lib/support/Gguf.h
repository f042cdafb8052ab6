// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The GGUF format: what a language model's file says of it, and its tensors, packed as they lie in the file.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tamis {

/// How the elements of a tensor are packed, by the format's own numbers. Those in blocks share scales.
enum class GgufType : uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  IQ4_NL = 20,
  BF16 = 30,
  MXFP4 = 39,
};

/// Elements and bytes of one block of a packing; of one element where it has no blocks.
struct GgufBlock {
  const char *name;
  int64_t elements, bytes;
};
/// Nothing for a number that is no packing read here.
std::optional<GgufBlock> ggufBlock(uint32_t type);

/// Unpacks whole blocks to f32: each element's value as the format defines it, computed in f32. `packed` holds
/// `values.size()` elements, which are a multiple of the block's. Thread-safe.
/// Source: the format's description and reference implementation in the ggml project, read to learn; the tests compare
/// with the `gguf` package.
void unpackGguf(GgufType type, llvm::ArrayRef<char> packed, llvm::MutableArrayRef<float> values);

/// Elements as integers: `scale * integer + minimum`, or without minima, where some that follow each other share both.
struct GgufGroups {
  unsigned bits; ///< 4 or 8, of integers that lie a byte each
  bool isSigned;
  int64_t group;      ///< elements
  bool hasHalfScales; ///< scales and minima are f16, as in the file; else f32, which holds their products exactly
  bool hasMinimum;
};
/// Nothing for packings whose elements are floats.
std::optional<GgufGroups> ggufGroups(GgufType type);

/// Splits whole blocks, with nothing lost: the sum above, each step rounded in f32, is what unpackGguf gives.
/// `integers` has an element's byte each, `scales` and `minima` (of none where there are none) the bytes of one number
/// a group. Thread-safe.
void splitGguf(GgufType type, llvm::ArrayRef<char> packed, llvm::MutableArrayRef<char> integers,
               llvm::MutableArrayRef<char> scales, llvm::MutableArrayRef<char> minima);

/// One file, in memory that outlives it.
class GgufFile {
public:
  struct Tensor {
    llvm::StringRef name;
    llvm::SmallVector<int64_t, 4> dims; ///< row-major: the format's own order reversed
    GgufType type;
    llvm::ArrayRef<char> bytes;
  };

  /// Reads the header; every size and offset in it is checked against the file.
  /// Errors: no GGUF of version 2 or 3; a header that is cut short or contradicts itself, a packing that is not known,
  /// tensors that overlap or lie outside of the file. Messages do not name the file.
  static llvm::Expected<GgufFile> read(llvm::ArrayRef<char> file);

  /// The value of `key`, where it is there and of that kind.
  std::optional<int64_t> integer(llvm::StringRef key) const;
  std::optional<double> number(llvm::StringRef key) const; ///< integers too
  std::optional<bool> boolean(llvm::StringRef key) const;
  std::optional<llvm::StringRef> text(llvm::StringRef key) const;
  std::optional<std::vector<llvm::StringRef>> texts(llvm::StringRef key) const;
  std::optional<std::vector<int64_t>> integers(llvm::StringRef key) const;
  std::optional<std::vector<double>> numbers(llvm::StringRef key) const; ///< integers too
  bool has(llvm::StringRef key) const { return values.contains(key); }

  llvm::ArrayRef<Tensor> tensors() const { return list; }

private:
  friend class GgufReader;
  struct Value {
    uint32_t type; ///< of each element of an array
    bool isArray;
    uint64_t count;             ///< 1 of no array
    llvm::ArrayRef<char> bytes; ///< as in the file
  };
  const Value *find(llvm::StringRef key, bool isArray) const;

  llvm::StringMap<Value> values;
  std::vector<Tensor> list;
};

} // namespace tamis
