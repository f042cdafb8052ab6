// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of CudaPlans.cpp as the stub driver runs them: thread by thread.

#include "test/runtime/cuda/CudaPlans.h"

namespace tamis::test {

bool isStubKernel(const std::string &name) {
  return name == "gather" || name == "scale" || name == "increment";
}

template <typename T> static T *pointer(uint64_t value) {
  return reinterpret_cast<T *>(value);
}

bool runStubKernel(const std::string &name, int64_t groups, const std::vector<uint64_t> &p) {
  size_t wanted = name == "gather" ? 4 : name == "scale" ? 5 : 3;
  if (p.size() != wanted)
    return false;
  for (int64_t i = 0; i < groups * int64_t(kBlockThreads); ++i) {
    if (name == "increment") {
      if (i < int64_t(p[2]))
        pointer<int64_t>(p[1])[i] = pointer<int64_t>(p[0])[i] + 1;
      continue;
    }
    if (i >= int64_t(p[3]))
      continue;
    for (int64_t j = 0; j < 4; ++j)
      if (name == "gather")
        pointer<float>(p[2])[4 * i + j] = pointer<float>(p[1])[4 * pointer<int64_t>(p[0])[i] + j];
      else
        pointer<float>(p[2])[4 * i + j] =
            2 * pointer<float>(p[0])[4 * i + j] + pointer<float>(p[1])[i / int64_t(p[4]) * 2 * int64_t(p[4])];
  }
  return true;
}

} // namespace tamis::test
