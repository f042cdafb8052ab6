// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cp.async.bulk: copies of whole ranges, and of boxes of a tensor. op[0] is the address in shared memory, op[1] that in
// global memory or of the tensor map, op[2] the bytes, op[3] the mbarrier; `list` holds the offsets that are added to
// the three addresses (the bits of 64-bit numbers, low word first), then the coordinates.

#include "runtime/emulator/TensorMap.h"
#include "runtime/emulator/ops/Async.h"
#include <bit>
#include <cstring>

namespace tamis::emulator {

void landCopies(Block &block, uint32_t offset) {
  for (size_t at = 0; at < block.async.copies.size();) {
    BulkCopy &copy = block.async.copies[at];
    auto found = block.async.barriers.find(offset);
    if (copy.barrier != offset || found == block.async.barriers.end()) {
      ++at;
      continue;
    }
    const uint8_t *from = copy.data.data();
    for (const BulkCopy::Piece &piece : copy.pieces) {
      memcpy(block.shared + piece.offset, from, piece.bytes);
      from += piece.bytes;
      if (block.checks)
        block.shadow.landAsync(piece.offset, piece.bytes, found->second.arriving);
    }
    found->second.transactions -= int64_t(copy.data.size());
    completePhase(block, found->second);
    block.async.copies.erase(block.async.copies.begin() + ptrdiff_t(at));
  }
}

namespace ops {
namespace {

class Bulk {
public:
  Bulk(Warp &warp, const Instruction &instruction)
      : w(warp), block(*warp.block), i(instruction), list(block.kernel->pool.data() + instruction.list) {}

  int64_t added(uint32_t which) const {
    return int64_t(uint64_t(list[2 * which]) | uint64_t(list[2 * which + 1]) << 32);
  }
  uint64_t globalAddress(uint32_t lane) const { return w.at<uint64_t>(i.op[1])[lane] + uint64_t(added(1)); }
  int32_t coordinate(uint32_t axis, uint32_t lane) const { return w.at<int32_t>(list[6 + axis])[lane]; }

  /// `bytes` of global memory at `address`; null after a report.
  uint8_t *global(uint32_t lane, uint64_t address, uint64_t bytes, bool isWrite) {
    DeviceMemory::Cached found = block.memory->find(address);
    if (found.end <= address || found.end - address < bytes) {
      block.report(DiagnosticKind::OutOfBounds, w, i, 1u << lane, address,
                   "bulk copy of " + std::to_string(bytes) + " bytes of global memory at " + hexText(address) +
                       ", which do not lie in an allocation");
      return nullptr;
    }
    uint8_t *written = block.memory->written + address;
    if (block.checks && isWrite)
      memset(written, 1, bytes);
    for (uint64_t at = 0; block.checks && !isWrite && at < bytes; ++at)
      if (!written[at]) {
        block.report(DiagnosticKind::UninitialisedRead, w, i, 1u << lane, address + at,
                     "global memory at " + hexText(address + at) + " was never written");
        break;
      }
    if (block.countsTraffic)
      block.traffic[size_t(&i - block.kernel->code.data())].addSpan(address, bytes);
    return block.memory->bytes + address;
  }

  /// Announces the pieces of a copy to shared memory.
  void begin(uint32_t lane, BulkCopy copy) {
    if (block.checks)
      for (const BulkCopy::Piece &piece : copy.pieces)
        if (uint32_t problems = block.shadow.beginAsync(w.index, piece.offset, piece.bytes))
          reportShared(w, i, problems, lane, kSharedBase + piece.offset, AccessKind::AsyncWrite);
    copy.instruction = &i;
    copy.warp = w.index;
    block.async.copies.push_back(std::move(copy));
  }
  void beginRead(uint32_t lane, std::vector<BulkCopy::Piece> pieces) {
    for (const BulkCopy::Piece &piece : pieces) {
      uint32_t problems = block.checks ? block.shadow.beginRead(w.index, piece.offset, piece.bytes) : 0;
      if (!problems)
        continue;
      reportShared(w, i, problems, lane, kSharedBase + piece.offset, AccessKind::Read);
      if (problems & SharedShadow::Unfenced)
        reportUnfenced(w, i, lane, piece.offset);
    }
    w.bulkReads.push_back({&i, lane, w.bulkCommitted[lane], std::move(pieces)});
  }

  bool isAligned(uint32_t lane, uint64_t value, const char *what) {
    if (value % 16 == 0)
      return true;
    block.report(DiagnosticKind::Misaligned, w, i, 1u << lane, value,
                 std::string("bulk copy with ") + what + " of " + hexText(value) + ", wanted a multiple of 16");
    return false;
  }

  /// Of a lane, reported when it is none.
  bool readMap(uint32_t lane, TensorMap &map) {
    uint64_t address = globalAddress(lane), inParameters = address - kParamWindow - kParamBase;
    if (address % 64) {
      block.report(DiagnosticKind::Misaligned, w, i, 1u << lane, address,
                   "tensor map at " + hexText(address) + ", wanted a multiple of 64");
      return false;
    }
    if (inParameters < block.params.size() && block.params.size() - inParameters >= 128) {
      memcpy(&map, block.params.data() + inParameters, sizeof map);
    } else {
      uint8_t *from = global(lane, address, 128, false);
      if (!from)
        return false;
      memcpy(&map, from, sizeof map);
    }
    const char *problem = map.problem();
    if (!problem && map.axes != i.count)
      problem = "a tensor map of another number of axes";
    if (problem)
      block.report(DiagnosticKind::AsyncMisuse, w, i, 1u << lane, address, problem);
    return !problem;
  }

  /// Calls visit(offset in the box's bytes, global address or 0 outside, bytes) for runs of a box.
  template <typename Visit> void forEachRun(uint32_t lane, const TensorMap &map, Visit visit) {
    uint32_t at[TensorMap::kMostAxes] = {}, rowBytes = map.rowBytes(), row = 0;
    do {
      uint64_t address = map.address;
      bool isInside = true;
      for (uint32_t axis = 1; axis < map.axes; ++axis) {
        int64_t place = int64_t(coordinate(axis, lane)) + int64_t(at[axis]) * map.steps[axis];
        isInside &= place >= 0 && place <= int64_t(map.sizes[axis]);
        address += uint64_t(place) * map.strides[axis - 1];
      }
      // Neighbours in runs of 16 bytes, which swizzles move as one; element by element where any is outside.
      for (uint32_t byte = 0; byte < rowBytes; byte += 16) {
        uint32_t first = byte / map.elementBytes, count = 16 / map.elementBytes;
        auto placeOf = [&](uint32_t element) { return int64_t(coordinate(0, lane)) + int64_t(element) * map.steps[0]; };
        auto exists = [&](uint32_t element) {
          return isInside && placeOf(element) >= 0 && placeOf(element) <= int64_t(map.sizes[0]);
        };
        uint32_t offset = row * rowBytes + byte;
        if (map.steps[0] == 1 && exists(first) && exists(first + count - 1)) {
          visit(offset, address + uint64_t(placeOf(first)) * map.elementBytes, 16);
          continue;
        }
        for (uint32_t element = 0; element < count; ++element)
          visit(offset + element * map.elementBytes,
                exists(first + element) ? address + uint64_t(placeOf(first + element)) * map.elementBytes : 0,
                map.elementBytes);
      }
      ++row;
      uint32_t axis = 1;
      while (axis < map.axes && ++at[axis] == map.count(axis))
        at[axis++] = 0;
      if (axis >= map.axes)
        break;
    } while (true);
  }

  static uint32_t boxBytes(const TensorMap &map) {
    uint32_t bytes = map.rowBytes();
    for (uint32_t axis = 1; axis < map.axes; ++axis)
      bytes *= map.count(axis);
    return bytes;
  }
  /// Where byte `at` of a box that begins at offset `start` lies.
  static uint32_t swizzled(const TensorMap &map, uint32_t start, uint32_t at) {
    uint32_t address = uint32_t(kSharedBase) + start + at;
    if (map.swizzle)
      address ^= (address >> 7 & (map.swizzle / 16u - 1)) << 4;
    return address - uint32_t(kSharedBase);
  }

  Warp &w;
  Block &block;
  const Instruction &i;
  const uint32_t *list;
};

/// Offsets in shared memory of a lane alone; false after a report.
bool sharedOffset(Warp &w, const Instruction &i, uint32_t lane, uint32_t operand, int64_t added, uint8_t flags,
                  bool isGeneric, uint32_t bytes, uint32_t alignment, uint32_t &offset) {
  uint32_t offsets[32];
  bool isGood = sharedOffsets(w, i, 1u << lane, operand, added, flags, isGeneric, bytes, alignment, offsets) != 0;
  offset = offsets[lane];
  return isGood;
}

} // namespace

// flags: of the shared address kAddress32; of the mbarrier's kWide: it has 32 bits; kSigned: addresses are generic.

void bulkToShared(Warp &w, const Instruction &i, uint32_t mask) {
  Bulk bulk(w, i);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    BulkCopy copy;
    uint32_t bytes = w.at<uint32_t>(i.op[2])[l], to = 0;
    uint64_t address = bulk.globalAddress(l);
    if (!bulk.isAligned(l, address, "a global address") || !bulk.isAligned(l, bytes, "a size") || !bytes ||
        !sharedOffset(w, i, l, 0, bulk.added(0), i.flags, i.flags & kSigned, bytes, 16, to) ||
        !sharedOffset(w, i, l, 3, bulk.added(2), i.flags & kWide ? kAddress32 : 0, i.flags & kSigned, 8, 8,
                      copy.barrier) ||
        !findBarrier(w, i, l, copy.barrier))
      continue;
    const uint8_t *from = bulk.global(l, address, bytes, false);
    copy.data.assign(bytes, 0);
    if (from)
      memcpy(copy.data.data(), from, bytes);
    copy.pieces.push_back({to, bytes});
    bulk.begin(l, std::move(copy));
  }
}

void bulkToGlobal(Warp &w, const Instruction &i, uint32_t mask) {
  Bulk bulk(w, i);
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    uint32_t bytes = w.at<uint32_t>(i.op[2])[l], from = 0;
    uint64_t address = bulk.globalAddress(l);
    if (!bulk.isAligned(l, address, "a global address") || !bulk.isAligned(l, bytes, "a size") || !bytes ||
        !sharedOffset(w, i, l, 0, bulk.added(0), i.flags, i.flags & kSigned, bytes, 16, from))
      continue;
    if (uint8_t *to = bulk.global(l, address, bytes, true))
      memcpy(to, w.block->shared + from, bytes);
    bulk.beginRead(l, {{from, bytes}});
  }
}

void tensorToShared(Warp &w, const Instruction &i, uint32_t mask) {
  Bulk bulk(w, i);
  for (uint32_t l = 0; l < 32; ++l) {
    TensorMap map;
    if (!(mask >> l & 1) || !bulk.readMap(l, map))
      continue;
    BulkCopy copy;
    uint32_t to = 0, bytes = Bulk::boxBytes(map);
    if (!sharedOffset(w, i, l, 0, bulk.added(0), i.flags, i.flags & kSigned, bytes, 128, to) ||
        !sharedOffset(w, i, l, 3, bulk.added(2), i.flags & kWide ? kAddress32 : 0, i.flags & kSigned, 8, 8,
                      copy.barrier) ||
        !findBarrier(w, i, l, copy.barrier))
      continue;
    copy.data.assign(bytes, 0);
    bulk.forEachRun(l, map, [&](uint32_t at, uint64_t address, uint32_t run) {
      const uint8_t *from = address ? bulk.global(l, address, run, false) : nullptr;
      if (from)
        memcpy(&copy.data[at], from, run);
      else if (map.fillsNan)
        memset(&copy.data[at], 0xff, run);
    });
    for (uint32_t at = 0; at < bytes; at += 16)
      copy.pieces.push_back({Bulk::swizzled(map, to, at), 16});
    bulk.begin(l, std::move(copy));
  }
}

void tensorToGlobal(Warp &w, const Instruction &i, uint32_t mask) {
  Bulk bulk(w, i);
  for (uint32_t l = 0; l < 32; ++l) {
    TensorMap map;
    if (!(mask >> l & 1) || !bulk.readMap(l, map))
      continue;
    uint32_t from = 0, bytes = Bulk::boxBytes(map);
    if (!sharedOffset(w, i, l, 0, bulk.added(0), i.flags, i.flags & kSigned, bytes, 128, from))
      continue;
    bulk.forEachRun(l, map, [&](uint32_t at, uint64_t address, uint32_t run) {
      uint8_t *to = address ? bulk.global(l, address, run, true) : nullptr; // what is outside is not written
      uint32_t within = at % 16;
      if (to)
        memcpy(to, w.block->shared + Bulk::swizzled(map, from, at - within) + within, run);
    });
    std::vector<BulkCopy::Piece> pieces;
    for (uint32_t at = 0; at < bytes; at += 16)
      pieces.push_back({Bulk::swizzled(map, from, at), 16});
    bulk.beginRead(l, std::move(pieces));
  }
}

void commitBulk(Warp &w, const Instruction &, uint32_t mask) {
  for (uint32_t l = 0; l < 32; ++l)
    w.bulkCommitted[l] += mask >> l & 1;
}
/// Until at most `offset` groups of a lane are open. What is written was written at once, so that .read is the same.
void waitBulk(Warp &w, const Instruction &i, uint32_t mask) {
  std::erase_if(w.bulkReads, [&](const BulkRead &read) {
    if (!(mask >> read.lane & 1) || read.group + i.offset >= w.bulkCommitted[read.lane])
      return false;
    for (const BulkCopy::Piece &piece : read.pieces)
      if (w.block->checks)
        w.block->shadow.endRead(w.index, piece.offset, piece.bytes);
    return true;
  });
}

} // namespace ops
} // namespace tamis::emulator
