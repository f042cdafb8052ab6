// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The descriptor of a tensor in global memory that cp.async.bulk.tensor reads. NVIDIA does not publish its 128 bytes;
// these are the emulated device's own.

#ifndef TAMIS_RUNTIME_EMULATOR_TENSORMAP_H
#define TAMIS_RUNTIME_EMULATOR_TENSORMAP_H

#include <cstdint>

namespace tamis::emulator {

struct TensorMap {
  static constexpr uint32_t kMagic = 0x50414d54, kMostAxes = 5;

  uint32_t magic = kMagic;
  uint8_t axes = 0;                     ///< 1 to 5; axis 0 is that of neighbours
  uint8_t elementBytes = 0;             ///< 1, 2, 4 or 8
  uint8_t swizzle = 0;                  ///< in shared memory: 0, 32, 64 or 128 bytes
  bool fillsNan = false;                ///< what elements outside read as; else zeros
  uint64_t address = 0;                 ///< a multiple of 16
  uint64_t strides[kMostAxes - 1] = {}; ///< bytes between neighbours of axes 1 and on, multiples of 16
  uint32_t sizes[kMostAxes] = {};       ///< less one
  uint32_t box[kMostAxes] = {};         ///< elements of a copy, 1 to 256
  uint32_t steps[kMostAxes] = {};       ///< between elements that are copied, 1 to 8

  /// Elements of an axis that a copy takes.
  uint32_t count(uint32_t axis) const { return (box[axis] + steps[axis] - 1) / steps[axis]; }
  uint32_t rowBytes() const { return count(0) * elementBytes; }

  /// What is wrong with it, or null.
  const char *problem() const {
    if (magic != kMagic)
      return "no tensor map of the emulated device";
    if (axes < 1 || axes > kMostAxes)
      return "a tensor map of other than 1 to 5 axes";
    if (address % 16)
      return "a tensor map whose address is no multiple of 16";
    for (uint32_t i = 0; i < axes; ++i) {
      if (box[i] < 1 || box[i] > 256 || steps[i] < 1 || steps[i] > 8)
        return "a tensor map with a box of other than 1 to 256 elements, or steps of other than 1 to 8";
      if (i && (strides[i - 1] % 16 || strides[i - 1] >> 40))
        return "a tensor map with a stride that is no multiple of 16 below 2^40";
    }
    if (rowBytes() % 16 || (swizzle && rowBytes() > swizzle))
      return "a tensor map whose box has rows that are no multiple of 16 bytes, or longer than the swizzle";
    return nullptr;
  }
};
static_assert(sizeof(TensorMap) <= 128);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_TENSORMAP_H
