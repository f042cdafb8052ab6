// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ld, st, cvta, cp.async and ldmatrix. The address is op[4] + offset. A load's results and a store's values are op[0]
// to op[3], eight-element vectors go on in the list.

#include "runtime/emulator/ops/Access.h"
#include <cstring>

namespace tamis::emulator::ops {
namespace {

uint32_t operandOf(const Warp &w, const Instruction &i, uint32_t index) {
  return i.listSize ? w.block->kernel->pool[i.list + index] : i.op[index];
}

/// `T` in memory, `S` in the register.
template <typename T, typename S, int count> void loadTyped(Warp &w, const Instruction &i, uint32_t mask) {
  Access access;
  computeAddresses(w, i, 4, i.offset, i.flags, access.address);
  locate(w, i, i.space, mask, sizeof(T) * count, AccessKind::Read, access);
  S *to[count];
  for (int k = 0; k < count; ++k)
    to[k] = w.at<S>(operandOf(w, i, uint32_t(k)));
  if (access.good == ~0u) {
    for (int l = 0; l < 32; ++l) {
      T values[count];
      memcpy(values, access.host[l], sizeof values);
      for (int k = 0; k < count; ++k)
        to[k][l] = S(values[k]);
    }
    return;
  }
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    T values[count] = {};
    if (access.good >> l & 1)
      memcpy(values, access.host[l], sizeof values);
    for (int k = 0; k < count; ++k)
      to[k][l] = S(values[k]);
  }
}

template <typename T, typename S, int count> void storeTyped(Warp &w, const Instruction &i, uint32_t mask) {
  Access access;
  computeAddresses(w, i, 4, i.offset, i.flags, access.address);
  locate(w, i, i.space, mask, sizeof(T) * count, AccessKind::Write, access);
  const S *from[count];
  for (int k = 0; k < count; ++k)
    from[k] = w.at<S>(operandOf(w, i, uint32_t(k)));
  for (int l = 0; l < 32; ++l) {
    if (!(access.good >> l & 1))
      continue;
    T values[count];
    for (int k = 0; k < count; ++k)
      values[k] = T(from[k][l]);
    memcpy(access.host[l], values, sizeof values);
  }
}

/// Kernel parameters are the same for all lanes: `offset` is from the first.
template <typename T, typename S, int count> void loadParameterTyped(Warp &w, const Instruction &i, uint32_t mask) {
  T values[count];
  memcpy(values, w.block->params.data() + i.offset, sizeof values); // the decoder has checked the bounds
  for (int k = 0; k < count; ++k) {
    S *to = w.at<S>(operandOf(w, i, uint32_t(k)));
    for (int l = 0; l < 32; ++l)
      to[l] = mask >> l & 1 ? S(values[k]) : to[l];
  }
}

template <template <typename, typename, int> class Choice, typename T, typename S> Handler byCount(uint32_t count) {
  switch (count) {
  case 1:
    return Choice<T, S, 1>::run;
  case 2:
    return Choice<T, S, 2>::run;
  case 4:
    return Choice<T, S, 4>::run;
  case 8:
    return Choice<T, S, 8>::run;
  }
  return nullptr;
}

template <template <typename, typename, int> class Choice>
Handler choose(uint32_t bytes, uint32_t count, bool isWide, bool isSigned) {
  switch (bytes) {
  case 1:
    return isWide ? (isSigned ? byCount<Choice, int8_t, uint64_t>(count) : byCount<Choice, uint8_t, uint64_t>(count))
                  : (isSigned ? byCount<Choice, int8_t, uint32_t>(count) : byCount<Choice, uint8_t, uint32_t>(count));
  case 2:
    return isWide ? (isSigned ? byCount<Choice, int16_t, uint64_t>(count) : byCount<Choice, uint16_t, uint64_t>(count))
                  : (isSigned ? byCount<Choice, int16_t, uint32_t>(count) : byCount<Choice, uint16_t, uint32_t>(count));
  case 4:
    return isWide ? (isSigned ? byCount<Choice, int32_t, uint64_t>(count) : byCount<Choice, uint32_t, uint64_t>(count))
                  : byCount<Choice, uint32_t, uint32_t>(count);
  case 8:
    return isWide ? byCount<Choice, uint64_t, uint64_t>(count) : nullptr;
  }
  return nullptr;
}

template <typename T, typename S, int count> struct Load {
  static constexpr Handler run = loadTyped<T, S, count>;
};
template <typename T, typename S, int count> struct Store {
  static constexpr Handler run = storeTyped<T, S, count>;
};
template <typename T, typename S, int count> struct LoadParameter {
  static constexpr Handler run = loadParameterTyped<T, S, count>;
};

} // namespace

Handler load(uint32_t bytes, uint32_t count, bool isWide, bool isSigned) {
  return choose<Load>(bytes, count, isWide, isSigned);
}
Handler store(uint32_t bytes, uint32_t count, bool isWide) {
  return choose<Store>(bytes, count, isWide, false);
}
Handler loadParameter(uint32_t bytes, uint32_t count, bool isWide, bool isSigned) {
  return choose<LoadParameter>(bytes, count, isWide, isSigned);
}

namespace {

uint64_t windowOf(Space space) {
  return space == Space::Shared  ? kSharedWindow
         : space == Space::Local ? kLocalWindow
         : space == Space::Param ? kParamWindow
                                 : 0;
}

} // namespace

/// op[1] in `space` to op[0]; kWide when both have 64 bits.
void addressToGeneric(Warp &w, const Instruction &i, uint32_t mask) {
  uint64_t window = windowOf(i.space);
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    if (i.flags & kWide)
      w.at<uint64_t>(i.op[0])[l] = w.at<uint64_t>(i.op[1])[l] + window;
    else
      w.at<uint32_t>(i.op[0])[l] = w.at<uint32_t>(i.op[1])[l] + uint32_t(window);
  }
}
void addressFromGeneric(Warp &w, const Instruction &i, uint32_t mask) {
  uint64_t window = windowOf(i.space);
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    if (i.flags & kWide)
      w.at<uint64_t>(i.op[0])[l] = w.at<uint64_t>(i.op[1])[l] - window;
    else
      w.at<uint32_t>(i.op[0])[l] = w.at<uint32_t>(i.op[1])[l] - uint32_t(window);
  }
}
/// isspacep: predicate op[0] from the generic address op[1].
void isInSpace(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t found = 0;
  for (int l = 0; l < 32; ++l) {
    uint64_t address = w.at<uint64_t>(i.op[1])[l];
    uint64_t window = windowOf(i.space);
    bool isIn = window ? address - window < kWindowBytes : address >= kParamWindow + kWindowBytes;
    found |= uint32_t(isIn) << l;
  }
  uint32_t *d = w.at<uint32_t>(i.op[0]);
  *d = (*d & ~mask) | (found & mask);
}

/// cp.async: to shared op[0] + offset, from global op[1] + the immediate in op[4]; `bytes` bytes. With a list, its
/// first entry is the register with the bytes that are read; the rest are zeros. A predicate in op[3], flipped by flag
/// kSigned, makes all zeros ("ignore-src").
void copyAsync(Warp &w, const Instruction &i, uint32_t mask) {
  Block &block = *w.block;
  Access to, from;
  computeAddresses(w, i, 0, i.offset, i.flags & (kAddress32 | kNoAddress), to.address);
  computeAddresses(w, i, 1, int64_t(int32_t(i.op[4])), 0, from.address);
  if (i.space == Space::Generic) // a 64-bit generic address of shared memory
    for (int l = 0; l < 32; ++l)
      to.address[l] -= kSharedWindow;
  locateShared(w, i, mask, i.bytes, AccessKind::AsyncWrite, to);
  uint32_t ignored = 0;
  if (i.op[3])
    ignored = *w.at<uint32_t>(i.op[3]) ^ (i.flags & kSigned ? ~0u : 0);
  uint8_t sizes[32];
  uint32_t reading = 0;
  bool isPlain = !i.listSize && !ignored;
  if (isPlain) {
    memset(sizes, i.bytes, sizeof sizes);
    reading = ~0u;
  }
  for (uint32_t l = 0; l < 32 && !isPlain; ++l) {
    uint32_t size = i.bytes;
    if (i.listSize)
      size = w.at<uint32_t>(block.kernel->pool[i.list])[l];
    if (size > i.bytes) {
      if (to.good >> l & 1)
        block.report(DiagnosticKind::AsyncMisuse, w, i, 1u << l, from.address[l],
                     "cp.async reads " + std::to_string(size) + " bytes to write " + std::to_string(i.bytes));
      size = i.bytes;
    }
    if (ignored >> l & 1)
      size = 0;
    sizes[l] = uint8_t(size);
    reading |= uint32_t(size > 0) << l;
  }
  // The whole access must lie in memory where any of it is read; alignment is that of the whole.
  from.good = 0;
  if (reading & to.good) {
    uint32_t whole = 0;
    for (uint32_t l = 0; l < 32; ++l)
      whole |= uint32_t(sizes[l] == i.bytes) << l;
    if (whole & to.good)
      locate(w, i, Space::Global, whole & to.good, i.bytes, AccessKind::Read, from);
    for (uint32_t l = 0; l < 32 && (reading & ~whole & to.good); ++l) {
      if (!((reading & ~whole & to.good) >> l & 1))
        continue;
      Access part;
      part.address[l] = from.address[l];
      uint32_t good = 1;
      for (uint32_t at = 0; at < sizes[l] && good; ++at) {
        part.address[l] = from.address[l] + at;
        locate(w, i, Space::Global, 1u << l, 1, AccessKind::Read, part);
        good = part.good;
        if (at == 0)
          from.host[l] = part.host[l];
      }
      from.good |= uint32_t(good != 0) << l;
    }
  }
  // Lanes that have closed different numbers of groups wait differently.
  uint32_t left = to.good;
  while (left) {
    uint32_t first = uint32_t(__builtin_ctz(left)), same = 0;
    for (uint32_t l = 0; l < 32; ++l)
      same |= uint32_t(w.committed[l] == w.committed[first]) << l;
    AsyncCopy copy;
    copy.lanes = left & same;
    copy.group = w.committed[first];
    copy.bytes = i.bytes;
    for (uint32_t l = 0; l < 32; ++l) {
      copy.to[l] = uint32_t(to.address[l] - kSharedBase);
      copy.from[l] = from.good >> l & 1 ? from.host[l] : nullptr;
      copy.sourceBytes[l] = copy.from[l] ? sizes[l] : 0;
    }
    w.copies.push_back(copy);
    left &= ~same;
  }
}

void commitGroup(Warp &w, const Instruction &, uint32_t mask) {
  for (uint32_t l = 0; l < 32; ++l)
    w.committed[l] += mask >> l & 1;
}

/// Until at most `offset` groups of a lane are open; -1: everything, closed or not (wait_all).
void waitGroup(Warp &w, const Instruction &i, uint32_t mask) {
  Block &block = *w.block;
  size_t kept = 0;
  for (size_t at = 0; at < w.copies.size(); ++at) {
    AsyncCopy &copy = w.copies[at];
    for (uint32_t l = 0; l < 32; ++l) {
      if (!((copy.lanes & mask) >> l & 1))
        continue;
      if (i.offset >= 0 && int64_t(copy.group) >= int64_t(w.committed[l]) - i.offset)
        continue;
      uint8_t *to = block.shared + copy.to[l];
      if (copy.sourceBytes[l] == 16) [[likely]] {
        memcpy(to, copy.from[l], 16);
      } else {
        if (copy.sourceBytes[l])
          memcpy(to, copy.from[l], copy.sourceBytes[l]);
        memset(to + copy.sourceBytes[l], 0, copy.bytes - copy.sourceBytes[l]);
      }
      if (block.checks)
        block.shadow.endAsync(w.index, copy.to[l], copy.bytes);
      copy.lanes &= ~(1u << l);
    }
    if (copy.lanes) {
      if (kept != at)
        w.copies[kept] = copy;
      ++kept;
    }
  }
  w.copies.resize(kept);
}

namespace {

using Halves [[gnu::vector_size(16)]] = uint16_t;

/// 8 x 8 of 16 bits, rows to columns.
void transpose(const uint16_t (&from)[8][8], uint16_t (&to)[8][8]) {
  Halves r[8], s[8];
  memcpy(r, from, sizeof r);
  // Each round interleaves rows that lie half of the rest apart.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      s[2 * i] = __builtin_shufflevector(r[i], r[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      s[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    memcpy(r, s, sizeof r);
  }
  memcpy(to, r, sizeof r);
}

/// The row addresses of ldmatrix and stmatrix: lane 8 m + r has row r of matrix m. Reports; true when all are good.
bool locateRows(Warp &w, const Instruction &i, AccessKind kind, Access &access) {
  computeAddresses(w, i, 4, i.offset, i.flags, access.address);
  uint32_t lanes = i.count == 4 ? ~0u : (1u << 8 * i.count) - 1;
  if (i.space == Space::Generic)
    for (int l = 0; l < 32; ++l)
      access.address[l] -= kSharedWindow;
  locateShared(w, i, lanes, 16, kind, access);
  return access.good == lanes;
}

} // namespace

/// `count` matrices of 8 x 8 16-bit elements to op[0] ...; kTranspose.
void loadMatrix(Warp &w, const Instruction &i, uint32_t) {
  Access access;
  bool isGood = locateRows(w, i, AccessKind::Read, access);
  alignas(64) static const uint8_t zeros[16] = {};
  for (uint32_t m = 0; m < i.count; ++m) {
    uint8_t *to = w.at<uint8_t>(i.op[m]);
    if (!(i.flags & kTranspose)) {
      for (uint32_t row = 0; row < 8; ++row) {
        uint32_t lane = 8 * m + row;
        memcpy(to + 16 * row, isGood || (access.good >> lane & 1) ? access.host[lane] : zeros, 16);
      }
      continue;
    }
    uint16_t rows[8][8], columns[8][8];
    for (uint32_t row = 0; row < 8; ++row) {
      uint32_t lane = 8 * m + row;
      memcpy(rows[row], isGood || (access.good >> lane & 1) ? access.host[lane] : zeros, 16);
    }
    transpose(rows, columns);
    memcpy(to, columns, sizeof columns);
  }
}

void storeMatrix(Warp &w, const Instruction &i, uint32_t) {
  Access access;
  locateRows(w, i, AccessKind::Write, access);
  for (uint32_t m = 0; m < i.count; ++m) {
    uint16_t rows[8][8], columns[8][8];
    memcpy(rows, w.at<uint8_t>(i.op[m]), sizeof rows);
    if (i.flags & kTranspose) {
      transpose(rows, columns);
      memcpy(rows, columns, sizeof rows);
    }
    for (uint32_t row = 0; row < 8; ++row)
      if (access.good >> (8 * m + row) & 1)
        memcpy(access.host[8 * m + row], rows[row], 16);
  }
}

namespace {

template <typename T, int each, int count, bool isPack>
void moveElements(Warp &w, const Instruction &i, uint32_t mask) {
  const uint32_t *list = w.block->kernel->pool.data() + i.list;
  constexpr T ones = T(~T(0)) >> (8 * sizeof(T) - 8 * each);
  T *scalar = w.at<T>(list[0]);
  uint32_t *element[count];
  for (int k = 0; k < count; ++k)
    element[k] = w.at<uint32_t>(list[k + 1]);
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    T value = isPack ? 0 : scalar[l];
    for (int k = 0; k < count; ++k) {
      if (isPack)
        value |= (T(element[k][l]) & ones) << (8 * each * k);
      else
        element[k][l] = uint32_t(value >> (8 * each * k) & ones);
    }
    if (isPack)
      scalar[l] = value;
  }
}

template <bool isPack> void moveAny(Warp &w, const Instruction &i, uint32_t mask) {
  switch ((i.flags & kWide ? 8 : 0) + i.bytes) {
  case 1:
    return i.listSize == 3 ? moveElements<uint32_t, 1, 2, isPack>(w, i, mask)
                           : moveElements<uint32_t, 1, 4, isPack>(w, i, mask);
  case 2:
    return moveElements<uint32_t, 2, 2, isPack>(w, i, mask);
  case 10:
    return moveElements<uint64_t, 2, 4, isPack>(w, i, mask);
  case 12:
    return moveElements<uint64_t, 4, 2, isPack>(w, i, mask);
  }
}

} // namespace

/// mov between a scalar, list[0], and the elements of a vector, the rest of the list, `bytes` each.
void packElements(Warp &w, const Instruction &i, uint32_t mask) {
  moveAny<true>(w, i, mask);
}
void unpackElements(Warp &w, const Instruction &i, uint32_t mask) {
  moveAny<false>(w, i, mask);
}

/// movmatrix.trans: op[1] to op[0].
void moveMatrix(Warp &w, const Instruction &i, uint32_t) {
  uint16_t rows[8][8], columns[8][8];
  memcpy(rows, w.at<uint8_t>(i.op[1]), sizeof rows);
  transpose(rows, columns);
  memcpy(w.at<uint8_t>(i.op[0]), columns, sizeof columns);
}

} // namespace tamis::emulator::ops
