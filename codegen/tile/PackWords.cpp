// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs integers of few bits, and their units, at compile time.
#include "codegen/tile/PackWords.h"

#include "codegen/schedule/Schedule.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cstring>

using namespace tamis;

int64_t tamis::packedWordBytes(int64_t K, int64_t N, unsigned bits) {
  return int64_t(llvm::divideCeil(N, kPanelColumns) * llvm::divideCeil(K, perWord(bits))) * kPanelColumns * 4;
}

void tamis::packWords(const StridedBytes &matrix, int64_t K, int64_t N, unsigned bits, char *out) {
  const uint32_t mask = (1u << bits) - 1, lift = matrix.isUnsigned ? 0 : 1u << (bits - 1);
  int64_t per = perWord(bits), words = llvm::divideCeil(K, per);
  std::fill_n(out, packedWordBytes(K, N, bits), char(0));
  for (int64_t n = 0; n < N; ++n) {
    char *panel = out + n / kPanelColumns * words * kPanelColumns * 4;
    for (int64_t word = 0; word < words; ++word) {
      uint32_t packed = 0;
      for (int64_t k = word * per; k < std::min(K, (word + 1) * per); ++k) {
        uint32_t value = uint8_t(matrix.data[k * matrix.rowStride + n * matrix.columnStride]);
        packed |= ((value + lift) & mask) << (k % per * bits);
      }
      llvm::support::endian::write32le(panel + (word * kPanelColumns + n % kPanelColumns) * 4, packed);
    }
  }
}

int64_t tamis::packedUnitBytes(int64_t groups, int64_t N, int64_t width) {
  return int64_t(llvm::divideCeil(N, kPanelColumns)) * groups * kPanelColumns * width;
}

void tamis::packUnits(const StridedUnits &units, int64_t groups, int64_t N, char *out) {
  std::fill_n(out, packedUnitBytes(groups, N, units.width), char(0));
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < groups; ++g)
      memcpy(out + ((n / kPanelColumns * groups + g) * kPanelColumns + n % kPanelColumns) * units.width,
             units.data + (g * units.rowStride + n * units.columnStride) * units.width, units.width);
}
