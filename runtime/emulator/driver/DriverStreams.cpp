// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Streams, events and graphs of the emulated driver. Work is done when it is given to a stream, so that to wait is
// nothing.

#include "runtime/emulator/driver/DriverObjects.h"

using namespace tamis;
using namespace tamis::cuda;

/// The handles of the default stream: the legacy one, and the thread's own.
static bool isDefault(Stream stream) {
  return uintptr_t(stream) <= 2;
}
static bool isStream(Stream stream) {
  return isDefault(stream) || isKnown(DriverState::get().streams, stream);
}

Result tamis::cuda::enqueue(Stream stream, Operation work) {
  if (!isStream(stream))
    return kInvalidHandle;
  if (isDefault(stream) || !stream->capture)
    return work();
  stream->capture->push_back(std::move(work));
  return kSuccess;
}

TAMIS_CUDA_API cuStreamCreate(Stream *stream, unsigned) {
  TAMIS_CUDA_ENTER;
  if (!stream)
    return kInvalidValue;
  *stream = *DriverState::get().streams.insert(new StreamObject()).first;
  return kSuccess;
}
TAMIS_CUDA_API cuStreamCreateWithPriority(Stream *stream, unsigned flags, int32_t) {
  return cuStreamCreate(stream, flags);
}
TAMIS_CUDA_API cuStreamDestroy_v2(Stream stream) {
  TAMIS_CUDA_ENTER;
  return destroyKnown(DriverState::get().streams, stream);
}
TAMIS_CUDA_API cuStreamSynchronize(Stream stream) {
  TAMIS_CUDA_ENTER;
  if (!isStream(stream))
    return kInvalidHandle;
  return isDefault(stream) || !stream->capture ? kSuccess : kStreamCaptureUnsupported;
}
TAMIS_CUDA_API cuStreamQuery(Stream stream) {
  return cuStreamSynchronize(stream);
}

TAMIS_CUDA_API cuEventCreate(Event *event, unsigned) {
  TAMIS_CUDA_ENTER;
  if (!event)
    return kInvalidValue;
  *event = *DriverState::get().events.insert(new EventObject()).first;
  return kSuccess;
}
TAMIS_CUDA_API cuEventDestroy_v2(Event event) {
  TAMIS_CUDA_ENTER;
  return destroyKnown(DriverState::get().events, event);
}
TAMIS_CUDA_API cuEventRecord(Event event, Stream stream) {
  TAMIS_CUDA_ENTER;
  if (!isKnown(DriverState::get().events, event) || !isStream(stream))
    return kInvalidHandle;
  event->capture = isDefault(stream) ? nullptr : stream->capture;
  event->recorded = !event->capture;
  event->time = std::chrono::steady_clock::now();
  return kSuccess;
}
TAMIS_CUDA_API cuEventSynchronize(Event event) {
  TAMIS_CUDA_ENTER;
  return isKnown(DriverState::get().events, event) ? kSuccess : kInvalidHandle;
}
TAMIS_CUDA_API cuEventQuery(Event event) {
  return cuEventSynchronize(event);
}
TAMIS_CUDA_API cuEventElapsedTime(float *milliseconds, Event from, Event to) {
  TAMIS_CUDA_ENTER;
  DriverState &state = DriverState::get();
  if (!milliseconds)
    return kInvalidValue;
  if (!isKnown(state.events, from) || !isKnown(state.events, to) || !from->recorded || !to->recorded)
    return kInvalidHandle;
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return kSuccess;
}
/// A stream that waits for an event of a captured one joins the capture.
TAMIS_CUDA_API cuStreamWaitEvent(Stream stream, Event event, unsigned) {
  TAMIS_CUDA_ENTER;
  if (!isStream(stream) || !isKnown(DriverState::get().events, event))
    return kInvalidHandle;
  if (!isDefault(stream) && event->capture)
    stream->capture = event->capture;
  return kSuccess;
}

TAMIS_CUDA_API cuStreamBeginCapture_v2(Stream stream, CaptureMode) {
  TAMIS_CUDA_ENTER;
  if (isDefault(stream))
    return kStreamCaptureUnsupported;
  if (!isStream(stream))
    return kInvalidHandle;
  if (stream->capture)
    return kIllegalState;
  stream->capture = std::make_shared<Capture>();
  return kSuccess;
}
TAMIS_CUDA_API cuStreamIsCapturing(Stream stream, int32_t *status) {
  TAMIS_CUDA_ENTER;
  if (!status)
    return kInvalidValue;
  if (!isStream(stream))
    return kInvalidHandle;
  *status = !isDefault(stream) && stream->capture;
  return kSuccess;
}
TAMIS_CUDA_API cuStreamEndCapture(Stream stream, Graph *graph) {
  TAMIS_CUDA_ENTER;
  if (!graph)
    return kInvalidValue;
  if (isDefault(stream) || !isStream(stream))
    return kInvalidHandle;
  std::shared_ptr<Capture> capture = stream->capture;
  if (!capture)
    return kIllegalState;
  for (StreamObject *joined : DriverState::get().streams)
    if (joined->capture == capture)
      joined->capture = nullptr;
  *graph = *DriverState::get().graphs.insert(new GraphObject{*capture}).first;
  return kSuccess;
}
TAMIS_CUDA_API cuGraphInstantiateWithFlags(GraphExec *made, Graph graph, unsigned long long) {
  TAMIS_CUDA_ENTER;
  if (!made)
    return kInvalidValue;
  if (!isKnown(DriverState::get().graphs, graph))
    return kInvalidHandle;
  *made = *DriverState::get().graphExecs.insert(new GraphExecObject{graph->operations}).first;
  return kSuccess;
}
TAMIS_CUDA_API cuGraphLaunch(GraphExec graph, Stream stream) {
  TAMIS_CUDA_ENTER;
  if (!isKnown(DriverState::get().graphExecs, graph) || !isStream(stream))
    return kInvalidHandle;
  for (const Operation &operation : graph->operations)
    if (Result result = enqueue(stream, operation))
      return result;
  return kSuccess;
}
TAMIS_CUDA_API cuGraphDestroy(Graph graph) {
  TAMIS_CUDA_ENTER;
  return destroyKnown(DriverState::get().graphs, graph);
}
TAMIS_CUDA_API cuGraphExecDestroy(GraphExec graph) {
  TAMIS_CUDA_ENTER;
  return destroyKnown(DriverState::get().graphExecs, graph);
}
