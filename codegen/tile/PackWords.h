// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The packed form of weights that kernels unpack in registers.
#pragma once

#include "codegen/tile/PackPanels.h"
#include <cstdint>

namespace tamis {

/// Integers of `bits` bits that one word of 32 bits holds.
constexpr int64_t perWord(unsigned bits) {
  return 32 / bits;
}

/// Bytes of a packed K x N matrix of integers of 4 or 8 bits.
int64_t packedWordBytes(int64_t K, int64_t N, unsigned bits);

/// Packs a K x N matrix of integers of 4 or 8 bits, a byte each, as panels of kPanelColumns columns:
/// [ceil(K / perWord)][kPanelColumns] words, little-endian. A word holds rows of one column that follow each other, the
/// first in the lowest bits; signed integers have 8 or 128 added, so that all are 0 or more. Rows and columns beyond K
/// and N are zero bits. One layout for every target: a vector of words is as many columns, and a row of it is a mask
/// away. `out` holds packedWordBytes bytes.
void packWords(const StridedBytes &matrix, int64_t K, int64_t N, unsigned bits, char *out);

/// Numbers that groups of a matrix's rows share: element (g, n) is at `data + (g * rowStride + n * columnStride) *
/// width`.
struct StridedUnits {
  const char *data;
  int64_t rowStride, columnStride;
  int64_t width; ///< bytes of an element
};

/// Bytes of packed units of N columns.
int64_t packedUnitBytes(int64_t groups, int64_t N, int64_t width);

/// Packs them as panels of kPanelColumns columns, [groups][kPanelColumns]; zeros beyond N.
void packUnits(const StridedUnits &units, int64_t groups, int64_t N, char *out);

} // namespace tamis
