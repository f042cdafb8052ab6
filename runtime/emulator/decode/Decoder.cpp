// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frames, registers, constants and operands.

#include "runtime/emulator/decode/Decoder.h"
#include <algorithm>
#include <cstring>

namespace tamis::emulator {
namespace {

uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// The 17th byte of a block of parameters is what kParamBase + 16 names.
constexpr uint64_t kUnplaced = ~uint64_t(0);

} // namespace

bool Decoder::fail(const std::string &message) {
  errors.push_back({statement->line, message});
  return false;
}

bool Decoder::failUnknown() {
  return fail("unknown opcode '" + std::string(statement->opcode) + "'");
}

bool Decoder::take(std::string_view modifier) {
  auto at = std::find(modifiers.begin(), modifiers.end(), modifier);
  if (at == modifiers.end())
    return false;
  modifiers.erase(at);
  return true;
}

std::string_view Decoder::takeOneOf(std::initializer_list<std::string_view> wanted) {
  for (std::string_view each : wanted)
    if (take(each))
      return each;
  return {};
}

std::string_view Decoder::takeType() {
  if (modifiers.empty() || ptx::typeBits(modifiers.back()) == 0)
    return {};
  std::string_view type = modifiers.back();
  modifiers.pop_back();
  return type;
}

bool Decoder::allTaken() {
  return modifiers.empty() || fail("opcode '" + std::string(statement->opcode) + "': modifier '." +
                                   std::string(modifiers.front()) + "' is not known here");
}

bool Decoder::wantOperands(size_t least, size_t most) {
  size_t found = statement->operands.size();
  if (found >= least && found <= most)
    return true;
  return fail("opcode '" + std::string(statement->opcode) + "' has " + std::to_string(found) + " operands, wanted " +
              std::to_string(least) + (most > least ? " to " + std::to_string(most) : ""));
}

uint32_t Decoder::registerOffset(uint32_t index) {
  int64_t &offset = frame->registers[index];
  if (offset < 0) {
    uint32_t bits = frame->function->registers[index].bits;
    uint32_t bytes = bits == 1 ? 4 : bits == 64 ? 256 : bits == 128 ? 512 : 128;
    if (bits != 1)
      kernel.registerBytes = uint32_t(alignUp(kernel.registerBytes, 128));
    offset = kernel.registerBytes;
    kernel.registerBytes += bytes;
    frame->numbers[index] = kernel.registerCount++;
  }
  return uint32_t(offset);
}

uint32_t Decoder::constant(uint64_t bits, bool isWide) {
  if (!isWide)
    bits = uint32_t(bits);
  auto [at, isNew] = constants.try_emplace({bits, isWide}, 0);
  if (isNew) {
    at->second = uint32_t(alignUp(kernel.registerBytes, 128));
    kernel.registerBytes = at->second + (isWide ? 256 : 128);
    kernel.constants.push_back({at->second, isWide, bits});
  }
  return at->second;
}

uint32_t Decoder::special(std::string_view name, bool isWide) {
  using S = SpecialRegister;
  static const std::map<std::string_view, S> names = {{"%tid.x", S::TidX},
                                                      {"%tid.y", S::TidY},
                                                      {"%tid.z", S::TidZ},
                                                      {"%ntid.x", S::NtidX},
                                                      {"%ntid.y", S::NtidY},
                                                      {"%ntid.z", S::NtidZ},
                                                      {"%ctaid.x", S::CtaidX},
                                                      {"%ctaid.y", S::CtaidY},
                                                      {"%ctaid.z", S::CtaidZ},
                                                      {"%nctaid.x", S::NctaidX},
                                                      {"%nctaid.y", S::NctaidY},
                                                      {"%nctaid.z", S::NctaidZ},
                                                      {"%laneid", S::LaneId},
                                                      {"%warpid", S::WarpId},
                                                      {"%nwarpid", S::WarpCount},
                                                      {"%smid", S::SmId},
                                                      {"%nsmid", S::SmCount},
                                                      {"%gridid", S::GridId},
                                                      {"%lanemask_eq", S::MaskEq},
                                                      {"%lanemask_le", S::MaskLe},
                                                      {"%lanemask_lt", S::MaskLt},
                                                      {"%lanemask_ge", S::MaskGe},
                                                      {"%lanemask_gt", S::MaskGt},
                                                      {"%clusterid.x", S::ClusterIdX},
                                                      {"%clusterid.y", S::ClusterIdY},
                                                      {"%clusterid.z", S::ClusterIdZ},
                                                      {"%nclusterid.x", S::ClusterCountX},
                                                      {"%nclusterid.y", S::ClusterCountY},
                                                      {"%nclusterid.z", S::ClusterCountZ},
                                                      {"%cluster_ctaid.x", S::ClusterCtaIdX},
                                                      {"%cluster_ctaid.y", S::ClusterCtaIdY},
                                                      {"%cluster_ctaid.z", S::ClusterCtaIdZ},
                                                      {"%cluster_nctaid.x", S::ClusterSizeX},
                                                      {"%cluster_nctaid.y", S::ClusterSizeY},
                                                      {"%cluster_nctaid.z", S::ClusterSizeZ},
                                                      {"%cluster_ctarank", S::ClusterRank},
                                                      {"%cluster_nctarank", S::ClusterRanks},
                                                      {"%dynamic_smem_size", S::DynamicShared},
                                                      {"%total_smem_size", S::TotalShared},
                                                      {"%globaltimer", S::Zero},
                                                      {"%globaltimer_lo", S::Zero},
                                                      {"%globaltimer_hi", S::Zero}};
  auto found = names.find(name);
  if (found == names.end()) {
    fail("'" + std::string(name) + "' is neither a register that was declared nor a special one");
    return 0;
  }
  auto [at, isNew] = specials.try_emplace({found->second, isWide}, 0);
  if (isNew) {
    at->second = uint32_t(alignUp(kernel.registerBytes, 128));
    kernel.registerBytes = at->second + (isWide ? 256 : 128);
    kernel.specials.push_back({at->second, isWide, found->second});
  }
  return at->second;
}

bool Decoder::addressOf(const Operand &operand, uint64_t &address, Space &space) {
  if (operand.isModule) {
    const ptx::Variable &variable = text.variables[operand.index];
    space = variable.space;
    if (space == Space::Shared) {
      address = sharedVariables[operand.index];
    } else if (variable.isExtern && variable.initial.empty() && variable.isUnsized) {
      return fail("variable '" + variable.name + "' is extern, and there is no other module");
    } else {
      address = addresses[operand.index];
    }
  } else {
    const ptx::Variable &variable = frame->function->variables[operand.index];
    space = variable.space;
    uint64_t &at = frame->variables[operand.index];
    if (at == kUnplaced) { // .local, or .param of a call
      localEnd = alignUp(localEnd, std::max<uint64_t>(variable.alignment, 1));
      at = kLocalBase + localEnd;
      localEnd += variable.bytes;
    }
    address = at;
  }
  address += uint64_t(operand.offset);
  return true;
}

uint32_t Decoder::sourceOf(const Operand &operand, uint32_t bits, bool isSink, std::string_view type) {
  bool isWide = bits == 64;
  switch (operand.kind) {
  case Operand::Register: {
    uint32_t found = frame->function->registers[operand.index].bits;
    if (bits == 1 || found == 1 || found == 128 || (found == 64) != isWide) {
      if (!(bits == 1 && found == 1)) {
        fail("register '" + frame->function->registers[operand.index].name + "' has " + std::to_string(found) +
             " bits, wanted " + std::to_string(bits));
        return 0;
      }
    }
    uint32_t offset = registerOffset(operand.index);
    (isSink ? sinks : reads).push_back(frame->numbers[operand.index]);
    return offset;
  }
  case Operand::Immediate: {
    if (!type.empty() && type[0] == 'f' && type != "f16x2" && bits >= 32) {
      // An integer where a float is wanted is its value in decimal text.
      double value = double(int64_t(operand.bits));
      float single = float(value);
      uint64_t raw = 0;
      memcpy(&raw, bits == 64 ? static_cast<void *>(&value) : static_cast<void *>(&single), bits / 8);
      return constant(raw, isWide);
    }
    return constant(operand.bits, isWide);
  }
  case Operand::Float: {
    uint64_t raw = operand.bits;
    if (operand.isSingle && isWide) {
      float single;
      memcpy(&single, &operand.bits, 4);
      double value = single;
      memcpy(&raw, &value, 8);
    } else if (!operand.isSingle && !isWide) {
      double value;
      memcpy(&value, &operand.bits, 8);
      float single = float(value);
      raw = 0;
      memcpy(&raw, &single, 4);
    }
    return constant(raw, isWide);
  }
  case Operand::Symbol: {
    uint64_t at = 0;
    Space space;
    return addressOf(operand, at, space) ? constant(at, isWide) : 0;
  }
  case Operand::Special:
    return special(operand.name, isWide);
  case Operand::Sink:
    return constant(0, isWide);
  default:
    fail("operand of '" + std::string(statement->opcode) + "': wanted a register or a constant");
    return 0;
  }
}

uint32_t Decoder::source(size_t index, uint32_t bits, bool isSink, std::string_view type) {
  return sourceOf(statement->operands[index], bits, isSink, type);
}

uint32_t Decoder::resultOf(const Operand &operand, uint32_t bits) {
  if (operand.kind == Operand::Sink)
    return kSinkOffset;
  if (operand.kind != Operand::Register) {
    fail("result of '" + std::string(statement->opcode) + "': wanted a register");
    return 0;
  }
  uint32_t found = frame->function->registers[operand.index].bits;
  if (found == 128 || (found == 1) != (bits == 1) || (found == 64) != (bits == 64)) {
    fail("register '" + frame->function->registers[operand.index].name + "' has " + std::to_string(found) +
         " bits, wanted " + std::to_string(bits));
    return 0;
  }
  uint32_t offset = registerOffset(operand.index);
  writes.push_back(frame->numbers[operand.index]);
  return offset;
}

/// A predicate register or 0/1; the caller looks at `negated`.
uint32_t Decoder::predicate(const Operand &operand, bool isSink) {
  if (operand.kind == Operand::Immediate)
    return operand.bits ? uint32_t(kTrueOffset) | 0x80000000u : uint32_t(kFalseOffset);
  if (operand.kind != Operand::Register || frame->function->registers[operand.index].bits != 1) {
    fail("operand of '" + std::string(statement->opcode) + "': wanted a predicate");
    return 0;
  }
  uint32_t offset = registerOffset(operand.index);
  (isSink ? sinks : reads).push_back(frame->numbers[operand.index]);
  return offset;
}

bool Decoder::isWideRegister(const Operand &operand, bool &isWide) {
  isWide = operand.kind == Operand::Register && frame->function->registers[operand.index].bits == 64;
  return true;
}

bool Decoder::address(size_t index, uint32_t slot) {
  const Operand &operand = statement->operands[index];
  if (operand.kind != Operand::Address)
    return fail("opcode '" + std::string(statement->opcode) + "': wanted an address in brackets");
  const Operand &base = operand.elements[0];
  instruction.offset = operand.offset;
  if (base.kind == Operand::Register) {
    bool isWide = frame->function->registers[base.index].bits == 64;
    instruction.flags |= isWide ? 0 : kAddress32;
    instruction.op[slot] = sourceOf(base, isWide ? 64 : 32, true, {});
    return instruction.op[slot] != 0;
  }
  instruction.flags |= kNoAddress;
  if (base.kind == Operand::Immediate) {
    instruction.offset += int64_t(base.bits);
    return true;
  }
  if (base.kind != Operand::Symbol)
    return fail("address: wanted a register, a variable or a number, found '" + std::string(base.name) + "'");
  uint64_t at = 0;
  Space space;
  if (!addressOf(base, at, space))
    return false;
  instruction.offset += int64_t(at);
  if (instruction.space == Space::Generic) {
    // A generic access by name: the name's window.
    instruction.offset += int64_t(space == Space::Shared  ? kSharedWindow
                                  : space == Space::Local ? kLocalWindow
                                  : space == Space::Param ? kParamWindow
                                                          : 0);
  } else if (instruction.space == Space::Param && space == Space::Local) {
    instruction.space = Space::Local; // a parameter of a call
  } else if (instruction.space != space && !(instruction.space == Space::Global && space == Space::Const)) {
    return fail("variable '" + std::string(base.name) + "' is in another state space");
  }
  return true;
}

bool Decoder::immediate(size_t index, int64_t &value) {
  const Operand &operand = statement->operands[index];
  if (operand.kind != Operand::Immediate)
    return fail("operand " + std::to_string(index + 1) + " of '" + std::string(statement->opcode) +
                "': wanted a number");
  value = int64_t(operand.bits);
  return true;
}

void Decoder::collectShared(const ptx::Function &function, std::set<uint32_t> &used, std::set<std::string_view> &seen) {
  if (!seen.insert(function.name).second)
    return;
  auto visit = [&](auto &&self, const Operand &operand) -> void {
    if (operand.kind == Operand::Symbol && operand.isModule && text.variables[operand.index].space == Space::Shared)
      used.insert(operand.index);
    if (operand.kind == Operand::Name)
      for (const ptx::Function &callee : text.functions)
        if (callee.name == operand.name)
          collectShared(callee, used, seen);
    for (const Operand &element : operand.elements)
      self(self, element);
  };
  for (const Statement &each : function.body)
    for (const Operand &operand : each.operands)
      visit(visit, operand);
}

void Decoder::layoutEntry(const ptx::Function &entry) {
  EntryInfo &info = kernel.info;
  info.name = entry.name;
  std::copy(entry.requiredBlock, entry.requiredBlock + 3, info.requiredBlock);
  std::copy(entry.requiredCluster, entry.requiredCluster + 3, info.requiredCluster);
  info.maxThreads = entry.maxThreads;
  uint64_t at = 0;
  for (uint32_t index : entry.parameters) {
    const ptx::Variable &variable = entry.variables[index];
    at = alignUp(at, std::max(1u, variable.alignment));
    info.parameters.push_back(
        {variable.name, uint32_t(at), uint32_t(variable.bytes), variable.alignment, variable.isPointer});
    frame->variables[index] = kParamBase + at;
    at += variable.bytes;
  }
  info.parameterBytes = uint32_t(at);
  for (const ptx::Register &each : entry.registers)
    info.registers += each.bits == 1 ? 0 : std::max(1u, each.bits / 32);

  // Static shared variables in the order of the text, then what is dynamic.
  std::set<uint32_t> used;
  std::set<std::string_view> seen;
  collectShared(entry, used, seen);
  uint32_t dynamicAlignment = 16;
  auto place = [&](const ptx::Variable &variable) {
    sharedEnd = alignUp(sharedEnd, std::max(1u, variable.alignment));
    uint64_t address = kSharedBase + sharedEnd;
    sharedEnd += variable.bytes;
    return address;
  };
  for (uint32_t index : used) {
    const ptx::Variable &variable = text.variables[index];
    if (variable.isUnsized)
      dynamicAlignment = std::max(dynamicAlignment, variable.alignment);
    else
      sharedVariables[index] = place(variable);
  }
  for (size_t i = 0; i < entry.variables.size(); ++i)
    if (entry.variables[i].space == Space::Shared)
      frame->variables[i] = place(entry.variables[i]);
  info.sharedBytes = uint32_t(sharedEnd);
  kernel.dynamicSharedOffset = uint32_t(alignUp(sharedEnd, dynamicAlignment));
  for (uint32_t index : used)
    if (text.variables[index].isUnsized) {
      info.usesDynamicShared = true;
      sharedVariables[index] = kSharedBase + kernel.dynamicSharedOffset;
    }
}

Kernel Decoder::decode(const ptx::Function &entry) {
  Frame outer;
  outer.function = &entry;
  outer.registers.assign(entry.registers.size(), -1);
  outer.numbers.assign(entry.registers.size(), 0);
  outer.variables.assign(entry.variables.size(), kUnplaced);
  frame = &outer;
  layoutEntry(entry);
  decodeBody(outer);
  // Falling off the end is an exit.
  Instruction end;
  end.flow = Flow::Exit;
  end.line = entry.body.empty() ? entry.line : entry.body.back().line;
  kernel.code.push_back(end);
  kernel.opcodes.push_back("exit");
  kernel.macs.push_back(0);
  kernel.isSpecialFunction.push_back(0);
  kernel.info.localBytes = uint32_t(localEnd);
  kernel.info.instructions = uint32_t(kernel.code.size());
  kernel.registerBytes = uint32_t(alignUp(kernel.registerBytes, 128));
  return std::move(kernel);
}

void Decoder::decodeBody(Frame &into) {
  Frame *outer = frame;
  std::vector<Fixup> outerFixups = std::move(fixups);
  fixups.clear();
  frame = &into;
  const ptx::Function &function = *into.function;
  for (const Statement &each : function.body) {
    into.starts.push_back(uint32_t(kernel.code.size()));
    decodeStatement(each);
  }
  into.starts.push_back(uint32_t(kernel.code.size()));
  auto resolve = [&](std::string_view label, uint32_t scope, uint32_t &target) {
    for (;; scope = function.scopeParents[scope]) {
      if (auto found = function.labels.find({label, scope}); found != function.labels.end()) {
        target = into.starts[found->second];
        return true;
      }
      if (scope == 0)
        return false;
    }
  };
  for (const Fixup &fixup : fixups) {
    statement = &function.body[fixup.statement];
    Instruction &branch = kernel.code[fixup.instruction];
    if (fixup.table.empty()) {
      if (!resolve(fixup.label, statement->scope, branch.target))
        fail("label '" + std::string(fixup.label) + "' is not defined");
      continue;
    }
    const std::vector<std::string_view> *targets = nullptr;
    for (uint32_t scope = statement->scope; !targets; scope = function.scopeParents[scope]) {
      if (auto found = function.branchTargets.find({fixup.table, scope}); found != function.branchTargets.end())
        targets = &found->second;
      if (scope == 0)
        break;
    }
    if (!targets) {
      fail("list of labels '" + std::string(fixup.table) + "' is not defined");
      continue;
    }
    branch.list = uint32_t(kernel.pool.size());
    branch.listSize = uint32_t(targets->size());
    for (std::string_view label : *targets) {
      uint32_t target = 0;
      if (!resolve(label, statement->scope, target))
        fail("label '" + std::string(label) + "' is not defined");
      kernel.pool.push_back(target);
    }
  }
  for (uint32_t each : into.returns)
    kernel.code[each].target = into.starts.back();
  fixups = std::move(outerFixups);
  frame = outer;
}

void Decoder::decodeStatement(const Statement &from) {
  statement = &from;
  instruction = {};
  instruction.line = from.line;
  sinks.clear();
  reads.clear();
  writes.clear();
  modifiers.clear();
  macs = 0;
  isSpecialFunction = false;
  isEmitted = true;
  std::string_view rest = from.opcode;
  size_t dot = rest.find('.');
  root = rest.substr(0, dot);
  while (dot != std::string_view::npos) {
    rest.remove_prefix(dot + 1);
    dot = rest.find('.');
    modifiers.push_back(rest.substr(0, dot));
  }
  if (from.guard >= 0) {
    instruction.guard = registerOffset(uint32_t(from.guard));
    instruction.guardFlip = from.guardNegated ? ~0u : 0;
    sinks.push_back(frame->numbers[size_t(from.guard)]);
  }
  size_t before = errors.size();
  bool isGood = dispatch();
  if (!isGood && errors.size() == before)
    failUnknown();
  if (isGood && isEmitted)
    finish();
}

void Decoder::finish() {
  instruction.reads = uint32_t(kernel.pool.size());
  instruction.sinkCount = uint16_t(sinks.size());
  instruction.readCount = uint16_t(sinks.size() + reads.size());
  instruction.writeCount = uint16_t(writes.size());
  for (const std::vector<uint32_t> *list : {&sinks, &reads, &writes})
    kernel.pool.insert(kernel.pool.end(), list->begin(), list->end());
  kernel.code.push_back(instruction);
  kernel.opcodes.emplace_back(statement->opcode);
  kernel.macs.push_back(macs);
  kernel.isSpecialFunction.push_back(isSpecialFunction);
}

bool Decoder::dispatch() {
  using Member = bool (Decoder::*)();
  static const std::map<std::string_view, Member> members = {
      {"mov", &Decoder::decodeMove},
      {"cvt", &Decoder::decodeConvert},
      {"setp", &Decoder::decodeCompare},
      {"set", &Decoder::decodeCompare},
      {"selp", &Decoder::decodeSelect},
      {"ld", &Decoder::decodeLoad},
      {"ldu", &Decoder::decodeLoad},
      {"st", &Decoder::decodeStore},
      {"atom", &Decoder::decodeAtomic},
      {"red", &Decoder::decodeAtomic},
      {"cvta", &Decoder::decodeConvertAddress},
      {"isspacep", &Decoder::decodeConvertAddress},
      {"cp", &Decoder::decodeCopyAsync},
      {"ldmatrix", &Decoder::decodeMatrixLoad},
      {"stmatrix", &Decoder::decodeMatrixLoad},
      {"movmatrix", &Decoder::decodeMatrixLoad},
      {"mma", &Decoder::decodeMma},
      {"wgmma", &Decoder::decodeWarpGroup},
      {"mbarrier", &Decoder::decodeMemoryBarrier},
      {"bra", &Decoder::decodeBranch},
      {"brx", &Decoder::decodeBranch},
      {"ret", &Decoder::decodeBranch},
      {"exit", &Decoder::decodeBranch},
      {"trap", &Decoder::decodeBranch},
      {"brkpt", &Decoder::decodeBranch},
      {"call", &Decoder::decodeCall},
      {"bar", &Decoder::decodeBarrier},
      {"barrier", &Decoder::decodeBarrier},
      {"shfl", &Decoder::decodeShuffle},
      {"vote", &Decoder::decodeVote},
      {"match", &Decoder::decodeVote},
      {"redux", &Decoder::decodeVote},
      {"activemask", &Decoder::decodeVote},
      {"elect", &Decoder::decodeVote},
      {"membar", &Decoder::decodeFence},
      {"fence", &Decoder::decodeFence},
      {"prefetch", &Decoder::decodeFence},
      {"prefetchu", &Decoder::decodeFence},
      {"discard", &Decoder::decodeFence},
      {"applypriority", &Decoder::decodeFence},
      {"nanosleep", &Decoder::decodeFence},
      {"griddepcontrol", &Decoder::decodeFence},
      {"setmaxnreg", &Decoder::decodeFence},
      {"pmevent", &Decoder::decodeFence},
      {"lop3", &Decoder::decodeArithmetic},
  };
  auto found = members.find(root);
  return found == members.end() ? decodeArithmetic() : (this->*found->second)();
}

} // namespace tamis::emulator
