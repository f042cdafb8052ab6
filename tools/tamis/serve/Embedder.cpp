// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embeddings of texts that wait at the same time, from one run of an encoder's plan.

#include "tools/tamis/serve/Embedder.h"
#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::serve {

using Clock = std::chrono::steady_clock;

Result<std::unique_ptr<Embedder>> Embedder::make(const Plan &plan, int threads, EmbedderOptions options) {
  auto isNone = [](const std::string &what) {
    return Error(TAMIS_INVALID_ARGUMENT, "the plan is neither a language model nor an encoder: " + what);
  };
  Result<Context> context = plan.context(threads);
  if (!context)
    return context.error();
  auto embedder = std::unique_ptr<Embedder>(new Embedder(std::move(*context), std::move(options)));
  std::vector<tamis_tensor_info> inputs = plan.inputs(), outputs = plan.outputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string name = inputs[i].name;
    int64_t *place = name == "input_ids"        ? &embedder->idsInput
                     : name == "attention_mask" ? &embedder->maskInput
                     : name == "token_type_ids" ? &embedder->typesInput
                                                : nullptr;
    if (!place || inputs[i].rank != 2 || inputs[i].element_type != TAMIS_I64)
      return isNone("its input '" + name + "' is not known");
    *place = int64_t(i);
  }
  if (embedder->idsInput < 0 || embedder->maskInput < 0)
    return isNone("it has no inputs 'input_ids' and 'attention_mask'");
  for (size_t i = 0; i < outputs.size() && embedder->output < 0; ++i)
    if (outputs[i].rank == 3 && outputs[i].element_type == TAMIS_F32 && outputs[i].dims[2] > 0)
      embedder->output = int64_t(i);
  if (embedder->output < 0)
    return isNone("it has no output [batch, sequence, width] of f32");
  // Of the sizes the plan's own bounds are kept.
  const tamis_tensor_info &ids = inputs[size_t(embedder->idsInput)];
  auto most = [&](int axis) {
    if (ids.dims[axis] >= 0)
      return ids.dims[axis];
    for (const tamis_symbol_info &symbol : plan.symbols())
      if (std::string(symbol.name) == ids.dim_names[axis])
        return symbol.max;
    return int64_t(1);
  };
  embedder->maxBatch = std::min(most(0), std::max<int64_t>(1, embedder->options.batch));
  embedder->maxSequence = most(1);
  embedder->thread = std::thread([self = embedder.get()] { self->work(); });
  return embedder;
}

Embedder::~Embedder() {
  stop();
}

int64_t Embedder::waiting() const {
  std::lock_guard lock(mutex);
  return int64_t(queue.size());
}

void Embedder::stop() {
  {
    std::lock_guard lock(mutex);
    isStopping = true;
    changed.notify_all();
  }
  if (thread.joinable())
    thread.join();
}

Result<std::vector<std::future<Embedder::Answer>>> Embedder::submit(std::vector<std::vector<int32_t>> texts) {
  for (const std::vector<int32_t> &tokens : texts)
    if (tokens.empty() || int64_t(tokens.size()) > maxSequence)
      return Error(TAMIS_INVALID_ARGUMENT, "a text has " + std::to_string(tokens.size()) + " tokens but 1 to " +
                                               std::to_string(maxSequence) + " are wanted");
  std::lock_guard lock(mutex);
  if (isStopping || int64_t(queue.size() + texts.size()) > options.waiting)
    return Error(TAMIS_OUT_OF_MEMORY,
                 isStopping ? "the server is stopping" : std::to_string(queue.size()) + " texts wait already");
  std::vector<std::future<Answer>> answers;
  for (std::vector<int32_t> &tokens : texts) {
    queue.push_back({std::move(tokens), Clock::now(), {}});
    answers.push_back(queue.back().answer.get_future());
  }
  changed.notify_all();
  return answers;
}

void Embedder::work() {
  for (;;) {
    std::vector<Text> batch;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return isStopping || !queue.empty(); });
      if (!isStopping)
        changed.wait_until(lock, queue.front().since + options.wait,
                           [&] { return isStopping || int64_t(queue.size()) >= maxBatch; });
      if (isStopping) {
        for (Text &text : queue)
          text.answer.set_value(Error(TAMIS_OUT_OF_MEMORY, "the server is stopping"));
        queue.clear();
        return;
      }
      batch = takeBatch();
    }
    if (options.onBatch)
      options.onBatch(batch.size());
    run(batch);
  }
}

/// The one that has waited longest, and those nearest to it in length: what is padded is computed.
std::vector<Embedder::Text> Embedder::takeBatch() {
  auto length = int64_t(queue.front().tokens.size());
  std::vector<size_t> order;
  for (size_t i = 0; i < queue.size(); ++i)
    order.push_back(i);
  auto farness = [&](size_t i) { return std::abs(int64_t(queue[i].tokens.size()) - length); };
  std::stable_sort(order.begin() + 1, order.end(), [&](size_t a, size_t b) { return farness(a) < farness(b); });
  order.resize(std::min(order.size(), size_t(maxBatch)));
  std::sort(order.begin(), order.end());
  std::vector<Text> batch;
  for (size_t i : order)
    batch.push_back(std::move(queue[i]));
  for (size_t i = order.size(); i-- > 0;)
    queue.erase(queue.begin() + int64_t(order[i]));
  return batch;
}

void Embedder::run(std::vector<Text> &batch) {
  size_t longest = 0;
  for (const Text &text : batch)
    longest = std::max(longest, text.tokens.size());
  std::vector<int64_t> ids(batch.size() * longest), mask(ids.size()), types(ids.size());
  for (size_t row = 0; row < batch.size(); ++row)
    for (size_t i = 0; i < batch[row].tokens.size(); ++i) {
      ids[row * longest + i] = batch[row].tokens[i];
      mask[row * longest + i] = 1;
    }
  std::vector<int64_t> dims = {int64_t(batch.size()), int64_t(longest)};
  std::vector<Tensor> inputs(typesInput < 0 ? 2 : 3);
  inputs[size_t(idsInput)] = Tensor(ids.data(), dims);
  inputs[size_t(maskInput)] = Tensor(mask.data(), dims);
  if (typesInput >= 0)
    inputs[size_t(typesInput)] = Tensor(types.data(), dims);
  Result<std::vector<Tensor>> outputs = context.run(inputs);
  // A token that the model does not have must not fail the others of the batch.
  if (!outputs && batch.size() > 1) {
    for (Text &text : batch) {
      std::vector<Text> alone;
      alone.push_back(std::move(text));
      run(alone);
    }
    return;
  }
  if (!outputs) {
    batch[0].answer.set_value(outputs.error());
    return;
  }
  const Tensor &states = (*outputs)[size_t(output)];
  auto width = size_t(states.dims()[2]);
  for (size_t row = 0; row < batch.size(); ++row) {
    std::vector<double> sum(width);
    const float *state = states.as<float>() + row * longest * width;
    for (size_t token = 0; token < batch[row].tokens.size(); ++token)
      for (size_t i = 0; i < width; ++i)
        sum[i] += double(*state++);
    double squares = 0;
    for (double each : sum)
      squares += each * each;
    std::vector<float> embedding;
    for (double each : sum)
      embedding.push_back(float(squares > 0 ? each / std::sqrt(squares) : 0));
    batch[row].answer.set_value(std::move(embedding));
  }
}

} // namespace tamis::serve
