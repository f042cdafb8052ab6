// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What lanes of a warp tell each other: shfl, vote, match, redux, elect.

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/run/Warp.h"
#include <bit>

namespace tamis::emulator::ops {
namespace {

enum class Mode { Up, Down, Butterfly, Index };

/// op[0] data, op[4] predicate "in range"; op[1] source, op[2] lane or distance, op[3] clamp and segment mask.
template <Mode mode> void shuffleLanes(Warp &w, const Instruction &i, uint32_t mask) {
  const uint32_t *from = w.at<uint32_t>(i.op[1]), *b = w.at<uint32_t>(i.op[2]), *c = w.at<uint32_t>(i.op[3]);
  uint32_t result[32], inRange = 0, undefined = 0;
  for (uint32_t l = 0; l < 32; ++l) {
    uint32_t distance = b[l] & 31, clamp = c[l] & 31, segment = c[l] >> 8 & 31;
    uint32_t most = (l & segment) | (clamp & ~segment), least = l & segment;
    int32_t source = mode == Mode::Up          ? int32_t(l) - int32_t(distance)
                     : mode == Mode::Down      ? int32_t(l + distance)
                     : mode == Mode::Butterfly ? int32_t(l ^ distance)
                                               : int32_t(least | (distance & ~segment));
    bool isIn = mode == Mode::Up ? source >= int32_t(most) : source <= int32_t(most);
    uint32_t lane = isIn ? uint32_t(source) & 31 : l;
    result[l] = from[lane];
    inRange |= uint32_t(isIn) << l;
    undefined |= uint32_t(!(mask >> lane & 1)) << l;
  }
  if ((undefined & mask) && w.block->checks)
    w.block->report(DiagnosticKind::PartialWarp, w, i, undefined & mask, 0, "shfl reads a lane that is not active");
  uint32_t *to = w.at<uint32_t>(i.op[0]), *p = w.at<uint32_t>(i.op[4]);
  for (uint32_t l = 0; l < 32; ++l)
    to[l] = mask >> l & 1 ? result[l] : to[l];
  *p = (*p & ~mask) | (inRange & mask);
}

enum class Vote { All, Any, Uniform, Ballot };

/// op[1] is the predicate, flipped by `offset`; op[2] the lanes that vote.
template <Vote vote> void voteLanes(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t members = w.at<uint32_t>(i.op[2])[std::countr_zero(mask)] & mask;
  uint32_t yes = (*w.at<uint32_t>(i.op[1]) ^ uint32_t(i.offset)) & members;
  if (vote == Vote::Ballot) {
    uint32_t *to = w.at<uint32_t>(i.op[0]);
    for (uint32_t l = 0; l < 32; ++l)
      to[l] = mask >> l & 1 ? yes : to[l];
    return;
  }
  bool result = vote == Vote::All ? yes == members : vote == Vote::Any ? yes != 0 : yes == 0 || yes == members;
  uint32_t *to = w.at<uint32_t>(i.op[0]);
  *to = result ? *to | mask : *to & ~mask;
}

/// op[0] the mask of lanes with the same value op[1]; for all, op[4] says whether all have it; op[2] the members.
template <typename T, bool isAll> void matchLanes(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t members = w.at<uint32_t>(i.op[2])[std::countr_zero(mask)] & mask;
  const T *a = w.at<T>(i.op[1]);
  uint32_t *to = w.at<uint32_t>(i.op[0]), *p = w.at<uint32_t>(i.op[4]);
  uint32_t result[32];
  for (uint32_t l = 0; l < 32; ++l) {
    uint32_t same = 0;
    for (uint32_t other = 0; other < 32; ++other)
      same |= uint32_t((members >> other & 1) && a[other] == a[l]) << other;
    result[l] = isAll ? (same == members ? members : 0) : same;
  }
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    to[l] = result[l];
    if (isAll)
      *p = result[l] ? *p | 1u << l : *p & ~(1u << l);
  }
}

template <typename T, auto f> void reduceLanes(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t members = w.at<uint32_t>(i.op[2])[std::countr_zero(mask)] & mask;
  const uint32_t *a = w.at<uint32_t>(i.op[1]);
  uint32_t first = uint32_t(std::countr_zero(members));
  T sum = T(a[first & 31]);
  for (uint32_t l = first + 1; l < 32; ++l)
    if (members >> l & 1)
      sum = f(sum, T(a[l]));
  uint32_t *to = w.at<uint32_t>(i.op[0]);
  for (uint32_t l = 0; l < 32; ++l)
    to[l] = mask >> l & 1 ? uint32_t(sum) : to[l];
}

} // namespace

Handler shuffle(std::string_view mode) {
  return mode == "up"     ? shuffleLanes<Mode::Up>
         : mode == "down" ? shuffleLanes<Mode::Down>
         : mode == "bfly" ? shuffleLanes<Mode::Butterfly>
         : mode == "idx"  ? shuffleLanes<Mode::Index>
                          : nullptr;
}

Handler vote(std::string_view mode) {
  return mode == "all"      ? voteLanes<Vote::All>
         : mode == "any"    ? voteLanes<Vote::Any>
         : mode == "uni"    ? voteLanes<Vote::Uniform>
         : mode == "ballot" ? voteLanes<Vote::Ballot>
                            : nullptr;
}

Handler match(bool isAll, bool isWide) {
  if (isAll)
    return isWide ? matchLanes<uint64_t, true> : matchLanes<uint32_t, true>;
  return isWide ? matchLanes<uint64_t, false> : matchLanes<uint32_t, false>;
}

Handler reduce(std::string_view operation, std::string_view type) {
  if (operation == "add")
    return reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a + b; }>;
  if (operation == "and")
    return reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a & b; }>;
  if (operation == "or")
    return reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a | b; }>;
  if (operation == "xor")
    return reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a ^ b; }>;
  if (operation == "min")
    return type == "s32" ? reduceLanes<int32_t, [](int32_t a, int32_t b) { return a < b ? a : b; }>
                         : reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a < b ? a : b; }>;
  if (operation == "max")
    return type == "s32" ? reduceLanes<int32_t, [](int32_t a, int32_t b) { return a < b ? b : a; }>
                         : reduceLanes<uint32_t, [](uint32_t a, uint32_t b) { return a < b ? b : a; }>;
  return nullptr;
}

void activeMask(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t *to = w.at<uint32_t>(i.op[0]);
  for (uint32_t l = 0; l < 32; ++l)
    to[l] = mask >> l & 1 ? mask : to[l];
}

/// The lowest member leads: op[0] its number, op[4] whether a lane is it; op[2] the members.
void electLane(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t members = w.at<uint32_t>(i.op[2])[std::countr_zero(mask)] & mask;
  uint32_t leader = uint32_t(std::countr_zero(members)) & 31;
  uint32_t *to = w.at<uint32_t>(i.op[0]), *p = w.at<uint32_t>(i.op[4]);
  for (uint32_t l = 0; l < 32; ++l)
    to[l] = mask >> l & 1 ? leader : to[l];
  *p = (*p & ~mask) | ((1u << leader) & mask);
}

void nothing(Warp &, const Instruction &, uint32_t) {}

/// Instructions the warp's block has run: grows, and is no time.
void readClock(Warp &w, const Instruction &i, uint32_t mask) {
  uint64_t now = ~w.block->budget;
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    if (i.flags & kWide)
      w.at<uint64_t>(i.op[0])[l] = now;
    else
      w.at<uint32_t>(i.op[0])[l] = uint32_t(now);
  }
}

} // namespace tamis::emulator::ops
