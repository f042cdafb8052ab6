// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stub: device memory is the host's, a stream works at once, a graph replays what was captured.
// -DTAMIS_STUB_WITHOUT_EVENTS and -DTAMIS_STUB_WITHOUT_GRAPHS leave entry points out.

#include "test/runtime/cuda/StubDriver.h"
#include "test/runtime/cuda/CudaPlans.h"
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

using namespace tamis::cuda;
using tamis::test::StubDriver;

#define STUB extern "C" __attribute__((visibility("default")))

static StubDriver stub;
STUB StubDriver *tamis_stub() {
  return &stub;
}

namespace {
using Work = std::function<Result()>;
struct Entry {
  std::string name;
  int32_t shared = 48 << 10;
};
int depth = 0; ///< pushed contexts
std::set<Address> memory;
std::vector<Work> captured;
bool capturing = false;

Result note(const char *name, bool wantsContext = true) {
  ++stub.calls[name];
  if (wantsContext && !depth) {
    ++stub.badCalls;
    return kInvalidContext;
  }
  return kSuccess;
}
#define NOTE(name)                                                                                                     \
  if (Result noted = note(name))                                                                                       \
  return noted

template <typename Handle> Handle newHandle(void *object = new char) {
  ++stub.live;
  return static_cast<Handle>(object);
}
Result drop() {
  --stub.live;
  return kSuccess;
}
/// At once, or when the graph is launched.
Result enqueue(Work work) {
  if (!capturing)
    return work();
  captured.push_back(std::move(work));
  return kSuccess;
}
bool isDevice(Address address) {
  auto after = memory.upper_bound(address);
  return after != memory.begin();
}
} // namespace

STUB Result cuInit(unsigned) {
  note("cuInit", false);
  return stub.init;
}
STUB Result cuDriverGetVersion(int32_t *version) {
  *version = stub.version;
  return kSuccess;
}
STUB Result cuGetErrorName(Result result, const char **text) {
  *text = result == kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == kSuccess   ? "CUDA_SUCCESS"
                                 : "CUDA_ERROR_OF_STUB";
  return kSuccess;
}
STUB Result cuGetErrorString(Result, const char **text) {
  *text = "the stub was told so";
  return kSuccess;
}
STUB Result cuDeviceGetCount(int32_t *count) {
  *count = stub.devices;
  return note("cuDeviceGetCount", false);
}
STUB Result cuDeviceGet(Device *device, int32_t number) {
  *device = number;
  return kSuccess;
}
STUB Result cuDeviceGetName(char *name, int32_t room, Device) {
  strncpy(name, "Stub GPU", size_t(room));
  return kSuccess;
}
STUB Result cuDeviceGetAttribute(int32_t *value, DeviceAttribute attribute, Device) {
  *value = attribute == kComputeCapabilityMajor   ? stub.major
           : attribute == kComputeCapabilityMinor ? stub.minor
           : attribute == kMaxSharedPerBlockOptIn ? stub.sharedOptIn
                                                  : 0;
  return kSuccess;
}
STUB Result cuDevicePrimaryCtxRetain(Context *context, Device) {
  static char primary;
  *context = reinterpret_cast<Context>(&primary);
  ++stub.live;
  return note("cuDevicePrimaryCtxRetain", false);
}
STUB Result cuDevicePrimaryCtxRelease_v2(Device) {
  return drop();
}
STUB Result cuCtxPushCurrent_v2(Context) {
  ++depth;
  return note("cuCtxPushCurrent", false);
}
STUB Result cuCtxPopCurrent_v2(Context *) {
  NOTE("cuCtxPopCurrent");
  --depth;
  return kSuccess;
}

STUB Result cuModuleLoadDataEx(Module *module, const void *code, unsigned count, JitOption *options, void **values) {
  NOTE("cuModuleLoadDataEx");
  bool isPtx = !memcmp(code, ".version", 8);
  Result result = isPtx ? stub.ptx : stub.cubin;
  for (unsigned i = 0; i < count && result; ++i)
    if (options[i] == kJitErrorLog)
      strcpy(static_cast<char *>(values[i]), "line 7: fatal\nline 8: worse\n");
  if (result)
    return result;
  stub.loadedCode = isPtx ? static_cast<const char *>(code) : "a cubin";
  *module = reinterpret_cast<Module>(newHandle<char *>());
  return kSuccess;
}
STUB Result cuModuleUnload(Module module) {
  NOTE("cuModuleUnload");
  delete reinterpret_cast<char *>(module);
  return drop();
}
STUB Result cuModuleGetFunction(Function *function, Module, const char *name) {
  NOTE("cuModuleGetFunction");
  static std::map<std::string, Entry> entries;
  if (!tamis::test::isStubKernel(name))
    return kNotFound;
  entries[name] = {name};
  *function = reinterpret_cast<Function>(&entries[name]);
  return kSuccess;
}
STUB Result cuFuncSetAttribute(Function function, FunctionAttribute attribute, int32_t value) {
  NOTE("cuFuncSetAttribute");
  auto &entry = *reinterpret_cast<Entry *>(function);
  if (attribute != kFunctionMaxDynamicShared || value > stub.sharedOptIn)
    return kInvalidValue;
  stub.sharedAsked[entry.name] = entry.shared = value;
  return kSuccess;
}

STUB Result cuMemAlloc_v2(Address *address, size_t size) {
  NOTE("cuMemAlloc");
  if (!size)
    return kInvalidValue;
  if (stub.allocationsLeft-- <= 0)
    return kOutOfMemory;
  *address = reinterpret_cast<Address>(newHandle<char *>(malloc(size)));
  memset(reinterpret_cast<void *>(*address), 0xA5, size);
  memory.insert(*address);
  return kSuccess;
}
STUB Result cuMemFree_v2(Address address) {
  NOTE("cuMemFree");
  if (!memory.erase(address)) {
    ++stub.badCalls;
    return kInvalidValue;
  }
  free(reinterpret_cast<void *>(address));
  return drop();
}
STUB Result cuMemHostAlloc(void **start, size_t size, unsigned) {
  NOTE("cuMemHostAlloc");
  if (stub.allocationsLeft-- <= 0)
    return kOutOfMemory;
  *start = newHandle<char *>(malloc(size));
  return kSuccess;
}
STUB Result cuMemFreeHost(void *start) {
  NOTE("cuMemFreeHost");
  free(start);
  return drop();
}
STUB Result cuMemcpyHtoD_v2(Address to, const void *from, size_t size) {
  NOTE("cuMemcpyHtoD");
  if (!isDevice(to))
    return kInvalidValue;
  memcpy(reinterpret_cast<void *>(to), from, size);
  return kSuccess;
}
STUB Result cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t size, Stream) {
  NOTE("cuMemcpyHtoDAsync");
  return enqueue([=] {
    memcpy(reinterpret_cast<void *>(to), from, size);
    return isDevice(to) ? kSuccess : kInvalidValue;
  });
}
STUB Result cuMemcpyDtoHAsync_v2(void *to, Address from, size_t size, Stream) {
  NOTE("cuMemcpyDtoHAsync");
  return enqueue([=] {
    memcpy(to, reinterpret_cast<const void *>(from), size);
    return isDevice(from) ? kSuccess : kInvalidValue;
  });
}

STUB Result cuStreamCreate(Stream *stream, unsigned) {
  NOTE("cuStreamCreate");
  *stream = reinterpret_cast<Stream>(newHandle<char *>());
  return kSuccess;
}
STUB Result cuStreamDestroy_v2(Stream stream) {
  NOTE("cuStreamDestroy");
  delete reinterpret_cast<char *>(stream);
  return drop();
}
STUB Result cuStreamSynchronize(Stream) {
  NOTE("cuStreamSynchronize");
  return stub.synchronize;
}
STUB Result cuEventCreate(Event *event, unsigned) {
  NOTE("cuEventCreate");
  *event = reinterpret_cast<Event>(newHandle<float *>(new float(0)));
  return kSuccess;
}
STUB Result cuEventDestroy_v2(Event event) {
  NOTE("cuEventDestroy");
  delete reinterpret_cast<float *>(event);
  return drop();
}
STUB Result cuEventRecord(Event event, Stream) {
  NOTE("cuEventRecord");
  static float clock = 0;
  *reinterpret_cast<float *>(event) = clock += 0.25f;
  return kSuccess;
}
#ifndef TAMIS_STUB_WITHOUT_EVENTS
STUB Result cuEventElapsedTime(float *milliseconds, Event from, Event to) {
  NOTE("cuEventElapsedTime");
  *milliseconds = *reinterpret_cast<float *>(to) - *reinterpret_cast<float *>(from);
  return kSuccess;
}
#endif

STUB Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                           unsigned blockY, unsigned blockZ, unsigned shared, Stream, void **parameters, void **extra) {
  NOTE("cuLaunchKernel");
  auto &entry = *reinterpret_cast<Entry *>(function);
  bool isRight = gridX && gridY == 1 && gridZ == 1 && blockX == tamis::test::kBlockThreads && blockY == 1 &&
                 blockZ == 1 && int32_t(shared) <= entry.shared && !parameters &&
                 extra[0] == launchMark(kLaunchBuffer) && extra[2] == launchMark(kLaunchBufferBytes) &&
                 extra[4] == launchMark(kLaunchEnd);
  if (!isRight) {
    ++stub.badCalls;
    return kInvalidValue;
  }
  auto *first = static_cast<const uint64_t *>(extra[1]);
  std::vector<uint64_t> values(first, first + *static_cast<size_t *>(extra[3]) / sizeof(uint64_t));
  return enqueue([=] {
    if (stub.launch == kSuccess && !tamis::test::runStubKernel(entry.name, int64_t(gridX), values))
      return kInvalidValue;
    return stub.launch;
  });
}

#ifndef TAMIS_STUB_WITHOUT_GRAPHS
STUB Result cuStreamBeginCapture_v2(Stream, CaptureMode) {
  NOTE("cuStreamBeginCapture");
  capturing = stub.capture == kSuccess;
  captured.clear();
  return stub.capture;
}
STUB Result cuStreamEndCapture(Stream, Graph *graph) {
  NOTE("cuStreamEndCapture");
  capturing = false;
  *graph = reinterpret_cast<Graph>(newHandle<std::vector<Work> *>(new std::vector<Work>(captured)));
  return kSuccess;
}
STUB Result cuGraphInstantiateWithFlags(GraphExec *made, Graph graph, unsigned long long) {
  NOTE("cuGraphInstantiate");
  *made = reinterpret_cast<GraphExec>(
      newHandle<std::vector<Work> *>(new std::vector<Work>(*reinterpret_cast<std::vector<Work> *>(graph))));
  return kSuccess;
}
STUB Result cuGraphLaunch(GraphExec graph, Stream) {
  NOTE("cuGraphLaunch");
  for (const Work &work : *reinterpret_cast<std::vector<Work> *>(graph))
    if (Result result = work())
      return result;
  return kSuccess;
}
STUB Result cuGraphDestroy(Graph graph) {
  NOTE("cuGraphDestroy");
  delete reinterpret_cast<std::vector<Work> *>(graph);
  return drop();
}
STUB Result cuGraphExecDestroy(GraphExec graph) {
  NOTE("cuGraphExecDestroy");
  delete reinterpret_cast<std::vector<Work> *>(graph);
  return drop();
}
#endif
