// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names and texts of results.

#include "runtime/emulator/driver/DriverObjects.h"

using namespace tamis::cuda;

namespace {
struct Text {
  Result result;
  const char *name, *sentence;
};
} // namespace

static constexpr Text kTexts[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "an argument is not one that the call takes"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "the emulated device has no such memory left"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "cuInit was not called"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "there is no device"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "there is no device of this number"},
    {kInvalidImage, "CUDA_ERROR_INVALID_IMAGE", "the module is neither PTX nor a file the emulator knows"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "no context is current, or it is none"},
    {kNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "the module has no code that the emulated device runs"},
    {kInvalidPtx, "CUDA_ERROR_INVALID_PTX", "the PTX does not parse"},
    {kUnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is of a later version"},
    {kFileNotFound, "CUDA_ERROR_FILE_NOT_FOUND", "the file cannot be read"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "a handle is none, or its object was destroyed"},
    {kIllegalState, "CUDA_ERROR_ILLEGAL_STATE", "the object is in no state for this call"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "nothing has this name"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "it is not done yet"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "memory outside of every allocation was touched"},
    {kLaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "the launch asks for more than a block can have"},
    {kContextIsDestroyed, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "the current context was destroyed"},
    {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "the emulator found faults; its report is on standard error"},
    {kNotSupported, "CUDA_ERROR_NOT_SUPPORTED", "the emulated driver does not offer this"},
    {kStreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "the call is not allowed while a stream is captured"},
    {kStreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "the capture was ended by an earlier error"},
    {kUnknown, "CUDA_ERROR_UNKNOWN", "an unknown error"}};

static const Text *find(Result result) {
  for (const Text &text : kTexts)
    if (text.result == result)
      return &text;
  return nullptr;
}

TAMIS_CUDA_API cuGetErrorName(Result result, const char **text) {
  const Text *known = find(result);
  if (!text)
    return kInvalidValue;
  *text = known ? known->name : nullptr;
  return known ? kSuccess : kInvalidValue;
}

TAMIS_CUDA_API cuGetErrorString(Result result, const char **text) {
  const Text *known = find(result);
  if (!text)
    return kInvalidValue;
  *text = known ? known->sentence : nullptr;
  return known ? kSuccess : kInvalidValue;
}
