// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic, conversion, comparison, selection and mov: by canonical name.

#include "runtime/emulator/decode/Decoder.h"

namespace tamis::emulator {
namespace {

std::string bitsType(uint32_t bits) {
  return "b" + std::to_string(bits);
}

/// Sources of what is not two-operand; 0: two.
uint32_t sourceCount(std::string_view root) {
  static const std::map<std::string_view, uint32_t> counts = {
      {"neg", 1},   {"abs", 1},  {"not", 1},  {"cnot", 1}, {"popc", 1},  {"clz", 1}, {"brev", 1}, {"bfind", 1},
      {"ex2", 1},   {"lg2", 1},  {"rcp", 1},  {"sqrt", 1}, {"rsqrt", 1}, {"sin", 1}, {"cos", 1},  {"tanh", 1},
      {"testp", 1}, {"fma", 3},  {"mad", 3},  {"madc", 3}, {"mad24", 3}, {"sad", 3}, {"bfe", 3},  {"shf", 3},
      {"prmt", 3},  {"dp4a", 3}, {"slct", 3}, {"lop3", 3}, {"bfi", 4}};
  auto found = counts.find(root);
  return found == counts.end() ? 2 : found->second;
}

bool isApproximate(std::string_view root) {
  for (std::string_view each : {"ex2", "lg2", "rcp", "sqrt", "rsqrt", "sin", "cos", "tanh"})
    if (each == root)
      return true;
  return false;
}

} // namespace

bool Decoder::decodeArithmetic() {
  isSpecialFunction = isApproximate(root);
  if (root == "prmt" && !modifiers.empty() && modifiers[0] == "b32") {
    std::string key = "prmt.b32" + (modifiers.size() > 1 ? "." + std::string(modifiers[1]) : std::string());
    return decodeArithmeticOperands(key, "b32");
  }
  if (root == "dp4a" && modifiers.size() == 2)
    return decodeArithmeticOperands("dp4a." + std::string(modifiers[0]) + "." + std::string(modifiers[1]), "u32");
  std::string_view type = takeType();
  if (type.empty())
    return failUnknown();
  if (type == "pred")
    return decodePredicateLogic();
  std::string key(root);
  bool isFloat = type[0] == 'f' || type[0] == 'b' ? type[0] == 'f' || type.substr(0, 2) == "bf" : false;
  if (isFloat) {
    take("rn"); // the default of all but cvt
    take("noftz");
    if (root == "mad")
      key = "fma";
  }
  if (root == "slct") {
    std::string_view other = takeType();
    if (other.empty() || ptx::typeBits(other) != 32)
      return failUnknown();
    return allTaken() && decodeArithmeticOperands("slct.b32." + std::string(type), "b32");
  }
  // In the order of the tables.
  for (std::string_view modifier :
       {"mulhi", "lo",     "hi",       "wide",   "cc",         "approx", "full",     "l",   "r",
        "wrap",  "clamp",  "shiftamt", "rz",     "rm",         "rp",     "ftz",      "NaN", "relu",
        "sat",   "finite", "infinite", "number", "notanumber", "normal", "subnormal"})
    if (take(modifier))
      key += "." + std::string(modifier);
  if (!allTaken())
    return false;
  std::string_view spelled = type;
  std::string bits;
  if (root == "and" || root == "or" || root == "xor" || root == "not" || root == "cnot" || root == "shl" ||
      root == "popc" || root == "clz" || root == "brev" || root == "bfi" || root == "lop3" || root == "bmsk")
    spelled = bits = bitsType(ptx::typeBits(type));
  return decodeArithmeticOperands(key + "." + std::string(spelled), type);
}

bool Decoder::decodeArithmeticOperands(const std::string &key, std::string_view type) {
  instruction.run = findHandler(key);
  if (!instruction.run)
    return failUnknown();
  uint32_t bits = ptx::typeBits(type), count = sourceCount(root);
  bool isLop = root == "lop3";
  if (!wantOperands(count + 1 + isLop, count + 1 + isLop))
    return false;
  bool isWide = key.find(".wide.") != std::string::npos;
  uint32_t resultBits = isWide ? 2 * bits : bits;
  if (root == "popc" || root == "clz" || root == "bfind")
    resultBits = 32;
  if (root == "testp")
    resultBits = 1;
  for (uint32_t i = 1; i <= count; ++i) {
    uint32_t wanted = bits;
    if (((root == "shl" || root == "shr") && i == 2) || (root == "bfe" && i > 1) || (root == "bfi" && i > 2))
      wanted = 32;
    if (isWide && i == 3)
      wanted = resultBits;
    if (!(instruction.op[i] = source(i, wanted, false, type)))
      return false;
  }
  if (isLop && !immediate(4, instruction.offset))
    return false;
  instruction.op[0] = result(0, resultBits);
  return instruction.op[0] != 0;
}

bool Decoder::decodePredicateLogic() {
  uint32_t count = root == "not" || root == "mov" ? 1 : 2;
  instruction.run = findHandler(std::string(root) + ".pred");
  if (!instruction.run || !wantOperands(count + 1, count + 1))
    return failUnknown();
  for (uint32_t i = 1; i <= count; ++i) {
    const Operand &operand = statement->operands[i];
    instruction.op[i] = predicate(operand, false) & 0x7fffffff;
    if (operand.negated)
      instruction.flags |= uint8_t(i);
  }
  if (count == 1)
    instruction.op[2] = kFalseOffset;
  instruction.op[0] = result(0, 1);
  return instruction.op[0] != 0;
}

bool Decoder::decodeConvert() {
  if (modifiers.size() >= 1 && modifiers[0] == "pack") {
    bool hasThird = modifiers.back() == "b32" && modifiers.size() == 5;
    std::string key = "cvt";
    for (std::string_view each : modifiers)
      key += "." + std::string(each);
    instruction.run = findHandler(key);
    size_t count = hasThird ? 4 : 3;
    if (!instruction.run || !wantOperands(count, count))
      return failUnknown();
    for (uint32_t i = 1; i < 4; ++i)
      if (!(instruction.op[i] = i < count ? source(i, 32) : constant(0, false)))
        return false;
    return (instruction.op[0] = result(0, 32)) != 0;
  }
  static const std::map<std::string_view, uint32_t> types = {
      {"u8", 8},    {"s8", 8},      {"u16", 16},    {"s16", 16}, {"u32", 32}, {"s32", 32},   {"u64", 64},
      {"s64", 64},  {"f16", 16},    {"bf16", 16},   {"f32", 32}, {"f64", 64}, {"f16x2", 32}, {"bf16x2", 32},
      {"tf32", 32}, {"e4m3x2", 16}, {"e5m2x2", 16}, {"b8", 8},   {"b16", 16}, {"b32", 32},   {"b64", 64}};
  if (modifiers.size() < 2 || !types.count(modifiers.back()) || !types.count(modifiers[modifiers.size() - 2]))
    return failUnknown();
  std::string_view from = modifiers.back();
  modifiers.pop_back();
  std::string_view to = modifiers.back();
  modifiers.pop_back();
  bool ftz = take("ftz");
  std::string key = "cvt";
  for (std::string_view modifier :
       {"rn", "rz", "rm", "rp", "rna", "rni", "rzi", "rmi", "rpi", "satfinite", "relu", "sat"})
    if (take(modifier))
      key += "." + std::string(modifier);
  if (!allTaken())
    return false;
  key += "." + std::string(to) + "." + std::string(from);
  instruction.run = findHandler(key);
  // Integers are saturated from floats in any case.
  if (!instruction.run && key.find(".sat.") != std::string::npos && (to[0] == 's' || to[0] == 'u')) {
    std::string plain = key;
    plain.erase(plain.find(".sat."), 4);
    instruction.run = findHandler(plain);
  }
  // A flush of subnormals changes no f16, and no integer but for rounding up and down.
  if (!instruction.run || (ftz && (to == "f32" && from == "f32")))
    return failUnknown();
  bool isPacked = (to == "f16x2" || to == "bf16x2" || to == "e4m3x2" || to == "e5m2x2") && from == "f32";
  if (!wantOperands(isPacked ? 3 : 2, isPacked ? 3 : 2))
    return false;
  uint32_t fromBits = types.at(from), toBits = types.at(to);
  for (uint32_t i = 1; i <= (isPacked ? 2u : 1u); ++i) {
    const Operand &operand = statement->operands[i];
    // A source register may be wider than its type: its low bits count, which lie where a narrower one would only
    // for 32 bits and less.
    if (!(instruction.op[i] = sourceOf(operand, fromBits == 64 ? 64 : 32, false, from)))
      return false;
  }
  return (instruction.op[0] = result(0, toBits == 64 ? 64 : 32)) != 0;
}

bool Decoder::decodeMove() {
  std::string_view type = takeType();
  if (type.empty() || !allTaken() || !wantOperands(2, 2))
    return type.empty() ? failUnknown() : false;
  if (type == "pred")
    return decodePredicateLogic();
  const Operand &to = statement->operands[0], &from = statement->operands[1];
  uint32_t bits = ptx::typeBits(type);
  if (to.kind == Operand::Vector || from.kind == Operand::Vector) {
    bool isPack = from.kind == Operand::Vector;
    const Operand &vector = isPack ? from : to;
    size_t count = vector.elements.size();
    if ((count != 2 && count != 4) || (bits != 16 && bits != 32 && bits != 64))
      return fail("mov of a vector: wanted 2 or 4 elements of 16, 32 or 64 bits together");
    uint32_t each = bits / uint32_t(count);
    instruction.bytes = uint8_t(each / 8);
    uint32_t list[5];
    for (size_t i = 0; i < count; ++i)
      if (!(list[i + 1] = isPack ? sourceOf(vector.elements[i], each, false, {}) : resultOf(vector.elements[i], each)))
        return false;
    if (!(list[0] = isPack ? resultOf(to, bits) : sourceOf(from, bits, false, {})))
      return false;
    instruction.flags = bits == 64 ? kWide : 0;
    instruction.list = uint32_t(kernel.pool.size());
    instruction.listSize = uint32_t(count + 1);
    kernel.pool.insert(kernel.pool.end(), list, list + count + 1);
    instruction.run = isPack ? ops::packElements : ops::unpackElements;
    return true;
  }
  if (bits != 16 && bits != 32 && bits != 64)
    return failUnknown();
  if (from.kind == Operand::Special && (from.name == "%clock" || from.name == "%clock64" || from.name == "%clock_hi")) {
    instruction.run = ops::readClock;
    instruction.flags = bits == 64 ? kWide : 0;
    return (instruction.op[0] = result(0, bits)) != 0;
  }
  if (from.kind == Operand::Register && frame->function->registers[from.index].bits == 1 && bits != 1)
    return fail("mov of a predicate: wanted mov.pred");
  instruction.run = findHandler("mov." + bitsType(bits));
  if (!(instruction.op[1] = source(1, bits, false, type)))
    return false;
  return (instruction.op[0] = result(0, bits)) != 0;
}

bool Decoder::decodeCompare() {
  bool isSet = root == "set";
  std::string_view type = takeType();
  std::string_view resultType = isSet ? takeType() : std::string_view();
  if (type.empty() || (isSet && resultType.empty()))
    return failUnknown();
  uint32_t bits = ptx::typeBits(type);
  std::string spelled(type);
  if (type[0] == 'b' && type.substr(0, 2) != "bf")
    spelled = "u" + std::to_string(bits);
  std::string_view combine = takeOneOf({"and", "or", "xor"});
  bool ftz = take("ftz");
  if (modifiers.size() != 1)
    return failUnknown();
  std::string key = std::string(root) + "." + std::string(modifiers[0]) + (ftz ? ".ftz" : "");
  if (isSet)
    key += resultType == "f32" ? ".f32" : ".u32";
  instruction.run = findHandler(key + "." + spelled);
  if (!instruction.run || (isSet && !combine.empty()))
    return failUnknown();
  size_t wanted = combine.empty() ? 3 : 4;
  if (!wantOperands(wanted, wanted))
    return false;
  for (uint32_t i = 1; i <= 2; ++i)
    if (!(instruction.op[i] = source(i, bits, false, type)))
      return false;
  if (isSet)
    return (instruction.op[0] = result(0, 32)) != 0;
  instruction.op[3] = kFalseOffset;
  if (!combine.empty()) {
    const Operand &other = statement->operands[3];
    instruction.op[3] = predicate(other, false) & 0x7fffffff;
    instruction.offset = other.negated ? -1 : 0;
    instruction.flags = combine == "and" ? 1 : combine == "or" ? 2 : 3;
  }
  const Operand &to = statement->operands[0];
  bool isPair = to.kind == Operand::Pair;
  instruction.op[0] = resultOf(isPair ? to.elements[0] : to, 1);
  instruction.op[4] = isPair ? resultOf(to.elements[1], 1) : uint32_t(kSinkOffset);
  return instruction.op[0] && instruction.op[4];
}

bool Decoder::decodeSelect() {
  std::string_view type = takeType();
  if (type.empty() || !allTaken() || !wantOperands(4, 4))
    return type.empty() ? failUnknown() : false;
  uint32_t bits = ptx::typeBits(type);
  instruction.run = findHandler("selp." + bitsType(bits));
  if (!instruction.run)
    return failUnknown();
  for (uint32_t i = 1; i <= 2; ++i)
    if (!(instruction.op[i] = source(i, bits, false, type)))
      return false;
  const Operand &condition = statement->operands[3];
  instruction.op[3] = predicate(condition, false) & 0x7fffffff;
  instruction.offset = condition.negated ? -1 : 0;
  return (instruction.op[0] = result(0, bits)) != 0;
}

} // namespace tamis::emulator
