// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma.

#include "runtime/emulator/decode/Decoder.h"

namespace tamis::emulator {

bool Decoder::decodeWarpGroup() {
  instruction.flow = Flow::Sync;
  kernel.usesWarpGroups = true;
  if (text.target != "sm_90a")
    return fail("wgmma in code for " + text.target + ", wanted sm_90a");
  if (!take("sync") || !take("aligned"))
    return take("mma_async") ? fail("wgmma without .sync.aligned") : failUnknown();
  if (take("mma_async"))
    return decodeProduct();
  bool isWait = take("wait_group");
  instruction.run = isWait                 ? ops::waitProducts
                    : take("fence")        ? ops::fenceProducts
                    : take("commit_group") ? ops::commitProducts
                                           : nullptr;
  if (!instruction.run)
    return failUnknown();
  return allTaken() && wantOperands(isWait, isWait) && (!isWait || immediate(0, instruction.offset));
}

/// D, A in registers or a descriptor, the descriptor of B, whether to add to D, and numbers: signs of A and B (-1 or
/// 1), transpositions.
bool Decoder::decodeProduct() {
  instruction.isProduct = true;
  if (modifiers.empty())
    return failUnknown();
  std::string_view shape = modifiers.front();
  take(shape);
  unsigned m = 0, n = 0, k = 0;
  std::string key = "wgmma";
  if (take("satfinite"))
    key += ".satfinite";
  for (std::string_view each : modifiers)
    key += "." + std::string(each);
  instruction.run = findHandler(key);
  if (!instruction.run || modifiers.size() != 3 || sscanf(std::string(shape).c_str(), "m%un%uk%u", &m, &n, &k) != 3)
    return failUnknown();
  std::string_view d = modifiers[0], a = modifiers[1];
  bool isHalf = a == "f16" || a == "bf16", isInteger = d == "s32";
  uint32_t depth = isHalf ? 16 : a == "tf32" ? 8 : 32;
  if (m != 64 || n % 8 || n < 8 || n > 256 || k != depth)
    return fail("wgmma of shape ." + std::string(shape) + ", wanted .m64nNk" + std::to_string(depth) +
                ", N a multiple of 8 to 256");
  instruction.count = uint8_t(n / 8);
  macs = 16 * n * k; // of each of the four warps
  const std::vector<Operand> &operands = statement->operands;
  bool hasRegisterA = operands.size() > 1 && operands[1].kind == Operand::Vector;
  instruction.flags = hasRegisterA ? kRegisterA : 0;
  size_t numbers = isInteger ? 0 : isHalf ? (hasRegisterA ? 3 : 4) : 2;
  if (!wantOperands(4 + numbers, 4 + numbers))
    return false;
  uint32_t sums = d == "f16" ? n / 4 : n / 2;
  auto wantVector = [&](const Operand &operand, const char *name, uint32_t wanted) {
    if (operand.kind == Operand::Vector && operand.elements.size() == wanted)
      return true;
    return fail(std::string("wgmma: wanted ") + std::to_string(wanted) + " registers of " + name);
  };
  if (!wantVector(operands[0], "D", sums) || (hasRegisterA && !wantVector(operands[1], "A", 4)))
    return false;

  std::vector<uint32_t> list;
  for (const Operand &each : operands[0].elements)
    list.push_back(resultOf(each, 32));
  if (hasRegisterA)
    for (const Operand &each : operands[1].elements)
      list.push_back(sourceOf(each, 32, true, {}));
  else if (!(instruction.op[1] = source(1, 64, true)))
    return false;
  for (uint32_t each : list)
    if (!each)
      return false;
  const Operand &scale = operands[3];
  instruction.op[2] = source(2, 64, true);
  instruction.op[3] = predicate(scale, true) & 0x7fffffff; // kTrueOffset is 0
  if (!instruction.op[2] || (scale.kind != Operand::Immediate && !instruction.op[3]))
    return false;
  if (scale.negated)
    instruction.flags |= kScaleFlip;
  // Sums that are added to are read, too; whether a predicate says so is known at run time alone.
  if (scale.kind == Operand::Immediate && scale.bits)
    for (const Operand &each : operands[0].elements)
      sourceOf(each, 32, false, {});

  int64_t values[4] = {1, 1, 0, 0};
  for (size_t i = 0; i < numbers; ++i) {
    if (!immediate(4 + i, values[i]))
      return false;
    if (i < 2 ? values[i] != 1 && values[i] != -1 : values[i] != 0 && values[i] != 1)
      return fail("wgmma: number " + std::to_string(i + 1) + " is " + std::to_string(values[i]) + ", wanted " +
                  (i < 2 ? "-1 or 1" : "0 or 1"));
  }
  if (values[0] * values[1] < 0)
    instruction.flags |= kNegate;
  bool transposeA = !hasRegisterA && values[2], transposeB = hasRegisterA ? values[2] : values[3];
  instruction.flags |= uint8_t((transposeA ? kTransposeA : 0) | (transposeB ? kTransposeB : 0));
  instruction.list = uint32_t(kernel.pool.size());
  instruction.listSize = uint32_t(list.size());
  kernel.pool.insert(kernel.pool.end(), list.begin(), list.end());
  return true;
}

} // namespace tamis::emulator
