// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier and bulk copies.

#include "runtime/emulator/decode/Decoder.h"

namespace tamis::emulator {

/// Takes the state space of an mbarrier: a cluster has one block here.
static const std::initializer_list<std::string_view> kShared = {"shared", "shared::cta", "shared::cluster"};

bool Decoder::decodeMemoryBarrier() {
  kernel.usesPartialBarriers = true;
  bool isRelaxed = false;
  for (std::string_view each : modifiers)
    isRelaxed |= each == "relaxed";
  dropMemoryModifiers();
  take("b64");
  if (!takeOneOf(kShared).empty())
    instruction.space = Space::Shared;
  size_t operands = statement->operands.size();
  auto number = [&](size_t index) { return source(index, 32, true); };
  if (take("init")) {
    instruction.run = ops::initialiseBarrier;
    return allTaken() && wantOperands(2, 2) && address(0, 4) && (instruction.op[1] = number(1));
  }
  if (take("inval")) {
    instruction.run = ops::invalidateBarrier;
    return allTaken() && wantOperands(1, 1) && address(0, 4);
  }
  bool isTry = take("try_wait");
  if (isTry || take("test_wait")) {
    bool isParity = take("parity");
    instruction.run = ops::testBarrier;
    instruction.flow = Flow::Wait;
    instruction.propagates = false;
    if (!allTaken() || !wantOperands(3, isTry ? 4 : 3) || !address(1, 4))
      return false;
    instruction.flags |= isParity ? kSigned : 0;
    // A relaxed wait makes nothing known.
    if (isRelaxed)
      return fail("mbarrier waits with .relaxed are not supported");
    if (operands == 4 && !number(3)) // how long it may take
      return false;
    return (instruction.op[1] = source(2, isParity ? 32 : 64, true)) && (instruction.op[0] = result(0, 1));
  }
  instruction.run = ops::arriveAtBarriers;
  instruction.propagates = false;
  bool isExpect = take("expect_tx"), isComplete = take("complete_tx");
  bool isDrop = take("arrive_drop"), isArrive = take("arrive") || isDrop;
  bool hasNumber = isExpect || isComplete;
  take("noComplete");
  if (!allTaken() || (!isArrive && !hasNumber) || (isDrop && hasNumber))
    return failUnknown();
  // A state may be given to; the count of arrivals is one where it is not said.
  size_t at = isArrive && operands && statement->operands[0].kind != Operand::Address ? 1 : 0;
  if (!wantOperands(at + 1 + hasNumber, at + 2) || !address(at, 4))
    return false;
  if (at && statement->operands[0].kind != Operand::Sink && !(instruction.op[0] = result(0, 64)))
    return false;
  instruction.count = 1;
  instruction.bytes = isDrop;
  if (hasNumber && !(instruction.op[2] = number(at + 1)))
    return false;
  if (isComplete)
    return fail("mbarrier.complete_tx is not supported");
  if (isArrive)
    instruction.op[1] = !hasNumber && operands == at + 2 ? number(at + 1) : constant(1, false);
  return !isArrive || instruction.op[1];
}

/// An address operand of a bulk copy: its register to `slot`, what is added to the list.
bool Decoder::bulkAddress(const Operand &operand, uint32_t slot, bool &isNarrow, std::vector<uint32_t> &list) {
  if (operand.kind != Operand::Address)
    return fail("opcode '" + std::string(statement->opcode) + "': wanted an address in brackets");
  const Operand &base = operand.elements[0];
  isNarrow = base.kind == Operand::Register && frame->function->registers[base.index].bits != 64;
  list.push_back(uint32_t(uint64_t(operand.offset)));
  list.push_back(uint32_t(uint64_t(operand.offset) >> 32));
  instruction.op[slot] = sourceOf(base, isNarrow ? 32 : 64, true, {});
  return instruction.op[slot] != 0;
}

bool Decoder::decodeBulk() {
  if (take("commit_group")) {
    instruction.run = ops::commitBulk;
    return allTaken() && wantOperands(0, 0);
  }
  if (take("wait_group")) {
    take("read");
    instruction.run = ops::waitBulk;
    return allTaken() && wantOperands(1, 1) && immediate(0, instruction.offset);
  }
  if (take("prefetch")) {
    instruction.run = ops::nothing;
    return true;
  }
  kernel.usesPartialBarriers = true;
  if (text.target.size() < 5 || atoi(text.target.c_str() + 3) < 90)
    return fail("bulk copy in code for " + text.target + ", wanted sm_90");
  bool isTensor = take("tensor");
  std::string_view axes = takeOneOf({"1d", "2d", "3d", "4d", "5d"});
  if (isTensor == axes.empty())
    return failUnknown();
  take("tile");
  bool hasHint = take("L2::cache_hint"), isToShared = take("mbarrier::complete_tx::bytes");
  if (!isToShared && !take("bulk_group"))
    return failUnknown();
  if (!take("global") || takeOneOf(kShared).empty() || !allTaken())
    return failUnknown();
  size_t wanted = (isTensor ? 2 : 3) + (isToShared ? 1 : 0);
  if (!wantOperands(wanted + hasHint, wanted + hasHint))
    return false;
  const std::vector<Operand> &operands = statement->operands;
  const Operand &shared = operands[isToShared ? 0 : 1], &global = operands[isToShared ? 1 : 0];
  std::vector<uint32_t> list;
  bool isNarrow = false, isGlobalNarrow = false, isBarrierNarrow = false;
  if (!bulkAddress(shared, 0, isNarrow, list) || !bulkAddress(global, 1, isGlobalNarrow, list))
    return false;
  if (isGlobalNarrow)
    return fail("bulk copy: wanted a global address of 64 bits");
  if (!isTensor && !(instruction.op[2] = source(2, 32, true)))
    return false;
  if (isToShared && !bulkAddress(operands[wanted - 1], 3, isBarrierNarrow, list))
    return false;
  list.resize(6);
  instruction.flags = uint8_t((isNarrow ? kAddress32 : 0) | (isBarrierNarrow ? kWide : 0));
  if (isTensor) {
    instruction.count = uint8_t(axes[0] - '0');
    if (global.elements.size() != 2 || global.elements[1].kind != Operand::Vector ||
        global.elements[1].elements.size() != instruction.count)
      return fail("bulk copy: wanted a tensor map and " + std::string(axes.substr(0, 1)) + " coordinates");
    for (const Operand &each : global.elements[1].elements) {
      list.push_back(sourceOf(each, 32, true, {}));
      if (!list.back())
        return false;
    }
  }
  instruction.list = uint32_t(kernel.pool.size());
  instruction.listSize = uint32_t(list.size());
  kernel.pool.insert(kernel.pool.end(), list.begin(), list.end());
  instruction.run = isTensor ? (isToShared ? ops::tensorToShared : ops::tensorToGlobal)
                             : (isToShared ? ops::bulkToShared : ops::bulkToGlobal);
  return true;
}

} // namespace tamis::emulator
