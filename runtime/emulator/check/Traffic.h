// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an access of a warp costs: passes over the 32 banks of shared memory, sectors of global memory.

#ifndef TAMIS_RUNTIME_EMULATOR_CHECK_TRAFFIC_H
#define TAMIS_RUNTIME_EMULATOR_CHECK_TRAFFIC_H

#include <cstdint>

namespace tamis::emulator {

struct LineTraffic {
  uint64_t wavefronts = 0, idealWavefronts = 0, sectors = 0, idealSectors = 0, bytes = 0;

  /// Shared memory: 4-byte banks, 32 of them. Accesses of 8 and 16 bytes go by half and quarter warps; lanes that read
  /// the same word share it. `addresses` of active `lanes` only are read.
  void addShared(uint32_t lanes, const uint64_t *addresses, uint32_t bytes);
  /// A run of global memory.
  void addSpan(uint64_t address, uint64_t length);
  /// Global memory: 32-byte sectors.
  void addGlobal(uint32_t lanes, const uint64_t *addresses, uint32_t bytes);
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_CHECK_TRAFFIC_H
