// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A straight line of int64 operations, each checked for overflow.

#include "runtime/plan/ShapeProgram.h"
#include "runtime/status/Status.h"
#include <cstdint>

namespace tamis::runtime {

/// Rounds down, or up. False on a zero divisor or when the quotient does not fit.
static bool divide(int64_t a, int64_t b, bool up, int64_t &result) {
  if (b == 0 || (a == INT64_MIN && b == -1))
    return false;
  int64_t quotient = a / b;
  if (a % b != 0) {
    bool negative = (a < 0) != (b < 0);
    quotient += up ? !negative : -int64_t(negative);
  }
  result = quotient;
  return true;
}

/// False when the value of `inst` does not exist or does not fit. `inst` is neither Constant nor Symbol.
static bool evaluate(const plan::SizeInst &inst, const int64_t *registers, int64_t &result) {
  int64_t a = registers[inst.a()];
  if (inst.op() == plan::SizeOp_AlignUp) {
    if (__builtin_add_overflow(a, inst.imm() - 1, &result))
      return false;
    result &= -inst.imm();
    return true;
  }
  int64_t b = registers[inst.b()];
  switch (inst.op()) {
  case plan::SizeOp_Add:
    return !__builtin_add_overflow(a, b, &result);
  case plan::SizeOp_Sub:
    return !__builtin_sub_overflow(a, b, &result);
  case plan::SizeOp_Mul:
    return !__builtin_mul_overflow(a, b, &result);
  case plan::SizeOp_FloorDiv:
    return divide(a, b, false, result);
  case plan::SizeOp_CeilDiv:
    return divide(a, b, true, result);
  case plan::SizeOp_Max:
    result = a > b ? a : b;
    return true;
  case plan::SizeOp_Min:
    result = a < b ? a : b;
    return true;
  default:
    return false;
  }
}

tamis_status evaluateSizes(const plan::Plan &plan, const int64_t *symbols, int64_t *registers, tamis_error *error) {
  uint32_t count = plan.sizes()->size();
  for (uint32_t i = 0; i < count; ++i) {
    const plan::SizeInst &inst = *plan.sizes()->Get(i);
    if (inst.op() == plan::SizeOp_Constant)
      registers[i] = inst.imm();
    else if (inst.op() == plan::SizeOp_Symbol)
      registers[i] = symbols[inst.imm()];
    else if (!evaluate(inst, registers, registers[i]))
      return fail(error, TAMIS_SHAPE_MISMATCH, "these sizes are too large: %s gives no 64-bit value at size %u",
                  plan::EnumNameSizeOp(inst.op()), i);
  }
  return TAMIS_OK;
}

bool tensorBytes(const int64_t *dims, int32_t rank, size_t elementSize, int64_t &bytes) {
  bool empty = false;
  int64_t product = int64_t(elementSize);
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return false;
    empty |= dims[i] == 0;
  }
  for (int32_t i = 0; i < rank && !empty; ++i)
    if (__builtin_mul_overflow(product, dims[i], &product))
      return false;
  bytes = empty ? 0 : product;
  return bytes <= PTRDIFF_MAX;
}

} // namespace tamis::runtime
