// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Texts that are written at the same time by one model: who runs, who waits, and who is refused.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_ENGINE_H
#define TAMIS_TOOLS_TAMIS_SERVE_ENGINE_H

#include "tools/tamis/serve/SequenceModel.h"
#include "tools/text/Sampler.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace tamis::serve {

using Clock = std::chrono::steady_clock;

struct GenerationRequest {
  std::vector<int32_t> prompt; ///< not empty
  int64_t most;                ///< tokens to write, at least one
  text::SamplerOptions sampler;
};

/// A text that is being written, shared by the engine and who reads it. Thread-safe.
class Generation {
public:
  enum class State {
    running,   ///< more tokens may come
    end,       ///< the model ended the text
    length,    ///< as many as were asked for
    cancelled, ///< by cancel(), or the engine stopped
    failed     ///< message() says why
  };

  /// The next token. None: there will be no more if state() is not running, else time is up.
  std::optional<int32_t> next(Clock::time_point until);
  State state() const;
  std::string message() const;

  /// Nobody reads on: the engine gives its place to others.
  void cancel() { isCancelled = true; }

private:
  friend class Engine;
  explicit Generation(GenerationRequest request) : request(std::move(request)) {}
  void push(int32_t token);
  void finish(State why, std::string message = {});

  const GenerationRequest request;
  std::atomic<bool> isCancelled = false;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<int32_t> tokens;
  State now = State::running;
  std::string why;
};

struct EngineOptions {
  int64_t running = 4;       ///< texts in one step at most
  int64_t waiting = 64;      ///< texts that wait for a place at most
  int64_t chunk = 64;        ///< tokens of prompts in one step at most: bounds how long a step of others may take
  int64_t context = 0;       ///< tokens of the longest text; 0: as many as the model's caches hold
  std::vector<int32_t> ends; ///< tokens that end a text
};

/// Sums since the start, and what is now.
struct EngineStatistics {
  int64_t running = 0, waiting = 0;
  int64_t reservedTokens = 0, capacity = 0; ///< of the cache
  int64_t promptTokens = 0, adoptedTokens = 0, writtenTokens = 0, steps = 0, cancelled = 0;
};

/// Steps the model in a thread of its own. A text waits until its whole length, prompt and answer, has room in the
/// cache, first come first served; then it runs to its end. Each step takes a token of every text that writes, and of
/// those that read their prompts as many as the chunk allows. What a text says does not depend on who else runs.
class Engine {
public:
  Engine(std::unique_ptr<SequenceModel> model, EngineOptions options);
  ~Engine(); ///< stops

  /// Errors: TAMIS_INVALID_ARGUMENT, it can never run; TAMIS_OUT_OF_MEMORY, too many wait.
  Result<std::shared_ptr<Generation>> submit(GenerationRequest request);

  EngineStatistics statistics() const;
  int64_t positions() const { return longest; } ///< tokens of the longest text

  /// Cancels what runs and waits, and ends the thread.
  void stop();

private:
  struct Text {
    std::shared_ptr<Generation> generation;
    int64_t sequence;
    text::Sampler sampler;
    std::vector<int32_t> tokens; ///< prompt and answer
    size_t read = 0;             ///< of `tokens`
    int64_t written = 0;
    Generation::State ending = Generation::State::running; ///< what the last step decided
    bool isDone = false;
  };
  int64_t roomOf(const Generation &generation) const;
  void work();
  void admit(std::unique_lock<std::mutex> &lock);
  void dropCancelled();
  void step();
  void close(Text &text, Generation::State why, const std::string &message = {});

  const std::unique_ptr<SequenceModel> model;
  const EngineOptions options;
  const int64_t longest;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Generation>> queue;
  EngineStatistics counts;
  bool isStopping = false;
  std::vector<Text> texts; ///< of the thread alone
  std::thread thread;
};

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_ENGINE_H
