// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores, atomics, cp.async, ldmatrix and mma.

#include "runtime/emulator/decode/Decoder.h"

namespace tamis::emulator {
namespace {

std::string_view spaceNames[] = {"global", "shared", "shared::cta",  "shared::cluster",
                                 "local",  "param",  "param::entry", "const"};

Space spaceOf(std::string_view name) {
  return name == "global"                ? Space::Global
         : name.substr(0, 6) == "shared" ? Space::Shared
         : name == "local"               ? Space::Local
         : name.substr(0, 5) == "param"  ? Space::Param
         : name == "const"               ? Space::Const
                                         : Space::Generic;
}

/// Registers that hold a value of the type: 8 bits lie in those of 16 or more.
uint32_t registerBits(uint32_t bits) {
  return bits == 64 ? 64 : 32;
}

} // namespace

void Decoder::dropMemoryModifiers() {
  // Order, scope and caches change nothing here: warps of a block run one after the other.
  auto isHint = [](std::string_view each) {
    for (std::string_view known : {"weak",
                                   "volatile",
                                   "relaxed",
                                   "acquire",
                                   "release",
                                   "acq_rel",
                                   "mmio",
                                   "cta",
                                   "cluster",
                                   "gpu",
                                   "sys",
                                   "ca",
                                   "cg",
                                   "cs",
                                   "lu",
                                   "cv",
                                   "wb",
                                   "wt",
                                   "nc",
                                   "L1::evict_normal",
                                   "L1::evict_unchanged",
                                   "L1::evict_first",
                                   "L1::evict_last",
                                   "L1::no_allocate",
                                   "L2::cache_hint",
                                   "L2::64B",
                                   "L2::128B",
                                   "L2::256B",
                                   "L2::evict_last",
                                   "L2::evict_first",
                                   "L2::evict_normal",
                                   "noftz"})
      if (each == known)
        return true;
    return false;
  };
  std::erase_if(modifiers, isHint);
}

bool Decoder::decodeLoad() {
  bool hasHint = false;
  for (std::string_view each : modifiers)
    hasHint |= each == "L2::cache_hint";
  dropMemoryModifiers();
  std::string_view type = takeType();
  if (type.empty() || type == "pred" || ptx::typeBits(type) > 64)
    return failUnknown();
  uint32_t bits = ptx::typeBits(type);
  std::string_view vector = takeOneOf({"v2", "v4", "v8"});
  uint32_t count = vector.empty() ? 1 : uint32_t(vector[1] - '0');
  for (std::string_view name : spaceNames)
    if (take(name))
      instruction.space = spaceOf(name);
  if (!allTaken() || !wantOperands(2, hasHint ? 3 : 2))
    return false;
  const Operand &to = statement->operands[0];
  bool isVector = to.kind == Operand::Vector;
  if ((isVector ? to.elements.size() : 1) != count)
    return fail("ld: wanted " + std::to_string(count) + " results");
  const Operand &first = isVector ? to.elements[0] : to;
  bool isWide = bits == 64;
  if (first.kind == Operand::Register)
    isWideRegister(first, isWide);
  if (!address(1, 4))
    return false;
  if (count * bits / 8 > 32)
    return failUnknown();
  std::vector<uint32_t> offsets;
  for (uint32_t i = 0; i < count; ++i) {
    offsets.push_back(resultOf(isVector ? to.elements[i] : to, isWide ? 64 : 32));
    if (!offsets.back())
      return false;
  }
  instruction.bytes = uint8_t(bits / 8);
  instruction.count = uint8_t(count);
  instruction.propagates = false;
  if (count <= 4) {
    std::copy(offsets.begin(), offsets.end(), instruction.op);
  } else {
    instruction.list = uint32_t(kernel.pool.size());
    instruction.listSize = count;
    kernel.pool.insert(kernel.pool.end(), offsets.begin(), offsets.end());
  }
  bool isSigned = type[0] == 's';
  if (instruction.space == Space::Param && (instruction.flags & kNoAddress)) {
    instruction.offset -= int64_t(kParamBase);
    if (instruction.offset < 0 || uint64_t(instruction.offset) + count * bits / 8 > kernel.info.parameterBytes)
      return fail("ld.param: reads past the parameters of the kernel");
    instruction.run = ops::loadParameter(bits / 8, count, isWide, isSigned);
  } else {
    instruction.run = ops::load(bits / 8, count, isWide, isSigned);
  }
  return instruction.run != nullptr;
}

bool Decoder::decodeStore() {
  bool hasHint = false;
  for (std::string_view each : modifiers)
    hasHint |= each == "L2::cache_hint";
  dropMemoryModifiers();
  std::string_view type = takeType();
  if (type.empty() || type == "pred" || ptx::typeBits(type) > 64)
    return failUnknown();
  uint32_t bits = ptx::typeBits(type);
  std::string_view vector = takeOneOf({"v2", "v4", "v8"});
  uint32_t count = vector.empty() ? 1 : uint32_t(vector[1] - '0');
  for (std::string_view name : spaceNames)
    if (take(name))
      instruction.space = spaceOf(name);
  if (!allTaken() || !wantOperands(2, hasHint ? 3 : 2))
    return false;
  if (instruction.space == Space::Const)
    return failUnknown();
  const Operand &from = statement->operands[1];
  bool isVector = from.kind == Operand::Vector;
  if ((isVector ? from.elements.size() : 1) != count)
    return fail("st: wanted " + std::to_string(count) + " values");
  const Operand &first = isVector ? from.elements[0] : from;
  bool isWide = bits == 64;
  if (first.kind == Operand::Register)
    isWideRegister(first, isWide);
  if (!address(0, 4))
    return false;
  std::vector<uint32_t> offsets;
  for (uint32_t i = 0; i < count; ++i) {
    offsets.push_back(sourceOf(isVector ? from.elements[i] : from, isWide ? 64 : 32, true, type));
    if (!offsets.back())
      return false;
  }
  if (count <= 4) {
    std::copy(offsets.begin(), offsets.end(), instruction.op);
  } else {
    instruction.list = uint32_t(kernel.pool.size());
    instruction.listSize = count;
    kernel.pool.insert(kernel.pool.end(), offsets.begin(), offsets.end());
  }
  instruction.bytes = uint8_t(bits / 8);
  instruction.count = uint8_t(count);
  instruction.run = ops::store(bits / 8, count, isWide);
  return instruction.run != nullptr;
}

bool Decoder::decodeAtomic() {
  bool hasResult = root == "atom";
  dropMemoryModifiers();
  std::string_view type = takeType();
  if (type.empty() || modifiers.empty())
    return failUnknown();
  for (std::string_view name : {"global", "shared", "shared::cta"})
    if (take(name))
      instruction.space = spaceOf(name);
  if (modifiers.size() != 1)
    return failUnknown();
  std::string_view operation = modifiers[0];
  uint32_t bits = ptx::typeBits(type);
  // exch, cas and logic are of bits, whatever they are called.
  std::string spelled(type);
  if (operation == "exch" || operation == "cas" || operation == "and" || operation == "or" || operation == "xor")
    spelled = "b" + std::to_string(bits);
  instruction.run = ops::atomic(operation, spelled, hasResult);
  if (!instruction.run)
    return failUnknown();
  size_t firstSource = hasResult ? 2 : 1, sources = operation == "cas" ? 2 : 1;
  if (!wantOperands(firstSource + sources, firstSource + sources) || !address(firstSource - 1, 4))
    return false;
  instruction.op[2] = constant(0, bits == 64);
  for (size_t i = 0; i < sources; ++i)
    if (!(instruction.op[i + 1] = source(firstSource + i, registerBits(bits), true, type)))
      return false;
  instruction.bytes = uint8_t(bits / 8);
  instruction.propagates = false;
  instruction.op[0] = hasResult ? result(0, registerBits(bits)) : uint32_t(kSinkOffset);
  return instruction.op[0] != 0;
}

bool Decoder::decodeConvertAddress() {
  bool isTest = root == "isspacep", isTo = take("to");
  std::string_view type = isTest ? std::string_view("u64") : takeType();
  if (type.empty() || modifiers.size() != 1 || spaceOf(modifiers[0]) == Space::Generic || !wantOperands(2, 2))
    return failUnknown();
  instruction.space = spaceOf(modifiers[0]);
  uint32_t bits = ptx::typeBits(type);
  instruction.flags = bits == 64 ? kWide : 0;
  instruction.run = isTest ? ops::isInSpace : isTo ? ops::addressFromGeneric : ops::addressToGeneric;
  // Global and constant addresses are generic ones.
  if (!isTest && (instruction.space == Space::Global || instruction.space == Space::Const))
    instruction.run = findHandler(bits == 64 ? "mov.b64" : "mov.b32");
  return (instruction.op[1] = source(1, bits)) && (instruction.op[0] = result(0, isTest ? 1 : bits));
}

bool Decoder::decodeCopyAsync() {
  if (!take("async"))
    return failUnknown();
  if (take("bulk"))
    return decodeBulk();
  if (take("mbarrier")) {
    kernel.usesPartialBarriers = true;
    instruction.flags = take("noinc") ? 0 : kSigned;
    instruction.space = takeOneOf({"shared", "shared::cta"}).empty() ? Space::Generic : Space::Shared;
    instruction.run = ops::arriveWithCopies;
    return take("arrive") && take("b64") && allTaken() && wantOperands(1, 1) && address(0, 4);
  }
  if (take("commit_group")) {
    instruction.run = ops::commitGroup;
    return allTaken() && wantOperands(0, 0);
  }
  if (take("wait_all")) {
    instruction.run = ops::waitGroup;
    instruction.offset = -1;
    return allTaken() && wantOperands(0, 0);
  }
  if (take("wait_group")) {
    instruction.run = ops::waitGroup;
    return allTaken() && wantOperands(1, 1) && immediate(0, instruction.offset);
  }
  bool isCg = take("cg");
  if (!isCg && !take("ca"))
    return failUnknown();
  bool hasHint = take("L2::cache_hint");
  takeOneOf({"L2::64B", "L2::128B", "L2::256B"});
  if (!take("global") || takeOneOf({"shared", "shared::cta"}).empty() || !allTaken() ||
      !wantOperands(3, hasHint ? 5 : 4))
    return failUnknown();
  int64_t bytes = 0;
  if (!immediate(2, bytes))
    return false;
  if (bytes != 16 && (isCg || (bytes != 4 && bytes != 8)))
    return fail("cp.async of " + std::to_string(bytes) + " bytes, wanted " + (isCg ? "16" : "4, 8 or 16"));
  const Operand &from = statement->operands[1];
  if (from.kind != Operand::Address || from.elements[0].kind != Operand::Register)
    return fail("cp.async: wanted a register in the global address");
  instruction.op[4] = uint32_t(int32_t(from.offset));
  if (!(instruction.op[1] = sourceOf(from.elements[0], 64, true, {})))
    return false;
  instruction.space = Space::Shared;
  if (!address(0, 0))
    return false;
  size_t last = statement->operands.size() - (hasHint ? 1 : 0);
  if (last == 4) {
    const Operand &size = statement->operands[3];
    bool isPredicate = size.kind == Operand::Register && frame->function->registers[size.index].bits == 1;
    if (isPredicate) {
      instruction.op[3] = predicate(size, true);
      instruction.flags |= size.negated ? kSigned : 0;
    } else {
      uint32_t offset = sourceOf(size, 32, true, {});
      if (!offset)
        return false;
      instruction.list = uint32_t(kernel.pool.size());
      instruction.listSize = 1;
      kernel.pool.push_back(offset);
    }
  }
  instruction.bytes = uint8_t(bytes);
  instruction.run = ops::copyAsync;
  return true;
}

bool Decoder::decodeMatrixLoad() {
  instruction.flow = Flow::Sync;
  if (!take("sync") || !take("aligned") || !take("b16") || !take("m8n8"))
    return failUnknown();
  if (root == "movmatrix") {
    instruction.run = ops::moveMatrix;
    return take("trans") && allTaken() && wantOperands(2, 2) && (instruction.op[1] = source(1, 32, true)) &&
           (instruction.op[0] = result(0, 32));
  }
  std::string_view shape = takeOneOf({"x1", "x2", "x4"});
  if (shape.empty())
    return failUnknown();
  uint32_t count = uint32_t(shape[1] - '0');
  bool isTransposed = take("trans");
  if (!takeOneOf({"shared", "shared::cta"}).empty())
    instruction.space = Space::Shared;
  bool isLoad = root == "ldmatrix";
  if (!allTaken() || !wantOperands(2, 2) || !address(isLoad ? 1 : 0, 4))
    return false;
  instruction.flags |= isTransposed ? kTranspose : 0;
  const Operand &list = statement->operands[isLoad ? 0 : 1];
  bool isVector = list.kind == Operand::Vector;
  if ((isVector ? list.elements.size() : 1) != count)
    return fail(std::string(root) + ": wanted " + std::to_string(count) + " registers");
  for (uint32_t i = 0; i < count; ++i) {
    const Operand &each = isVector ? list.elements[i] : list;
    if (!(instruction.op[i] = isLoad ? resultOf(each, 32) : sourceOf(each, 32, true, {})))
      return false;
  }
  instruction.count = uint8_t(count);
  instruction.propagates = false;
  instruction.run = isLoad ? ops::loadMatrix : ops::storeMatrix;
  return true;
}

bool Decoder::decodeMma() {
  instruction.flow = Flow::Sync;
  instruction.propagates = false;
  if (!take("sync") || !take("aligned") || !take("row") || !take("col") || modifiers.size() < 5)
    return failUnknown();
  std::string key = "mma";
  for (std::string_view each : modifiers)
    key += "." + std::string(each);
  instruction.run = findHandler(key);
  unsigned m = 0, n = 0, k = 0;
  if (!instruction.run || sscanf(key.c_str(), "mma.m%un%uk%u", &m, &n, &k) != 3)
    return failUnknown();
  macs = m * n * k;
  if (!wantOperands(4, 4))
    return false;
  std::string_view a = modifiers[modifiers.size() - 3], d = modifiers[modifiers.size() - 4];
  bool isF64 = a == "f64";
  uint32_t elementBits = a == "s4" || a == "u4" ? 4 : a == "tf32" ? 32 : a == "f16" || a == "bf16" ? 16 : 8;
  uint32_t aCount = isF64 ? 1 : m * k * elementBits / 1024, bCount = isF64 ? 1 : n * k * elementBits / 1024;
  uint32_t dCount = d == "f16" ? m * n / 64 : m * n / 32;
  const uint32_t counts[4] = {dCount, aCount, bCount, dCount};
  std::vector<uint32_t> list;
  for (uint32_t operand = 0; operand < 4; ++operand) {
    const Operand &vector = statement->operands[operand];
    bool isVector = vector.kind == Operand::Vector;
    if ((isVector ? vector.elements.size() : 1) != counts[operand])
      return fail("mma: operand " + std::to_string(operand + 1) + " has " +
                  std::to_string(isVector ? vector.elements.size() : 1) + " registers, wanted " +
                  std::to_string(counts[operand]));
    for (uint32_t i = 0; i < counts[operand]; ++i) {
      const Operand &each = isVector ? vector.elements[i] : vector;
      uint32_t bits = isF64 ? 64 : 32;
      std::string_view type = operand == 0 || operand == 3 ? d : std::string_view();
      list.push_back(operand == 0 ? resultOf(each, bits) : sourceOf(each, bits, true, type));
      if (!list.back())
        return false;
    }
  }
  instruction.list = uint32_t(kernel.pool.size());
  instruction.listSize = uint32_t(list.size());
  kernel.pool.insert(kernel.pool.end(), list.begin(), list.end());
  return true;
}

} // namespace tamis::emulator
