// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embeddings of texts that wait at the same time, from one run of an encoder's plan.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_EMBEDDER_H
#define TAMIS_TOOLS_TAMIS_SERVE_EMBEDDER_H

#include "tamis/tamis.hpp"
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tamis::serve {

struct EmbedderOptions {
  int64_t batch = 4;                     ///< texts of one run at most
  std::chrono::microseconds wait{2'000}; ///< how long a text waits for others at most
  int64_t waiting = 4096;                ///< texts that wait at most
  std::function<void(size_t)> onBatch;   ///< told the size of every run
};

/// A text's embedding is the mean of what the plan gives its tokens, scaled to length 1 (Reimers and Gurevych,
/// "Sentence-BERT", 2019, arXiv:1908.10084).
class Embedder {
public:
  using Answer = Result<std::vector<float>>;

  /// Errors: the plan has no inputs `input_ids` and `attention_mask` [batch, sequence] of i64, with `token_type_ids` or
  /// nothing beside them, or no output [batch, sequence, width] of f32.
  static Result<std::unique_ptr<Embedder>> make(const Plan &plan, int threads, EmbedderOptions options);
  ~Embedder(); ///< stops

  /// The embeddings of texts, 1 to longest() tokens each. Errors: TAMIS_INVALID_ARGUMENT, of another length;
  /// TAMIS_OUT_OF_MEMORY, too many wait. Destroying the answers does not end the work.
  Result<std::vector<std::future<Answer>>> submit(std::vector<std::vector<int32_t>> texts);

  int64_t longest() const { return maxSequence; }
  int64_t waiting() const;
  void stop();

private:
  struct Text {
    std::vector<int32_t> tokens;
    std::chrono::steady_clock::time_point since;
    std::promise<Answer> answer;
  };
  Embedder(Context context, EmbedderOptions options) : context(std::move(context)), options(std::move(options)) {}
  void work();
  std::vector<Text> takeBatch();
  void run(std::vector<Text> &batch);

  Context context;
  EmbedderOptions options;
  int64_t idsInput = -1, maskInput = -1, typesInput = -1, output = -1, maxBatch = 0, maxSequence = 0;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Text> queue;
  bool isStopping = false;
  std::thread thread;
};

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_EMBEDDER_H
