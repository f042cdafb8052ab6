// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys and values of several texts in one pool of pages.

#include "runtime/cache/PagedCache.h"
#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace tamis::cache {

void PagedCache::Unmap::operator()(void *memory) const {
  munmap(memory, bytes);
}

bool PagedCache::isPaged(const Plan &plan) {
  std::vector<tamis_tensor_info> inputs = plan.inputs();
  return std::any_of(inputs.begin(), inputs.end(), [](const tamis_tensor_info &info) { return info.is_state; });
}

Result<PagedCache> PagedCache::create(const Plan &plan, int64_t pages) {
  auto wrong = [](const std::string &what) { return Error(TAMIS_INVALID_ARGUMENT, what); };
  PagedCache cache;
  cache.model = plan.model();
  for (const tamis_section_info &section : plan.sections())
    if (section.kind == TAMIS_SECTION_WEIGHTS)
      cache.weights = {static_cast<const char *>(section.data), size_t(section.size)};
  if (pages < 1 || pages > INT32_MAX)
    return wrong("a cache of " + std::to_string(pages) + " pages was asked for");
  std::vector<tamis_tensor_info> inputs = plan.inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const tamis_tensor_info &info = inputs[i];
    if (!info.is_state)
      continue;
    Pool pool{i, info.name, info.element_type, {}, tamis_element_size(info.element_type)};
    for (int32_t d = 1; d < info.rank; ++d) {
      pool.pageDims.push_back(info.dims[d]);
      pool.pageBytes *= size_t(std::max<int64_t>(info.dims[d], 0));
    }
    if (!pool.pageBytes || info.rank < 2)
      return wrong("input '" + pool.name + "' is no pool of pages");
    // Keys have their tokens last: [pages, heads, width, tokens].
    if (pool.name.rfind("keys.", 0) == 0)
      cache.page = pool.pageDims.back();
    cache.counts.pageBytes += int64_t(pool.pageBytes);
    cache.tensors.push_back(std::move(pool));
  }
  if (cache.page < 1)
    return wrong("the plan keeps no cache in pages");
  for (const Pool &pool : cache.tensors) {
    size_t bytes = pool.pageBytes * size_t(pages);
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      return Error(TAMIS_OUT_OF_MEMORY, "no memory for a cache of " + std::to_string(pages) + " pages of " +
                                            std::to_string(cache.counts.pageBytes) + " bytes");
    madvise(memory, bytes, MADV_HUGEPAGE);
    cache.memory.emplace_back(memory, Unmap{bytes});
  }
  cache.states.resize(size_t(pages));
  for (int64_t i = pages; i-- > 0;)
    cache.freeList.push_back(int32_t(i));
  cache.counts.pages = pages;
  return cache;
}

char *PagedCache::data(size_t pool, int32_t number) const {
  return static_cast<char *>(memory[pool].get()) + size_t(number) * tensors[pool].pageBytes;
}

Tensor PagedCache::pool(size_t index) const {
  std::vector<int64_t> dims{counts.pages};
  dims.insert(dims.end(), tensors[index].pageDims.begin(), tensors[index].pageDims.end());
  return Tensor(tensors[index].element, memory[index].get(), std::move(dims));
}

int32_t PagedCache::take() {
  if (!freeList.empty()) {
    int32_t taken = freeList.back();
    freeList.pop_back();
    return taken;
  }
  if (idle.empty())
    return -1;
  int32_t taken = idle.begin()->second;
  idle.erase(idle.begin());
  index.remove(states[size_t(taken)].serial);
  states[size_t(taken)].serial = PrefixIndex::kBeginning;
  ++counts.evicted;
  return taken;
}

void PagedCache::hold(int32_t number) {
  PageState &held = states[size_t(number)];
  if (held.holders++ == 0 && held.serial != PrefixIndex::kBeginning)
    idle.erase({held.idleSince, number});
}

void PagedCache::release(int32_t number) {
  PageState &held = states[size_t(number)];
  if (--held.holders > 0)
    return;
  if (held.serial == PrefixIndex::kBeginning)
    return freeList.push_back(number);
  held.idleSince = clock++;
  idle.insert({held.idleSince, number});
}

void PagedCache::copyPage(int32_t from, int32_t to) {
  for (size_t i = 0; i < tensors.size(); ++i)
    memcpy(data(i, to), data(i, from), tensors[i].pageBytes);
}

PagedCache::Text PagedCache::open() {
  texts.emplace(nextText, TextState());
  return nextText++;
}

void PagedCache::close(Text text) {
  truncate(text, 0);
  texts.erase(text);
}

PagedCache::Text PagedCache::fork(Text text) {
  TextState copy = state(text);
  for (int32_t number : copy.pages)
    hold(number);
  texts.emplace(nextText, std::move(copy));
  return nextText++;
}

void PagedCache::truncate(Text text, int64_t tokens) {
  TextState &cut = state(text);
  tokens = std::clamp<int64_t>(tokens, 0, int64_t(cut.tokens.size()));
  cut.tokens.resize(size_t(tokens));
  cut.committed = std::min(cut.committed, tokens);
  auto kept = size_t((tokens + page - 1) / page);
  // From the end: of pages that nobody holds, what leads to others stays longest.
  while (cut.pages.size() > kept) {
    release(cut.pages.back());
    cut.pages.pop_back();
  }
}

int64_t PagedCache::adopt(Text text, const int32_t *tokens, int64_t count) {
  TextState &taker = state(text);
  if (!taker.tokens.empty())
    return 0;
  uint64_t before = PrefixIndex::kBeginning;
  int64_t found = 0;
  for (; found + page < count; found += page) {
    const PrefixIndex::Entry *entry = index.find(before, tokens + found, page);
    if (!entry)
      break;
    hold(entry->page);
    taker.pages.push_back(entry->page);
    before = entry->serial;
  }
  taker.tokens.assign(tokens, tokens + found);
  taker.committed = found;
  counts.tokensRead += found;
  counts.tokensAdopted += found;
  return found;
}

int64_t PagedCache::pagesFor(Text text, int64_t count) const {
  const TextState &reader = texts.at(text);
  int64_t length = int64_t(reader.tokens.size()), wanted = (length + count + page - 1) / page;
  bool copies = count > 0 && length % page && states[size_t(reader.pages.back())].holders > 1;
  return wanted - int64_t(reader.pages.size()) + copies;
}

Result<void> PagedCache::extend(Text text, const int32_t *tokens, int64_t count) {
  TextState &reader = state(text);
  int64_t wanted = pagesFor(text, count), length = int64_t(reader.tokens.size());
  if (wanted > freePages())
    return Error(TAMIS_OUT_OF_MEMORY, "the cache has " + std::to_string(freePages()) + " free pages of " +
                                          std::to_string(page) + " tokens but " + std::to_string(wanted) +
                                          " are wanted");
  if (count <= 0)
    return {};
  if (length % page) {
    // A page that is written must be nobody else's; and what was full and is no longer must not be found.
    int32_t last = reader.pages.back();
    PageState &held = states[size_t(last)];
    if (held.holders > 1) {
      int32_t own = take();
      copyPage(last, own);
      release(last);
      ++states[size_t(own)].holders;
      reader.pages.back() = own;
    } else if (held.serial != PrefixIndex::kBeginning) {
      index.remove(held.serial);
      held.serial = PrefixIndex::kBeginning;
    }
  }
  reader.tokens.insert(reader.tokens.end(), tokens, tokens + count);
  while (int64_t(reader.pages.size()) * page < length + count) {
    int32_t own = take();
    ++states[size_t(own)].holders;
    reader.pages.push_back(own);
  }
  counts.tokensRead += count;
  return {};
}

void PagedCache::commit(Text text) {
  TextState &written = state(text);
  int64_t first = written.committed / page;
  written.committed = int64_t(written.tokens.size());
  uint64_t before = first ? states[size_t(written.pages[size_t(first - 1)])].serial : PrefixIndex::kBeginning;
  for (int64_t i = first; (i + 1) * page <= written.committed; ++i) {
    if (i && before == PrefixIndex::kBeginning)
      return; // what leads here cannot be found, as of a page that was cut and written anew by another text
    int32_t &own = written.pages[size_t(i)];
    const int32_t *tokens = written.tokens.data() + i * page;
    if (states[size_t(own)].serial != PrefixIndex::kBeginning) {
      before = states[size_t(own)].serial;
    } else if (const PrefixIndex::Entry *known = index.find(before, tokens, page)) {
      // Two texts have computed the same: one of the pages is enough.
      hold(known->page);
      release(own);
      own = known->page;
      before = known->serial;
    } else {
      before = states[size_t(own)].serial = index.add(before, tokens, page, own);
    }
  }
}

int64_t PagedCache::length(Text text) const {
  return int64_t(tokens(text).size());
}
const std::vector<int32_t> &PagedCache::tokens(Text text) const {
  return texts.at(text).tokens;
}
const std::vector<int32_t> &PagedCache::pages(Text text) const {
  return texts.at(text).pages;
}
int64_t PagedCache::freePages() const {
  return int64_t(freeList.size() + idle.size());
}

Statistics PagedCache::statistics() const {
  Statistics now = counts;
  now.idle = int64_t(idle.size());
  now.used = now.pages - freePages();
  for (const PageState &each : states)
    now.shared += std::max(0, each.holders - 1);
  return now;
}

int64_t Batch::add(const PagedCache &cache, PagedCache::Text text, int64_t first) {
  const std::vector<int32_t> &all = cache.tokens(text);
  int64_t begin = tokens();
  for (int64_t i = first; i < int64_t(all.size()); ++i) {
    ids.push_back(all[size_t(i)]);
    places.push_back(int32_t(i));
    numbers.push_back(int32_t(rows.size()));
  }
  rows.push_back(cache.pages(text));
  return begin;
}

void Batch::clear() {
  ids.clear();
  places.clear();
  numbers.clear();
  rows.clear();
}

Tensor Batch::pageTable() {
  size_t most = 1;
  for (const std::vector<int32_t> &row : rows)
    most = std::max(most, row.size());
  table.assign(most * rows.size(), -1); // no page: what a token does not read is not looked at
  for (size_t i = 0; i < rows.size(); ++i)
    std::copy(rows[i].begin(), rows[i].end(), table.begin() + ptrdiff_t(i * most));
  return Tensor(table.data(), {int64_t(rows.size()), int64_t(most)});
}

} // namespace tamis::cache
