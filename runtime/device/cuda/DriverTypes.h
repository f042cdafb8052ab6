// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the CUDA driver's binary interface that plans need: handles, results, attributes and flags, with the
// values that NVIDIA's manual of the driver API gives them (docs.nvidia.com/cuda/cuda-driver-api). Written down here so
// that the runtime builds where no CUDA toolkit is, and so that the emulated driver offers the same.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_DRIVERTYPES_H
#define TAMIS_RUNTIME_DEVICE_CUDA_DRIVERTYPES_H

#include <cstddef>
#include <cstdint>

namespace tamis::cuda {

using Device = int32_t;
using Address = unsigned long long; ///< in device memory
struct ContextObject;
struct ModuleObject;
struct FunctionObject;
struct StreamObject;
struct EventObject;
struct GraphObject;
struct GraphExecObject;
using Context = ContextObject *;
using Module = ModuleObject *;
using Function = FunctionObject *;
using Stream = StreamObject *;
using Event = EventObject *;
using Graph = GraphObject *;
using GraphExec = GraphExecObject *;

/// CUresult. A driver may return others.
enum Result : int32_t {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kInvalidPtx = 218,
  kUnsupportedPtxVersion = 222,
  kFileNotFound = 301,
  kInvalidHandle = 400,
  kIllegalState = 401,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kContextIsDestroyed = 709,
  kLaunchFailed = 719,
  kNotSupported = 801,
  kStreamCaptureUnsupported = 900,
  kStreamCaptureInvalidated = 901,
  kUnknown = 999
};

/// CUdevice_attribute.
enum DeviceAttribute : int32_t {
  kMaxThreadsPerBlock = 1,
  kMaxBlockX = 2,
  kMaxBlockY = 3,
  kMaxBlockZ = 4,
  kMaxGridX = 5,
  kMaxGridY = 6,
  kMaxGridZ = 7,
  kMaxSharedPerBlock = 8,
  kTotalConstantMemory = 9,
  kWarpSize = 10,
  kMaxRegistersPerBlock = 12,
  kClockRate = 13, ///< kHz
  kMultiprocessors = 16,
  kIntegrated = 18,
  kCanMapHostMemory = 19,
  kComputeMode = 20,
  kConcurrentKernels = 31,
  kPciBus = 33,
  kPciDevice = 34,
  kMemoryClockRate = 36, ///< kHz
  kMemoryBusWidth = 37,  ///< bits
  kL2Bytes = 38,
  kMaxThreadsPerMultiprocessor = 39,
  kAsyncEngines = 40,
  kUnifiedAddressing = 41,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxSharedPerMultiprocessor = 81,
  kMaxRegistersPerMultiprocessor = 82,
  kManagedMemory = 83,
  kCooperativeLaunch = 95,
  kMaxSharedPerBlockOptIn = 97,
  kMaxBlocksPerMultiprocessor = 106,
  kReservedSharedPerBlock = 111
};

/// CUfunction_attribute.
enum FunctionAttribute : int32_t {
  kFunctionMaxThreads = 0,
  kFunctionStaticShared = 1,
  kFunctionConstantBytes = 2,
  kFunctionLocalBytes = 3,
  kFunctionRegisters = 4,
  kFunctionPtxVersion = 5,
  kFunctionBinaryVersion = 6,
  kFunctionCacheMode = 7,
  kFunctionMaxDynamicShared = 8,
  kFunctionSharedCarveout = 9
};

/// CUjit_option, of those that ask for logs.
enum JitOption : int32_t { kJitInfoLog = 3, kJitInfoLogBytes = 4, kJitErrorLog = 5, kJitErrorLogBytes = 6 };

/// CUstreamCaptureMode: what other threads may do meanwhile.
enum CaptureMode : int32_t { kCaptureGlobal = 0, kCaptureThreadLocal = 1, kCaptureRelaxed = 2 };

inline constexpr unsigned kStreamNonBlocking = 1;  ///< does not wait for the default stream
inline constexpr unsigned kEventDefault = 0;       ///< with times
inline constexpr unsigned kHostMemoryPortable = 1; ///< pinned for every context
inline constexpr int64_t kMostBlocks = 0x7fffffff; ///< of a grid in x

/// `extra` of a launch: marks before the buffer of parameters, before its size, and at the end.
inline void *launchMark(uintptr_t value) {
  return reinterpret_cast<void *>(value);
}
inline constexpr uintptr_t kLaunchEnd = 0, kLaunchBuffer = 1, kLaunchBufferBytes = 2;

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_DRIVERTYPES_H
