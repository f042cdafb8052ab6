// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma: descriptors, fences and groups. Each warp computes its 16 rows when it comes to the instruction; that nobody
// may look before the wait is what the checks are for. The list of an instruction holds the registers of D, then of A
// where it is in registers; op[1] and op[2] are the descriptors, op[3] the predicate that says whether D is added to.

#include "runtime/emulator/ops/Access.h"
#include "runtime/emulator/ops/WarpGroup.h"
#include <bit>
#include <cstring>

namespace tamis::emulator {
namespace {

/// Offsets of the block `along` M or N (8 elements each; rows of K-major matrices) and `k` (16 bytes of K). In K-major
/// layouts chunk i of it is row i, else it is 8 elements of row i of K.
struct Descriptor {
  uint32_t start, leading, stride, swizzle; ///< bytes; of the swizzle 0, 32, 64 or 128
  bool isTransposed;

  Descriptor(uint64_t bits, bool isTransposed) : isTransposed(isTransposed) {
    start = uint32_t(bits & 0x3fff) << 4;
    leading = uint32_t(bits >> 16 & 0x3fff) << 4;
    stride = uint32_t(bits >> 32 & 0x3fff) << 4;
    constexpr uint32_t modes[] = {0, 128, 64, 32};
    swizzle = modes[bits >> 62];
  }
  uint32_t address(uint32_t along, uint32_t k, uint32_t i) const {
    uint32_t pitch = swizzle ? swizzle : 16, at = start + i * pitch;
    if (!isTransposed) {
      at += along * stride + (swizzle ? k * 16 : k * leading);
    } else if (swizzle) {
      uint32_t across = swizzle / 16;
      at += along % across * 16 + along / across * leading + k * stride;
    } else {
      at += along * stride + k * leading;
    }
    at &= 0x3ffff;
    // Bits 4.. of the address change with bits 7..: two, four or eight chunks.
    return swizzle ? at ^ ((at >> 7 & (swizzle / 16 - 1)) << 4) : at;
  }
};

void transposeHalves(const uint8_t *from, uint8_t *to) {
  uint16_t rows[8][8], columns[8][8];
  memcpy(rows, from, sizeof rows);
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j)
      columns[j][i] = rows[i][j];
  memcpy(to, columns, sizeof columns);
}

class Reader {
public:
  Reader(Warp &warp, const Instruction &instruction, uint32_t mask)
      : warp(warp), block(*warp.block), instruction(instruction), mask(mask) {}

  /// The block of `along` and `k` of the matrix, rows first.
  void read(const Descriptor &matrix, uint32_t along, uint32_t k, bool isCounted, uint8_t *to) {
    uint64_t addresses[32];
    alignas(64) uint8_t bytes[128];
    for (uint32_t i = 0; i < 8; ++i) {
      uint32_t address = matrix.address(along, k, i);
      addresses[i] = address;
      uint64_t offset = uint64_t(address) - kSharedBase;
      if (offset > block.sharedSize || block.sharedSize - offset < 16) {
        block.report(DiagnosticKind::OutOfBounds, warp, instruction, mask, address,
                     "a matrix descriptor leads to offset " + std::to_string(int64_t(offset)) +
                         " of shared memory of " + std::to_string(block.sharedSize) + " bytes");
        memset(bytes + 16 * i, 0, 16);
        continue;
      }
      memcpy(bytes + 16 * i, block.shared + offset, 16);
      if (block.checks)
        check(uint32_t(offset));
    }
    if (block.countsTraffic && isCounted)
      block.traffic[size_t(&instruction - block.kernel->code.data())].addShared(0xff, addresses, 16);
    if (matrix.isTransposed)
      transposeHalves(bytes, to);
    else
      memcpy(to, bytes, sizeof bytes);
  }

private:
  void check(uint32_t offset) {
    uint32_t problems = block.shadow.beginRead(warp.index, offset, 16);
    warp.products.addChunk(offset);
    if (!problems) [[likely]]
      return;
    uint32_t lane = uint32_t(std::countr_zero(mask));
    reportShared(warp, instruction, problems, lane, kSharedBase + offset, AccessKind::Read);
    if (problems & SharedShadow::Unfenced)
      reportUnfenced(warp, instruction, lane, offset);
  }

  Warp &warp;
  Block &block;
  const Instruction &instruction;
  uint32_t mask;
};

/// The bits of a descriptor, the same in all lanes.
uint64_t descriptorBits(Warp &warp, const Instruction &instruction, uint32_t operand, uint32_t mask) {
  const uint64_t *bits = warp.at<uint64_t>(instruction.op[operand]);
  for (int l = 1; l < 32; ++l)
    if (bits[l] != bits[0]) {
      warp.block->report(DiagnosticKind::AsyncMisuse, warp, instruction, mask, bits[l],
                         "a matrix descriptor differs between lanes");
      break;
    }
  if (bits[0] >> 49 & 7)
    warp.block->report(DiagnosticKind::AsyncMisuse, warp, instruction, mask, bits[0],
                       "a matrix descriptor with base offset " + std::to_string(bits[0] >> 49 & 7) +
                           ", which is not emulated");
  return bits[0];
}

void note(Warp &warp, const Instruction &instruction, uint32_t mask, uint64_t a, uint64_t b) {
  Block &block = *warp.block;
  if (!block.checks)
    return;
  uint32_t first = warp.index / 4 * 4;
  if (block.threads < (first + 4) * 32) {
    block.report(DiagnosticKind::PartialWarp, warp, instruction, mask, 0,
                 "a warp group of " + std::to_string(block.threads - first * 32) + " threads, wanted 128");
    return;
  }
  WarpGroup::Step step{uint32_t(&instruction - block.kernel->code.data()), &instruction, {a, b}};
  if (const WarpGroup::Step *other = block.groups[warp.index / 4].note(warp.index, step))
    block.report(DiagnosticKind::PartialWarp, warp, instruction, mask, 0,
                 other->pc == step.pc
                     ? "warps of a group have different matrix descriptors"
                     : "another warp of the group is at line " + std::to_string(other->instruction->line));
}

} // namespace

void prepareProduct(Warp &warp, const Instruction &instruction, uint32_t mask, ProductOperands &operands) {
  const uint32_t *list = warp.block->kernel->pool.data() + instruction.list;
  bool hasRegisterA = instruction.flags & kRegisterA;
  uint64_t a = hasRegisterA ? 0 : descriptorBits(warp, instruction, 1, mask);
  uint64_t b = descriptorBits(warp, instruction, 2, mask);
  note(warp, instruction, mask, a, b);
  uint32_t adds = *warp.at<uint32_t>(instruction.op[3]) ^ (instruction.flags & kScaleFlip ? ~0u : 0);
  operands.addsToSums = adds & 1;
  if (warp.block->checks)
    warp.products.begin(warp, instruction, mask);
  Reader reader(warp, instruction, mask);
  uint32_t used = 0;
  if (hasRegisterA) {
    const uint32_t *registers = list + instruction.listSize - 4;
    for (uint32_t i = 0; i < 4; ++i)
      operands.a[i] = warp.at<uint8_t>(registers[i]);
  } else {
    Descriptor matrix(a, instruction.flags & kTransposeA);
    for (uint32_t i = 0; i < 4; ++i) {
      operands.a[i] = operands.bytes[used];
      reader.read(matrix, warp.index % 4 * 2 + i % 2, i / 2, true, operands.bytes[used++]);
    }
  }
  // B is one for the four warps: its wavefronts count once.
  Descriptor matrix(b, instruction.flags & kTransposeB);
  for (uint32_t column = 0; column < instruction.count; ++column)
    for (uint32_t k = 0; k < 2; ++k) {
      operands.b[column][k] = operands.bytes[used];
      reader.read(matrix, column, k, warp.index % 4 == 0, operands.bytes[used++]);
    }
}

namespace ops {

/// fence.proxy.async of shared memory.
void fenceProxy(Warp &w, const Instruction &, uint32_t) {
  if (w.block->checks)
    w.block->shadow.fence(w.index);
}
void fenceProducts(Warp &w, const Instruction &i, uint32_t mask) {
  note(w, i, mask, 0, 0);
  w.products.fence();
}
void commitProducts(Warp &w, const Instruction &i, uint32_t mask) {
  note(w, i, mask, 0, 0);
  w.products.commit();
}
/// Until at most `offset` groups are open.
void waitProducts(Warp &w, const Instruction &i, uint32_t mask) {
  note(w, i, mask, 0, 0);
  if (w.block->checks)
    w.products.wait(w, uint32_t(i.offset));
}

} // namespace ops
} // namespace tamis::emulator
