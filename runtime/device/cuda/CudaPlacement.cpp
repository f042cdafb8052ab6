// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the buffers of a run lie: one allocation for all, or one for each where accesses are checked.

#include "runtime/device/cuda/CudaRun.h"
#include "runtime/device/cuda/DeviceLayout.h"
#include "runtime/status/Status.h"

using tamis::runtime::fail;

namespace tamis::cuda {

/// More slots than this are not compared with each other.
static constexpr uint32_t kMostSeparateSlots = 1024;

tamis_status CudaRun::allocateTables(tamis_error *error) {
  const uint32_t count = program.dispatches()->size();
  separate = code.device().wantsSeparateBuffers();
  size_t bufferCount = 0, parameterCount = 0;
  for (const plan::Dispatch *dispatch : *program.dispatches()) {
    bufferCount += dispatch->buffers()->size();
    parameterCount += dispatch->buffers()->size() + (dispatch->arguments() ? dispatch->arguments()->size() : 0);
  }
  if (!offsets.allocate(tensorCount) || !bytes.allocate(tensorCount) || !groups.allocate(count) ||
      !firstParameter.allocate(size_t(count) + 1) || !parameters.allocate(parameterCount) ||
      !slots.allocate(separate ? bufferCount : 0))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a context of %u dispatches", count);
  if (separate)
    TAMIS_TRY(findSlots(error));
  if (!memory.allocate(separate ? size_t(tensorCount) + 1 + slotCount : 1))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for a context of %u dispatches", count);
  return TAMIS_OK;
}

/// The places of the arena that dispatches name. All must be known to the list of arena buffers, which has their sizes.
tamis_status CudaRun::findSlots(tamis_error *) {
  auto find = [&](uint32_t offset) {
    uint32_t i = 0;
    while (i < slotCount && slots[i].offset != offset)
      ++i;
    return i;
  };
  separateSlots = true;
  for (const plan::Dispatch *dispatch : *program.dispatches())
    for (const plan::BufferRef *buffer : *dispatch->buffers())
      if (buffer->kind() == plan::BufferKind_Arena && find(buffer->index()) == slotCount)
        slots[slotCount++].offset = buffer->index();
  separateSlots = slotCount <= kMostSeparateSlots;
  for (uint32_t i = 0; i < slotCount; ++i) {
    bool known = false;
    for (const plan::ArenaBuffer *buffer : *program.arena())
      known |= buffer->offset() == slots[i].offset;
    separateSlots &= known;
  }
  return TAMIS_OK;
}

/// Whether no two slots share a byte, so that each can have memory of its own. Sets their sizes.
bool CudaRun::slotsAreApart(const int64_t *registers) {
  for (uint32_t i = 0; i < slotCount; ++i) {
    slots[i].bytes = 0;
    for (const plan::ArenaBuffer *buffer : *program.arena())
      if (buffer->offset() == slots[i].offset && registers[buffer->size()] > slots[i].bytes)
        slots[i].bytes = registers[buffer->size()];
  }
  for (uint32_t i = 0; i < slotCount; ++i)
    for (uint32_t j = 0; j < i; ++j) {
      int64_t a = registers[slots[i].offset], b = registers[slots[j].offset];
      if (a < b + slots[j].bytes && b < a + slots[i].bytes)
        return false;
    }
  return true;
}

tamis_status CudaRun::grow(DeviceMemory &block, size_t size, const char *what, tamis_error *error) {
  // Alone, memory has the tensor's size exactly: the driver then sees a step beyond it.
  if (block.address() && (separate ? block.size() == size : block.size() >= size))
    return TAMIS_OK;
  graphs.forget();
  return block.allocate(driver, size, what, error);
}

tamis_status CudaRun::place(const CudaSizes &sizes, tamis_error *error) {
  CurrentContext current(code.device());
  TAMIS_TRY(current.check(error));
  constexpr uint64_t most = uint64_t(1) << 62;
  uint64_t front = 0;
  for (uint32_t i = 0; i < tensorCount; ++i) {
    offsets[i] = front;
    bytes[i] = sizes.tensorBytes[i];
    front = alignUp(front + uint64_t(bytes[i]));
    if (front > most)
      return fail(error, TAMIS_OUT_OF_MEMORY, "inputs and outputs together have more bytes than memory");
  }
  if (!pinned.data() || pinned.size() < front) {
    graphs.forget();
    TAMIS_TRY(pinned.allocate(driver, front, "inputs and outputs", error));
  }
  TAMIS_TRY(placeTensors(sizes, front, error));
  fillParameters(sizes.registers);
  graphs.choose(sizes.symbols);
  return TAMIS_OK;
}

tamis_status CudaRun::placeTensors(const CudaSizes &sizes, uint64_t front, tamis_error *error) {
  auto arenaBytes = uint64_t(sizes.registers[program.arena_size()]);
  if (!separate) {
    TAMIS_TRY(grow(memory[0], front + arenaBytes, "inputs, outputs and intermediate values", error));
    arena = memory[0].address() + front;
    return TAMIS_OK;
  }
  for (uint32_t i = 0; i < tensorCount; ++i)
    TAMIS_TRY(grow(memory[i], size_t(bytes[i]), i < inputCount ? "an input" : "an output", error));
  bool apart = separateSlots && slotsAreApart(sizes.registers);
  if (apart)
    TAMIS_TRY(placeSlots(error));
  else
    TAMIS_TRY(grow(memory[tensorCount], arenaBytes, "intermediate values", error));
  arena = apart ? 0 : memory[tensorCount].address();
  return TAMIS_OK;
}

tamis_status CudaRun::placeSlots(tamis_error *error) {
  for (uint32_t i = 0; i < slotCount; ++i)
    TAMIS_TRY(grow(memory[tensorCount + 1 + i], size_t(slots[i].bytes), "intermediate values", error));
  return TAMIS_OK;
}

Address CudaRun::addressOf(const plan::BufferRef &buffer, const int64_t *registers) const {
  uint32_t tensor = buffer.index() + (buffer.kind() == plan::BufferKind_Output ? inputCount : 0);
  switch (buffer.kind()) {
  case plan::BufferKind_Input:
  case plan::BufferKind_Output:
    return separate ? memory[tensor].address() : memory[0].address() + offsets[tensor];
  case plan::BufferKind_Constant:
    return code.constant(buffer.index());
  case plan::BufferKind_Arena:
    break;
  }
  if (arena)
    return arena + Address(registers[buffer.index()]);
  uint32_t slot = 0;
  while (slots[slot].offset != buffer.index())
    ++slot;
  return memory[tensorCount + 1 + slot].address();
}

void CudaRun::fillParameters(const int64_t *registers) {
  uint32_t next = 0;
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const plan::Dispatch &dispatch = *program.dispatches()->Get(i);
    groups[i] = registers[dispatch.grid()];
    firstParameter[i] = next;
    for (const plan::BufferRef *buffer : *dispatch.buffers())
      parameters[next++] = addressOf(*buffer, registers);
    for (uint32_t j = 0; dispatch.arguments() && j < dispatch.arguments()->size(); ++j)
      parameters[next++] = uint64_t(registers[dispatch.arguments()->Get(j)]);
  }
  firstParameter[groups.size()] = next;
}

} // namespace tamis::cuda
