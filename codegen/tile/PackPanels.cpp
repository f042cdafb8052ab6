// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs weights at compile time.
#include "codegen/tile/PackPanels.h"

#include "codegen/schedule/Schedule.h"
#include "llvm/Support/Endian.h"
#include <algorithm>

using namespace tamis;

// A cache line of each of the panel's columns: reads and writes both stay in the first-level cache.
static constexpr int64_t kBlock = 16;

int64_t tamis::packedPanelBytes(int64_t K, int64_t N) {
  return (N + kPanelColumns - 1) / kPanelColumns * K * kPanelColumns * int64_t(sizeof(float));
}

void tamis::packPanels(const StridedMatrix &matrix, int64_t K, int64_t N, char *out) {
  auto *packed = reinterpret_cast<float *>(out);
  for (int64_t first = 0; first < N; first += kPanelColumns, packed += K * kPanelColumns) {
    int64_t columns = std::min(kPanelColumns, N - first);
    const float *panel = matrix.data + first * matrix.columnStride;
    for (int64_t low = 0; low < K; low += kBlock) {
      int64_t high = std::min(K, low + kBlock);
      for (int64_t n = 0; n < columns; ++n)
        for (int64_t k = low; k < high; ++k)
          packed[k * kPanelColumns + n] = panel[k * matrix.rowStride + n * matrix.columnStride];
      for (int64_t k = low; k < high; ++k)
        std::fill(packed + k * kPanelColumns + columns, packed + (k + 1) * kPanelColumns, 0.0f);
    }
  }
}

int64_t tamis::packedPairPanelBytes(int64_t K, int64_t N) {
  return (N + kPanelColumns - 1) / kPanelColumns * ((K + 1) / 2 * 2) * kPanelColumns * int64_t(sizeof(uint16_t));
}

void tamis::packPairPanels(const StridedHalves &matrix, int64_t K, int64_t N, char *out) {
  int64_t pairs = (K + 1) / 2;
  std::fill_n(out, packedPairPanelBytes(K, N), char(0));
  for (int64_t first = 0; first < N; first += kPanelColumns, out += pairs * kPanelColumns * 4) {
    int64_t columns = std::min(kPanelColumns, N - first);
    for (int64_t low = 0; low < K; low += kBlock) {
      int64_t high = std::min(K, low + kBlock);
      for (int64_t n = 0; n < columns; ++n)
        for (int64_t k = low; k < high; ++k)
          llvm::support::endian::write16le(out + ((k / 2 * kPanelColumns + n) * 2 + k % 2) * 2,
                                           matrix.data[k * matrix.rowStride + (first + n) * matrix.columnStride]);
    }
  }
}

int64_t tamis::packedBytePanelBytes(int64_t K, int64_t N) {
  int64_t panel = ((K + 3) / 4 * 4 + int64_t(sizeof(int32_t))) * kPanelColumns;
  return (N + kPanelColumns - 1) / kPanelColumns * panel;
}

void tamis::packBytePanels(const StridedBytes &matrix, int64_t K, int64_t N, char *out) {
  for (int64_t first = 0; first < N; first += kPanelColumns) {
    char *sums = out + (K + 3) / 4 * 4 * kPanelColumns;
    std::fill(out, sums, char(0));
    for (int64_t n = 0; n < kPanelColumns; ++n) {
      int32_t sum = 0;
      for (int64_t k = 0; k < K && first + n < N; ++k) {
        int byte = uint8_t(matrix.data[k * matrix.rowStride + (first + n) * matrix.columnStride]);
        auto value = int8_t(matrix.isUnsigned ? byte - 128 : byte);
        out[(k / 4 * kPanelColumns + n) * 4 + k % 4] = char(value);
        sum += value;
      }
      llvm::support::endian::write32le(sums + n * 4, sum);
    }
    out = sums + kPanelColumns * 4;
  }
}
