// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Allocations of the emulated device: one reserved range of addresses, given out with wide gaps.

#include "runtime/emulator/run/DeviceMemory.h"
#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace tamis::emulator {
namespace {

/// Between allocations: a kernel that runs over the end of one is not soon in the next.
constexpr uint64_t kGap = 1 << 20;

uint8_t *reserve(uint64_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<uint8_t *>(memory);
}

/// Whether the range lies in one allocation. The lock is held.
bool isInside(const Memory::State &state, uint64_t address, uint64_t bytes) {
  auto after = state.allocations.upper_bound(address);
  if (after == state.allocations.begin())
    return false;
  auto [first, size] = *std::prev(after);
  return bytes <= size && address - first <= size - bytes;
}

} // namespace

Memory::Memory(uint64_t capacity) : held(std::make_unique<State>()) {
  // Gaps cost address space; where little of it is allowed, take what there is.
  constexpr uint64_t least = 16 * kGap;
  for (held->reserved = capacity * 2 + least; held->reserved >= least; held->reserved /= 2) {
    held->bytes = reserve(held->reserved);
    held->written = held->bytes ? reserve(held->reserved) : nullptr;
    if (held->written)
      break;
    if (held->bytes)
      munmap(held->bytes, held->reserved);
    held->bytes = nullptr;
  }
  if (!held->written)
    held->reserved = 0;
  held->capacity = std::min(capacity, held->reserved);
}

Memory::~Memory() {
  if (held->bytes)
    munmap(held->bytes, held->reserved);
  if (held->written)
    munmap(held->written, held->reserved);
}

uint64_t Memory::allocate(uint64_t bytes) {
  std::lock_guard guard(held->lock);
  if (bytes == 0 || bytes > held->capacity - held->used)
    return 0;
  uint64_t rounded = (bytes + 255) & ~uint64_t(255);
  uint64_t at = kFirstAddress + kGap;
  for (auto &[first, size] : held->allocations) { // first fit
    if (first >= at + rounded + kGap)
      break;
    at = ((first + size + 255) & ~uint64_t(255)) + kGap;
  }
  if (at + rounded + kGap > kFirstAddress + held->reserved)
    return 0;
  held->allocations[at] = bytes;
  held->used += bytes;
  return at;
}

bool Memory::free(uint64_t address) {
  std::lock_guard guard(held->lock);
  auto found = held->allocations.find(address);
  if (found == held->allocations.end())
    return false;
  uint64_t at = address - kFirstAddress, bytes = (found->second + 4095) & ~uint64_t(4095);
  held->used -= found->second;
  held->allocations.erase(found);
  // Neighbours are a gap away, so whole pages around it are nobody's.
  uint64_t page = at & ~uint64_t(4095);
  madvise(held->bytes + page, bytes + 4096, MADV_DONTNEED);
  madvise(held->written + page, bytes + 4096, MADV_DONTNEED);
  return true;
}

bool Memory::copyIn(uint64_t address, const void *from, uint64_t bytes) {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, address, bytes))
    return false;
  if (bytes) // of nothing there may be no address
    memcpy(held->bytes + (address - kFirstAddress), from, bytes);
  memset(held->written + (address - kFirstAddress), 1, bytes);
  return true;
}

bool Memory::copyOut(void *to, uint64_t address, uint64_t bytes) const {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, address, bytes))
    return false;
  if (bytes)
    memcpy(to, held->bytes + (address - kFirstAddress), bytes);
  return true;
}

bool Memory::copy(uint64_t to, uint64_t from, uint64_t bytes) {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, to, bytes) || !isInside(*held, from, bytes))
    return false;
  memmove(held->bytes + (to - kFirstAddress), held->bytes + (from - kFirstAddress), bytes);
  memmove(held->written + (to - kFirstAddress), held->written + (from - kFirstAddress), bytes);
  return true;
}

bool Memory::fill(uint64_t address, uint32_t pattern, uint32_t width, uint64_t count) {
  std::lock_guard guard(held->lock);
  if ((width != 1 && width != 2 && width != 4) || count > held->capacity || !isInside(*held, address, count * width))
    return false;
  uint8_t *to = held->bytes + (address - kFirstAddress);
  for (uint64_t i = 0; i < count; ++i)
    memcpy(to + i * width, &pattern, width);
  memset(held->written + (address - kFirstAddress), 1, count * width);
  return true;
}

bool Memory::forget(uint64_t address, uint64_t bytes) {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, address, bytes))
    return false;
  memset(held->written + (address - kFirstAddress), 0, bytes);
  return true;
}

bool Memory::isWritten(uint64_t address, uint64_t bytes) const {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, address, bytes))
    return false;
  const uint8_t *written = held->written + (address - kFirstAddress);
  return std::all_of(written, written + bytes, [](uint8_t each) { return each != 0; });
}

Memory::Range Memory::find(uint64_t address) const {
  std::lock_guard guard(held->lock);
  if (!isInside(*held, address, 1))
    return {};
  auto [first, size] = *std::prev(held->allocations.upper_bound(address));
  return {first, size};
}

uint64_t Memory::used() const {
  std::lock_guard guard(held->lock);
  return held->used;
}

uint64_t Memory::capacity() const {
  return held->capacity;
}

} // namespace tamis::emulator
