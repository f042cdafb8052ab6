// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Branches, calls, barriers and what lanes tell each other.

#include "runtime/emulator/decode/Decoder.h"
#include <algorithm>

namespace tamis::emulator {

bool Decoder::decodeBranch() {
  if (root == "trap" || root == "brkpt") {
    instruction.flow = Flow::Trap;
    return allTaken() && wantOperands(0, 0);
  }
  take("uni");
  if (root == "exit" || (root == "ret" && callDepth == 0)) {
    instruction.flow = Flow::Exit;
    return allTaken() && wantOperands(0, 0);
  }
  if (root == "ret") {
    instruction.flow = Flow::Branch;
    frame->returns.push_back(uint32_t(kernel.code.size()));
    return allTaken() && wantOperands(0, 0);
  }
  uint32_t number = uint32_t(statement - frame->function->body.data());
  if (root == "brx") {
    if (!take("idx") || !allTaken() || !wantOperands(2, 2) || statement->operands[1].kind != Operand::Name)
      return failUnknown();
    instruction.flow = Flow::BranchTable;
    fixups.push_back({uint32_t(kernel.code.size()), number, {}, statement->operands[1].name});
    return (instruction.op[1] = source(0, 32, true)) != 0;
  }
  if (!allTaken() || !wantOperands(1, 1))
    return false;
  if (statement->operands[0].kind != Operand::Name)
    return fail("bra: wanted a label");
  instruction.flow = Flow::Branch;
  fixups.push_back({uint32_t(kernel.code.size()), number, statement->operands[0].name, {}});
  return true;
}

bool Decoder::decodeCall() {
  take("uni");
  if (!allTaken())
    return false;
  const Statement *call = statement;
  const std::vector<Operand> &operands = call->operands;
  size_t at = !operands.empty() && operands[0].kind == Operand::List ? 1 : 0;
  if (at >= operands.size() || operands[at].kind != Operand::Name)
    return fail("call: wanted the name of a function; calls through registers are not supported");
  std::string_view name = operands[at].name;
  if (name == "__assertfail") {
    instruction.flow = Flow::Trap;
    return true;
  }
  if (name == "vprintf" || name == "vprintf_") {
    instruction.run = ops::nothing;
    return true;
  }
  const ptx::Function *callee = nullptr;
  for (const ptx::Function &each : text.functions)
    if (each.name == name && each.hasBody && !each.isEntry)
      callee = &each;
  if (!callee)
    return fail("call of '" + std::string(name) + "', which this module does not define");
  if (callDepth >= 16)
    return fail("call of '" + std::string(name) + "': calls are nested deeper than 16, or without end");
  static const std::vector<Operand> none;
  const std::vector<Operand> &results = at ? operands[0].elements : none;
  const std::vector<Operand> &arguments =
      at + 1 < operands.size() && operands[at + 1].kind == Operand::List ? operands[at + 1].elements : none;
  if (results.size() != callee->results.size() || arguments.size() != callee->parameters.size())
    return fail("call of '" + std::string(name) + "' with " + std::to_string(arguments.size()) + " arguments and " +
                std::to_string(results.size()) + " results, wanted " + std::to_string(callee->parameters.size()) +
                " and " + std::to_string(callee->results.size()));
  Frame inner;
  inner.function = callee;
  inner.registers.assign(callee->registers.size(), -1);
  inner.numbers.assign(callee->registers.size(), 0);
  inner.variables.assign(callee->variables.size(), ~uint64_t(0));
  auto bind = [&](const std::vector<Operand> &from, const std::vector<uint32_t> &to) {
    for (size_t i = 0; i < from.size(); ++i) {
      uint64_t address = 0;
      Space space;
      if (from[i].kind != Operand::Symbol)
        return fail("call: wanted parameters in .param variables");
      if (!addressOf(from[i], address, space))
        return false;
      inner.variables[to[i]] = address;
    }
    return true;
  };
  if (!bind(results, callee->results) || !bind(arguments, callee->parameters))
    return false;
  // Shared variables of its body are its own, once a call.
  for (size_t i = 0; i < callee->variables.size(); ++i)
    if (callee->variables[i].space == Space::Shared)
      return fail("function '" + std::string(name) + "' has shared variables in its body, which is not supported");
  if (call->guard >= 0) {
    // Lanes that do not call go around the body.
    instruction.flow = Flow::Branch;
    instruction.guardFlip = ~instruction.guardFlip;
    finish();
  }
  uint32_t around = uint32_t(kernel.code.size()) - 1;
  ++callDepth;
  decodeBody(inner);
  --callDepth;
  statement = call;
  if (call->guard >= 0)
    kernel.code[around].target = uint32_t(kernel.code.size());
  isEmitted = false;
  return true;
}

bool Decoder::decodeBarrier() {
  if (root == "bar" && take("warp")) {
    instruction.flow = Flow::Sync;
    instruction.sync = 2;
    instruction.run = ops::nothing;
    return take("sync") && allTaken() && wantOperands(1, 1) && (instruction.op[2] = source(0, 32, true));
  }
  if (take("cluster")) {
    // Clusters of one block: arriving is waiting. Wait is the barrier.
    bool isArrive = take("arrive");
    if (!isArrive && !take("wait"))
      return failUnknown();
    takeOneOf({"release", "acquire", "relaxed"});
    take("aligned");
    instruction.flow = isArrive ? Flow::Next : Flow::Barrier;
    instruction.run = ops::nothing;
    instruction.op[1] = constant(0, false);
    instruction.op[2] = constant(0, false);
    return allTaken() && wantOperands(0, 0);
  }
  take("cta");
  bool isAligned = take("aligned") || root == "bar";
  // What the loop does: 0 sync, 1 arrive, 2 reduction.
  enum : uint8_t { Sync, Arrive, Popc, And, Or };
  uint8_t kind = Sync;
  if (take("arrive")) {
    kind = Arrive;
  } else if (take("red")) {
    kind = take("popc") ? Popc : take("and") ? And : take("or") ? Or : 255;
    std::string_view type = takeType();
    if (kind == 255 || type.empty())
      return failUnknown();
  } else if (!take("sync")) {
    return failUnknown();
  }
  if (!allTaken())
    return false;
  (void)isAligned;
  instruction.flow = Flow::Barrier;
  instruction.flags = kind;
  size_t at = kind >= Popc ? 1 : 0, count = statement->operands.size() - (kind >= Popc ? 1 : 0);
  if (!wantOperands(at + at + 1, at + at + 2))
    return false;
  const Operand &number = statement->operands[at];
  if (number.kind == Operand::Immediate && number.bits > 15)
    return fail("barrier " + std::to_string(number.bits) + ", wanted 0 to 15");
  if (!(instruction.op[1] = source(at, 32, true)))
    return false;
  // The number of threads, 0: all.
  bool hasCount = count - at >= 2;
  if (!(instruction.op[2] = hasCount ? source(at + 1, 32, true) : constant(0, false)))
    return false;
  if (hasCount || kind == Arrive)
    kernel.usesPartialBarriers = true;
  if (kind >= Popc) {
    const Operand &value = statement->operands.back();
    instruction.op[3] = predicate(value, true);
    instruction.offset = value.negated ? -1 : 0;
    instruction.op[0] = result(0, kind == Popc ? 32 : 1);
    return instruction.op[0] != 0;
  }
  return true;
}

bool Decoder::decodeShuffle() {
  std::string_view mode = takeOneOf({"up", "down", "bfly", "idx"});
  if (mode.empty() || !take("sync") || !take("b32") || !allTaken() || !wantOperands(5, 5))
    return failUnknown();
  const Operand &to = statement->operands[0];
  bool isPair = to.kind == Operand::Pair;
  for (uint32_t i = 1; i <= 3; ++i)
    if (!(instruction.op[i] = source(i, 32)))
      return false;
  // The mask of lanes is read by the loop alone: it lies in the list.
  uint32_t members = source(4, 32, true);
  if (!members)
    return false;
  instruction.list = uint32_t(kernel.pool.size());
  instruction.listSize = 1;
  kernel.pool.push_back(members);
  instruction.flow = Flow::Sync;
  instruction.sync = 5;
  instruction.run = ops::shuffle(mode);
  instruction.op[0] = resultOf(isPair ? to.elements[0] : to, 32);
  instruction.op[4] = isPair ? resultOf(to.elements[1], 1) : uint32_t(kSinkOffset);
  return instruction.op[0] && instruction.op[4];
}

bool Decoder::decodeVote() {
  if (root == "activemask") {
    instruction.run = ops::activeMask;
    return take("b32") && allTaken() && wantOperands(1, 1) && (instruction.op[0] = result(0, 32));
  }
  if (!take("sync"))
    return failUnknown();
  instruction.flow = Flow::Sync;
  instruction.sync = 2;
  instruction.op[4] = kSinkOffset;
  const std::vector<Operand> &operands = statement->operands;
  if (root == "elect") {
    if (!allTaken() || !wantOperands(2, 2) || operands[0].kind != Operand::Pair)
      return failUnknown();
    instruction.run = ops::electLane;
    return (instruction.op[2] = source(1, 32, true)) && (instruction.op[0] = resultOf(operands[0].elements[0], 32)) &&
           (instruction.op[4] = resultOf(operands[0].elements[1], 1));
  }
  if (!wantOperands(3, 3) || !(instruction.op[2] = source(2, 32, true)))
    return false;
  if (root == "vote") {
    std::string_view mode = takeOneOf({"all", "any", "uni", "ballot"});
    instruction.run = ops::vote(mode);
    if (!instruction.run || !take(mode == "ballot" ? "b32" : "pred") || !allTaken())
      return failUnknown();
    instruction.op[1] = predicate(operands[1], true) & 0x7fffffff;
    instruction.offset = operands[1].negated ? -1 : 0;
    return (instruction.op[0] = result(0, mode == "ballot" ? 32 : 1)) != 0;
  }
  if (root == "match") {
    bool isAll = take("all"), isWide = take("b64");
    if ((!isAll && !take("any")) || (!isWide && !take("b32")) || !allTaken())
      return failUnknown();
    instruction.run = ops::match(isAll, isWide);
    bool isPair = operands[0].kind == Operand::Pair;
    if (isPair && !(instruction.op[4] = resultOf(operands[0].elements[1], 1)))
      return false;
    return (instruction.op[1] = source(1, isWide ? 64 : 32)) &&
           (instruction.op[0] = resultOf(isPair ? operands[0].elements[0] : operands[0], 32));
  }
  std::string_view type = takeType(), operation = takeOneOf({"add", "min", "max", "and", "or", "xor"});
  instruction.run = ops::reduce(operation, type);
  if (!instruction.run || !allTaken())
    return failUnknown();
  return (instruction.op[1] = source(1, 32)) && (instruction.op[0] = result(0, 32));
}

bool Decoder::decodeFence() {
  bool isProxy = std::find(modifiers.begin(), modifiers.end(), "proxy") != modifiers.end();
  if (isProxy && !modifiers.empty() && modifiers.back() != "global") {
    for (std::string_view each : modifiers)
      if (each == "async")
        instruction.run = ops::fenceProxy;
    if (instruction.run)
      return true;
  }
  // Warps of a block take turns and memory is one: order and caches need nothing. Operands are only looked at.
  instruction.run = ops::nothing;
  return true;
}

} // namespace tamis::emulator
