// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// atom and red. Blocks run on several host threads, so global atomics are atomics of the host; those of a warp's lanes
// are done one after the other. op[0] gets the old value, op[1] and op[2] are the operands, the address is op[4] +
// offset.

#define TAMIS_EMULATOR_LEVEL atomics
#include "runtime/emulator/ops/Access.h"
#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::ops {
namespace {

using namespace atomics;

/// `T` is the value's type, which is compared and added; the same bits are exchanged.
template <typename T, auto f> void atomicTyped(Warp &w, const Instruction &i, uint32_t mask) {
  using Raw = Bits<sizeof(T)>;
  Access access;
  computeAddresses(w, i, 4, i.offset, i.flags, access.address);
  locate(w, i, i.space, mask, sizeof(T), AccessKind::ReadWrite, access);
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    auto *d = w.at<Slot<T>>(i.op[0]);
    if (!(access.good >> l & 1)) {
      d[l] = 0;
      continue;
    }
    T b = fromSlot<T>(w.at<Slot<T>>(i.op[1])[l]), c = fromSlot<T>(w.at<Slot<T>>(i.op[2])[l]);
    Raw *at = reinterpret_cast<Raw *>(access.host[l]);
    Raw old = __atomic_load_n(at, __ATOMIC_RELAXED);
    Raw wanted;
    do
      wanted = __builtin_bit_cast(Raw, T(f(__builtin_bit_cast(T, old), b, c)));
    while (!__atomic_compare_exchange_n(at, &old, wanted, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    d[l] = toSlot<T>(__builtin_bit_cast(T, old));
  }
}

struct Entry {
  const char *name;
  Handler handler;
};

template <typename T> uint32_t addPair(uint32_t a, uint32_t b) {
  uint32_t low = narrow<T>(widen(T{uint16_t(a)}) + widen(T{uint16_t(b)})).bits;
  return low | uint32_t(narrow<T>(widen(T{uint16_t(a >> 16)}) + widen(T{uint16_t(b >> 16)})).bits) << 16;
}

#define INTEGER(type, T)                                                                                               \
  {"min." type, atomicTyped<T, [](T a, T b, T) { return a < b ? a : b; }>},                                            \
      {"max." type, atomicTyped<T, [](T a, T b, T) { return a < b ? b : a; }>}, {                                      \
    "add." type, atomicTyped<T, [](T a, T b, T) { return T(Bits<sizeof(T)>(a) + Bits<sizeof(T)>(b)); }>                \
  }
#define BITS(type, T)                                                                                                  \
  {"and." type, atomicTyped<T, [](T a, T b, T) { return T(a & b); }>},                                                 \
      {"or." type, atomicTyped<T, [](T a, T b, T) { return T(a | b); }>},                                              \
      {"xor." type, atomicTyped<T, [](T a, T b, T) { return T(a ^ b); }>},                                             \
      {"exch." type, atomicTyped<T, [](T, T b, T) { return b; }>}, {                                                   \
    "cas." type, atomicTyped<T, [](T a, T b, T c) { return a == b ? c : a; }>                                          \
  }

const Entry entries[] = {
    INTEGER("u32", uint32_t),
    INTEGER("s32", int32_t),
    INTEGER("u64", uint64_t),
    INTEGER("s64", int64_t),
    BITS("b16", uint16_t),
    BITS("b32", uint32_t),
    BITS("b64", uint64_t),
    {"inc.u32", atomicTyped<uint32_t, [](uint32_t a, uint32_t b, uint32_t) { return a >= b ? 0u : a + 1; }>},
    {"dec.u32", atomicTyped<uint32_t, [](uint32_t a, uint32_t b, uint32_t) { return a - 1 >= b ? b : a - 1; }>},
    {"add.f32", atomicTyped<float, [](float a, float b, float) { return a + b; }>},
    {"add.f64", atomicTyped<double, [](double a, double b, double) { return a + b; }>},
    {"add.f16", atomicTyped<F16, [](F16 a, F16 b, F16) { return toF16(widen(a) + widen(b)); }>},
    {"add.bf16", atomicTyped<Bf16, [](Bf16 a, Bf16 b, Bf16) { return toBf16(widen(a) + widen(b)); }>},
    {"add.f16x2", atomicTyped<uint32_t, [](uint32_t a, uint32_t b, uint32_t) { return addPair<F16>(a, b); }>},
    {"add.bf16x2", atomicTyped<uint32_t, [](uint32_t a, uint32_t b, uint32_t) { return addPair<Bf16>(a, b); }>},
};

} // namespace

Handler atomic(std::string_view operation, std::string_view type, bool) {
  std::string name = std::string(operation) + "." + std::string(type);
  for (const Entry &entry : entries)
    if (name == entry.name)
      return entry.handler;
  return nullptr;
}

} // namespace tamis::emulator::ops
