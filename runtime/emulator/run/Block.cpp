// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One block: its registers set up, its warps run in a random order, its end.

#include "runtime/emulator/run/Block.h"
#include "runtime/emulator/run/Interpreter.h"
#include <algorithm>
#include <bit>
#include <cstring>

namespace tamis::emulator {
namespace {

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
uint64_t nextRandom(uint64_t &state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint32_t specialValue(const Block &block, const Warp &warp, SpecialRegister which, uint32_t lane) {
  using S = SpecialRegister;
  const LaunchShape &shape = *block.shape;
  uint32_t thread = warp.index * 32 + lane;
  switch (which) {
  case S::TidX:
    return thread % shape.blockX;
  case S::TidY:
    return thread / shape.blockX % shape.blockY;
  case S::TidZ:
    return thread / (shape.blockX * shape.blockY);
  case S::NtidX:
    return shape.blockX;
  case S::NtidY:
    return shape.blockY;
  case S::NtidZ:
    return shape.blockZ;
  case S::CtaidX:
  case S::ClusterIdX: // clusters have one block
    return block.id[0];
  case S::CtaidY:
  case S::ClusterIdY:
    return block.id[1];
  case S::CtaidZ:
  case S::ClusterIdZ:
    return block.id[2];
  case S::NctaidX:
  case S::ClusterCountX:
    return shape.gridX;
  case S::NctaidY:
  case S::ClusterCountY:
    return shape.gridY;
  case S::NctaidZ:
  case S::ClusterCountZ:
    return shape.gridZ;
  case S::LaneId:
    return lane;
  case S::WarpId:
    return warp.index;
  case S::WarpCount:
    return 64;
  case S::SmCount:
    return 108;
  case S::MaskEq:
    return 1u << lane;
  case S::MaskLe:
    return (2u << lane) - 1;
  case S::MaskLt:
    return (1u << lane) - 1;
  case S::MaskGe:
    return ~((1u << lane) - 1);
  case S::MaskGt:
    return ~((2u << lane) - 1);
  case S::ClusterSizeX:
  case S::ClusterSizeY:
  case S::ClusterSizeZ:
  case S::ClusterRanks:
    return 1;
  case S::DynamicShared:
    return shape.sharedBytes;
  case S::TotalShared:
    return block.sharedSize;
  default:
    return 0;
  }
}

void setUpSpecials(Block &block, Warp &warp) {
  for (const Kernel::Special &each : block.kernel->specials)
    for (uint32_t l = 0; l < 32; ++l) {
      uint32_t value = specialValue(block, warp, each.which, l);
      if (each.isWide)
        warp.at<uint64_t>(each.offset)[l] = value;
      else
        warp.at<uint32_t>(each.offset)[l] = value;
    }
}

/// Where every warp that has not ended waits, for a message.
std::string waitingText(const Block &block) {
  std::string text;
  for (const Warp &warp : block.warps)
    if (warp.state == Warp::AtBarrier)
      text += (text.empty() ? "warp " : ", warp ") + std::to_string(warp.index) + " waits at line " +
              std::to_string(warp.barrierLine);
  uint32_t ended = uint32_t(
      std::count_if(block.warps.begin(), block.warps.end(), [](const Warp &warp) { return warp.state == Warp::Done; }));
  return text + ", " + std::to_string(ended) + " of " + std::to_string(block.warps.size()) + " warps have exited";
}

/// Rounds in which every warp asks for a phase of an mbarrier in vain, after which none will end.
constexpr uint32_t kMostIdleRounds = 1000;

void reportIdle(Block &block) {
  for (Warp &warp : block.warps)
    if (warp.state == Warp::Ready) {
      const Instruction &at = block.kernel->code[warp.current.pc];
      block.report(DiagnosticKind::DivergentBarrier, warp, at, warp.live, 0,
                   "waits for a phase of an mbarrier that does not end");
      block.isOver = true;
      return;
    }
}

/// Products are the work of four warps, and what was begun must be waited for.
void finishAsync(Block &block) {
  for (const BulkCopy &copy : block.async.copies)
    block.report(DiagnosticKind::AsyncMisuse, block.warps[copy.warp], *copy.instruction, 1, 0,
                 "the block has ended and nobody waited for this copy");
  for (const Warp &warp : block.warps)
    for (const BulkRead &read : warp.bulkReads)
      block.report(DiagnosticKind::AsyncMisuse, warp, *read.instruction, 1u << read.lane, 0,
                   "the block has ended and nobody waited for this copy");
  if (!block.checks)
    return;
  for (size_t i = 0; i < block.groups.size(); ++i)
    if (const WarpGroup::Step *step = block.groups[i].unfinished())
      block.report(DiagnosticKind::PartialWarp, block.warps[4 * i], *step->instruction, block.warps[4 * i].lanes, 0,
                   "not all four warps of the group have come");
}

} // namespace

void Block::report(DiagnosticKind kind, const Warp &warp, const Instruction &instruction, uint32_t lanes,
                   uint64_t address, std::string detail) {
  uint32_t count = uint32_t(std::popcount(lanes));
  if (findings->count(kind, instruction.line, count))
    return;
  Diagnostic diagnostic;
  diagnostic.kind = kind;
  diagnostic.line = instruction.line;
  std::copy(id, id + 3, diagnostic.block);
  diagnostic.warp = warp.index;
  diagnostic.lane = uint32_t(std::countr_zero(lanes | 0x80000000u));
  diagnostic.address = address;
  diagnostic.count = count;
  diagnostic.detail = std::move(detail);
  findings->add(std::move(diagnostic), id[0] + uint64_t(shape->gridX) * (id[1] + uint64_t(shape->gridY) * id[2]));
}

void prepareBlock(Block &block) {
  const Kernel &kernel = *block.kernel;
  const LaunchShape &shape = *block.shape;
  block.threads = shape.blockX * shape.blockY * shape.blockZ;
  uint32_t warps = (block.threads + 31) / 32;
  block.checks = block.options->checks;
  block.countsTraffic = block.options->traffic;
  block.sharedSize = kernel.info.sharedBytes;
  if (kernel.info.usesDynamicShared || shape.sharedBytes)
    block.sharedSize = kernel.dynamicSharedOffset + shape.sharedBytes;
  block.sharedBytes.resize(block.sharedSize + 128);
  block.shared = block.sharedBytes.data();
  block.shared += (128 - reinterpret_cast<uintptr_t>(block.shared) % 128) % 128;
  block.executed.assign(kernel.code.size(), 0);
  block.ranges.assign(kernel.code.size(), {});
  if (block.countsTraffic)
    block.traffic.assign(kernel.code.size(), {});
  // Registers on lines of the cache, and warps on different ones.
  size_t fileBytes = kernel.registerBytes + 64;
  block.registerFiles.assign(fileBytes * warps + 128, 0);
  uint8_t *file = block.registerFiles.data();
  file += (128 - reinterpret_cast<uintptr_t>(file) % 128) % 128;
  block.definedLanes.assign(size_t(kernel.registerCount) * warps, 0);
  block.local.assign(size_t(32) * kernel.info.localBytes * warps, 0);
  block.localWritten.assign(block.checks ? block.local.size() : 0, 0);
  block.warps.resize(warps);
  for (uint32_t i = 0; i < warps; ++i) {
    Warp &warp = block.warps[i];
    warp.block = &block;
    warp.index = i;
    uint32_t lanes = std::min(32u, block.threads - 32 * i);
    warp.lanes = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warp.registers = file + (fileBytes - 64) * i;
    warp.defined = block.definedLanes.data() + size_t(kernel.registerCount) * i;
    warp.local = block.local.data() + size_t(32) * kernel.info.localBytes * i;
    warp.localWritten = block.checks ? block.localWritten.data() + size_t(32) * kernel.info.localBytes * i : nullptr;
    *warp.at<uint32_t>(kTrueOffset) = ~0u;
    for (const Kernel::Constant &each : kernel.constants)
      for (uint32_t l = 0; l < 32; ++l) {
        if (each.isWide)
          warp.at<uint64_t>(each.offset)[l] = each.bits;
        else
          warp.at<uint32_t>(each.offset)[l] = uint32_t(each.bits);
      }
  }
}

void runBlock(Block &block, const uint32_t (&id)[3]) {
  const Kernel &kernel = *block.kernel;
  std::copy(id, id + 3, block.id);
  block.isOver = false;
  block.budget = block.options->instructionLimit ? block.options->instructionLimit : uint64_t(1) << 62;
  uint32_t warps = uint32_t(block.warps.size());
  if (block.checks) {
    block.shadow.reset(block.sharedSize, warps, kernel.usesPartialBarriers);
    std::fill(block.definedLanes.begin(), block.definedLanes.end(), 0);
    std::fill(block.localWritten.begin(), block.localWritten.end(), 0);
    // What a kernel wrongly takes for zeros should not be zeros.
    memset(block.shared, 0xcd, block.sharedSize);
  }
  block.async = {};
  block.groups.assign((warps + 3) / 4, {});
  for (NamedBarrier &each : block.barriers)
    each = NamedBarrier();
  for (Warp &warp : block.warps) {
    warp.live = warp.lanes;
    warp.current = {0, warp.lanes, false};
    warp.others.clear();
    warp.copies.clear();
    if (block.checks && kernel.usesWarpGroups)
      warp.products.reset(kernel.registerCount);
    warp.carry = 0;
    warp.mustYield = warp.hasYielded = false;
    warp.bulkReads.clear();
    std::fill(warp.bulkCommitted, warp.bulkCommitted + 32, 0);
    std::fill(warp.committed, warp.committed + 32, 0);
    warp.state = Warp::Ready;
    setUpSpecials(block, warp);
  }
  uint64_t order = id[0] + uint64_t(block.shape->gridX) * (id[1] + uint64_t(block.shape->gridY) * id[2]);
  uint64_t random = block.options->seed * 0x2545f4914f6cdd1d + order;
  uint32_t ready[32], idleRounds = 0;
  uint64_t events = 0;
  while (!block.isOver) {
    uint32_t count = 0, ended = 0;
    for (Warp &warp : block.warps) {
      if (warp.state == Warp::Ready)
        ready[count++] = warp.index;
      ended += warp.state == Warp::Done;
    }
    if (ended == warps)
      return finishAsync(block);
    if (count == 0) {
      for (const Warp &warp : block.warps)
        if (warp.state == Warp::AtBarrier) {
          Instruction at;
          at.line = warp.barrierLine;
          block.report(DiagnosticKind::DivergentBarrier, warp, at, warp.live, 0, waitingText(block));
          return;
        }
      return;
    }
    // A round: each that is ready has its turn.
    for (uint32_t i = count; i > 1; --i)
      std::swap(ready[i - 1], ready[nextRandom(random) % i]);
    bool isIdle = true; // all wait for mbarriers
    for (uint32_t i = 0; i < count && !block.isOver; ++i) {
      Warp &warp = block.warps[ready[i]];
      if (warp.state != Warp::Ready)
        continue;
      runWarp(warp);
      isIdle &= warp.mustYield && warp.state == Warp::Ready;
    }
    idleRounds = isIdle && block.async.events == events ? idleRounds + 1 : 0;
    events = block.async.events;
    if (idleRounds == kMostIdleRounds)
      return reportIdle(block);
  }
}

} // namespace tamis::emulator
