// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one calling thread needs to run a plan. What tamis_context points to.

#ifndef TAMIS_RUNTIME_SESSION_CONTEXT_H
#define TAMIS_RUNTIME_SESSION_CONTEXT_H

#include "runtime/device/cuda/CudaRun.h"
#include "runtime/memory/Block.h"
#include "runtime/session/LoadedPlan.h"

namespace tamis::runtime {

/// Sizes, memory and threads of runs of one plan. One thread at a time.
///
/// A run goes: bind the symbols to the inputs' dims; if they differ from the last run's, evaluate the shape program and
/// check all it gives; make room; fill in the buffer table; run. Only the second and third step can allocate, and the
/// third does so only when a block has to grow.
class Context {
public:
  Context(const LoadedPlan &plan, int32_t threads);
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;
  ~Context();

  tamis_status create(tamis_error *error);

  tamis_status prepare(const tamis_tensor *inputs, size_t count, tamis_error *error);
  tamis_status prepareSizes(const int64_t *values, size_t count, tamis_error *error);
  tamis_status run(const tamis_tensor *inputs, size_t inputCount, tamis_tensor *outputs, size_t outputCount,
                   tamis_error *error);

  const LoadedPlan &loadedPlan() const { return plan; }
  int32_t threadCount() const { return threads; }
  bool isPrepared() const { return prepared; }
  void setProfiling(bool on) { profiling = on; }

  // All of these need a prepared context.
  tamis_tensor input(size_t index) const;
  tamis_tensor output(size_t index) const;
  tamis_memory_info memory() const;
  tamis_dispatch_cost cost(size_t dispatch) const;
  tamis_arena_buffer arenaBuffer(size_t index) const;

private:
  /// An entry of the buffer table that changes from run to run.
  struct UserBuffer {
    uint32_t slot;
    uint32_t tensor; ///< inputs, then outputs
  };

  tamis_status allocateTables(tamis_error *error);
  tamis_status checkInputs(const tamis_tensor *inputs, size_t count, tamis_error *error);
  tamis_status bindSymbols(const tamis_tensor *inputs, tamis_error *error);
  tamis_status checkDims(const tamis_tensor *inputs, tamis_error *error) const;
  tamis_status prepareBound(tamis_error *error);
  tamis_status sizeTensors(tamis_error *error);
  tamis_status sizeDispatches(tamis_error *error);
  tamis_status sizeArena(tamis_error *error);
  tamis_status placeInputs(const tamis_tensor *inputs, tamis_error *error);
  tamis_status placeOutputs(const tamis_tensor *outputs, tamis_error *error);
  tamis_status checkOutput(const tamis_tensor &given, uint32_t number, tamis_error *error) const;
  tamis_status checkOverlap(tamis_error *error) const;
  tamis_status reserve(tamis_error *error);
  tamis_status reserveOnGpu(tamis_error *error);
  tamis_status execute(tamis_error *error);

  const plan::Tensor &tensor(uint32_t number) const;
  const char *dimName(const plan::Tensor &tensor, uint32_t dim) const { return tensor.dim_names()->Get(dim)->c_str(); }
  int64_t value(uint32_t sizeRegister) const { return registers[sizeRegister]; }
  tamis_tensor view(uint32_t number, void *data) const;

  const LoadedPlan &plan;
  const plan::Plan &metadata;
  const plan::Program &program;
  const int32_t threads;
  const uint32_t inputCount, tensorCount; ///< tensors: inputs, then outputs
  ThreadPool *pool = nullptr;
  cuda::CudaRun *cudaRun = nullptr; ///< on a GPU, in place of pool, buffers, arena, scratch and output blocks

  bool prepared = false, profiling = false;
  bool arenaPlaced = false;           ///< the buffer table points into the arena at the prepared sizes
  Array<int64_t> symbols, newSymbols; ///< of the prepared sizes; of the call under way
  Array<int32_t> binder;              ///< for each symbol the input that binds it in the call under way, or -1
  Array<int64_t> registers, dims;
  Array<uint32_t> firstDim; ///< of each tensor, into dims
  Array<int64_t> bytes;     ///< of each tensor
  Array<void *> data;       ///< where each tensor is in the current run; of outputs afterwards too
  int64_t scratchBytes = 0;

  Array<void *> buffers; ///< of all dispatches, one after the other
  Array<uint32_t> firstBuffer;
  Array<UserBuffer> userBuffers;
  Array<CpuDispatch> dispatches;
  Array<int64_t> nanoseconds;
  Block arena, scratch;
  Array<Block> outputBlocks;
};

} // namespace tamis::runtime

/// The C API's name for it.
struct tamis_context : tamis::runtime::Context {
  using Context::Context;
};

#endif // TAMIS_RUNTIME_SESSION_CONTEXT_H
