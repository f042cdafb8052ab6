// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The life of a context and its run. Working out sizes is in ContextSizes.cpp.

#include "runtime/session/Context.h"
#include "runtime/status/Status.h"
#include <cstring>

namespace tamis::runtime {

/// What kernels get for a tensor without elements, whose user pointer may be null.
alignas(Block::kAlignment) static char emptyTensor[Block::kAlignment];

Context::Context(const LoadedPlan &plan, int32_t threads)
    : plan(plan), metadata(plan.metadata()), program(plan.program()), threads(threads),
      inputCount(metadata.inputs()->size()), tensorCount(inputCount + metadata.outputs()->size()) {
  plan.retain();
}

Context::~Context() {
  destroy(pool);
  destroy(cudaRun);
  plan.release();
}

tamis_status Context::create(tamis_error *error) {
  TAMIS_TRY(allocateTables(error));
  if (const cuda::CudaProgram *code = plan.cudaProgram()) {
    cudaRun = make<cuda::CudaRun>(*code, metadata, program);
    return cudaRun ? cudaRun->create(error) : fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a context");
  }
  if (threads == 1)
    return TAMIS_OK;
  pool = make<ThreadPool>(threads);
  if (!pool)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a pool of %d threads", int(threads));
  return pool->start(error);
}

tamis_status Context::allocateTables(tamis_error *error) {
  size_t bufferCount = 0, userCount = 0, dimCount = 0;
  for (const plan::Dispatch *dispatch : *program.dispatches()) {
    bufferCount += dispatch->buffers()->size();
    for (const plan::BufferRef *buffer : *dispatch->buffers())
      userCount += buffer->kind() == plan::BufferKind_Input || buffer->kind() == plan::BufferKind_Output;
  }
  for (uint32_t i = 0; i < tensorCount; ++i)
    dimCount += tensor(i).dims()->size();
  size_t symbolCount = metadata.symbols()->size(), dispatchCount = program.dispatches()->size();
  if (!symbols.allocate(symbolCount) || !newSymbols.allocate(symbolCount) || !binder.allocate(symbolCount) ||
      !registers.allocate(metadata.sizes()->size()) || !dims.allocate(dimCount) || !firstDim.allocate(tensorCount) ||
      !bytes.allocate(tensorCount) || !data.allocate(tensorCount) || !buffers.allocate(bufferCount) ||
      !firstBuffer.allocate(dispatchCount) || !userBuffers.allocate(userCount) || !dispatches.allocate(dispatchCount) ||
      !nanoseconds.allocate(dispatchCount) || !outputBlocks.allocate(tensorCount - inputCount))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a context of %zu dispatches", dispatchCount);

  uint32_t nextDim = 0, slot = 0, user = 0;
  for (uint32_t i = 0; i < tensorCount; ++i) {
    firstDim[i] = nextDim;
    nextDim += tensor(i).dims()->size();
  }
  for (uint32_t i = 0; i < dispatchCount; ++i) {
    const plan::Dispatch &dispatch = *program.dispatches()->Get(i);
    firstBuffer[i] = slot;
    dispatches[i] = {plan.kernel(dispatch.kernel()), buffers.data() + slot, 0};
    for (const plan::BufferRef *buffer : *dispatch.buffers()) {
      if (buffer->kind() == plan::BufferKind_Input)
        userBuffers[user++] = {slot, buffer->index()};
      else if (buffer->kind() == plan::BufferKind_Output)
        userBuffers[user++] = {slot, inputCount + buffer->index()};
      else if (buffer->kind() == plan::BufferKind_Constant)
        buffers[slot] = const_cast<uint8_t *>(plan.weights() + metadata.constants()->Get(buffer->index())->offset());
      ++slot;
    }
  }
  return TAMIS_OK;
}

const plan::Tensor &Context::tensor(uint32_t number) const {
  return number < inputCount ? *metadata.inputs()->Get(number) : *metadata.outputs()->Get(number - inputCount);
}

tamis_status Context::run(const tamis_tensor *inputs, size_t count, tamis_tensor *outputs, size_t outputCount,
                          tamis_error *error) {
  if (plan.device() == TAMIS_DEVICE_NONE)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the plan was loaded for no device, so that it cannot run");
  TAMIS_TRY(prepare(inputs, count, error));
  if (outputCount && outputCount != tensorCount - inputCount)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%zu outputs were given, the plan has %u", outputCount,
                tensorCount - inputCount);
  if (outputCount && !outputs)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the outputs are null");
  TAMIS_TRY(placeInputs(inputs, error));
  TAMIS_TRY(placeOutputs(outputCount ? outputs : nullptr, error));
  TAMIS_TRY(reserve(error));
  TAMIS_TRY(execute(error));
  for (uint32_t i = 0; i < outputCount; ++i)
    if (!outputs[i].data)
      outputs[i] = output(i);
  return TAMIS_OK;
}

/// Whether `tensor` can be read or written: pointers and alignment.
static tamis_status checkData(const tamis_tensor &given, const plan::Tensor &wanted, const char *kind, int64_t bytes,
                              tamis_error *error) {
  if (!given.data && bytes)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%s '%s': the data is null", kind, wanted.name()->c_str());
  size_t alignment = tamis_element_size(given.element_type);
  if (reinterpret_cast<uintptr_t>(given.data) % alignment)
    return fail(error, TAMIS_INVALID_ARGUMENT, "%s '%s': the data is not aligned to its elements of %zu bytes", kind,
                wanted.name()->c_str(), alignment);
  return TAMIS_OK;
}

tamis_status Context::placeInputs(const tamis_tensor *inputs, tamis_error *error) {
  for (uint32_t i = 0; i < inputCount; ++i) {
    TAMIS_TRY(checkData(inputs[i], tensor(i), "input", bytes[i], error));
    data[i] = inputs[i].data ? inputs[i].data : emptyTensor;
  }
  return TAMIS_OK;
}

tamis_status Context::placeOutputs(const tamis_tensor *outputs, tamis_error *error) {
  for (uint32_t i = inputCount; i < tensorCount; ++i) {
    const tamis_tensor *given = outputs ? &outputs[i - inputCount] : nullptr;
    data[i] = given ? given->data : nullptr;
    if (data[i])
      TAMIS_TRY(checkOutput(*given, i, error));
  }
  TAMIS_TRY(checkOverlap(error));
  for (uint32_t i = inputCount; i < tensorCount; ++i) {
    if (data[i] || cudaRun) // there they are placed with the rest
      continue;
    Block &block = outputBlocks[i - inputCount];
    if (!block.reserve(size_t(bytes[i])))
      return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for output '%s' of %lld bytes", tensor(i).name()->c_str(),
                  static_cast<long long>(bytes[i]));
    data[i] = block.data();
  }
  return TAMIS_OK;
}

/// Whether the caller's tensor can take output `number`.
tamis_status Context::checkOutput(const tamis_tensor &given, uint32_t number, tamis_error *error) const {
  const plan::Tensor &wanted = tensor(number);
  const char *name = wanted.name()->c_str();
  tamis_tensor shape = view(number, nullptr);
  if (given.element_type != shape.element_type)
    return fail(error, TAMIS_INVALID_ARGUMENT, "output '%s': element type %s was given, the plan writes %s", name,
                tamis_element_name(given.element_type), tamis_element_name(shape.element_type));
  if (given.rank != shape.rank || (shape.rank && !given.dims))
    return fail(error, TAMIS_INVALID_ARGUMENT, "output '%s': rank %d was given, the plan writes %d", name,
                int(given.rank), int(shape.rank));
  for (int32_t d = 0; d < shape.rank; ++d)
    if (given.dims[d] != shape.dims[d])
      return fail(error, TAMIS_INVALID_ARGUMENT,
                  "output '%s': dimension %d (%s) was given as %lld, this run writes %lld", name, int(d),
                  dimName(wanted, uint32_t(d)), static_cast<long long>(given.dims[d]),
                  static_cast<long long>(shape.dims[d]));
  return checkData(given, wanted, "output", bytes[number], error);
}

/// Kernels write outputs while they read inputs, in any order: shared bytes would be silently wrong results. An output
/// that the context owns counts with its whole block, which may be about to move.
tamis_status Context::checkOverlap(tamis_error *error) const {
  for (uint32_t i = 0; i < inputCount; ++i) {
    if (!tensor(i).is_state())
      continue;
    auto begin = reinterpret_cast<uintptr_t>(data[i]), end = begin + size_t(bytes[i]);
    for (uint32_t j = 0; j < inputCount; ++j) {
      auto other = reinterpret_cast<uintptr_t>(data[j]);
      if (i != j && begin < other + size_t(bytes[j]) && other < end)
        return fail(error, TAMIS_INVALID_ARGUMENT, "input '%s' overlaps the memory of input '%s', which the run writes",
                    tensor(j).name()->c_str(), tensor(i).name()->c_str());
    }
  }
  for (uint32_t i = inputCount; i < tensorCount; ++i) {
    const Block &block = outputBlocks[i - inputCount];
    const char *owned = cudaRun ? cudaRun->pinnedMemory().data() : block.data();
    size_t ownedBytes = cudaRun ? cudaRun->pinnedMemory().size() : block.capacity();
    auto begin = reinterpret_cast<uintptr_t>(data[i] ? data[i] : owned);
    uintptr_t end = begin + (data[i] ? size_t(bytes[i]) : ownedBytes);
    for (uint32_t j = 0; j < i; ++j) {
      auto other = reinterpret_cast<uintptr_t>(data[j]);
      if (begin < other + size_t(bytes[j]) && other < end && data[j])
        return fail(error, TAMIS_INVALID_ARGUMENT, "%s '%s' overlaps the memory of output '%s'",
                    j < inputCount ? "input" : "output", tensor(j).name()->c_str(), tensor(i).name()->c_str());
    }
  }
  return TAMIS_OK;
}

tamis_status Context::reserveOnGpu(tamis_error *error) {
  if (!arenaPlaced)
    TAMIS_TRY(cudaRun->place({registers.data(), bytes.data(), symbols.data()}, error));
  arenaPlaced = true;
  for (uint32_t i = inputCount; i < tensorCount; ++i)
    if (!data[i])
      data[i] = cudaRun->staging(i);
  return TAMIS_OK;
}

tamis_status Context::reserve(tamis_error *error) {
  if (cudaRun)
    return reserveOnGpu(error);
  int64_t arenaBytes = value(program.arena_size());
  const char *before = arena.data();
  if (!arena.reserve(size_t(arenaBytes)))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for an arena of %lld bytes", static_cast<long long>(arenaBytes));
  if (!scratch.reserve(size_t(scratchBytes) * size_t(threads)))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for scratch of %lld bytes for each of %d threads",
                static_cast<long long>(scratchBytes), int(threads));
  if (before == arena.data() && arenaPlaced)
    return TAMIS_OK;
  for (uint32_t i = 0; i < dispatches.size(); ++i) {
    const auto &references = *program.dispatches()->Get(i)->buffers();
    for (uint32_t j = 0; j < references.size(); ++j)
      if (references.Get(j)->kind() == plan::BufferKind_Arena)
        buffers[firstBuffer[i] + j] = arena.data() + value(references.Get(j)->index());
  }
  arenaPlaced = true;
  return TAMIS_OK;
}

tamis_status Context::execute(tamis_error *error) {
  if (cudaRun) {
    memset(nanoseconds.data(), 0, nanoseconds.size() * sizeof(int64_t));
    return cudaRun->run(data.data(), profiling ? nanoseconds.data() : nullptr, error);
  }
  for (const UserBuffer &user : userBuffers)
    buffers[user.slot] = data[user.tensor];
  for (int64_t &time : nanoseconds)
    time = 0;
  DispatchList list = {dispatches.data(), dispatches.size(),    symbols.data(),
                       scratch.data(),    size_t(scratchBytes), profiling ? nanoseconds.data() : nullptr};
  RunResult result = pool ? pool->run(list) : runSerially(list);
  if (result.dispatch < 0)
    return TAMIS_OK;
  const plan::Dispatch &dispatch = *program.dispatches()->Get(uint32_t(result.dispatch));
  char nodes[512] = {};
  for (const flatbuffers::String *source : *dispatch.sources()) {
    size_t used = strlen(nodes), length = source->size();
    if (used + length + 6 > sizeof nodes) { // room for ", ..." and the end
      strcpy(nodes + used, used ? ", ..." : "...");
      break;
    }
    if (used)
      strcpy(nodes + used, ", ");
    strcat(nodes, source->c_str());
  }
  if (result.code != 1)
    return fail(error, TAMIS_DAMAGED_PLAN, "dispatch '%s' returned %d, which no kernel does", dispatch.name()->c_str(),
                int(result.code));
  return fail(error, TAMIS_INDEX_OUT_OF_RANGE, "index out of range in dispatch '%s' (nodes %s)",
              dispatch.name()->c_str(), *nodes ? nodes : "unknown");
}

tamis_tensor Context::view(uint32_t number, void *where) const {
  const plan::Tensor &wanted = tensor(number);
  return {where, dims.data() + firstDim[number], int32_t(wanted.dims()->size()), tamis_element_type(wanted.element())};
}

tamis_tensor Context::input(size_t index) const {
  return view(uint32_t(index), nullptr);
}

tamis_tensor Context::output(size_t index) const {
  uint32_t number = inputCount + uint32_t(index);
  return view(number, data[number]);
}

tamis_memory_info Context::memory() const {
  int64_t outputBytes = 0;
  for (uint32_t i = inputCount; i < tensorCount; ++i)
    if (__builtin_add_overflow(outputBytes, bytes[i], &outputBytes))
      outputBytes = INT64_MAX;
  return {value(program.arena_size()), scratchBytes * threads, outputBytes, int64_t(plan.weightBytes())};
}

tamis_dispatch_cost Context::cost(size_t index) const {
  const plan::Dispatch &dispatch = *program.dispatches()->Get(uint32_t(index));
  return {value(dispatch.grid()), value(dispatch.scratch()), value(dispatch.flops()), value(dispatch.bytes()),
          nanoseconds[index]};
}

tamis_arena_buffer Context::arenaBuffer(size_t index) const {
  const plan::ArenaBuffer &buffer = *program.arena()->Get(uint32_t(index));
  return {buffer.name()->c_str(), value(buffer.offset()), value(buffer.size()), buffer.first(), buffer.last()};
}

} // namespace tamis::runtime
