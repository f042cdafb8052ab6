// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several texts, each with a decoder of its own that runs in its turn.

#include "tools/tamis/Decoder.h"
#include "tools/tamis/serve/SequenceModel.h"
#include <algorithm>
#include <map>

namespace tamis::serve {

namespace {
class OneByOneModel : public SequenceModel {
public:
  OneByOneModel(std::shared_ptr<const Plan> plan, tool::Decoder first, int threads, int64_t cacheBytes)
      : plan(std::move(plan)), threads(threads), longest(first.positions()), words(first.vocabulary()),
        room(std::max(longest, cacheBytes / std::max<int64_t>(1, first.bytesOfToken()))) {}

  int64_t positions() const override { return longest; }
  int64_t vocabulary() const override { return words; }
  int64_t capacity() const override { return room; }

  Result<int64_t> open(int64_t tokens) override {
    // Made anew for every text, so that memory does not grow to what the longest ones needed.
    Result<tool::Decoder> decoder = tool::Decoder::open(plan, threads);
    if (!decoder)
      return decoder.error();
    if (Result<void> reserved = decoder->reserve(tokens, longest); !reserved)
      return reserved.error();
    texts.emplace(++last, std::move(*decoder));
    return last;
  }

  void close(int64_t sequence) override { texts.erase(sequence); }

  Result<void> step(const std::vector<Piece> &pieces, const std::function<void(size_t, const float *)> &each) override {
    for (size_t i = 0; i < pieces.size(); ++i) {
      Result<const float *> logits = texts.at(pieces[i].sequence).read(pieces[i].tokens);
      if (!logits)
        return logits.error();
      if (pieces[i].wantsLogits)
        each(i, *logits);
    }
    return {};
  }

private:
  std::shared_ptr<const Plan> plan;
  int threads;
  int64_t longest, words, room, last = 0;
  std::map<int64_t, tool::Decoder> texts;
};
} // namespace

Result<std::unique_ptr<SequenceModel>> makeOneByOneModel(std::shared_ptr<const Plan> plan, int threads,
                                                         int64_t cacheBytes) {
  Result<tool::Decoder> first = tool::Decoder::open(plan, threads);
  if (!first)
    return first.error();
  return std::unique_ptr<SequenceModel>(new OneByOneModel(std::move(plan), std::move(*first), threads, cacheBytes));
}

} // namespace tamis::serve
