// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of wgmma: what registers and shared memory a product in flight holds, and that the four warps of a group do
// the same.

#ifndef TAMIS_RUNTIME_EMULATOR_CHECK_WARPGROUPS_H
#define TAMIS_RUNTIME_EMULATOR_CHECK_WARPGROUPS_H

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace tamis::emulator {

struct Block;
struct Instruction;
struct Warp;

/// The products of one warp. They end in order, group by group.
class Products {
public:
  static constexpr uint32_t kChunk = 16; ///< bytes of shared memory that are read as one

  /// Forgets everything: a new block, whose kernel has so many registers.
  void reset(uint32_t registerCount);
  /// Any other instruction reads and writes registers.
  void checkRegisters(Warp &warp, const Instruction &instruction, uint32_t mask);
  /// A product begins: it must come after a fence, and registers of others in flight are no operands.
  void begin(Warp &warp, const Instruction &instruction, uint32_t mask);
  /// The latest product reads a chunk of shared memory.
  void addChunk(uint32_t offset) { chunks.push_back(offset); }
  void fence() { ++fences; }
  void commit() { ++committed; }
  /// Until at most `open` groups are.
  void wait(Warp &warp, uint32_t open);

private:
  enum Use : uint8_t { Free, Read, Written }; ///< by a product in flight
  struct Product {
    const Instruction *instruction;
    uint32_t group;
    size_t chunkBegin; ///< in `chunks`
  };
  void mark(const Warp &warp, const Product &product);

  std::vector<Product> flying;
  std::vector<uint32_t> chunks;    ///< offsets in shared memory
  std::vector<uint8_t> uses;       ///< of each register
  std::vector<uint32_t> writtenAt; ///< of each register: the number of fences before its last write
  uint32_t fences = 0, committed = 0;
};

/// What the warps of a group did: each wgmma instruction is theirs together.
class WarpGroup {
public:
  struct Step {
    uint32_t pc = 0;
    const Instruction *instruction = nullptr;
    uint64_t operands[2] = {0, 0};
    bool operator==(const Step &other) const {
      return pc == other.pc && operands[0] == other.operands[0] && operands[1] == other.operands[1];
    }
  };
  /// `warp` does `step` next; the step that another warp did in its place, or null.
  const Step *note(uint32_t warp, const Step &step);
  /// A step that not all of the warps have done, or null.
  const Step *unfinished() const { return steps.empty() ? nullptr : &steps.front(); }

private:
  std::deque<Step> steps; ///< those that not all warps have done
  uint64_t first = 0, done[4] = {0, 0, 0, 0};
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_CHECK_WARPGROUPS_H
