// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Addresses of a warp's lanes: computed and compared with bounds.

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

void fromNarrow(const uint32_t *registers, uint32_t offset, uint64_t *addresses) {
  TAMIS_LANES addresses[l] = uint64_t(uint32_t(registers[l] + offset));
}
void fromWide(const uint64_t *registers, uint64_t offset, uint64_t *addresses) {
  TAMIS_LANES addresses[l] = registers[l] + offset;
}
bool isAnyOutside(const uint64_t *addresses, uint64_t base, uint64_t last, uint64_t alignment) {
  uint64_t outside = 0;
  TAMIS_LANES {
    uint64_t within = addresses[l] - base;
    outside |= ((within > last) ? ~uint64_t(0) : 0) | (addresses[l] & alignment);
  }
  return outside != 0;
}
/// Lanes that are not active may hold any address, so this is arithmetic of numbers.
void toHost(const uint64_t *addresses, uint64_t origin, uint8_t **host) {
  TAMIS_LANES host[l] = reinterpret_cast<uint8_t *>(origin + addresses[l]);
}

} // namespace

AddressKernels addressKernels() {
  return {fromNarrow, fromWide, isAnyOutside, toHost};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
