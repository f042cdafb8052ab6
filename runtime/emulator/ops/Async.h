// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What mbarriers and bulk copies have in common.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_ASYNC_H
#define TAMIS_RUNTIME_EMULATOR_OPS_ASYNC_H

#include "runtime/emulator/ops/Access.h"

namespace tamis::emulator {

/// Offsets in shared memory of op[`operand`] + `offset` of each lane; a generic address where `isGeneric`. Lanes whose
/// `bytes`, aligned to `alignment`, do not lie there are reported and left out of what is given.
uint32_t sharedOffsets(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t operand, int64_t offset,
                       uint8_t flags, bool isGeneric, uint32_t bytes, uint32_t alignment, uint32_t (&offsets)[32]);

/// The mbarrier at an offset, or null after a report.
MemoryBarrier *findBarrier(Warp &warp, const Instruction &instruction, uint32_t lane, uint32_t offset);

/// Ends the phase if nothing is awaited any more.
void completePhase(Block &block, MemoryBarrier &barrier);

/// Copies that report to the mbarrier at `offset` land.
void landCopies(Block &block, uint32_t offset);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_OPS_ASYNC_H
