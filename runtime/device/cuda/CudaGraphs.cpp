// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Graphs are made by capturing a stream: the same calls as a run without them.

#include "runtime/device/cuda/CudaGraphs.h"
#include "runtime/status/Status.h"
#include <cstring>

namespace tamis::cuda {

tamis_status CudaGraphs::create(const Driver &from, size_t count, tamis_error *error) {
  driver = &from;
  symbolCount = count;
  possible = from.hasGraphs();
  if (!symbols.allocate(kMost * count))
    return runtime::fail(error, TAMIS_OUT_OF_MEMORY, "no memory for the shapes of %zu graphs", kMost);
  return TAMIS_OK;
}

void CudaGraphs::forget() {
  for (Shape &shape : shapes) {
    if (shape.graph)
      driver->graphExecDestroy(shape.graph);
    shape = {};
  }
}

void CudaGraphs::choose(const int64_t *wanted) {
  size_t bytes = symbolCount * sizeof(int64_t), oldest = 0;
  for (size_t i = 0; i < kMost; ++i) {
    if (shapes[i].lastUse && !memcmp(symbols.data() + i * symbolCount, wanted, bytes)) {
      shapes[chosen = i].lastUse = ++uses;
      return;
    }
    if (shapes[i].lastUse < shapes[oldest].lastUse)
      oldest = i;
  }
  Shape &shape = shapes[chosen = oldest];
  if (shape.graph)
    driver->graphExecDestroy(shape.graph);
  shape = {};
  shape.lastUse = ++uses;
  memcpy(symbols.data() + oldest * symbolCount, wanted, bytes);
}

bool CudaGraphs::wantsCapture() {
  bool again = shapes[chosen].ran;
  shapes[chosen].ran = true;
  return possible && again;
}

void CudaGraphs::begin(Stream stream, Result &result) const {
  result = driver->streamBeginCapture(stream, kCaptureThreadLocal);
}

bool CudaGraphs::end(Stream stream) {
  Graph graph = nullptr;
  Result result = driver->streamEndCapture(stream, &graph);
  if (result == kSuccess && graph) {
    result = driver->graphInstantiate(&shapes[chosen].graph, graph, 0);
    driver->graphDestroy(graph);
  }
  if (result != kSuccess)
    shapes[chosen].graph = nullptr;
  possible = shapes[chosen].graph != nullptr;
  return possible;
}

} // namespace tamis::cuda
