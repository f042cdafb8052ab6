// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Extended-precision integers: the carry CC.CF of each lane lies in the warp. PTX ISA, "Extended-Precision Integer
// Arithmetic Instructions".

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

enum Operation { Add, Subtract, MadLow, MadHigh };

template <typename T, bool isSigned, Operation operation, bool readsCarry, bool writesCarry>
void extended(Warp &w, const Instruction &i, uint32_t mask) {
  constexpr int bits = 8 * sizeof(T);
  using Wide = unsigned __int128;
  constexpr bool multiplies = operation == MadLow || operation == MadHigh;
  TAMIS_EACH_LANE {
    if (!(mask >> l & 1))
      continue;
    T a = w.at<T>(i.op[1])[l], b = w.at<T>(i.op[2])[l];
    Wide carry = readsCarry ? w.carry >> l & 1 : 0;
    Wide result;
    if constexpr (multiplies) {
      T c = w.at<T>(i.op[3])[l];
      T high = T((Wide(a) * Wide(b)) >> bits);
      if (isSigned) // the product of two's complements differs from the unsigned one in the high half alone
        high -= (a >> (bits - 1) ? b : 0) + (b >> (bits - 1) ? a : 0);
      result = Wide(operation == MadHigh ? high : T(a * b)) + c + carry;
    } else {
      result = operation == Add ? Wide(a) + b + carry : Wide(a) - b - carry;
    }
    if constexpr (writesCarry)
      w.carry = (w.carry & ~(1u << l)) | uint32_t(result >> bits & 1) << l;
    w.at<T>(i.op[0])[l] = T(result);
  }
}

#define CARRY(type, T, isSigned)                                                                                       \
  {"add.cc." type, extended<T, isSigned, Add, false, true>}, {"addc." type, extended<T, isSigned, Add, true, false>},  \
      {"addc.cc." type, extended<T, isSigned, Add, true, true>},                                                       \
      {"sub.cc." type, extended<T, isSigned, Subtract, false, true>},                                                  \
      {"subc." type, extended<T, isSigned, Subtract, true, false>},                                                    \
      {"subc.cc." type, extended<T, isSigned, Subtract, true, true>},                                                  \
      {"mad.lo.cc." type, extended<T, isSigned, MadLow, false, true>},                                                 \
      {"mad.hi.cc." type, extended<T, isSigned, MadHigh, false, true>},                                                \
      {"madc.lo." type, extended<T, isSigned, MadLow, true, false>},                                                   \
      {"madc.lo.cc." type, extended<T, isSigned, MadLow, true, true>},                                                 \
      {"madc.hi." type, extended<T, isSigned, MadHigh, true, false>}, {                                                \
    "madc.hi.cc." type, extended<T, isSigned, MadHigh, true, true>                                                     \
  }

const HandlerEntry entries[] = {CARRY("u32", uint32_t, false), CARRY("s32", uint32_t, true),
                                CARRY("u64", uint64_t, false), CARRY("s64", uint64_t, true)};

} // namespace

HandlerTable carryTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
