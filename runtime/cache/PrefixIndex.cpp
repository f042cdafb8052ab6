// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Full pages by the tokens that lead to them.

#include "runtime/cache/PrefixIndex.h"
#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tamis::cache {

static uint64_t hashOf(uint64_t before, const int32_t *tokens, int64_t count) {
  return XXH3_64bits_withSeed(tokens, size_t(count) * sizeof(int32_t), before);
}

const PrefixIndex::Entry *PrefixIndex::find(uint64_t before, const int32_t *tokens, int64_t count) const {
  auto [begin, end] = byHash.equal_range(hashOf(before, tokens, count));
  for (auto it = begin; it != end; ++it) {
    const Node &node = nodes.at(it->second);
    if (node.before == before && int64_t(node.tokens.size()) == count &&
        std::equal(node.tokens.begin(), node.tokens.end(), tokens))
      return &node.entry;
  }
  return nullptr;
}

uint64_t PrefixIndex::add(uint64_t before, const int32_t *tokens, int64_t count, int32_t page) {
  uint64_t serial = next++;
  nodes.emplace(serial, Node{{page, serial}, before, {tokens, tokens + count}});
  byHash.emplace(hashOf(before, tokens, count), serial);
  return serial;
}

void PrefixIndex::remove(uint64_t serial) {
  auto node = nodes.find(serial);
  if (node == nodes.end())
    return;
  auto [begin, end] =
      byHash.equal_range(hashOf(node->second.before, node->second.tokens.data(), int64_t(node->second.tokens.size())));
  byHash.erase(std::find_if(begin, end, [&](const auto &each) { return each.second == serial; }));
  nodes.erase(node);
}

} // namespace tamis::cache
