// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The products of attention, by a warp group. Sums lie in registers as those of a warp's instructions do, so that what
// is between the products is the same.
#include "codegen/nvptx/GpuAttention.h"

using namespace mlir;
using namespace tamis;

void GpuAttentionTiler::fenceStage() {
  if (hasWarpGroups)
    wgmma.fenceShared();
}

SmallVector<std::array<Value, 4>> GpuAttentionTiler::multiplyKeysOfGroup(Number shared) {
  SmallVector<GpuProductStep> steps;
  for (int64_t k = 0; k < keySteps(); ++k) {
    int64_t panel = k * 32 / keyTile.rowBytes();
    int64_t offset = panel * keyTile.panelBytes() + (k * 32 - panel * keyTile.rowBytes());
    steps.push_back({0, queryMatrices[k], 0, offset});
  }
  Values sums = wgmma.multiply(nullptr, {shared, keyTile.rowBytes()}, /*isRightTurned=*/false, steps, 1, kKeys, {},
                               /*waits=*/true);
  SmallVector<std::array<Value, 4>> scores(kKeys / 8);
  for (auto [i, sum] : llvm::enumerate(sums))
    scores[i / 4][i % 4] = sum;
  return scores;
}

void GpuAttentionTiler::addValuesOfGroup(State &state, ArrayRef<std::array<Value, 4>> scores, Number shared) {
  SmallVector<GpuProductStep> steps;
  SmallVector<Values> weights;
  for (int64_t step = 0; step < kKeys / 16; ++step)
    weights.push_back(weightsOf(scores, step));
  for (int64_t step = 0; step < kKeys / 16; ++step)
    steps.push_back({0, weights[step], 0, step * 16 * valueTile.rowBytes()});
  GpuSharedMatrix values{shared + keyTile.bytes(), valueTile.rowBytes(), valueTile.panelBytes()};
  state.output = wgmma.multiply(nullptr, values, /*isRightTurned=*/true, steps, 1, state.output.size() * 2,
                                state.output, /*waits=*/true);
}
