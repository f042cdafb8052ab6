// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tile registers of AMX: eight of 16 rows of 64 bytes, and what multiplies them.
#pragma once

#include "codegen/tile/KernelBuilder.h"

namespace tamis {

/// Emits instructions on tile registers, which are numbers from 0 to 7 in them. All registers are whole. The first
/// kConfigurationBytes of the kernel's scratch belong to this.
class TileRegisters {
public:
  static constexpr int64_t kRows = 16, kRowBytes = 64, kColumns = 16; ///< columns: of sums, 4 bytes each
  static constexpr int64_t kConfigurationBytes = 64;

  explicit TileRegisters(KernelBuilder &builder) : b(builder) {}

  /// Before the first and after the last use of a register.
  void configure();
  void release();

  void zero(int64_t number);
  /// Rows begin `strideBytes` apart, the first at an element of a buffer.
  void load(int64_t number, mlir::Value buffer, mlir::Value offset, int64_t strideBytes);
  void store(int64_t number, mlir::Value buffer, mlir::Value offset, int64_t strideBytes);
  /// sums += left x right, by the instruction of that name, such as "tdpbssd" or "tdpbf16ps".
  void multiply(llvm::StringRef instruction, int64_t sums, int64_t left, int64_t right);

private:
  mlir::Value pointer(mlir::Value buffer, mlir::Value offset);
  void call(llvm::StringRef name, llvm::ArrayRef<int64_t> registers, mlir::ValueRange more = {});

  KernelBuilder &b;
};

} // namespace tamis
