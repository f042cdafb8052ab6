// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small blocks come from malloc, large ones from the kernel.

#include "runtime/memory/Block.h"
#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>

namespace tamis::runtime {

/// `size` bytes, a multiple of kHugePage, aligned to kHugePage: mapped with one page to spare, the ends given back.
static char *mapHuge(size_t size) {
  void *start = mmap(nullptr, size + Block::kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED)
    return nullptr;
  char *first = static_cast<char *>(start);
  size_t lead = (Block::kHugePage - reinterpret_cast<uintptr_t>(first) % Block::kHugePage) % Block::kHugePage;
  if (lead)
    munmap(first, lead);
  munmap(first + lead + size, Block::kHugePage - lead);
  madvise(first + lead, size, MADV_HUGEPAGE); // a wish: without it all works, slower
  return first + lead;
}

bool Block::reserve(size_t size) {
  if (size <= bytes && memory)
    return true;
  release();
  if (size > PTRDIFF_MAX - 2 * kHugePage)
    return false;
  mapped = size >= kHugePage;
  size_t unit = mapped ? kHugePage : kAlignment;
  size_t rounded = size ? (size + unit - 1) / unit * unit : unit;
  if (mapped) {
    memory = mapHuge(rounded);
  } else {
    void *start = nullptr;
    memory = posix_memalign(&start, kAlignment, rounded) ? nullptr : static_cast<char *>(start);
  }
  bytes = memory ? rounded : 0;
  return memory;
}

void Block::release() {
  if (mapped && memory)
    munmap(memory, bytes);
  else
    free(memory);
  memory = nullptr;
  bytes = 0;
}

} // namespace tamis::runtime
