// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What sm_90 does in the background: mbarriers, and the bulk copies that report to them.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_ASYNCSTATE_H
#define TAMIS_RUNTIME_EMULATOR_RUN_ASYNCSTATE_H

#include "runtime/emulator/check/SharedShadow.h"
#include "runtime/emulator/run/Program.h"
#include <map>
#include <vector>

namespace tamis::emulator {

/// An mbarrier object. A phase ends when nobody is awaited, and all bytes that were announced have come.
struct MemoryBarrier {
  uint32_t expected = 0, pending = 0; ///< arrivals: of a phase, and still to come in this one
  int64_t transactions = 0;           ///< bytes announced that have not come; those that came first are negative
  uint64_t phase = 0;
  SharedShadow::Clocks arriving, completed; ///< what is known by arrivals of this phase, and of those that ended
};

/// A bulk copy to shared memory that has not landed: it does when somebody looks at its barrier.
struct BulkCopy {
  struct Piece {
    uint32_t offset, bytes; ///< in shared memory
  };
  const Instruction *instruction = nullptr;
  uint32_t warp = 0, barrier = 0; ///< offset of the mbarrier
  std::vector<Piece> pieces;
  std::vector<uint8_t> data; ///< of all pieces, one after the other
};

/// A bulk copy out of shared memory, in flight for the lane that will wait for it.
struct BulkRead {
  const Instruction *instruction = nullptr;
  uint32_t lane = 0, group = 0;
  std::vector<BulkCopy::Piece> pieces;
};

struct AsyncState {
  std::map<uint32_t, MemoryBarrier> barriers; ///< by offset in shared memory
  std::vector<BulkCopy> copies;
  uint64_t events = 0; ///< arrivals and landings: where there are none, waiting is in vain
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_ASYNCSTATE_H
