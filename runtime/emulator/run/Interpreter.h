// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs one warp until it waits or ends, and the barriers at which it waits.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_INTERPRETER_H
#define TAMIS_RUNTIME_EMULATOR_RUN_INTERPRETER_H

#include "runtime/emulator/run/Warp.h"

namespace tamis::emulator {

/// Until its next barrier, its end, or a wait that must be tried again (Warp::mustYield). Sets Block::isOver when the
/// block cannot go on.
void runWarp(Warp &warp);

/// A warp's lanes arrive at a barrier instruction. Wakes those that waited when it is complete.
void arriveAtBarrier(Warp &warp, const Instruction &instruction, uint32_t mask);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_INTERPRETER_H
