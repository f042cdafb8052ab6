// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running of one block after the other.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_BLOCK_H
#define TAMIS_RUNTIME_EMULATOR_RUN_BLOCK_H

#include "runtime/emulator/run/Warp.h"

namespace tamis::emulator {

/// Makes room for blocks of the launch whose kernel, options, shape, memory, findings and params are set.
void prepareBlock(Block &block);

/// Runs the block `id` of the grid to its end.
void runBlock(Block &block, const uint32_t (&id)[3]);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_BLOCK_H
