// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of warp groups, as inline assembly: MLIR's op takes no operand from registers.
#include "codegen/nvptx/GpuWgmma.h"

using namespace mlir;
using namespace tamis;

/// The upper half of a descriptor: the bytes between groups of eight rows, over 16, and the swizzle.
static std::string upperHalf(const GpuSharedMatrix &matrix) {
  int64_t mode = matrix.rowBytes == 128 ? 1 : matrix.rowBytes == 64 ? 2 : 3;
  return std::to_string(uint32_t(matrix.rowBytes * 8 / 16) | uint32_t(mode << 30));
}

/// The lower half: the address, and the bytes between panels, over 16.
static Value lowerHalf(const GpuSharedMatrix &matrix) {
  return matrix.address / 16 + (matrix.panelBytes / 16 << 16);
}

static std::string listed(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}

SmallVector<Value> GpuWgmma::multiply(const GpuSharedMatrix *left, const GpuSharedMatrix &right, bool isRightTurned,
                                      ArrayRef<GpuProductStep> steps, int64_t parts, int64_t columns,
                                      ArrayRef<Value> sums, bool waits) {
  int64_t each = columns / 2, count = parts * each;
  std::string constraints;
  SmallVector<Value> operands;
  // Results are written while operands are still read.
  for (int64_t i = 0; i < count; ++i)
    constraints += i ? ",=&f" : "=&f";
  for (auto [i, sum] : llvm::enumerate(sums)) {
    constraints += "," + std::to_string(i);
    operands.push_back(sum);
  }
  auto add = [&](Value operand) {
    constraints += ",r";
    operands.push_back(operand);
    return count + int64_t(operands.size()) - 1;
  };
  auto descriptor = [&](const char *name, const GpuSharedMatrix &matrix, int64_t operand, int64_t offset) {
    return "add.u32 t, $" + std::to_string(operand) + ", " + std::to_string(offset / 16) + ";\n\tmov.b64 " + name +
           ", {t, " + upperHalf(matrix) + "};\n\t";
  };
  int64_t leftHalf = left ? add(lowerHalf(*left)) : 0, rightHalf = add(lowerHalf(right));
  SmallVector<bool> hasSums(parts, !sums.empty());
  std::string text = "{\n\t.reg .b32 t; .reg .b64 a, b;\n\twgmma.fence.sync.aligned;\n\t";
  std::string type = gpu.narrow().isBF16() ? ".bf16.bf16 " : ".f16.f16 ";
  for (const GpuProductStep &step : steps) {
    std::string a = "a";
    if (step.registers.empty()) {
      text += descriptor("a", *left, leftHalf, step.leftOffset);
    } else {
      int64_t first = 0;
      for (Value value : step.registers)
        first = add(value);
      a = listed(first - 3, 4);
    }
    text += descriptor("b", right, rightHalf, step.rightOffset);
    text += "wgmma.mma_async.sync.aligned.m64n" + std::to_string(columns) + "k16.f32" + type +
            listed(step.part * each, each) + ", " + a + ", b, " + (hasSums[step.part] ? "1" : "0") + ", 1, 1, " +
            (step.registers.empty() ? "0, " : "") + (isRightTurned ? "1" : "0") + ";\n\t";
    hasSums[step.part] = true;
  }
  text += "wgmma.commit_group.sync.aligned;\n\t";
  if (waits)
    text += "wgmma.wait_group.sync.aligned 0;\n\t";
  return gpu.assembly(text + "}", constraints, SmallVector<Type>(count, gpu.b.getF32Type()), operands,
                      /*hasEffects=*/true);
}

SmallVector<Value> GpuWgmma::wait(ArrayRef<Value> sums) {
  std::string constraints;
  for (size_t i = 0; i < sums.size(); ++i)
    constraints += i ? ",=f" : "=f";
  for (size_t i = 0; i < sums.size(); ++i)
    constraints += "," + std::to_string(i);
  return gpu.assembly("wgmma.wait_group.sync.aligned 0;", constraints,
                      SmallVector<Type>(sums.size(), gpu.b.getF32Type()), sums, /*hasEffects=*/true);
}

void GpuWgmma::fenceShared() {
  gpu.assembly("fence.proxy.async.shared::cta;", "", {}, {}, /*hasEffects=*/true);
}
