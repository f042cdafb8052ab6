// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How kernels are cut into register tiles.
#include "codegen/schedule/Schedule.h"

#include <algorithm>

using namespace tamis;

RegisterTile tamis::linearTile(const CpuTarget &target) {
  // rows * vectors accumulators, one vector of B each column and one broadcast of A must fit the register file, or LLVM
  // spills inside the loop (a 7 x 4 tile on 32 registers: 36 % of peak where 6 x 4 gives 98 %).
  if (target.lanes == 16)
    return {8, 3};
  return {target.registers == 32 ? 8u : 4u, 3};
}

int64_t tamis::packedLinearRows(int64_t K) {
  constexpr int64_t least = 256;
  return std::max(linearRows(K), least);
}

int64_t tamis::linearRows(int64_t K) {
  constexpr int64_t inputBytes = 512 << 10, least = 96, most = 512, unit = 8; // a multiple of all tiles' rows
  int64_t rows = inputBytes / (std::max<int64_t>(K, 1) * int64_t(sizeof(float)));
  return std::clamp(rows / unit * unit, least, most);
}
