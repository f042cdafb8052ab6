// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Texts that are written at the same time by one model.

#include "tools/tamis/serve/Engine.h"
#include <algorithm>

namespace tamis::serve {

std::optional<int32_t> Generation::next(Clock::time_point until) {
  std::unique_lock lock(mutex);
  changed.wait_until(lock, until, [&] { return !tokens.empty() || now != State::running; });
  if (tokens.empty())
    return std::nullopt;
  int32_t token = tokens.front();
  tokens.pop_front();
  return token;
}

Generation::State Generation::state() const {
  std::lock_guard lock(mutex);
  return tokens.empty() ? now : State::running;
}

std::string Generation::message() const {
  std::lock_guard lock(mutex);
  return why;
}

void Generation::push(int32_t token) {
  std::lock_guard lock(mutex);
  tokens.push_back(token);
  changed.notify_all();
}

void Generation::finish(State state, std::string message) {
  std::lock_guard lock(mutex);
  now = state, why = std::move(message);
  changed.notify_all();
}

Engine::Engine(std::unique_ptr<SequenceModel> given, EngineOptions chosen)
    : model(std::move(given)), options(std::move(chosen)),
      longest(std::min({model->positions(), model->capacity(), options.context ? options.context : INT64_MAX})) {
  counts.capacity = model->capacity();
  thread = std::thread([this] { work(); });
}

Engine::~Engine() {
  stop();
}

/// The last token of an answer is not read.
int64_t Engine::roomOf(const Generation &generation) const {
  return model->roomFor(int64_t(generation.request.prompt.size()) + generation.request.most);
}

Result<std::shared_ptr<Generation>> Engine::submit(GenerationRequest request) {
  auto generation = std::shared_ptr<Generation>(new Generation(std::move(request)));
  auto length = int64_t(generation->request.prompt.size()) + generation->request.most;
  int64_t most = longest;
  if (generation->request.prompt.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "the prompt has no token");
  if (length > most)
    return Error(TAMIS_INVALID_ARGUMENT, "the prompt has " + std::to_string(generation->request.prompt.size()) +
                                             " tokens, and with " + std::to_string(generation->request.most) +
                                             " to write does not fit a context of " + std::to_string(most));
  for (int32_t token : generation->request.prompt)
    if (token < 0 || token >= model->vocabulary())
      return Error(TAMIS_INVALID_ARGUMENT, "the prompt holds the token " + std::to_string(token) +
                                               " but the vocabulary has " + std::to_string(model->vocabulary()));
  std::lock_guard lock(mutex);
  if (isStopping)
    return Error(TAMIS_OUT_OF_MEMORY, "the server is stopping");
  if (int64_t(queue.size()) >= options.waiting)
    return Error(TAMIS_OUT_OF_MEMORY, std::to_string(queue.size()) + " texts wait already");
  queue.push_back(generation);
  changed.notify_all();
  return generation;
}

EngineStatistics Engine::statistics() const {
  std::lock_guard lock(mutex);
  EngineStatistics now = counts;
  now.waiting = int64_t(queue.size());
  return now;
}

void Engine::stop() {
  {
    std::lock_guard lock(mutex);
    isStopping = true;
    changed.notify_all();
  }
  if (thread.joinable())
    thread.join();
}

void Engine::work() {
  std::unique_lock lock(mutex);
  while (!isStopping) {
    admit(lock);
    if (texts.empty()) {
      changed.wait(lock, [&] { return isStopping || !queue.empty(); });
      continue;
    }
    lock.unlock();
    step();
    lock.lock();
  }
  std::deque<std::shared_ptr<Generation>> waiting;
  waiting.swap(queue);
  lock.unlock();
  for (Text &text : texts)
    close(text, Generation::State::cancelled);
  texts.clear();
  for (const std::shared_ptr<Generation> &generation : waiting)
    generation->finish(Generation::State::cancelled);
}

void Engine::admit(std::unique_lock<std::mutex> &lock) {
  std::erase_if(queue, [&](const std::shared_ptr<Generation> &generation) {
    if (!generation->isCancelled)
      return false;
    generation->finish(Generation::State::cancelled);
    ++counts.cancelled;
    return true;
  });
  while (!queue.empty() && int64_t(texts.size()) < options.running) {
    int64_t room = roomOf(*queue.front());
    // The first one waits for room even where others behind it have some: else long texts would starve.
    if (counts.reservedTokens + room > counts.capacity)
      return;
    std::shared_ptr<Generation> next = queue.front();
    queue.pop_front();
    counts.reservedTokens += room;
    ++counts.running;
    lock.unlock();
    Result<int64_t> sequence = model->open(room);
    if (sequence) {
      int64_t known = model->adopt(*sequence, next->request.prompt);
      texts.push_back({next, *sequence, text::Sampler(next->request.sampler), next->request.prompt, size_t(known)});
      lock.lock();
      counts.adoptedTokens += known;
      continue;
    }
    next->finish(Generation::State::failed, sequence.error().message());
    lock.lock();
    counts.reservedTokens -= room;
    --counts.running;
  }
}

void Engine::close(Text &text, Generation::State why, const std::string &message) {
  model->close(text.sequence);
  {
    std::lock_guard lock(mutex);
    counts.reservedTokens -= roomOf(*text.generation);
    --counts.running;
    counts.cancelled += why == Generation::State::cancelled;
  }
  text.isDone = true;
  text.generation->finish(why, message);
}

void Engine::dropCancelled() {
  for (Text &text : texts)
    if (text.generation->isCancelled)
      close(text, Generation::State::cancelled);
  std::erase_if(texts, [](const Text &text) { return text.isDone; });
}

void Engine::step() {
  dropCancelled();
  std::vector<Piece> pieces;
  std::vector<size_t> owners; ///< of each piece
  int64_t left = options.chunk, ofPrompts = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    Text &text = texts[i];
    auto wanted = int64_t(text.tokens.size() - text.read);
    bool isReading = text.written == 0;
    int64_t count = isReading ? std::min(wanted, left) : wanted;
    if (count <= 0)
      continue;
    if (isReading)
      left -= count, ofPrompts += count;
    auto first = text.tokens.begin() + int64_t(text.read);
    pieces.push_back({text.sequence, std::vector<int32_t>(first, first + count), count == wanted});
    owners.push_back(i);
  }
  if (pieces.empty())
    return;
  for (size_t i = 0; i < pieces.size(); ++i)
    texts[owners[i]].read += pieces[i].tokens.size();
  int64_t written = 0;
  Result<void> done = model->step(pieces, [&](size_t piece, const float *logits) {
    Text &text = texts[owners[piece]];
    int32_t token = text.sampler.pick(logits, size_t(model->vocabulary()), text.tokens);
    if (std::find(options.ends.begin(), options.ends.end(), token) != options.ends.end())
      return void(text.ending = Generation::State::end);
    text.tokens.push_back(token);
    ++text.written, ++written;
    text.generation->push(token);
    if (text.written == text.generation->request.most)
      text.ending = Generation::State::length;
  });
  for (size_t owner : owners) {
    Text &text = texts[owner];
    if (text.ending != Generation::State::running)
      close(text, text.ending);
    else if (!done)
      close(text, Generation::State::failed, done.error().message());
  }
  std::erase_if(texts, [](const Text &text) { return text.isDone; });
  std::lock_guard lock(mutex);
  counts.promptTokens += ofPrompts, counts.writtenTokens += written, ++counts.steps;
}

} // namespace tamis::serve
