// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan's program on a device: its module, kernels and constants.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H
#define TAMIS_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H

#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/memory/Array.h"
#include "runtime/plan/Plan_generated.h"

namespace tamis::cuda {

/// Immutable once loaded; then usable from any thread, and shared by all contexts of a plan.
class CudaProgram {
public:
  CudaProgram() = default;
  CudaProgram(const CudaProgram &) = delete;
  CudaProgram &operator=(const CudaProgram &) = delete;
  ~CudaProgram();

  tamis_status open(tamis_device device, const char *driverPath, int32_t number, tamis_error *error) {
    return cudaDevice.open(device, driverPath, number, error);
  }

  /// Gives the driver a code section: PTX that ends in NUL, or a cubin. Why it is refused, with the first lines of the
  /// driver's log, goes to `error`; another section may then be tried.
  tamis_status loadModule(const void *code, size_t size, bool isPtx, tamis_error *error);

  /// After loadModule: looks up every kernel of `program` and copies the constants it reads to the device.
  tamis_status load(const plan::Plan &plan, const plan::Program &program, const uint8_t *weights, tamis_error *error);

  const CudaDevice &device() const { return cudaDevice; }
  Function kernel(uint32_t number) const { return functions[number]; }
  /// On the device; 0 for one that no dispatch reads.
  Address constant(uint32_t number) const { return constants[number]; }

private:
  tamis_status findKernels(const plan::Program &program, tamis_error *error);
  tamis_status uploadConstants(const plan::Plan &plan, const plan::Program &program, const uint8_t *weights,
                               tamis_error *error);

  CudaDevice cudaDevice;
  Module module = nullptr;
  runtime::Array<Function> functions;
  runtime::Array<Address> constants;
  runtime::Array<DeviceMemory> memory; ///< of the constants: one for all, or one for each
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_CUDAPROGRAM_H
