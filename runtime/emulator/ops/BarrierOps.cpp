// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier. The address is op[4] + offset. Nothing lies in the object's eight bytes: its state is the block's, and an
// access of the bytes by other instructions is an access of shared memory like any.

#include "runtime/emulator/ops/Async.h"
#include <bit>

namespace tamis::emulator {

uint32_t sharedOffsets(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t operand, int64_t offset,
                       uint8_t flags, bool isGeneric, uint32_t bytes, uint32_t alignment, uint32_t (&offsets)[32]) {
  Block &block = *warp.block;
  uint64_t addresses[32];
  computeAddresses(warp, instruction, operand, offset, flags & (kAddress32 | kNoAddress), addresses);
  uint32_t outside = 0, misaligned = 0;
  for (uint32_t l = 0; l < 32; ++l) {
    uint64_t at = addresses[l] - kSharedBase - (isGeneric ? kSharedWindow : 0);
    offsets[l] = uint32_t(at);
    outside |= uint32_t(at > block.sharedSize || block.sharedSize - at < bytes) << l;
    misaligned |= uint32_t((at + kSharedBase) % alignment != 0) << l;
  }
  outside &= mask;
  misaligned &= mask & ~outside;
  if (outside)
    block.report(DiagnosticKind::OutOfBounds, warp, instruction, outside, addresses[std::countr_zero(outside)],
                 "access of " + std::to_string(bytes) + " bytes at " + hexText(addresses[std::countr_zero(outside)]) +
                     ", which are not in shared memory of " + std::to_string(block.sharedSize) + " bytes");
  if (misaligned)
    block.report(DiagnosticKind::Misaligned, warp, instruction, misaligned, addresses[std::countr_zero(misaligned)],
                 "address " + hexText(addresses[std::countr_zero(misaligned)]) +
                     " in shared memory, wanted a multiple of " + std::to_string(alignment));
  return mask & ~outside & ~misaligned;
}

MemoryBarrier *findBarrier(Warp &warp, const Instruction &instruction, uint32_t lane, uint32_t offset) {
  Block &block = *warp.block;
  auto found = block.async.barriers.find(offset);
  if (found == block.async.barriers.end()) {
    block.report(DiagnosticKind::AsyncMisuse, warp, instruction, 1u << lane, kSharedBase + offset,
                 "no mbarrier was initialised at offset " + std::to_string(offset) + " of shared memory");
    return nullptr;
  }
  if (block.checks)
    if (uint32_t problems = block.shadow.read(warp.index, offset, 8))
      reportShared(warp, instruction, problems, lane, kSharedBase + offset, AccessKind::Read);
  return &found->second;
}

void completePhase(Block &block, MemoryBarrier &barrier) {
  ++block.async.events;
  if (barrier.pending || barrier.transactions)
    return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.completed.resize(std::max(barrier.completed.size(), barrier.arriving.size()));
  for (size_t i = 0; i < barrier.arriving.size(); ++i)
    barrier.completed[i] = std::max(barrier.completed[i], barrier.arriving[i]);
  barrier.arriving.clear();
}

namespace ops {
namespace {

uint32_t locateBarriers(Warp &w, const Instruction &i, uint32_t mask, uint32_t (&offsets)[32]) {
  return sharedOffsets(w, i, mask, 4, i.offset, i.flags, i.space == Space::Generic, 8, 8, offsets);
}

void arrive(Warp &w, const Instruction &i, uint32_t lane, MemoryBarrier &barrier, uint32_t count) {
  if (count > barrier.pending) {
    w.block->report(DiagnosticKind::AsyncMisuse, w, i, 1u << lane, 0,
                    std::to_string(count) + " arrivals at an mbarrier that waits for " +
                        std::to_string(barrier.pending) + " of " + std::to_string(barrier.expected));
    count = barrier.pending;
  }
  barrier.pending -= count;
  if (w.block->checks)
    w.block->shadow.release(w.index, barrier.arriving);
}

} // namespace

/// op[1] arrivals end a phase.
void initialiseBarrier(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t offsets[32];
  mask = locateBarriers(w, i, mask, offsets);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    uint32_t count = w.at<uint32_t>(i.op[1])[l];
    constexpr uint32_t most = (1 << 20) - 1;
    if (count < 1 || count > most)
      w.block->report(DiagnosticKind::AsyncMisuse, w, i, 1u << l, kSharedBase + offsets[l],
                      "an mbarrier of " + std::to_string(count) + " arrivals, wanted 1 to " + std::to_string(most));
    if (w.block->checks)
      if (uint32_t problems = w.block->shadow.write(w.index, offsets[l], 8))
        reportShared(w, i, problems, l, kSharedBase + offsets[l], AccessKind::Write);
    MemoryBarrier barrier;
    barrier.expected = barrier.pending = count;
    w.block->async.barriers[offsets[l]] = barrier;
  }
}
void invalidateBarrier(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t offsets[32];
  mask = locateBarriers(w, i, mask, offsets);
  for (uint32_t l = 0; l < 32; ++l)
    if ((mask >> l & 1) && findBarrier(w, i, l, offsets[l])) {
      if (w.block->checks)
        if (uint32_t problems = w.block->shadow.write(w.index, offsets[l], 8))
          reportShared(w, i, problems, l, kSharedBase + offsets[l], AccessKind::Write);
      w.block->async.barriers.erase(offsets[l]);
    }
}

/// op[0] gets the phase, 64 bits; op[1] arrivals, op[2] bytes announced, of which `flags` say what there is.
void arriveAtBarriers(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t offsets[32];
  mask = locateBarriers(w, i, mask, offsets);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    MemoryBarrier *barrier = findBarrier(w, i, l, offsets[l]);
    if (!barrier)
      continue;
    if (i.op[0])
      w.at<uint64_t>(i.op[0])[l] = barrier->phase;
    barrier->transactions += i.op[2] ? int64_t(w.at<uint32_t>(i.op[2])[l]) * i.count : 0;
    if (i.op[1])
      arrive(w, i, l, *barrier, w.at<uint32_t>(i.op[1])[l]);
    if (i.bytes) // arrive_drop
      barrier->expected -= std::min(barrier->expected, w.at<uint32_t>(i.op[1])[l]);
    completePhase(*w.block, *barrier);
  }
}

/// When the lane's copies by cp.async have come, an arrival; flag kSigned: one that the barrier does not wait for.
void arriveWithCopies(Warp &w, const Instruction &i, uint32_t mask) {
  Instruction all = i;
  all.offset = -1;
  waitGroup(w, all, mask);
  uint32_t offsets[32];
  mask = locateBarriers(w, i, mask, offsets);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    MemoryBarrier *barrier = findBarrier(w, i, l, offsets[l]);
    if (!barrier)
      continue;
    barrier->pending += i.flags & kSigned ? 1 : 0;
    arrive(w, i, l, *barrier, 1);
    completePhase(*w.block, *barrier);
  }
}

/// op[0]: whether the phase that op[1] tells (64 bits from an arrival; with kSigned the parity, 32 bits) has ended. A
/// warp that must wait lets the others go on, once; then it is told no.
void testBarrier(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t offsets[32], done = 0;
  uint32_t good = locateBarriers(w, i, mask, offsets);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(good >> l & 1))
      continue;
    MemoryBarrier *barrier = findBarrier(w, i, l, offsets[l]);
    if (!barrier)
      continue;
    auto isOver = [&] {
      return i.flags & kSigned ? (barrier->phase & 1) != (w.at<uint32_t>(i.op[1])[l] & 1)
                               : barrier->phase != w.at<uint64_t>(i.op[1])[l];
    };
    if (!isOver())
      landCopies(*w.block, offsets[l]);
    if (!isOver())
      continue;
    done |= 1u << l;
    if (w.block->checks)
      w.block->shadow.acquire(w.index, barrier->completed);
  }
  if (done != good && !w.hasYielded) {
    w.mustYield = w.hasYielded = true;
    return;
  }
  w.hasYielded = false;
  uint32_t *to = w.at<uint32_t>(i.op[0]);
  done |= mask & ~good; // what was reported is not waited for
  *to = (*to & ~mask) | (done & mask);
}

} // namespace ops
} // namespace tamis::emulator
