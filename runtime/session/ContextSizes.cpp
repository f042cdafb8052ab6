// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the inputs' dims to every size of a run: binding symbols, evaluating the shape program, checking what it gives.

#include "runtime/plan/ShapeProgram.h"
#include "runtime/session/Context.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstring>

namespace tamis::runtime {

/// Half a cache line pair: scratch of two threads must not share a line, nor one the prefetcher fetches with it.
static constexpr int64_t kScratchUnit = 128;

using Wide = long long;

tamis_status Context::prepare(const tamis_tensor *inputs, size_t count, tamis_error *error) {
  TAMIS_TRY(checkInputs(inputs, count, error));
  TAMIS_TRY(bindSymbols(inputs, error));
  TAMIS_TRY(prepareBound(error));
  return checkDims(inputs, error);
}

tamis_status Context::prepareSizes(const int64_t *values, size_t count, tamis_error *error) {
  if (count != symbols.size() || (count && !values))
    return fail(error, TAMIS_INVALID_ARGUMENT, "%zu sizes were given, the plan has %zu symbols", count, symbols.size());
  for (uint32_t i = 0; i < count; ++i) {
    const plan::Symbol &symbol = *metadata.symbols()->Get(i);
    if (values[i] < symbol.min() || values[i] > symbol.max())
      return fail(error, TAMIS_SHAPE_MISMATCH, "%s is %lld, allowed are %lld to %lld", symbol.name()->c_str(),
                  Wide(values[i]), Wide(symbol.min()), Wide(symbol.max()));
    newSymbols[i] = values[i];
  }
  return prepareBound(error);
}

/// Count, element types and ranks.
tamis_status Context::checkInputs(const tamis_tensor *inputs, size_t count, tamis_error *error) {
  if (count != inputCount) {
    char names[256] = {};
    for (uint32_t i = 0; i < inputCount; ++i) {
      size_t used = strlen(names);
      snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : " ", tensor(i).name()->c_str());
    }
    return fail(error, TAMIS_INVALID_ARGUMENT, "%zu inputs were given, the plan has %u:%s", count, inputCount, names);
  }
  if (count && !inputs)
    return fail(error, TAMIS_INVALID_ARGUMENT, "the inputs are null");
  for (uint32_t i = 0; i < inputCount; ++i) {
    const plan::Tensor &wanted = tensor(i);
    auto element = tamis_element_type(wanted.element());
    if (inputs[i].element_type != element)
      return fail(error, TAMIS_SHAPE_MISMATCH, "input '%s': element type %s was given, %s is wanted",
                  wanted.name()->c_str(), tamis_element_name(inputs[i].element_type), tamis_element_name(element));
    if (inputs[i].rank < 0 || uint32_t(inputs[i].rank) != wanted.dims()->size())
      return fail(error, TAMIS_SHAPE_MISMATCH, "input '%s': rank %d was given, %u is wanted", wanted.name()->c_str(),
                  int(inputs[i].rank), wanted.dims()->size());
    if (inputs[i].rank && !inputs[i].dims)
      return fail(error, TAMIS_INVALID_ARGUMENT, "input '%s': the dims are null", wanted.name()->c_str());
  }
  return TAMIS_OK;
}

/// Takes each symbol from the dims that are exactly it; all of them must agree and be in range.
tamis_status Context::bindSymbols(const tamis_tensor *inputs, tamis_error *error) {
  for (uint32_t i = 0; i < symbols.size(); ++i) {
    binder[i] = -1;
    newSymbols[i] = metadata.symbols()->Get(i)->min(); // one that no input binds has but one value
  }
  for (uint32_t i = 0; i < inputCount; ++i) {
    const plan::Tensor &wanted = tensor(i);
    for (uint32_t d = 0; d < wanted.dims()->size(); ++d) {
      const plan::SizeInst &inst = *metadata.sizes()->Get(wanted.dims()->Get(d));
      if (inst.op() != plan::SizeOp_Symbol)
        continue;
      auto number = uint32_t(inst.imm());
      const plan::Symbol &symbol = *metadata.symbols()->Get(number);
      int64_t given = inputs[i].dims[d];
      if (given < symbol.min() || given > symbol.max())
        return fail(error, TAMIS_SHAPE_MISMATCH, "input '%s': dimension %u (%s) is %lld, allowed are %lld to %lld",
                    wanted.name()->c_str(), d, symbol.name()->c_str(), Wide(given), Wide(symbol.min()),
                    Wide(symbol.max()));
      if (binder[number] >= 0 && newSymbols[number] != given)
        return fail(error, TAMIS_SHAPE_MISMATCH, "input '%s': dimension %u (%s) is %lld, but input '%s' has %s = %lld",
                    wanted.name()->c_str(), d, symbol.name()->c_str(), Wide(given),
                    tensor(uint32_t(binder[number])).name()->c_str(), symbol.name()->c_str(), Wide(newSymbols[number]));
      newSymbols[number] = given;
      binder[number] = int32_t(i);
    }
  }
  return TAMIS_OK;
}

/// The dims that are no plain symbols: numbers and expressions.
tamis_status Context::checkDims(const tamis_tensor *inputs, tamis_error *error) const {
  for (uint32_t i = 0; i < inputCount; ++i) {
    const plan::Tensor &wanted = tensor(i);
    for (uint32_t d = 0; d < wanted.dims()->size(); ++d) {
      int64_t size = dims[firstDim[i] + d];
      if (inputs[i].dims[d] == size)
        continue;
      bool isNumber = metadata.sizes()->Get(wanted.dims()->Get(d))->op() == plan::SizeOp_Constant;
      return fail(error, TAMIS_SHAPE_MISMATCH, "input '%s': dimension %u is %lld, wanted is %s%s%lld",
                  wanted.name()->c_str(), d, Wide(inputs[i].dims[d]), isNumber ? "" : dimName(wanted, d),
                  isNumber ? "" : " = ", Wide(size));
    }
  }
  return TAMIS_OK;
}

/// Everything that follows from newSymbols, unless it is known from the last time.
tamis_status Context::prepareBound(tamis_error *error) {
  size_t symbolBytes = symbols.size() * sizeof(int64_t);
  if (prepared && !memcmp(symbols.data(), newSymbols.data(), symbolBytes))
    return TAMIS_OK;
  prepared = arenaPlaced = false;
  for (uint32_t i = inputCount; i < tensorCount; ++i)
    data[i] = nullptr;
  for (int64_t &time : nanoseconds)
    time = 0;
  TAMIS_TRY(evaluateSizes(metadata, newSymbols.data(), registers.data(), error));
  for (const plan::Check *check : *metadata.checks())
    if (value(check->left()) != value(check->right()))
      return fail(error, TAMIS_SHAPE_MISMATCH, "%s: %lld is not %lld", check->message()->c_str(),
                  Wide(value(check->left())), Wide(value(check->right())));
  TAMIS_TRY(sizeTensors(error));
  TAMIS_TRY(sizeArena(error));
  TAMIS_TRY(sizeDispatches(error));
  memcpy(symbols.data(), newSymbols.data(), symbolBytes);
  prepared = true;
  return TAMIS_OK;
}

tamis_status Context::sizeTensors(tamis_error *error) {
  for (uint32_t i = 0; i < tensorCount; ++i) {
    const plan::Tensor &wanted = tensor(i);
    int64_t *sizes = dims.data() + firstDim[i];
    for (uint32_t d = 0; d < wanted.dims()->size(); ++d)
      sizes[d] = value(wanted.dims()->Get(d));
    if (!tensorBytes(sizes, int32_t(wanted.dims()->size()), tamis_element_size(tamis_element_type(wanted.element())),
                     bytes[i]))
      return fail(error, TAMIS_SHAPE_MISMATCH, "%s '%s' would have a negative dimension or more bytes than memory",
                  i < inputCount ? "input" : "output", wanted.name()->c_str());
  }
  return TAMIS_OK;
}

tamis_status Context::sizeArena(tamis_error *error) {
  int64_t total = value(program.arena_size());
  if (total < 0)
    return fail(error, TAMIS_DAMAGED_PLAN, "the arena would have %lld bytes", Wide(total));
  for (const plan::ArenaBuffer *buffer : *program.arena()) {
    int64_t offset = value(buffer->offset()), size = value(buffer->size());
    if (offset < 0 || size < 0 || offset > total || size > total - offset)
      return fail(error, TAMIS_DAMAGED_PLAN, "arena buffer '%s' would leave the arena: offset %lld, size %lld of %lld",
                  buffer->name()->c_str(), Wide(offset), Wide(size), Wide(total));
  }
  return TAMIS_OK;
}

tamis_status Context::sizeDispatches(tamis_error *error) {
  constexpr int64_t mostScratch = int64_t(1) << 40;
  int64_t arenaBytes = value(program.arena_size());
  scratchBytes = 0;
  for (uint32_t i = 0; i < dispatches.size(); ++i) {
    const plan::Dispatch &dispatch = *program.dispatches()->Get(i);
    int64_t groups = value(dispatch.grid()), scratchWanted = value(dispatch.scratch());
    if (groups < 0 || scratchWanted < 0 || scratchWanted > mostScratch)
      return fail(error, TAMIS_DAMAGED_PLAN, "dispatch '%s' would have %lld groups and %lld bytes of scratch",
                  dispatch.name()->c_str(), Wide(groups), Wide(scratchWanted));
    if (program.device() == plan::DeviceKind_Cuda && groups > cuda::kMostBlocks)
      return fail(error, TAMIS_SHAPE_MISMATCH, "dispatch '%s' would have %lld groups, a GPU can have %lld",
                  dispatch.name()->c_str(), Wide(groups), Wide(cuda::kMostBlocks));
    for (const plan::BufferRef *buffer : *dispatch.buffers()) {
      if (buffer->kind() != plan::BufferKind_Arena)
        continue;
      int64_t offset = value(buffer->index());
      if (offset < 0 || offset > arenaBytes || offset % int64_t(Block::kAlignment))
        return fail(error, TAMIS_DAMAGED_PLAN, "dispatch '%s' would use byte %lld of an arena of %lld",
                    dispatch.name()->c_str(), Wide(offset), Wide(arenaBytes));
    }
    dispatches[i].groups = groups;
    scratchWanted = (scratchWanted + kScratchUnit - 1) / kScratchUnit * kScratchUnit;
    scratchBytes = scratchWanted > scratchBytes ? scratchWanted : scratchBytes;
  }
  return TAMIS_OK;
}

} // namespace tamis::runtime
