// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the emulated driver's handles point to, and the state that its calls share.

#ifndef TAMIS_RUNTIME_EMULATOR_DRIVER_DRIVEROBJECTS_H
#define TAMIS_RUNTIME_EMULATOR_DRIVER_DRIVEROBJECTS_H

#include "runtime/emulator/driver/EmulatedDevice.h"
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

/// An entry point of the library.
#define TAMIS_CUDA_API extern "C" __attribute__((visibility("default"))) tamis::cuda::Result
/// A second name of one.
#define TAMIS_CUDA_ALIAS(name, target)                                                                                 \
  extern "C" __attribute__((visibility("default"), alias(#target))) decltype(target) name

namespace tamis::cuda {

using Operation = std::function<Result()>;
using Capture = std::vector<Operation>;

struct ContextObject {
  Result failure = kSuccess; ///< of a kernel; every later call gives it again, as on a device
  int32_t retained = 0;      ///< of the primary context
};
struct ModuleObject;
struct FunctionObject {
  ModuleObject *module;
  const emulator::EntryInfo *entry;
  int32_t dynamicShared; ///< bytes that a launch may ask for
};
struct ModuleObject {
  std::shared_ptr<emulator::Module> module;
  std::map<std::string, FunctionObject> functions;
};
/// Work is done when it is given to a stream, or noted when the stream is captured.
struct StreamObject {
  std::shared_ptr<Capture> capture;
};
struct EventObject {
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Capture> capture; ///< that it was recorded in
};
struct GraphObject {
  Capture operations;
};
struct GraphExecObject {
  Capture operations;
};

/// One call at a time: `mutex` is held by every entry point.
struct DriverState {
  std::recursive_mutex mutex;
  bool initialised = false;
  ContextObject primary;
  std::set<ContextObject *> contexts; ///< made by cuCtxCreate
  std::set<ModuleObject *> modules;
  std::set<StreamObject *> streams;
  std::set<EventObject *> events;
  std::set<GraphObject *> graphs;
  std::set<GraphExecObject *> graphExecs;
  std::map<void *, size_t> hostMemory;

  static DriverState &get();
};

/// The stack of current contexts of this thread.
std::vector<Context> &currentContexts();

/// What every call that needs a context begins with: kNotInitialized, kInvalidContext, or an earlier kernel's failure.
Result enter();

/// Does `work` at once, or notes it where `stream` (null: the default one) is captured. kInvalidHandle when there is no
/// such stream.
Result enqueue(Stream stream, Operation work);

/// Notes that something was found: fails the context, unless findings are only reported.
Result found();

/// As a call by handle: whether it is one.
template <typename Object> bool isKnown(const std::set<Object *> &objects, Object *object) {
  return objects.count(object);
}
template <typename Object> Result destroyKnown(std::set<Object *> &objects, Object *object) {
  if (!objects.erase(object))
    return kInvalidHandle;
  delete object;
  return kSuccess;
}

} // namespace tamis::cuda

#define TAMIS_CUDA_ENTER                                                                                               \
  std::lock_guard<std::recursive_mutex> lock(tamis::cuda::DriverState::get().mutex);                                   \
  if (tamis::cuda::Result entered = tamis::cuda::enter())                                                              \
  return entered

#endif // TAMIS_RUNTIME_EMULATOR_DRIVER_DRIVEROBJECTS_H
