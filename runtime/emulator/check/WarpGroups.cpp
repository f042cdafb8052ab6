// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of wgmma (PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions").

#include "runtime/emulator/check/WarpGroups.h"
#include "runtime/emulator/run/Warp.h"
#include <algorithm>

namespace tamis::emulator {

void Products::reset(uint32_t registerCount) {
  flying.clear();
  chunks.clear();
  uses.assign(registerCount, Free);
  writtenAt.assign(registerCount, ~0u);
  fences = committed = 0;
}

void Products::checkRegisters(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const uint32_t *list = warp.block->kernel->pool.data() + instruction.reads;
  uint8_t read = Free, written = Free;
  for (uint32_t i = 0; i < instruction.readCount; ++i)
    read = std::max(read, uses[list[i]]);
  list += instruction.readCount;
  for (uint32_t i = 0; i < instruction.writeCount; ++i) {
    written = std::max(written, uses[list[i]]);
    writtenAt[list[i]] = fences;
  }
  if (read == Written || written != Free) [[unlikely]]
    warp.block->report(DiagnosticKind::AsyncMisuse, warp, instruction, mask, 0,
                       read == Written ? "reads a register that a wgmma in flight writes"
                                       : "writes a register that a wgmma in flight uses");
}

void Products::begin(Warp &warp, const Instruction &instruction, uint32_t mask) {
  const Kernel &kernel = *warp.block->kernel;
  const uint32_t *list = kernel.pool.data() + instruction.reads;
  auto report = [&](const char *what) {
    warp.block->report(DiagnosticKind::AsyncMisuse, warp, instruction, mask, 0, what);
  };
  bool isUnfenced = fences == 0, isBusy = false;
  for (uint32_t i = 0; i < instruction.readCount + instruction.writeCount; ++i) {
    bool isResult = i >= instruction.readCount;
    uint32_t number = list[i];
    isBusy |= !isResult && uses[number] == Written &&
              std::find(list + instruction.readCount, list + instruction.readCount + instruction.writeCount, number) ==
                  list + instruction.readCount + instruction.writeCount;
    isBusy |= isResult && uses[number] == Read;
    // Descriptors and the predicate are read as any instruction reads; fences are for the matrices.
    bool isMatrix = isResult || kernel.isMatrixRegister(instruction, i);
    isUnfenced |= isMatrix && writtenAt[number] == fences;
  }
  // Products of one shape may add to the same sums one after the other.
  if (!isBusy)
    for (const Product &each : flying)
      if (each.instruction->count != instruction.count && each.instruction->writeCount) {
        const uint32_t *theirs = kernel.pool.data() + each.instruction->reads + each.instruction->readCount;
        const uint32_t *ours = list + instruction.readCount;
        for (uint32_t i = 0; i < each.instruction->writeCount; ++i)
          isBusy |= std::find(ours, ours + instruction.writeCount, theirs[i]) != ours + instruction.writeCount;
      }
  if (isBusy)
    report("uses a register of another wgmma in flight");
  if (isUnfenced)
    report("wgmma with registers that were written after the last wgmma.fence");
  Product product{&instruction, committed, chunks.size()};
  flying.push_back(product);
  mark(warp, product);
}

void Products::mark(const Warp &warp, const Product &product) {
  const Kernel &kernel = *warp.block->kernel;
  const Instruction &instruction = *product.instruction;
  const uint32_t *list = kernel.pool.data() + instruction.reads;
  for (uint32_t i = 0; i < instruction.readCount; ++i)
    if (kernel.isMatrixRegister(instruction, i))
      uses[list[i]] = std::max(uses[list[i]], uint8_t(Read));
  for (uint32_t i = 0; i < instruction.writeCount; ++i)
    uses[list[instruction.readCount + i]] = Written;
}

void Products::wait(Warp &warp, uint32_t open) {
  size_t ended = 0;
  while (ended < flying.size() && flying[ended].group + open < committed)
    ++ended;
  if (!ended)
    return;
  const Kernel &kernel = *warp.block->kernel;
  for (size_t i = 0; i < ended; ++i) {
    const Instruction &instruction = *flying[i].instruction;
    for (uint32_t j = 0; j < uint32_t(instruction.readCount + instruction.writeCount); ++j)
      uses[kernel.pool[instruction.reads + j]] = Free;
  }
  // Chunks of a product begin where it began.
  size_t end = ended < flying.size() ? flying[ended].chunkBegin : chunks.size();
  for (size_t i = 0; i < end; ++i)
    warp.block->shadow.endRead(warp.index, chunks[i], kChunk);
  chunks.erase(chunks.begin(), chunks.begin() + ptrdiff_t(end));
  flying.erase(flying.begin(), flying.begin() + ptrdiff_t(ended));
  for (Product &each : flying) {
    each.chunkBegin -= end;
    mark(warp, each);
  }
}

const WarpGroup::Step *WarpGroup::note(uint32_t warp, const Step &step) {
  uint64_t at = done[warp % 4]++ - first;
  const Step *different = nullptr;
  if (at >= steps.size())
    steps.push_back(step);
  else if (!(steps[at] == step))
    different = &steps[at];
  uint64_t least = std::min({done[0], done[1], done[2], done[3]});
  // What is compared may be popped only by the next step.
  while (!different && first < least) {
    steps.pop_front();
    ++first;
  }
  return different;
}

} // namespace tamis::emulator
