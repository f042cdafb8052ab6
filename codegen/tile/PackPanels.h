// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The packed form of a linear's weight.
#pragma once

#include <cstdint>

namespace tamis {

/// A matrix in memory: element (k, n) is `data[k * rowStride + n * columnStride]`; strides count elements.
struct StridedMatrix {
  const float *data;
  int64_t rowStride, columnStride;
};

/// Bytes of a packed K x N matrix of f32.
int64_t packedPanelBytes(int64_t K, int64_t N);

/// Packs a K x N matrix as [ceil(N / kPanelColumns)][K][kPanelColumns], columns beyond N zero. `out` holds
/// packedPanelBytes(K, N) bytes, aligned to 4. Runs at about the speed of memory.
void packPanels(const StridedMatrix &matrix, int64_t K, int64_t N, char *out);

/// A matrix of numbers of 16 bits in memory.
struct StridedHalves {
  const uint16_t *data;
  int64_t rowStride, columnStride;
};

/// Bytes of a packed K x N matrix of 16-bit numbers.
int64_t packedPairPanelBytes(int64_t K, int64_t N);

/// Packs a K x N matrix of 16-bit numbers as panels of kPanelColumns columns: [ceil(K / 2)][kPanelColumns][2]. Rows and
/// columns beyond K and N are zero. `out` holds packedPairPanelBytes(K, N) bytes.
void packPairPanels(const StridedHalves &matrix, int64_t K, int64_t N, char *out);

/// A matrix of bytes in memory, signed or not.
struct StridedBytes {
  const char *data;
  int64_t rowStride, columnStride;
  bool isUnsigned;
};

/// Bytes of a packed K x N matrix of bytes.
int64_t packedBytePanelBytes(int64_t K, int64_t N);

/// Packs a K x N matrix of bytes as panels of kPanelColumns columns: [ceil(K / 4)][kPanelColumns][4] signed bytes, w -
/// 128 for an unsigned w, then their sums over K, an i32 a column. Rows and columns beyond K and N are zero. One layout
/// for every instruction that multiplies bytes. `out` holds packedBytePanelBytes(K, N) bytes.
void packBytePanels(const StridedBytes &matrix, int64_t K, int64_t N, char *out);

} // namespace tamis
