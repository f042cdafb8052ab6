// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Full pages by the tokens that lead to them, so that texts that begin alike share them.

#ifndef TAMIS_RUNTIME_CACHE_PREFIXINDEX_H
#define TAMIS_RUNTIME_CACHE_PREFIXINDEX_H

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace tamis::cache {

/// A page is known by its own tokens and by the page before it, which in turn is. The page before is named by a number
/// that is never given twice, so that what follows a page that was taken away is never found again. Tokens are
/// compared, not their hashes alone. Not thread-safe.
class PrefixIndex {
public:
  /// What stands before the first page.
  static constexpr uint64_t kBeginning = 0;

  struct Entry {
    int32_t page;
    uint64_t serial; ///< names it as the page before others
  };
  /// The page of these `count` tokens behind the page called `before`; null where there is none.
  const Entry *find(uint64_t before, const int32_t *tokens, int64_t count) const;
  /// Adds a page that is not there, and gives its serial.
  uint64_t add(uint64_t before, const int32_t *tokens, int64_t count, int32_t page);
  /// Takes the page of that serial away.
  void remove(uint64_t serial);

private:
  struct Node {
    Entry entry;
    uint64_t before;
    std::vector<int32_t> tokens;
  };
  std::unordered_multimap<uint64_t, uint64_t> byHash; ///< to serials
  std::unordered_map<uint64_t, Node> nodes;           ///< by serial
  uint64_t next = kBeginning + 1;
};

} // namespace tamis::cache

#endif // TAMIS_RUNTIME_CACHE_PREFIXINDEX_H
