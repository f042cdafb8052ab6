// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Graphs of launches, one for each of the shapes that came last.

#ifndef TAMIS_RUNTIME_DEVICE_CUDA_CUDAGRAPHS_H
#define TAMIS_RUNTIME_DEVICE_CUDA_CUDAGRAPHS_H

#include "runtime/device/cuda/Driver.h"
#include "runtime/memory/Array.h"

namespace tamis::cuda {

/// One thread at a time; the context must be current in every call but the constructor. A graph has the addresses of
/// its buffers in it: forget() all when one moves.
class CudaGraphs {
public:
  CudaGraphs() = default;
  CudaGraphs(const CudaGraphs &) = delete;
  CudaGraphs &operator=(const CudaGraphs &) = delete;

  tamis_status create(const Driver &driver, size_t symbolCount, tamis_error *error);
  void forget();

  /// Turns to the shape of these symbols.
  void choose(const int64_t *symbols);
  /// The shape's graph; null if it has none.
  GraphExec current() const { return shapes[chosen].graph; }
  /// Whether the shape was run before, so that a graph is worth making, and the driver makes graphs. Notes the run.
  bool wantsCapture();
  void begin(Stream stream, Result &result) const;
  /// Makes what the stream was told since begin() the shape's graph. A driver that cannot is not asked again.
  bool end(Stream stream);
  void giveUp() { possible = false; }

private:
  static constexpr size_t kMost = 8;
  struct Shape {
    GraphExec graph = nullptr;
    uint64_t lastUse = 0; ///< 0: never
    bool ran = false;
  };

  const Driver *driver = nullptr;
  bool possible = false;
  size_t symbolCount = 0, chosen = 0;
  uint64_t uses = 0;
  Shape shapes[kMost];
  runtime::Array<int64_t> symbols; ///< of the shapes, one after the other
};

} // namespace tamis::cuda

#endif // TAMIS_RUNTIME_DEVICE_CUDA_CUDAGRAPHS_H
