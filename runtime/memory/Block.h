// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of working memory that only grows: arenas, scratch and outputs of a context.

#ifndef TAMIS_RUNTIME_MEMORY_BLOCK_H
#define TAMIS_RUNTIME_MEMORY_BLOCK_H

#include <cstddef>

namespace tamis::runtime {

/// Uninitialised memory aligned to 64 bytes. From 2 MiB up it is aligned to huge pages and asks the kernel for them:
/// the weights and activations of one layer then cost tens of page faults and TLB entries instead of thousands.
/// Not thread-safe.
class Block {
public:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kHugePage = size_t(2) << 20;

  Block() = default;
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  ~Block() { release(); }

  /// Makes room for `size` bytes. Contents are lost when the block has to grow; nothing is allocated otherwise. False
  /// when memory is short; the block is then empty.
  [[nodiscard]] bool reserve(size_t size);
  void release();

  char *data() const { return memory; }
  size_t capacity() const { return bytes; }

private:
  char *memory = nullptr;
  size_t bytes = 0;
  bool mapped = false;
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_MEMORY_BLOCK_H
