// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys and values of several texts in one pool of pages, for plans that append to it in place (docs/cache.md).

#ifndef TAMIS_RUNTIME_CACHE_PAGEDCACHE_H
#define TAMIS_RUNTIME_CACHE_PAGEDCACHE_H

#include "runtime/cache/PrefixIndex.h"
#include "tamis/tamis.hpp"
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::cache {

/// A tensor of the pool: an input of the plan that a run writes in place. Its first axis counts pages.
struct Pool {
  size_t input; ///< of the plan
  std::string name;
  tamis_element_type element;
  std::vector<int64_t> pageDims; ///< of one page
  size_t pageBytes;
};

struct Statistics {
  int64_t pages = 0;         ///< that there are
  int64_t used = 0;          ///< that texts hold
  int64_t idle = 0;          ///< full ones that no text holds, kept for texts that begin alike until room is needed
  int64_t shared = 0;        ///< places of texts beyond the first that a page stands in: pages saved now
  int64_t pageBytes = 0;     ///< of one, over all layers
  int64_t tokensRead = 0;    ///< that texts were given in all
  int64_t tokensAdopted = 0; ///< of these, those that were found and not computed
  int64_t evicted = 0;       ///< idle pages that made room
};

/// The pool, and of each text its tokens and the pages that hold them. A page is held by one or more texts; who appends
/// to a page that others hold gets a copy first. Full pages of committed tokens are shared by texts that begin with the
/// same tokens, within and across their lives. Not thread-safe.
class PagedCache {
public:
  using Text = int64_t;

  /// A pool of `pages` pages for runs of `plan`, which must live as long. Memory is touched when pages are first used.
  /// Errors: a plan without pools; memory.
  static Result<PagedCache> create(const Plan &plan, int64_t pages);
  /// Whether the plan keeps a cache in pages.
  static bool isPaged(const Plan &plan);

  PagedCache(PagedCache &&) = default;
  PagedCache &operator=(PagedCache &&) = default;

  Text open(); ///< a text of no tokens
  void close(Text text);
  /// A text of the same tokens, which shares all pages.
  Text fork(Text text);
  /// Forgets all but the first `tokens` tokens.
  void truncate(Text text, int64_t tokens);

  /// For a text of no tokens that will read `tokens`: takes the full pages that hold its beginning from where they are
  /// known, leaving one token at least to read, and gives how many tokens need not be read.
  int64_t adopt(Text text, const int32_t *tokens, int64_t count);

  /// Makes room for tokens at the end of a text; a run must write them. Errors: no page is free; nothing has changed.
  Result<void> extend(Text text, const int32_t *tokens, int64_t count);
  /// All tokens of the text have been written: full pages may be shared from now on.
  void commit(Text text);

  int64_t length(Text text) const;
  const std::vector<int32_t> &tokens(Text text) const;
  const std::vector<int32_t> &pages(Text text) const; ///< the page of each `pageTokens()` tokens
  int64_t pageTokens() const { return page; }
  int64_t freePages() const; ///< free, or idle
  /// Pages that extending the text by `count` tokens takes.
  int64_t pagesFor(Text text, int64_t count) const;
  Statistics statistics() const;

  const std::vector<Pool> &pools() const { return tensors; }
  /// The input of the plan, for a run.
  Tensor pool(size_t index) const;

  /// Writes a text's tokens and pages through a temporary file. Errors: the file cannot be written.
  Result<void> save(Text text, const std::string &path) const;
  /// A new text from a file. Errors: the file cannot be read, is damaged, or is of another plan; no page is free.
  Result<Text> load(const std::string &path);

private:
  struct Unmap {
    size_t bytes;
    void operator()(void *memory) const;
  };
  struct PageState {
    int32_t holders = 0;
    uint64_t serial = PrefixIndex::kBeginning; ///< kBeginning: nobody can find it
    uint64_t idleSince = 0;
  };
  struct TextState {
    std::vector<int32_t> tokens, pages;
    int64_t committed = 0; ///< tokens that have been written
  };

  PagedCache() = default;
  int32_t take(); ///< a page that is free, or idle; -1 where there is none
  void hold(int32_t page);
  void release(int32_t page);
  void copyPage(int32_t from, int32_t to);
  char *data(size_t pool, int32_t page) const;
  TextState &state(Text text) { return texts.at(text); }
  uint64_t fingerprint() const;

  std::string model;                ///< name of the plan's
  std::string_view weights;         ///< of the plan, in its memory
  mutable uint64_t weightsHash = 0; ///< 0: not computed yet
  std::vector<Pool> tensors;
  std::vector<std::unique_ptr<void, Unmap>> memory; ///< of each pool
  int64_t page = 0;
  std::vector<PageState> states;
  std::vector<int32_t> freeList;
  std::set<std::pair<uint64_t, int32_t>> idle; ///< by how long
  PrefixIndex index;
  std::map<Text, TextState> texts;
  Text nextText = 1;
  uint64_t clock = 1;
  Statistics counts;
};

/// The inputs of one run besides the pools, for tokens of several texts that have been extended by them.
class Batch {
public:
  /// Tokens from `first` on of the text, to the end. Gives the number of the first in the run.
  int64_t add(const PagedCache &cache, PagedCache::Text text, int64_t first);
  void clear();
  bool empty() const { return ids.empty(); }
  int64_t tokens() const { return int64_t(ids.size()); }

  // After the last add: `input_ids`, `positions`, `texts`, `page_table`. Views of this object.
  Tensor inputIds() { return Tensor(ids.data(), {tokens()}); }
  Tensor positions() { return Tensor(places.data(), {tokens()}); }
  Tensor texts() { return Tensor(numbers.data(), {tokens()}); }
  Tensor pageTable();

private:
  std::vector<int64_t> ids;
  std::vector<int32_t> places, numbers, table;
  std::vector<std::vector<int32_t>> rows;
};

} // namespace tamis::cache

#endif // TAMIS_RUNTIME_CACHE_PAGEDCACHE_H
