// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of a running block: its warps, shared memory, shadow and what was found and counted.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_WARP_H
#define TAMIS_RUNTIME_EMULATOR_RUN_WARP_H

#include "runtime/emulator/check/Findings.h"
#include "runtime/emulator/check/SharedShadow.h"
#include "runtime/emulator/check/Traffic.h"
#include "runtime/emulator/check/WarpGroups.h"
#include "runtime/emulator/run/AsyncState.h"
#include "runtime/emulator/run/DeviceMemory.h"
#include "runtime/emulator/run/Program.h"

namespace tamis::emulator {

struct Block;

/// Lanes of a warp that stand at the same instruction.
struct Group {
  uint32_t pc = 0, lanes = 0;
  bool isBlocked = false; ///< at a Sync or Barrier, for lanes that are elsewhere
};

/// A cp.async of some lanes, not yet waited for.
struct AsyncCopy {
  uint32_t lanes = 0, group = 0, bytes = 0, line = 0, pc = 0;
  uint32_t to[32];         ///< offsets in shared memory
  const uint8_t *from[32]; ///< null: zeros
  uint8_t sourceBytes[32]; ///< the rest are zeros
};

struct Warp {
  uint8_t *registers = nullptr;
  Block *block = nullptr;
  uint32_t index = 0;
  uint32_t lanes = 0; ///< that exist
  uint32_t live = 0;  ///< that have not exited
  uint32_t carry = 0; ///< CC.CF of each lane
  Group current;
  std::vector<Group> others;
  uint32_t *defined = nullptr; ///< lanes of each register that were written
  std::vector<AsyncCopy> copies;
  uint32_t committed[32] = {}; ///< groups of cp.async a lane has closed
  Products products;           ///< wgmmas that were not waited for
  uint8_t *local = nullptr;    ///< 32 x EntryInfo::localBytes
  uint8_t *localWritten = nullptr;
  enum State : uint8_t { Ready, AtBarrier, Done } state = Ready;
  bool mustYield = false;  ///< set by a handler: try the same instruction again later
  bool hasYielded = false; ///< at this instruction, already
  std::vector<BulkRead> bulkReads;
  uint32_t bulkCommitted[32] = {}; ///< groups of bulk copies a lane has closed
  uint32_t barrier = 0, barrierLine = 0;

  template <typename T> T *at(uint32_t offset) { return reinterpret_cast<T *>(registers + offset); }
  template <typename T> const T *at(uint32_t offset) const { return reinterpret_cast<const T *>(registers + offset); }
};

struct NamedBarrier {
  uint32_t arrived = 0, wanted = 0; ///< threads
  uint64_t warps = 0;               ///< that wait
  uint64_t arrivers = 0;            ///< that came
  bool anyTrue = false, allTrue = true;
  uint32_t population = 0;
  const Instruction *reduction[32] = {}; ///< of warps that wait for a bar.red
  SharedShadow::Clocks clocks;
};

/// One block while it runs. A worker keeps one and resets it for each block of the grid.
struct Block {
  const Kernel *kernel = nullptr;
  const Options *options = nullptr;
  const LaunchShape *shape = nullptr;
  const DeviceMemory *memory = nullptr;
  Findings *findings = nullptr;
  uint32_t id[3] = {0, 0, 0};
  uint32_t threads = 0;
  std::vector<Warp> warps;
  std::vector<uint8_t> registerFiles, params, local, localWritten;
  std::vector<uint32_t> definedLanes;
  uint8_t *shared = nullptr;
  std::vector<uint8_t> sharedBytes;
  uint32_t sharedSize = 0;
  SharedShadow shadow;
  std::vector<WarpGroup> groups; ///< of four warps, with Options::checks
  NamedBarrier barriers[16];
  AsyncState async;
  std::vector<uint64_t> executed;           ///< of each instruction, over all blocks of the worker
  std::vector<LineTraffic> traffic;         ///< the same, with Options::traffic
  std::vector<DeviceMemory::Cached> ranges; ///< the allocation each instruction met last
  bool checks = false, countsTraffic = false, isOver = false;
  uint64_t budget = 0; ///< warp instructions left

  /// Notes a finding of `lanes` at `instruction`; `address` is of the first of them.
  void report(DiagnosticKind kind, const Warp &warp, const Instruction &instruction, uint32_t lanes, uint64_t address,
              std::string detail);
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_WARP_H
