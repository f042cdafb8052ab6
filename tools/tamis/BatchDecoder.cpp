// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with a cache in pages.

#include "tools/tamis/BatchDecoder.h"

#include "tools/tamis/Decoder.h"
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace tamis::tool {

static Error invalid(const std::string &what) {
  return Error(TAMIS_INVALID_ARGUMENT, what);
}

int64_t contextOf(const Plan &plan, int64_t room) {
  auto about = nlohmann::json::parse(sectionText(plan, "generation"), nullptr, /*allow_exceptions=*/false);
  auto context = about.is_object() ? about.find("context") : about.end();
  return context != about.end() && context->is_number_integer() ? std::min(room, context->get<int64_t>()) : room;
}

Result<std::unique_ptr<BatchDecoder>> BatchDecoder::open(const Plan &plan, int threads, int64_t pages) {
  std::vector<tamis_tensor_info> inputs = plan.inputs(), outputs = plan.outputs();
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  auto find = [](const auto &infos, const std::string &name) -> const auto * {
    auto it = std::find_if(infos.begin(), infos.end(), [&](const auto &info) { return name == info.name; });
    return it == infos.end() ? nullptr : &*it;
  };
  size_t known = 0;
  auto input = [&](const char *name, size_t &index) -> Result<void> {
    const tamis_tensor_info *found = find(inputs, name);
    if (!found)
      return invalid(std::string("the plan is no language model with a cache in pages: it has no input '") + name +
                     "'");
    index = size_t(found - inputs.data());
    ++known;
    return {};
  };
  Result<cache::PagedCache> cache = cache::PagedCache::create(plan, pages);
  if (!cache)
    return cache.error();
  Result<Context> context = plan.context(threads);
  if (!context)
    return context.error();
  std::unique_ptr<BatchDecoder> decoder(new BatchDecoder(std::move(*context), std::move(*cache)));
  for (auto [name, index] :
       {std::pair("input_ids", &decoder->idsInput), std::pair("positions", &decoder->positionsInput),
        std::pair("texts", &decoder->textsInput), std::pair("page_table", &decoder->tableInput),
        std::pair("logits_at", &decoder->placesInput)})
    if (Result<void> found = input(name, *index); !found)
      return found.error();
  const tamis_tensor_info *logits = find(outputs, "logits");
  const tamis_symbol_info *tokens = find(symbols, "tokens"), *texts = find(symbols, "texts"),
                          *places = find(symbols, "places");
  if (!logits || logits->rank != 2 || !tokens || !texts || !places ||
      known + decoder->cache.pools().size() != inputs.size())
    return invalid("the plan is no language model with a cache in pages: its inputs, sizes or outputs are others");
  decoder->logitsOutput = size_t(logits - outputs.data());
  decoder->words = logits->dims[1];
  decoder->maxTokens = tokens->max;
  decoder->maxTexts = texts->max;
  decoder->longest = contextOf(plan, places->max * decoder->cache.pageTokens());
  decoder->inputs.resize(inputs.size());
  for (size_t i = 0; i < decoder->cache.pools().size(); ++i)
    decoder->inputs[decoder->cache.pools()[i].input] = decoder->cache.pool(i);
  return decoder;
}

Result<std::vector<const float *>> BatchDecoder::read(const std::vector<Job> &jobs) {
  int64_t total = 0;
  for (const Job &job : jobs) {
    if (job.count < 1)
      return invalid("there is no token to read");
    if (job.count > longest - cache.length(job.text))
      return invalid(std::to_string(cache.length(job.text) + job.count) + " tokens do not fit the model's context of " +
                     std::to_string(longest));
    total += job.count;
  }
  if (total > maxTokens || int64_t(jobs.size()) > maxTexts)
    return invalid(std::to_string(total) + " tokens of " + std::to_string(jobs.size()) + " texts in one run, at most " +
                   std::to_string(maxTokens) + " of " + std::to_string(maxTexts) + " are allowed");
  std::vector<int64_t> before, rows;
  auto undo = [&](const Error &error) {
    for (size_t i = 0; i < before.size(); ++i)
      cache.truncate(jobs[i].text, before[i]);
    return error;
  };
  batch.clear();
  places.clear();
  for (const Job &job : jobs) {
    int64_t length = cache.length(job.text);
    if (Result<void> room = cache.extend(job.text, job.tokens, job.count); !room)
      return undo(room.error());
    before.push_back(length);
    int64_t first = batch.add(cache, job.text, length);
    rows.push_back(int64_t(places.size()));
    int64_t kept = job.wanted == Wanted::all ? job.count : job.wanted == Wanted::last ? 1 : 0;
    for (int64_t i = job.count - kept; i < job.count; ++i)
      places.push_back(first + i);
  }
  if (jobs.empty())
    return std::vector<const float *>();
  inputs[idsInput] = batch.inputIds();
  inputs[positionsInput] = batch.positions();
  inputs[textsInput] = batch.texts();
  inputs[tableInput] = batch.pageTable();
  inputs[placesInput] = Tensor(places.data(), {int64_t(places.size())});
  Result<std::vector<Tensor>> outputs = context.run(inputs);
  if (!outputs)
    return undo(outputs.error());
  const float *logits = (*outputs)[logitsOutput].as<float>();
  std::vector<const float *> found;
  for (size_t i = 0; i < jobs.size(); ++i) {
    cache.commit(jobs[i].text);
    found.push_back(jobs[i].wanted == Wanted::none ? nullptr : logits + rows[i] * words);
  }
  return found;
}

} // namespace tamis::tool
