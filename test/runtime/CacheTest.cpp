// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pool of pages against a plain model of it: every text is a list of tokens, and what its pages hold follows from
// them.

#include "runtime/cache/PagedCache.h"
#include "test/runtime/PlanBuilder.h"
#include <algorithm>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>

using namespace tamis;
using cache::PagedCache;
using cache::PrefixIndex;
using test::PlanBuilder;

namespace {
constexpr int64_t kPage = 4, kPages = 40, kWidth = 3;

/// A plan with pools of two layers: keys [pages, 1, 3, 4], values [pages, 1, 4, 3]. Nothing runs.
PlanBuilder poolPlan(float weight = 1) {
  PlanBuilder builder;
  uint32_t pages = builder.symbol("pages", 1, 1 << 20), one = builder.constant(1), page = builder.constant(kPage),
           width = builder.constant(kWidth);
  for (std::string layer : {"0", "1"}) {
    builder.input("keys." + layer, plan::ElementType_F32, {pages, one, width, page}, {"pages", "1", "3", "4"});
    builder.input("values." + layer, plan::ElementType_F32, {pages, one, page, width}, {"pages", "1", "4", "3"});
  }
  for (auto &input : builder.plan.inputs)
    input->is_state = true;
  builder.weights({weight});
  return builder;
}

struct Loaded {
  explicit Loaded(const PlanBuilder &builder) : bytes(builder.build()) {
    LoadOptions options;
    options.device = TAMIS_DEVICE_NONE;
    Result<Plan> loaded = Plan::loadMemory({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, options);
    if (!loaded)
      throw std::runtime_error(loaded.error().message());
    plan = std::make_unique<Plan>(std::move(*loaded));
  }
  PagedCache cache(int64_t pages = kPages) {
    Result<PagedCache> made = PagedCache::create(*plan, pages);
    if (!made)
      throw std::runtime_error(made.error().message());
    return std::move(*made);
  }
  test::Bytes bytes;
  std::unique_ptr<Plan> plan;
};

/// What a run would leave of the token at `position` in pool `pool`: it depends on all tokens up to there.
float numberOf(const std::vector<int32_t> &tokens, int64_t position, size_t pool, int64_t column) {
  uint32_t hash = uint32_t(pool * 7 + size_t(column));
  for (int64_t i = 0; i <= position; ++i)
    hash = hash * 31 + uint32_t(tokens[size_t(i)]);
  return float(hash % 100000);
}

float &slot(const PagedCache &cache, size_t pool, int32_t page, int64_t slot, int64_t column) {
  bool isKey = cache.pools()[pool].name[0] == 'k';
  int64_t at = int64_t(page) * kPage * kWidth + (isKey ? column * kPage + slot : slot * kWidth + column);
  return cache.pool(pool).as<float>()[at];
}

/// Writes tokens from `first` on, as a run does.
void write(PagedCache &cache, PagedCache::Text text, int64_t first) {
  const std::vector<int32_t> &tokens = cache.tokens(text);
  for (int64_t i = first; i < cache.length(text); ++i)
    for (size_t pool = 0; pool < cache.pools().size(); ++pool)
      for (int64_t column = 0; column < kWidth; ++column)
        slot(cache, pool, cache.pages(text)[size_t(i / kPage)], i % kPage, column) = numberOf(tokens, i, pool, column);
  cache.commit(text);
}

void expectHolds(const PagedCache &cache, PagedCache::Text text, const std::vector<int32_t> &tokens) {
  ASSERT_EQ(cache.tokens(text), tokens);
  ASSERT_EQ(int64_t(cache.pages(text).size()), (int64_t(tokens.size()) + kPage - 1) / kPage);
  for (int64_t i = 0; i < int64_t(tokens.size()); ++i)
    for (size_t pool = 0; pool < cache.pools().size(); ++pool)
      for (int64_t column = 0; column < kWidth; ++column)
        ASSERT_EQ(slot(cache, pool, cache.pages(text)[size_t(i / kPage)], i % kPage, column),
                  numberOf(tokens, i, pool, column))
            << "token " << i << " of text " << text;
}

/// Random opens, appends, forks, truncations and closes; few different tokens, so that beginnings are shared.
TEST(Cache, HoldsWhatTextsHold) {
  Loaded loaded(poolPlan());
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    PagedCache cache = loaded.cache();
    std::map<PagedCache::Text, std::vector<int32_t>> texts;
    auto any = [&] { return std::next(texts.begin(), ptrdiff_t(random() % texts.size())); };
    int64_t adopted = 0;
    for (int step = 0; step < 400; ++step) {
      switch (texts.empty() ? 0 : random() % 6) {
      case 0: {
        std::vector<int32_t> prompt(random() % 20 + 1);
        for (int32_t &token : prompt)
          token = int32_t(random() % 2);
        PagedCache::Text text = cache.open();
        int64_t known = cache.adopt(text, prompt.data(), int64_t(prompt.size()));
        adopted += known;
        ASSERT_LT(known, int64_t(prompt.size()));
        ASSERT_EQ(known % kPage, 0);
        if (!cache.extend(text, prompt.data() + known, int64_t(prompt.size()) - known)) {
          cache.close(text);
          break;
        }
        write(cache, text, known);
        texts[text] = prompt;
        break;
      }
      case 1:
      case 2: {
        auto it = any();
        std::vector<int32_t> more(random() % 6);
        for (int32_t &token : more)
          token = int32_t(random() % 3);
        int64_t before = cache.length(it->first), wanted = cache.pagesFor(it->first, int64_t(more.size())),
                free = cache.freePages();
        Result<void> room = cache.extend(it->first, more.data(), int64_t(more.size()));
        ASSERT_EQ(bool(room), wanted <= free);
        if (!room)
          break;
        ASSERT_EQ(cache.freePages(), free - wanted);
        it->second.insert(it->second.end(), more.begin(), more.end());
        write(cache, it->first, before);
        break;
      }
      case 3: {
        auto it = any();
        texts[cache.fork(it->first)] = std::vector<int32_t>(it->second);
        break;
      }
      case 4: {
        auto it = any();
        auto kept = int64_t(random() % (it->second.size() + 1));
        cache.truncate(it->first, kept);
        it->second.resize(size_t(kept));
        break;
      }
      default: {
        auto it = any();
        cache.close(it->first);
        texts.erase(it);
      }
      }
      for (const auto &[text, tokens] : texts)
        expectHolds(cache, text, tokens);
      cache::Statistics now = cache.statistics();
      ASSERT_EQ(now.used + cache.freePages(), kPages);
      int64_t places = 0;
      for (const auto &[text, tokens] : texts)
        places += int64_t(cache.pages(text).size());
      ASSERT_EQ(places, now.used + now.shared);
    }
    for (const auto &[text, tokens] : texts)
      cache.close(text);
    EXPECT_EQ(cache.freePages(), kPages);
    EXPECT_GT(adopted, 0);
    EXPECT_EQ(cache.statistics().tokensAdopted, adopted);
  }
}

TEST(Cache, SharesBeginningsAcrossLives) {
  Loaded loaded(poolPlan());
  PagedCache cache = loaded.cache();
  std::vector<int32_t> prompt(11, 5);
  PagedCache::Text first = cache.open();
  ASSERT_TRUE(cache.extend(first, prompt.data(), 11));
  EXPECT_EQ(cache.adopt(first, prompt.data(), 11), 0); // it has tokens
  // What was not committed is not found.
  PagedCache::Text second = cache.open();
  EXPECT_EQ(cache.adopt(second, prompt.data(), 11), 0);
  write(cache, first, 0);
  cache.close(first);
  EXPECT_EQ(cache.adopt(second, prompt.data(), 11), 8);
  EXPECT_EQ(cache.statistics().idle, 0);
  expectHolds(cache, second, {5, 5, 5, 5, 5, 5, 5, 5});
  // One token is left to read, even where all are known.
  PagedCache::Text third = cache.open();
  EXPECT_EQ(cache.adopt(third, prompt.data(), 8), 4);
  EXPECT_EQ(cache.statistics().shared, 1);
  // Two that computed the same keep one of the pages.
  PagedCache::Text fourth = cache.open();
  ASSERT_TRUE(cache.extend(fourth, prompt.data(), 8));
  write(cache, fourth, 0);
  EXPECT_EQ(cache.pages(fourth), cache.pages(second));
}

TEST(Cache, MakesRoomByAge) {
  Loaded loaded(poolPlan());
  PagedCache cache = loaded.cache(3);
  auto fill = [&](int32_t token) {
    std::vector<int32_t> tokens(4, token);
    PagedCache::Text text = cache.open();
    ASSERT_TRUE(cache.extend(text, tokens.data(), 4));
    write(cache, text, 0);
    cache.close(text);
  };
  auto isKnown = [&](int32_t token) {
    std::vector<int32_t> tokens(5, token);
    PagedCache::Text text = cache.open();
    bool known = cache.adopt(text, tokens.data(), 5) == 4;
    cache.close(text);
    return known;
  };
  for (int32_t token : {1, 2, 3, 4})
    fill(token);
  EXPECT_FALSE(isKnown(1));
  EXPECT_TRUE(isKnown(2)); // and is the youngest now
  fill(5);
  EXPECT_FALSE(isKnown(3));
  EXPECT_TRUE(isKnown(2));
  EXPECT_EQ(cache.statistics().evicted, 2);
}

TEST(Cache, BatchesTexts) {
  Loaded loaded(poolPlan());
  PagedCache cache = loaded.cache();
  std::vector<int32_t> tokens{7, 8, 9, 10, 11, 12};
  PagedCache::Text a = cache.open(), b = cache.open();
  ASSERT_TRUE(cache.extend(a, tokens.data(), 6));
  ASSERT_TRUE(cache.extend(b, tokens.data(), 2));
  cache::Batch batch;
  EXPECT_EQ(batch.add(cache, a, 4), 0);
  EXPECT_EQ(batch.add(cache, b, 0), 2);
  auto values = [](const Tensor &tensor) {
    return std::vector<int32_t>(tensor.as<int32_t>(), tensor.as<int32_t>() + tensor.size());
  };
  EXPECT_EQ(values(batch.positions()), (std::vector<int32_t>{4, 5, 0, 1}));
  EXPECT_EQ(values(batch.texts()), (std::vector<int32_t>{0, 0, 1, 1}));
  EXPECT_EQ(values(batch.pageTable()),
            (std::vector<int32_t>{cache.pages(a)[0], cache.pages(a)[1], cache.pages(b)[0], -1}));
  EXPECT_EQ(batch.inputIds().as<int64_t>()[2], 7);
}

class CacheFiles : public testing::Test {
protected:
  CacheFiles() : loaded(poolPlan()), path(testing::TempDir() + "text.kv") {
    PagedCache cache = loaded.cache();
    for (int32_t i = 0; i < 10; ++i)
      tokens.push_back(i * 3 % 7);
    PagedCache::Text text = cache.open();
    EXPECT_TRUE(cache.extend(text, tokens.data(), 10));
    write(cache, text, 0);
    int32_t more = 1; // extended and never run: not part of the file
    EXPECT_TRUE(cache.extend(text, &more, 1));
    EXPECT_TRUE(cache.save(text, path));
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::string refusal(const std::string &content, int64_t pages = kPages) {
    std::ofstream(path, std::ios::binary) << content;
    PagedCache cache = loaded.cache(pages);
    Result<PagedCache::Text> text = cache.load(path);
    EXPECT_EQ(cache.freePages(), text ? pages - 3 : pages);
    return text ? "" : text.error().message();
  }
  Loaded loaded;
  std::string path, bytes;
  std::vector<int32_t> tokens;
};

TEST_F(CacheFiles, AreReadBack) {
  PagedCache cache = loaded.cache();
  cache.open();
  Result<PagedCache::Text> text = cache.load(path);
  ASSERT_TRUE(text) << text.error().message();
  expectHolds(cache, *text, tokens);
  // Its full pages can be shared.
  PagedCache::Text other = cache.open();
  EXPECT_EQ(cache.adopt(other, tokens.data(), 10), 8);
}

TEST_F(CacheFiles, AreCheckedOnLoad) {
  EXPECT_EQ(refusal(bytes), "");
  EXPECT_NE(refusal(bytes, 2).find("has room for 8"), std::string::npos);
  EXPECT_NE(refusal("").find("no file of a cache"), std::string::npos);
  for (size_t size = 1; size < bytes.size(); size += 7)
    EXPECT_NE(refusal(bytes.substr(0, size)), "") << size;
  EXPECT_NE(refusal(bytes + "x").find("damaged"), std::string::npos);
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    std::string changed = bytes;
    changed[random() % changed.size()] ^= char(1 << random() % 8);
    EXPECT_NE(refusal(changed), "");
  }
}

TEST_F(CacheFiles, AreOfOnePlan) {
  Loaded other(poolPlan(2));
  PagedCache cache = other.cache();
  Result<PagedCache::Text> text = cache.load(path);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message().find("of another plan"), std::string::npos);
  EXPECT_FALSE(cache.load(path + ".nowhere"));
}

TEST(Cache, RefusesOtherPlans) {
  Loaded other(test::gatherPlan());
  EXPECT_FALSE(PagedCache::isPaged(*other.plan));
  EXPECT_FALSE(PagedCache::create(*other.plan, 4));
  Loaded loaded(poolPlan());
  EXPECT_TRUE(PagedCache::isPaged(*loaded.plan));
  EXPECT_FALSE(PagedCache::create(*loaded.plan, 0));
}
} // namespace
