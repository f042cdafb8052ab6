// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where tensors lie within one allocation.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_DEVICELAYOUT_H
#define TAMIS_RUNTIME_DEVICE_CUDA_DEVICELAYOUT_H

#include <cstdint>

namespace tamis::cuda {

/// Tensors start at multiples of what an allocation of its own would be aligned to.
inline constexpr uint64_t kTensorAlignment = 256;

inline constexpr uint64_t alignUp(uint64_t bytes) {
  return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_DEVICELAYOUT_H
