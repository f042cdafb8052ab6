// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with a cache in pages: several texts, each of its own length, in one run.

#ifndef TAMIS_TOOLS_TAMIS_BATCHDECODER_H
#define TAMIS_TOOLS_TAMIS_BATCHDECODER_H

#include "runtime/cache/PagedCache.h"
#include "tamis/tamis.hpp"
#include <memory>
#include <vector>

namespace tamis::tool {

/// Tokens of the longest text of a language model's plan, whose pages may have room for more: its own word for it
/// (`context`, docs/generate.md), or `room` where it has none.
int64_t contextOf(const Plan &plan, int64_t room);

/// Runs a plan with the inputs and outputs that the compiler gives decoders with a cache in pages: `input_ids`,
/// `positions`, `texts`, `page_table`, `logits_at`, pools; `logits`. One thread at a time.
class BatchDecoder {
public:
  using Text = cache::PagedCache::Text;
  /// Of which tokens of a job logits are wanted.
  enum class Wanted { none, last, all };
  /// New tokens of one text.
  struct Job {
    Text text;
    const int32_t *tokens;
    int64_t count;
    Wanted wanted = Wanted::last;
  };

  /// `pages`: of the pool. Errors: the plan is of something else; memory.
  static Result<std::unique_ptr<BatchDecoder>> open(const Plan &plan, int threads, int64_t pages);

  /// Appends each job's tokens to its text, all in one run: prompts, parts of prompts and single tokens side by side.
  /// No two jobs are of one text. Gives for each job its first row of logits, valid until the next call; null where
  /// none are wanted. Errors: a job without tokens; more tokens than the model's context or a run takes; no free page;
  /// the plan's. All texts are as before then.
  Result<std::vector<const float *>> read(const std::vector<Job> &jobs);

  cache::PagedCache &pages() { return cache; }
  const cache::PagedCache &pages() const { return cache; }
  int64_t positions() const { return longest; }    ///< tokens of the longest text
  int64_t mostTokens() const { return maxTokens; } ///< of one run
  int64_t vocabulary() const { return words; }

private:
  BatchDecoder(Context context, cache::PagedCache cache) : context(std::move(context)), cache(std::move(cache)) {}

  Context context;
  cache::PagedCache cache;
  cache::Batch batch;
  std::vector<Tensor> inputs;
  std::vector<int64_t> places;
  size_t idsInput = 0, positionsInput = 0, textsInput = 0, tableInput = 0, placesInput = 0, logitsOutput = 0;
  int64_t longest = 0, maxTokens = 0, maxTexts = 0, words = 0;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_BATCHDECODER_H
