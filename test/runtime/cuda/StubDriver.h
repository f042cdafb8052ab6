// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA driver for tests that has no device and interprets nothing: it counts calls, can be told to fail, and knows
// the kernels of CudaPlans.h by name. Tests open it as the runtime does and steer it through tamis_stub().

#ifndef TAMIS_TEST_RUNTIME_CUDA_STUBDRIVER_H
#define TAMIS_TEST_RUNTIME_CUDA_STUBDRIVER_H

#include "runtime/device/cuda/DriverTypes.h"
#include <map>
#include <string>

namespace tamis::test {

/// Everything is set back by assigning a fresh one.
struct StubDriver {
  // What it says of itself.
  int32_t version = 12040, devices = 1, major = 8, minor = 0, sharedOptIn = 166912;

  // Results that calls give.
  cuda::Result init = cuda::kSuccess, ptx = cuda::kSuccess, cubin = cuda::kSuccess, launch = cuda::kSuccess,
               synchronize = cuda::kSuccess, capture = cuda::kSuccess;
  int allocationsLeft = 1 << 30; ///< device and pinned together, before memory is short

  // What happened.
  std::map<std::string, int> calls;       ///< by the driver's name of the function
  std::string loadedCode;                 ///< of the last module
  std::map<std::string, int> sharedAsked; ///< dynamic shared memory asked for by kernel
  int live = 0;                           ///< memory, modules, streams, events, graphs and contexts not yet given back
  int badCalls = 0; ///< calls without a current context, with a wrong handle, shared memory not asked for
};

} // namespace tamis::test

/// Of the library it is called in.
extern "C" tamis::test::StubDriver *tamis_stub();

#endif // TAMIS_TEST_RUNTIME_CUDA_STUBDRIVER_H
