// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights of a model, mapped from their files.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>
#include <memory>
#include <string>

namespace tamis {

/// The bytes behind every `model.weight`, by key. Files are mapped once and never copied; the mapping lives as long as
/// the store. Little-endian, row-major. Reading is thread-safe; adding is not.
class WeightStore {
public:
  /// Maps `path` whole and keeps the mapping; the same path is mapped once.
  /// Errors: the file cannot be opened or is not a regular file.
  llvm::Expected<llvm::ArrayRef<char>> mapFile(llvm::StringRef path);

  /// Declares the weight `key`; `bytes` must lie in a mapped file or be kept by keep().
  /// Errors: the key exists already, or the size does not fit the type.
  llvm::Error add(llvm::StringRef key, mlir::RankedTensorType type, llvm::ArrayRef<char> bytes);

  /// Keeps a copy for bytes that lie in no file (a small initializer of a message).
  llvm::ArrayRef<char> keep(llvm::ArrayRef<char> bytes);
  /// Memory for bytes that are yet to be made, kept as those are.
  llvm::MutableArrayRef<char> allocate(size_t bytes);

  /// Keeps a text that goes with the model into its plan, as its tokenizer; a later one of the same name replaces it.
  void addText(llvm::StringRef name, std::string text) { belongings[name.str()] = std::move(text); }
  const std::map<std::string, std::string> &texts() const { return belongings; }

  /// A store of the same weights, for trials: what is added to it is not added here. This one has to live as long.
  WeightStore forTrial() const;

  struct Weight {
    mlir::RankedTensorType type; ///< static shape, no encoding
    llvm::ArrayRef<char> bytes;
  };
  /// Null when there is no such key.
  const Weight *find(llvm::StringRef key) const;
  size_t size() const { return weights.size(); }

  /// Tells the system that these bytes of a mapped file will not be read soon, so that a compilation does not hold a
  /// whole model in memory. They can still be read. Nothing happens for bytes that are not mapped.
  void release(llvm::ArrayRef<char> bytes) const;

private:
  llvm::StringMap<std::unique_ptr<llvm::MemoryBuffer>> files;
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> kept;
  std::map<std::string, std::string> belongings;
  llvm::StringMap<Weight> weights;
};

/// Bytes of one element in memory: bool is one byte, and so are 4 bits, with their sign or zeros above. Zero for a type
/// that has no storage form.
int64_t elementBytes(mlir::Type type);

/// Reads a .safetensors file (header length, JSON header, tensors) and adds every tensor under its own name.
/// Errors: as facts of the format demand: header length past the file or over 100 MB, JSON that is malformed, unknown
/// element types, offsets that overlap, leave holes past the file, or disagree with the shape.
/// Source: the format description of the safetensors project.
llvm::Error addSafetensors(WeightStore &store, llvm::StringRef path, mlir::MLIRContext *context);

} // namespace tamis
