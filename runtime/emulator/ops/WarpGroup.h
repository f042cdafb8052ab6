// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operands of a wgmma as one warp sees them.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_WARPGROUP_H
#define TAMIS_RUNTIME_EMULATOR_OPS_WARPGROUP_H

#include "runtime/emulator/run/Warp.h"

namespace tamis::emulator {

/// Blocks of 8 rows (of B: columns) by 16 bytes along K, as registers of mma hold them. The warp has 16 of the 64 rows.
struct ProductOperands {
  const uint8_t *a[4];     ///< rows 0-7 and 8-15 of the first 16 bytes, then of the second
  const uint8_t *b[32][2]; ///< by eight columns
  bool addsToSums = true;
  alignas(64) uint8_t bytes[68][128]; ///< of blocks from shared memory
};

/// Reads what the descriptors say, with every check. The layouts: PTX ISA, "Shared Memory Matrix Layout".
void prepareProduct(Warp &warp, const Instruction &instruction, uint32_t mask, ProductOperands &operands);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_OPS_WARPGROUP_H
