// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model that reads several texts, each in a cache of its own: what the engine of the server drives.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_SEQUENCEMODEL_H
#define TAMIS_TOOLS_TAMIS_SERVE_SEQUENCEMODEL_H

#include "tamis/tamis.hpp"
#include <functional>
#include <memory>
#include <vector>

namespace tamis::serve {

/// Tokens that one text goes on with.
struct Piece {
  int64_t sequence; ///< of SequenceModel::open
  std::vector<int32_t> tokens;
  bool wantsLogits = true; ///< after the last of them
};

/// Used by one thread at a time.
class SequenceModel {
public:
  virtual ~SequenceModel() = default;

  virtual int64_t positions() const = 0; ///< tokens of the longest text
  virtual int64_t vocabulary() const = 0;
  virtual int64_t capacity() const = 0; ///< tokens that the caches of all texts hold together

  /// What the caches of all texts hold less with room for `tokens` of one more.
  virtual int64_t roomFor(int64_t tokens) const { return tokens; }

  /// Begins a text with room for `tokens` tokens; later steps of it cannot run out of cache. Errors: memory.
  virtual Result<int64_t> open(int64_t tokens) = 0;
  virtual void close(int64_t sequence) = 0;

  /// For a text of no tokens that will read this prompt: takes what is known of its beginning from other texts, one
  /// token at least left, and gives how many tokens need not be read.
  virtual int64_t adopt(int64_t sequence, const std::vector<int32_t> &prompt) {
    (void)sequence, (void)prompt;
    return 0;
  }

  /// Reads the tokens of every piece, at most one a text, after those that its text has. `each` gets the logits after
  /// the last token of each piece that wants them, by the piece's number, valid during the call. Errors: the plan's;
  /// the texts of the pieces are then in no state to go on.
  virtual Result<void> step(const std::vector<Piece> &pieces,
                            const std::function<void(size_t piece, const float *logits)> &each) = 0;
};

/// Runs the plan once a piece. `cacheBytes` bounds the caches of all texts together, which hold one whole context at
/// least. Errors: the plan is no language model.
Result<std::unique_ptr<SequenceModel>> makeOneByOneModel(std::shared_ptr<const Plan> plan, int threads,
                                                         int64_t cacheBytes);

/// Runs the plan, one with a cache in pages, for all pieces at once; texts that begin alike share pages. Errors:
/// memory.
Result<std::unique_ptr<SequenceModel>> makePagedModel(std::shared_ptr<const Plan> plan, int threads,
                                                      int64_t cacheBytes);

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_SEQUENCEMODEL_H
