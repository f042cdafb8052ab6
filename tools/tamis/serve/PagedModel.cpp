// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several texts in one pool of pages, all in one run of the plan.

#include "tools/tamis/BatchDecoder.h"
#include "tools/tamis/serve/SequenceModel.h"
#include <algorithm>

namespace tamis::serve {

namespace {
using tool::BatchDecoder;

class PagedModel : public SequenceModel {
public:
  PagedModel(std::shared_ptr<const Plan> plan, std::unique_ptr<BatchDecoder> decoder, int64_t pages, int64_t mostTexts)
      : plan(std::move(plan)), decoder(std::move(decoder)), room(pages * this->decoder->pages().pageTokens()),
        mostTexts(mostTexts) {}

  int64_t positions() const override { return decoder->positions(); }
  int64_t vocabulary() const override { return decoder->vocabulary(); }
  int64_t capacity() const override { return room; }

  /// Whole pages.
  int64_t roomFor(int64_t tokens) const override {
    int64_t page = decoder->pages().pageTokens();
    return (tokens + page - 1) / page * page;
  }

  Result<int64_t> open(int64_t) override { return decoder->pages().open(); }
  void close(int64_t sequence) override { decoder->pages().close(sequence); }

  int64_t adopt(int64_t sequence, const std::vector<int32_t> &prompt) override {
    return decoder->pages().adopt(sequence, prompt.data(), int64_t(prompt.size()));
  }

  Result<void> step(const std::vector<Piece> &pieces, const std::function<void(size_t, const float *)> &each) override {
    std::vector<BatchDecoder::Job> jobs;
    std::vector<size_t> owners; ///< of the jobs
    int64_t tokens = 0;
    auto run = [&]() -> Result<void> {
      if (jobs.empty())
        return {};
      Result<std::vector<const float *>> logits = decoder->read(jobs);
      if (!logits)
        return logits.error();
      for (size_t i = 0; i < jobs.size(); ++i)
        if ((*logits)[i])
          each(owners[i], (*logits)[i]);
      jobs.clear(), owners.clear(), tokens = 0;
      return {};
    };
    // As many at once as a run of the plan takes; a longer piece in parts.
    for (size_t i = 0; i < pieces.size(); ++i)
      for (auto at = int64_t(0), size = int64_t(pieces[i].tokens.size()); at < size;) {
        if (tokens == decoder->mostTokens() || int64_t(jobs.size()) == mostTexts || (at > 0 && tokens > 0))
          if (Result<void> done = run(); !done)
            return done.error();
        int64_t count = std::min(size - at, decoder->mostTokens() - tokens);
        bool isLast = at + count == size && pieces[i].wantsLogits;
        jobs.push_back({pieces[i].sequence, pieces[i].tokens.data() + at, count,
                        isLast ? BatchDecoder::Wanted::last : BatchDecoder::Wanted::none});
        owners.push_back(i);
        at += count, tokens += count;
      }
    return run();
  }

private:
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<BatchDecoder> decoder;
  int64_t room, mostTexts;
};
} // namespace

Result<std::unique_ptr<SequenceModel>> makePagedModel(std::shared_ptr<const Plan> plan, int threads,
                                                      int64_t cacheBytes) {
  Result<cache::PagedCache> one = cache::PagedCache::create(*plan, 1);
  if (!one)
    return one.error();
  int64_t texts = 1, places = 1;
  for (const tamis_symbol_info &symbol : plan->symbols()) {
    texts = std::string(symbol.name) == "texts" ? symbol.max : texts;
    places = std::string(symbol.name) == "places" ? symbol.max : places;
  }
  int64_t pages = std::max(places, cacheBytes / std::max<int64_t>(1, one->statistics().pageBytes));
  Result<std::unique_ptr<BatchDecoder>> decoder = BatchDecoder::open(*plan, threads, pages);
  if (!decoder)
    return decoder.error();
  return std::unique_ptr<SequenceModel>(new PagedModel(std::move(plan), std::move(*decoder), pages, texts));
}

} // namespace tamis::serve
