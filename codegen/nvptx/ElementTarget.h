// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What ElementMath asks of a machine, for GPUs.
#pragma once

#include "codegen/schedule/Target.h"

namespace tamis {

/// Scalars, and conversions between f16 and f32 in one instruction.
inline CpuTarget elementTarget() {
  CpuTarget target;
  target.name = "nvptx";
  target.features = {"f16c"};
  target.lanes = 1;
  target.registers = 255;
  return target;
}

} // namespace tamis
