// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Global memory as a launch sees it: allocations that do not change while it runs.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_DEVICEMEMORY_H
#define TAMIS_RUNTIME_EMULATOR_RUN_DEVICEMEMORY_H

#include "runtime/emulator/Emulator.h"
#include <map>
#include <mutex>

namespace tamis::emulator {

struct Memory::State {
  mutable std::mutex lock;
  std::map<uint64_t, uint64_t> allocations; ///< address to bytes
  uint64_t capacity = 0, used = 0, reserved = 0;
  uint8_t *bytes = nullptr;   ///< of device address kFirstAddress on; reserved, touched page by page
  uint8_t *written = nullptr; ///< 1 where the byte was written
};

/// Device addresses start here.
constexpr uint64_t kFirstAddress = uint64_t(1) << 36;

struct DeviceMemory {
  struct Cached {
    uint64_t first = 0, end = 0; ///< empty
  };
  uint8_t *bytes = nullptr; ///< add a device address to get the host's; the same for `written`
  uint8_t *written = nullptr;
  std::vector<Cached> allocations; ///< by address

  explicit DeviceMemory(const Memory &memory) {
    const Memory::State &state = memory.state();
    std::lock_guard guard(state.lock);
    bytes = state.bytes - kFirstAddress;
    written = state.written - kFirstAddress;
    for (auto &[address, size] : state.allocations)
      allocations.push_back({address, address + size});
  }

  /// The allocation that holds `address`, or an empty one.
  Cached find(uint64_t address) const {
    size_t low = 0, high = allocations.size();
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (allocations[middle].end <= address)
        low = middle + 1;
      else
        high = middle;
    }
    return low < allocations.size() && allocations[low].first <= address ? allocations[low] : Cached();
  }
  /// The nearest allocation below or above, for messages; empty when there is none.
  Cached nearest(uint64_t address) const {
    Cached best;
    uint64_t distance = ~uint64_t(0);
    for (const Cached &each : allocations) {
      uint64_t away = address < each.first ? each.first - address : address - each.end;
      if (away < distance) {
        distance = away;
        best = each;
      }
    }
    return best;
  }
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_DEVICEMEMORY_H
