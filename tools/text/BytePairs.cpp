// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Merging pairs of tokens.

#include "tools/text/BytePairs.h"
#include <queue>
#include <tuple>

namespace tamis::text {

static uint64_t keyOf(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

void BytePairs::add(int32_t left, int32_t right, int32_t merged) {
  pairs.try_emplace(keyOf(left, right), Pair{int32_t(pairs.size()), merged});
}

const BytePairs::Pair *BytePairs::find(int32_t left, int32_t right) const {
  auto it = pairs.find(keyOf(left, right));
  return it == pairs.end() ? nullptr : &it->second;
}

void BytePairs::merge(std::vector<int32_t> &tokens) const {
  // A list through the tokens: of each its neighbours, -1 at the ends; tokens that were merged away are negative.
  int32_t count = int32_t(tokens.size());
  std::vector<int32_t> before(tokens.size()), after(tokens.size());
  struct Candidate {
    int32_t rank, at, left, right;
    bool operator<(const Candidate &other) const { return std::tie(rank, at) > std::tie(other.rank, other.at); }
  };
  std::priority_queue<Candidate> candidates;
  auto offer = [&](int32_t at) {
    int32_t right = at < 0 ? -1 : after[size_t(at)];
    if (right < 0)
      return;
    if (const Pair *pair = find(tokens[size_t(at)], tokens[size_t(right)]))
      candidates.push({pair->rank, at, tokens[size_t(at)], tokens[size_t(right)]});
  };
  for (int32_t i = 0; i < count; ++i) {
    before[size_t(i)] = i - 1;
    after[size_t(i)] = i + 1 < count ? i + 1 : -1;
  }
  for (int32_t i = 0; i < count; ++i)
    offer(i);
  while (!candidates.empty()) {
    Candidate best = candidates.top();
    candidates.pop();
    int32_t right = after[size_t(best.at)];
    // Its tokens may be others by now.
    if (tokens[size_t(best.at)] != best.left || right < 0 || tokens[size_t(right)] != best.right)
      continue;
    tokens[size_t(best.at)] = find(best.left, best.right)->merged;
    tokens[size_t(right)] = -1;
    after[size_t(best.at)] = after[size_t(right)];
    if (after[size_t(best.at)] >= 0)
      before[size_t(after[size_t(best.at)])] = best.at;
    offer(before[size_t(best.at)]);
    offer(best.at);
  }
  std::erase(tokens, -1);
}

} // namespace tamis::text
