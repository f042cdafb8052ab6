// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plans of PlanBuilder.h with a program for a GPU, whose kernels exist as PTX and, for the stub driver, as C++.

#ifndef TAMIS_TEST_RUNTIME_CUDA_CUDAPLANS_H
#define TAMIS_TEST_RUNTIME_CUDA_CUDAPLANS_H

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::test {

/// Threads of a work group of all kernels here.
inline constexpr uint32_t kBlockThreads = 64;
/// Bytes of dynamic shared memory of the kernel `increment`: more than a kernel gets unasked.
inline constexpr uint32_t kIncrementShared = 64 << 10;

/// gather(ids, table, rows, tokens), scale(rows, mask, out, tokens, sequence) and increment(x, y, n), for sm_80.
std::string cudaKernels();

bool isStubKernel(const std::string &name);
/// What the PTX of the name does; false when the parameters are not as many as it has.
bool runStubKernel(const std::string &name, int64_t groups, const std::vector<uint64_t> &parameters);

class PlanBuilder;
/// gatherPlan() with a second program for sm_80, which is last.
PlanBuilder cudaGatherPlan();
/// chainPlan() for sm_80 alone.
PlanBuilder cudaChainPlan(int count, int64_t max);

} // namespace tamis::test

#endif // TAMIS_TEST_RUNTIME_CUDA_CUDAPLANS_H
