// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs weights at compile time.
#include "codegen/tile/PackPanels.h"

#include "codegen/schedule/Schedule.h"
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
