// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs of a program on a device: stream, memory and launches of one context.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_CUDARUN_H
#define TAMIS_RUNTIME_DEVICE_CUDA_CUDARUN_H

#include "runtime/device/cuda/CudaGraphs.h"
#include "runtime/device/cuda/CudaProgram.h"

namespace tamis::cuda {

/// The sizes of a run. What is pointed to is read by CudaRun::place alone.
struct CudaSizes {
  const int64_t *registers;   ///< of the shape program
  const int64_t *tensorBytes; ///< inputs, then outputs
  const int64_t *symbols;     ///< as many as the plan has: they tell all the rest
};

/// One thread at a time.
///
/// A run copies the inputs to pinned memory, then on one stream: inputs to the device, every dispatch, outputs back to
/// pinned memory. From the second run of a shape on, the stream's work is one graph, where the driver has graphs.
class CudaRun {
public:
  CudaRun(const CudaProgram &code, const plan::Plan &plan, const plan::Program &program);
  CudaRun(const CudaRun &) = delete;
  CudaRun &operator=(const CudaRun &) = delete;
  ~CudaRun();

  tamis_status create(tamis_error *error);

  /// Makes room for a run of these sizes; pinned and device memory only grow. Moves what staging() tells.
  tamis_status place(const CudaSizes &sizes, tamis_error *error);

  /// Where tensor `number` (inputs, then outputs) lies in pinned memory, at the placed sizes. Outputs stay there until
  /// the next place or run.
  char *staging(uint32_t number) const { return pinned.data() + offsets[number]; }
  const PinnedMemory &pinnedMemory() const { return pinned; }

  /// Runs. `data` tells for each tensor where the caller has it; an output there is copied to, one in staging() is not.
  /// `nanoseconds`, where not null, gets the time of each dispatch by the device's clock; there is no graph then.
  tamis_status run(void *const *data, int64_t *nanoseconds, tamis_error *error);

private:
  /// A place in the arena, by the register of its offset.
  struct Slot {
    uint32_t offset;
    int64_t bytes;
  };

  tamis_status allocateTables(tamis_error *error);
  tamis_status findSlots(tamis_error *error);
  bool slotsAreApart(const int64_t *registers);
  tamis_status placeTensors(const CudaSizes &sizes, uint64_t front, tamis_error *error);
  tamis_status placeSlots(tamis_error *error);
  Address addressOf(const plan::BufferRef &buffer, const int64_t *registers) const;
  void fillParameters(const int64_t *registers);
  tamis_status grow(DeviceMemory &memory, size_t size, const char *what, tamis_error *error);

  tamis_status enqueue(bool timed, tamis_error *error);
  tamis_status launch(uint32_t number, tamis_error *error);
  tamis_status runGraph(bool &done, tamis_error *error);
  tamis_status createEvents(tamis_error *error);
  tamis_status readEvents(int64_t *nanoseconds, tamis_error *error);

  const CudaProgram &code;
  const plan::Plan &plan;
  const plan::Program &program;
  const Driver &driver;
  const uint32_t inputCount, tensorCount;

  Stream stream = nullptr;
  PinnedMemory pinned;
  /// One for all tensors and the arena; or, where buffers are to be separate, one for each tensor, one for the arena
  /// (used when its slots overlap), one for each slot.
  runtime::Array<DeviceMemory> memory;
  runtime::Array<Slot> slots;
  uint32_t slotCount = 0;
  bool separate = false, separateSlots = false;
  Address arena = 0;
  runtime::Array<uint64_t> offsets; ///< of tensors in pinned memory and, when together, in device memory
  runtime::Array<int64_t> bytes;    ///< of tensors

  runtime::Array<uint64_t> parameters; ///< of all launches, one after the other
  runtime::Array<uint32_t> firstParameter;
  runtime::Array<int64_t> groups;
  runtime::Array<Event> events; ///< around dispatches; made when times are first asked for
  CudaGraphs graphs;
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_CUDARUN_H
