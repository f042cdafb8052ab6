// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with the cache of one text.

#ifndef TAMIS_TOOLS_TAMIS_DECODER_H
#define TAMIS_TOOLS_TAMIS_DECODER_H

#include "tamis/tamis.hpp"
#include "tools/tamis/BatchDecoder.h"
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tamis::tool {

/// The text of the plan's section of this name; empty where it has none.
std::string sectionText(const Plan &plan, const std::string &name);

/// Runs a plan of the inputs and outputs that the compiler gives decoders: with a cache in pages as BatchDecoder, with
/// one text; else `input_ids`, `logits_at`, `past_keys.N`, `past_values.N`; `logits`, `keys.N`, `values.N`, of which
/// keys and values of all tokens so far are kept here, f32.
class Decoder {
public:
  /// Errors: the plan is of something else; memory.
  static Result<Decoder> open(std::shared_ptr<const Plan> plan, int threads);

  /// Makes room for `tokens` tokens, read in chunks of at most `chunk`, so that later calls allocate nothing. Errors:
  /// more tokens than the plan's model reads.
  Result<void> reserve(int64_t tokens, int64_t chunk);

  /// Reads tokens after those read so far and gives the logits of the last one, valid until the next call. `each`,
  /// where it is set, gets the logits of all of them chunk by chunk, with the place of the first. Errors: the plan's;
  /// no tokens; more than there is room for in the model.
  Result<const float *> read(const std::vector<int32_t> &tokens,
                             const std::function<void(const float *logits, int64_t first, int64_t count)> &each = {});

  /// Forgets all but the first `tokens` tokens.
  void truncate(int64_t tokens);

  /// Before anything is read, with a cache in pages: takes from a saved text what it has in common with `tokens`, but
  /// for the last of them, and gives how many tokens that is; 0 where there is no such file. Errors: PagedCache's.
  Result<int64_t> resume(const std::string &path, const std::vector<int32_t> &tokens);
  /// Saves the text that was read, for resume.
  Result<void> save(const std::string &path) const;

  int64_t length() const { return past; }
  int64_t positions() const { return longest; }
  int64_t vocabulary() const { return words; }
  int64_t bytesOfToken() const; ///< that a cache without pages takes for one
  int64_t cacheBytes() const;   ///< of the tokens read so far; of pages, those that hold them
  /// The cache in pages, once there is room for tokens; null where the plan has none.
  cache::PagedCache *pages() { return paged ? &paged->pages() : nullptr; }
  bool isPaged() const { return usesPages; }

private:
  Decoder(std::shared_ptr<const Plan> plan, int threads) : plan(std::move(plan)), threads(threads) {}
  Result<void> openContiguous();
  Result<void> openPaged();
  Result<const float *> readPaged(const int32_t *tokens, int64_t count,
                                  const std::function<void(const float *, int64_t, int64_t)> &each);
  Result<const float *> readChunk(const int32_t *tokens, int64_t count,
                                  const std::function<void(const float *, int64_t, int64_t)> &each);

  /// Keys or values of one layer, token by token.
  struct Cache {
    size_t input, output; ///< of the plan
    int64_t width;
    std::vector<float> values;
  };
  std::shared_ptr<const Plan> plan;
  int threads;
  bool usesPages = false;
  std::unique_ptr<BatchDecoder> paged;
  BatchDecoder::Text text = 0;
  std::optional<Context> context;
  std::vector<Cache> caches;
  std::vector<Tensor> inputs;
  std::vector<int64_t> ids, places;
  size_t idsInput = 0, placesInput = 0, logitsOutput = 0;
  int64_t past = 0, longest = 0, maxSequence = 0, words = 0, chunkSize = 512;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_DECODER_H
