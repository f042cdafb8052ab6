// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor maps of the emulated driver.

#include "runtime/emulator/TensorMap.h"
#include "runtime/emulator/driver/DriverObjects.h"
#include <cstring>

using namespace tamis;
using namespace tamis::cuda;

/// CUtensorMapDataType to bytes; CUtensorMapInterleave: 0 is none; CUtensorMapSwizzle: 0, or 32, 64, 128 bytes as 1,
/// 2, 3. Values are those of NVIDIA's manual of the driver API, "Tensor Map Object Management".
TAMIS_CUDA_API cuTensorMapEncodeTiled(void *map, uint32_t type, uint32_t axes, void *address, const uint64_t *sizes,
                                      const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
                                      uint32_t interleave, uint32_t swizzle, uint32_t promotion, uint32_t fill) {
  TAMIS_CUDA_ENTER;
  static constexpr uint8_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  constexpr uint64_t mostSize = uint64_t(1) << 32;
  if (!map || uintptr_t(map) % 64 || type >= sizeof bytes || axes < 1 || axes > 5 || !sizes || !box || !steps ||
      (axes > 1 && !strides) || swizzle > 3 || promotion > 3 || fill > 1)
    return kInvalidValue;
  if (interleave)
    return kNotSupported;
  emulator::TensorMap made;
  made.axes = uint8_t(axes);
  made.elementBytes = bytes[type];
  made.swizzle = uint8_t(swizzle ? 16u << swizzle : 0);
  made.fillsNan = fill;
  made.address = reinterpret_cast<uint64_t>(address);
  for (uint32_t i = 0; i < axes; ++i) {
    if (sizes[i] < 1 || sizes[i] > mostSize)
      return kInvalidValue;
    made.sizes[i] = uint32_t(sizes[i] - 1);
    made.box[i] = box[i];
    made.steps[i] = steps[i];
    if (i + 1 < axes)
      made.strides[i] = strides[i];
  }
  if (made.problem())
    return kInvalidValue;
  memset(map, 0, 128);
  memcpy(map, &made, sizeof made);
  return kSuccess;
}
