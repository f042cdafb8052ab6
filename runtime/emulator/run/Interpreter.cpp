// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over instructions. Lanes that branch apart form groups; the group with the lowest instruction goes first, so
// that groups meet again where their ways do.

#include "runtime/emulator/run/Interpreter.h"
#include "runtime/emulator/ops/Handlers.h"
#include <algorithm>
#include <bit>

namespace tamis::emulator {
namespace {

class Loop {
public:
  explicit Loop(Warp &warp) : warp(warp), block(*warp.block), kernel(*block.kernel) {}

  void run() {
    const Instruction *code = kernel.code.data();
    uint8_t *registers = warp.registers;
    uint64_t *executed = block.executed.data();
    bool checks = block.checks;
    updateMeeting();
    uint64_t budget = block.budget;
    while (true) {
      if (warp.current.pc == meeting && !meet())
        break;
      const Instruction &instruction = code[warp.current.pc];
      uint32_t mask = warp.current.lanes &
                      (*reinterpret_cast<const uint32_t *>(registers + instruction.guard) ^ instruction.guardFlip);
      if (checks && instruction.guard != kTrueOffset)
        checkGuard(instruction);
      if (instruction.flow == Flow::Next) [[likely]] {
        if (mask) [[likely]] {
          ++executed[warp.current.pc];
          --budget;
          if (checks)
            checkDefined(instruction, mask);
          instruction.run(warp, instruction, mask);
        }
        ++warp.current.pc;
        continue;
      }
      if (budget > uint64_t(1) << 63 || budget == 0) { // used up, or below zero
        block.budget = 0;
        exceed(instruction);
        return;
      }
      if (mask) {
        ++executed[warp.current.pc];
        --budget;
        if (checks)
          checkDefined(instruction, mask);
      }
      block.budget = budget;
      bool goesOn = step(instruction, mask);
      budget = block.budget;
      if (!goesOn)
        break;
    }
    block.budget = budget;
  }

private:
  static constexpr uint32_t kNowhere = ~0u;

  /// The nearest instruction ahead where another group stands.
  void updateMeeting() {
    meeting = kNowhere;
    for (const Group &each : warp.others)
      if (each.pc >= warp.current.pc)
        meeting = std::min(meeting, each.pc);
  }

  /// Joins the groups that stand where the current one does.
  bool meet() {
    for (size_t i = 0; i < warp.others.size();) {
      if (warp.others[i].pc == warp.current.pc) {
        warp.current.lanes |= warp.others[i].lanes;
        warp.others.erase(warp.others.begin() + ptrdiff_t(i));
      } else {
        ++i;
      }
    }
    updateMeeting();
    return true;
  }

  /// Takes the group that goes next; false when the warp has ended.
  bool choose() {
    if (warp.current.lanes) {
      warp.others.push_back(warp.current);
      warp.current.lanes = 0;
    }
    if (warp.others.empty()) {
      warp.state = Warp::Done;
      return false;
    }
    size_t best = 0;
    for (size_t i = 1; i < warp.others.size(); ++i) {
      const Group &a = warp.others[i], &b = warp.others[best];
      if (a.isBlocked != b.isBlocked ? !a.isBlocked : a.pc < b.pc)
        best = i;
    }
    isForced = warp.others[best].isBlocked; // all of them wait for each other
    warp.current = warp.others[best];
    warp.current.isBlocked = false;
    warp.others.erase(warp.others.begin() + ptrdiff_t(best));
    return meet();
  }

  /// Everything but straight-line code. False: the warp stops here for now.
  bool step(const Instruction &instruction, uint32_t mask) {
    Group &current = warp.current;
    switch (instruction.flow) {
    case Flow::Next:
      return true;
    case Flow::Branch:
      if (mask == current.lanes) {
        current.pc = instruction.target;
        return warp.others.empty() || choose();
      }
      if (mask == 0) {
        ++current.pc;
        return true;
      }
      warp.others.push_back({instruction.target, mask, false});
      current.lanes &= ~mask;
      ++current.pc;
      return choose();
    case Flow::BranchTable: {
      const uint32_t *index = warp.at<uint32_t>(instruction.op[1]);
      uint32_t left = mask;
      uint32_t after = current.pc + 1;
      current.lanes &= ~mask;
      if (current.lanes)
        warp.others.push_back({after, current.lanes, false});
      while (left) {
        uint32_t first = index[std::countr_zero(left)], same = 0;
        for (uint32_t l = 0; l < 32; ++l)
          same |= uint32_t((left >> l & 1) && index[l] == first) << l;
        if (first >= instruction.listSize) {
          block.report(DiagnosticKind::OutOfBounds, warp, instruction, same, first,
                       "brx.idx to entry " + std::to_string(first) + " of " + std::to_string(instruction.listSize));
          warp.live &= ~same;
        } else {
          warp.others.push_back({kernel.pool[instruction.list + first], same, false});
        }
        left &= ~same;
      }
      current.lanes = 0;
      return choose();
    }
    case Flow::Exit:
      warp.live &= ~mask;
      current.lanes &= ~mask;
      ++current.pc;
      return current.lanes != 0 || choose();
    case Flow::Trap:
      if (!mask) {
        ++current.pc;
        return true;
      }
      block.report(DiagnosticKind::Trap, warp, instruction, mask, 0,
                   kernel.opcodes[current.pc].substr(0, 4) == "call" ? "an assertion of the kernel failed" : "trap");
      block.isOver = true;
      return false;
    case Flow::Sync:
      return sync(instruction, mask);
    case Flow::Barrier:
      return barrier(instruction, mask);
    case Flow::Wait:
      if (mask) {
        warp.mustYield = false;
        instruction.run(warp, instruction, mask);
        if (warp.mustYield) {
          // The same instruction again, after the other warps had their turn.
          if (!warp.others.empty()) {
            current.isBlocked = true;
            choose();
          }
          return false;
        }
      }
      ++current.pc;
      return true;
    }
    return false;
  }

  /// Sets the current group aside until others come; false when nobody else may go.
  bool setAside() {
    warp.current.isBlocked = true;
    return choose();
  }

  uint32_t lanesWanted(const Instruction &instruction, uint32_t mask) const {
    if (instruction.sync == 0xff)
      return warp.lanes;
    uint32_t at = instruction.sync == 5 ? kernel.pool[instruction.list] : instruction.op[instruction.sync];
    return warp.at<uint32_t>(at)[std::countr_zero(mask)] & warp.lanes;
  }

  bool sync(const Instruction &instruction, uint32_t mask) {
    if (mask) {
      uint32_t wanted = lanesWanted(instruction, mask);
      if ((wanted & ~mask) != 0 || (instruction.sync == 0xff && mask != wanted)) [[unlikely]] {
        uint32_t elsewhere = wanted & warp.live & ~warp.current.lanes;
        if (elsewhere && !isForced)
          return setAside();
        isForced = false;
        block.report(DiagnosticKind::PartialWarp, warp, instruction, mask, 0,
                     kernel.opcodes[warp.current.pc] + " with lanes " + lanesText(mask) + ", wanted " +
                         lanesText(wanted));
      }
      instruction.run(warp, instruction, mask);
    }
    ++warp.current.pc;
    return true;
  }

  bool barrier(const Instruction &instruction, uint32_t mask) {
    if (!mask) {
      ++warp.current.pc;
      return true;
    }
    uint32_t elsewhere = warp.live & ~mask;
    if (elsewhere || warp.live != warp.lanes) {
      if ((elsewhere & ~warp.current.lanes) && !isForced)
        return setAside();
      isForced = false;
      block.report(DiagnosticKind::DivergentBarrier, warp, instruction, mask, 0,
                   "lanes " + lanesText(mask) + " are at the barrier, " +
                       (elsewhere ? "lanes " + lanesText(elsewhere) + " are elsewhere"
                                  : "lanes " + lanesText(warp.lanes & ~warp.live) + " have exited"));
    }
    ++warp.current.pc;
    arriveAtBarrier(warp, instruction, mask);
    return warp.state == Warp::Ready;
  }

  static std::string lanesText(uint32_t mask) {
    char text[16];
    snprintf(text, sizeof text, "0x%08x", mask);
    return text;
  }

  void exceed(const Instruction &instruction) {
    block.report(DiagnosticKind::InstructionLimit, warp, instruction, warp.current.lanes, 0,
                 "the block ran " + std::to_string(block.options->instructionLimit) + " warp instructions");
    block.isOver = true;
  }

  void checkDefined(const Instruction &instruction, uint32_t mask) {
    if (kernel.usesWarpGroups && !instruction.isProduct)
      warp.products.checkRegisters(warp, instruction, mask);
    const uint32_t *list = kernel.pool.data() + instruction.reads;
    uint32_t undefined = 0;
    for (uint32_t i = 0; i < instruction.sinkCount; ++i)
      undefined |= ~warp.defined[list[i]];
    if (undefined & mask) [[unlikely]]
      reportUndefined(instruction, mask, instruction.sinkCount);
    undefined = 0;
    for (uint32_t i = instruction.sinkCount; i < instruction.readCount; ++i)
      undefined |= ~warp.defined[list[i]];
    if (!instruction.propagates)
      undefined = 0;
    list += instruction.readCount;
    for (uint32_t i = 0; i < instruction.writeCount; ++i)
      warp.defined[list[i]] = (warp.defined[list[i]] | mask) & ~(undefined & mask);
  }

  /// A guard decides for all lanes, those that it leaves out too. It is the first register read.
  void checkGuard(const Instruction &instruction) {
    if (~warp.defined[kernel.pool[instruction.reads]] & warp.current.lanes) [[unlikely]]
      reportUndefined(instruction, warp.current.lanes, 1);
  }

  [[gnu::noinline]] void reportUndefined(const Instruction &instruction, uint32_t mask, uint32_t count) {
    const uint32_t *list = kernel.pool.data() + instruction.reads;
    for (uint32_t i = 0; i < count; ++i)
      if (uint32_t lanes = ~warp.defined[list[i]] & mask) {
        block.report(DiagnosticKind::UndefinedRegister, warp, instruction, lanes, 0,
                     "operand " + std::to_string(i + 1) + " of " + kernel.opcodes[warp.current.pc] +
                         (instruction.guard != kTrueOffset && i == 0 ? " (its guard)" : "") +
                         " comes from a register that was never written");
        warp.defined[list[i]] |= lanes; // once is enough
      }
  }

  Warp &warp;
  Block &block;
  const Kernel &kernel;
  uint32_t meeting = kNowhere;
  bool isForced = false;
};

} // namespace

void runWarp(Warp &warp) {
  Loop(warp).run();
}

void arriveAtBarrier(Warp &warp, const Instruction &instruction, uint32_t mask) {
  Block &block = *warp.block;
  uint32_t lane = uint32_t(std::countr_zero(mask));
  uint32_t number = warp.at<uint32_t>(instruction.op[1])[lane], count = warp.at<uint32_t>(instruction.op[2])[lane];
  if (number > 15) {
    block.report(DiagnosticKind::DivergentBarrier, warp, instruction, mask, 0,
                 "barrier " + std::to_string(number) + ", wanted 0 to 15");
    return;
  }
  NamedBarrier &barrier = block.barriers[number];
  uint32_t wanted = count ? count : block.threads;
  enum : uint8_t { Arrive = 1, Popc = 2 };
  if (count % 32 != 0 || (barrier.arrived && barrier.wanted != wanted))
    block.report(DiagnosticKind::DivergentBarrier, warp, instruction, mask, 0,
                 count % 32 != 0 ? "a barrier of " + std::to_string(count) + " threads, wanted a multiple of 32"
                                 : "barrier " + std::to_string(number) + " for " + std::to_string(wanted) +
                                       " threads, where others wait for " + std::to_string(barrier.wanted));
  barrier.wanted = wanted;
  // Arrival counts whole warps.
  barrier.arrived += uint32_t(std::popcount(warp.lanes));
  barrier.arrivers |= uint64_t(1) << warp.index;
  if (instruction.flags >= Popc) {
    uint32_t yes = (*warp.at<uint32_t>(instruction.op[3]) ^ uint32_t(instruction.offset)) & mask;
    barrier.population += uint32_t(std::popcount(yes));
    barrier.anyTrue |= yes != 0;
    barrier.allTrue &= yes == mask;
    barrier.reduction[warp.index] = &instruction;
  }
  block.shadow.release(warp.index, barrier.clocks);
  if (instruction.flags != Arrive) {
    barrier.warps |= uint64_t(1) << warp.index;
    warp.state = Warp::AtBarrier;
    warp.barrier = number;
    warp.barrierLine = instruction.line;
  }
  if (barrier.arrived < barrier.wanted)
    return;
  bool meetsAll = barrier.wanted >= block.threads;
  for (Warp &each : block.warps) {
    if (!(barrier.warps >> each.index & 1))
      continue;
    each.state = Warp::Ready;
    block.shadow.acquire(each.index, barrier.clocks);
    const Instruction *reduction = barrier.reduction[each.index];
    if (!reduction)
      continue;
    uint32_t *to = each.at<uint32_t>(reduction->op[0]);
    if (reduction->flags == Popc)
      for (uint32_t l = 0; l < 32; ++l)
        to[l] = barrier.population;
    else
      *to = (reduction->flags == Popc + 1 ? barrier.allTrue : barrier.anyTrue) ? ~0u : 0;
  }
  if (meetsAll)
    block.shadow.synchronize();
  barrier = NamedBarrier();
}

} // namespace tamis::emulator
