// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The work of a run on its stream. Where its buffers lie is in CudaPlacement.cpp.

#include "runtime/device/cuda/CudaRun.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstring>

using tamis::runtime::fail;

namespace tamis::cuda {

CudaRun::CudaRun(const CudaProgram &code, const plan::Plan &plan, const plan::Program &program)
    : code(code), plan(plan), program(program), driver(code.device().driver()), inputCount(plan.inputs()->size()),
      tensorCount(inputCount + plan.outputs()->size()) {}

CudaRun::~CudaRun() {
  CurrentContext current(code.device());
  if (stream)
    driver.streamSynchronize(stream);
  graphs.forget();
  for (Event event : events)
    if (event)
      driver.eventDestroy(event);
  if (stream)
    driver.streamDestroy(stream);
  pinned.release();
  for (DeviceMemory &each : memory)
    each.release();
}

tamis_status CudaRun::create(tamis_error *error) {
  TAMIS_TRY(allocateTables(error));
  CurrentContext current(code.device());
  TAMIS_TRY(current.check(error));
  TAMIS_TRY(graphs.create(driver, plan.symbols()->size(), error));
  return driver.check(driver.streamCreate(&stream, kStreamNonBlocking), "make a stream", error);
}

tamis_status CudaRun::run(void *const *data, int64_t *nanoseconds, tamis_error *error) {
  CurrentContext current(code.device());
  TAMIS_TRY(current.check(error));
  for (uint32_t i = 0; i < inputCount; ++i)
    if (bytes[i])
      memcpy(staging(i), data[i], size_t(bytes[i]));
  bool done = false;
  if (nanoseconds)
    TAMIS_TRY(createEvents(error));
  else
    TAMIS_TRY(runGraph(done, error));
  if (!done)
    TAMIS_TRY(enqueue(nanoseconds != nullptr, error));
  TAMIS_TRY(driver.check(driver.streamSynchronize(stream), "end the run on the device", error));
  if (nanoseconds)
    TAMIS_TRY(readEvents(nanoseconds, error));
  for (uint32_t i = inputCount; i < tensorCount; ++i)
    if (bytes[i] && data[i] != staging(i))
      memcpy(data[i], staging(i), size_t(bytes[i]));
  return TAMIS_OK;
}

/// Launches the shape's graph; makes it first on the shape's second run. `done` stays false where there is none.
tamis_status CudaRun::runGraph(bool &done, tamis_error *error) {
  if (!graphs.current()) {
    if (!graphs.wantsCapture())
      return TAMIS_OK;
    Result result;
    graphs.begin(stream, result);
    if (result != kSuccess) { // as some virtual GPUs do
      graphs.giveUp();
      return TAMIS_OK;
    }
    tamis_error refused;
    tamis_status status = enqueue(/*timed=*/false, &refused);
    if (!graphs.end(stream) || status != TAMIS_OK) {
      graphs.giveUp(); // a run without capture says what is wrong, if anything is
      return TAMIS_OK;
    }
  }
  done = true;
  return driver.check(driver.graphLaunch(graphs.current(), stream), "launch the run's graph", error);
}

tamis_status CudaRun::enqueue(bool timed, tamis_error *error) {
  for (uint32_t i = 0; i < inputCount; ++i)
    if (bytes[i])
      TAMIS_TRY(driver.check(driver.copyToDeviceAsync(addressOf(plan::BufferRef(i, plan::BufferKind_Input), nullptr),
                                                      staging(i), size_t(bytes[i]), stream),
                             "copy an input to the device", error));
  const uint32_t count = program.dispatches()->size();
  for (uint32_t i = 0; i < count; ++i) {
    if (timed)
      TAMIS_TRY(driver.check(driver.eventRecord(events[i], stream), "record an event", error));
    TAMIS_TRY(launch(i, error));
  }
  if (timed)
    TAMIS_TRY(driver.check(driver.eventRecord(events[count], stream), "record an event", error));
  for (uint32_t i = inputCount; i < tensorCount; ++i)
    if (bytes[i])
      TAMIS_TRY(driver.check(
          driver.copyToHostAsync(staging(i),
                                 addressOf(plan::BufferRef(i - inputCount, plan::BufferKind_Output), nullptr),
                                 size_t(bytes[i]), stream),
          "copy an output from the device", error));
  return TAMIS_OK;
}

tamis_status CudaRun::launch(uint32_t number, tamis_error *error) {
  if (!groups[number])
    return TAMIS_OK; // a grid of 0 is no launch
  const plan::Dispatch &dispatch = *program.dispatches()->Get(number);
  const plan::Kernel &kernel = *program.kernels()->Get(dispatch.kernel());
  // All parameters have 8 bytes; as one buffer the driver can check their size, an array of pointers it would overrun.
  size_t size = (firstParameter[number + 1] - firstParameter[number]) * sizeof(uint64_t);
  void *extra[] = {launchMark(kLaunchBuffer), parameters.data() + firstParameter[number],
                   launchMark(kLaunchBufferBytes), &size, launchMark(kLaunchEnd)};
  Result result = driver.launchKernel(code.kernel(dispatch.kernel()), unsigned(groups[number]), 1, 1, kernel.threads(),
                                      1, 1, kernel.shared(), stream, nullptr, extra);
  if (result == kSuccess)
    return TAMIS_OK;
  char text[384];
  snprintf(text, sizeof text, "run dispatch '%.128s' (kernel '%.128s', %lld blocks of %u threads)",
           dispatch.name()->c_str(), kernel.name()->c_str(), static_cast<long long>(groups[number]), kernel.threads());
  return driver.check(result, text, error);
}

tamis_status CudaRun::createEvents(tamis_error *error) {
  if (events.size())
    return TAMIS_OK;
  if (!events.allocate(size_t(program.dispatches()->size()) + 1))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u events", program.dispatches()->size() + 1);
  for (Event &event : events)
    TAMIS_TRY(driver.check(driver.eventCreate(&event, kEventDefault), "make an event", error));
  return TAMIS_OK;
}

tamis_status CudaRun::readEvents(int64_t *nanoseconds, tamis_error *error) {
  for (uint32_t i = 0; i < program.dispatches()->size(); ++i) {
    float milliseconds = 0;
    Result result = driver.eventElapsedTime(&milliseconds, events[i], events[i + 1]);
    TAMIS_TRY(driver.check(result, "read the time of a dispatch", error));
    nanoseconds[i] = int64_t(double(milliseconds) * 1e6);
  }
  return TAMIS_OK;
}

} // namespace tamis::cuda
