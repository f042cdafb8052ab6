// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with the cache of one text.

#include "tools/tamis/Decoder.h"
#include <algorithm>
#include <cstring>
#include <filesystem>

namespace tamis::tool {

std::string sectionText(const Plan &plan, const std::string &name) {
  for (const tamis_section_info &section : plan.sections())
    if (section.kind == TAMIS_SECTION_REPORT && name == section.name)
      return std::string(static_cast<const char *>(section.data), section.size);
  return "";
}

template <typename Info> static int64_t indexOf(const std::vector<Info> &infos, const std::string &name) {
  auto it = std::find_if(infos.begin(), infos.end(), [&](const Info &info) { return name == info.name; });
  return it == infos.end() ? -1 : it - infos.begin();
}

static Error isNone(const std::string &what) {
  return Error(TAMIS_INVALID_ARGUMENT, "the plan is no language model with a cache: it has no " + what +
                                           "; compile one from a .gguf file or a folder of Hugging Face's");
}

Result<Decoder> Decoder::open(std::shared_ptr<const Plan> plan, int threads) {
  Decoder decoder(std::move(plan), threads);
  decoder.usesPages = cache::PagedCache::isPaged(*decoder.plan);
  Result<void> opened = decoder.usesPages ? decoder.openPaged() : decoder.openContiguous();
  if (!opened)
    return opened.error();
  return decoder;
}

/// The pool comes with the first tokens, when it is known for how many.
Result<void> Decoder::openPaged() {
  std::vector<tamis_tensor_info> inputs = plan->inputs(), outputs = plan->outputs();
  std::vector<tamis_symbol_info> symbols = plan->symbols();
  int64_t tokens = indexOf(symbols, "tokens"), places = indexOf(symbols, "places"), logits = indexOf(outputs, "logits"),
          keys = indexOf(inputs, "keys.0");
  for (auto [index, what] : {std::pair(tokens, "size 'tokens'"), std::pair(places, "size 'places'"),
                             std::pair(logits, "output 'logits'"), std::pair(keys, "input 'keys.0'")})
    if (index < 0)
      return isNone(what);
  const tamis_tensor_info &pool = inputs[size_t(keys)], &rows = outputs[size_t(logits)];
  longest = contextOf(*plan, symbols[size_t(places)].max * pool.dims[pool.rank - 1]);
  maxSequence = symbols[size_t(tokens)].max;
  words = rows.dims[rows.rank - 1];
  return {};
}

Result<void> Decoder::openContiguous() {
  std::vector<tamis_tensor_info> inputs = plan->inputs(), outputs = plan->outputs();
  std::vector<tamis_symbol_info> symbols = plan->symbols();
  int64_t ids = indexOf(inputs, "input_ids"), places = indexOf(inputs, "logits_at"),
          logits = indexOf(outputs, "logits");
  for (auto [index, what] : {std::pair(ids, "input 'input_ids'"), std::pair(places, "input 'logits_at'"),
                             std::pair(logits, "output 'logits'"), std::pair(indexOf(symbols, "past"), "size 'past'"),
                             std::pair(indexOf(symbols, "sequence"), "size 'sequence'")})
    if (index < 0)
      return isNone(what);
  Result<Context> made = plan->context(threads);
  if (!made)
    return made.error();
  context = std::move(*made);
  idsInput = size_t(ids), placesInput = size_t(places), logitsOutput = size_t(logits);
  words = outputs[size_t(logits)].dims[outputs[size_t(logits)].rank - 1];
  longest = symbols[size_t(indexOf(symbols, "past"))].max + 1;
  maxSequence = symbols[size_t(indexOf(symbols, "sequence"))].max;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string name = inputs[i].name;
    if (name.rfind("past_", 0) != 0)
      continue;
    int64_t output = indexOf(outputs, name.substr(5));
    if (output < 0 || inputs[i].rank != 3 || inputs[i].dims[2] <= 0 || inputs[i].element_type != TAMIS_F32)
      return isNone("output '" + name.substr(5) + "' to go with its input '" + name + "'");
    caches.push_back({i, size_t(output), inputs[i].dims[2], {}});
  }
  if (caches.size() + 2 != inputs.size() || words <= 0)
    return isNone("cache for each of its " + std::to_string(inputs.size()) + " inputs");
  this->inputs.resize(inputs.size());
  return {};
}

Result<void> Decoder::reserve(int64_t tokens, int64_t chunk) {
  if (tokens > positions())
    return Error(TAMIS_INVALID_ARGUMENT,
                 std::to_string(tokens) + " tokens do not fit the model's context of " + std::to_string(positions()));
  chunkSize = std::clamp<int64_t>(chunk, 1, maxSequence);
  for (Cache &cache : caches)
    cache.values.reserve(size_t(tokens * cache.width));
  if (!usesPages || paged)
    return {};
  std::vector<tamis_tensor_info> inputs = plan->inputs();
  const tamis_tensor_info &pool = inputs[size_t(indexOf(inputs, "keys.0"))];
  int64_t page = pool.dims[pool.rank - 1];
  Result<std::unique_ptr<BatchDecoder>> made = BatchDecoder::open(*plan, threads, (tokens + page - 1) / page);
  if (!made)
    return made.error();
  paged = std::move(*made);
  text = paged->pages().open();
  return {};
}

Result<const float *> Decoder::read(const std::vector<int32_t> &tokens,
                                    const std::function<void(const float *, int64_t, int64_t)> &each) {
  if (tokens.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "there is no token to read");
  auto count = int64_t(tokens.size());
  if (count > positions() - past)
    return Error(TAMIS_INVALID_ARGUMENT, std::to_string(past + count) + " tokens do not fit the model's context of " +
                                             std::to_string(positions()));
  if (usesPages && !paged)
    if (Result<void> room = reserve(positions(), chunkSize); !room)
      return room.error();
  Result<const float *> logits = nullptr;
  for (int64_t at = 0; at < count && logits; at += chunkSize)
    logits = paged ? readPaged(tokens.data() + at, std::min(chunkSize, count - at), each)
                   : readChunk(tokens.data() + at, std::min(chunkSize, count - at), each);
  return logits;
}

Result<const float *> Decoder::readPaged(const int32_t *tokens, int64_t count,
                                         const std::function<void(const float *, int64_t, int64_t)> &each) {
  using Wanted = BatchDecoder::Wanted;
  Result<std::vector<const float *>> logits = paged->read({{text, tokens, count, each ? Wanted::all : Wanted::last}});
  if (!logits)
    return logits.error();
  if (each)
    each(logits->front(), past, count);
  past += count;
  return logits->front() + (each ? count - 1 : 0) * words;
}

Result<const float *> Decoder::readChunk(const int32_t *tokens, int64_t count,
                                         const std::function<void(const float *, int64_t, int64_t)> &each) {
  ids.assign(tokens, tokens + count);
  int64_t kept = each ? count : 1;
  places.resize(size_t(kept));
  for (int64_t i = 0; i < kept; ++i)
    places[size_t(i)] = count - kept + i;
  inputs[idsInput] = Tensor(ids.data(), {1, count});
  inputs[placesInput] = Tensor(places.data(), {1, kept});
  for (Cache &cache : caches)
    inputs[cache.input] = Tensor(cache.values.data(), {1, past, cache.width});
  Result<std::vector<Tensor>> outputs = context->run(inputs);
  if (!outputs)
    return outputs.error();
  for (Cache &cache : caches) {
    const float *made = (*outputs)[cache.output].as<float>();
    cache.values.insert(cache.values.end(), made, made + count * cache.width);
  }
  const float *logits = (*outputs)[logitsOutput].as<float>();
  if (each)
    each(logits, past, count);
  past += count;
  return logits + (kept - 1) * words;
}

void Decoder::truncate(int64_t tokens) {
  past = std::clamp<int64_t>(tokens, 0, past);
  if (paged)
    paged->pages().truncate(text, past);
  for (Cache &cache : caches)
    cache.values.resize(size_t(past * cache.width));
}

Result<int64_t> Decoder::resume(const std::string &path, const std::vector<int32_t> &tokens) {
  if (!std::filesystem::exists(path))
    return int64_t(0);
  Result<BatchDecoder::Text> loaded = paged->pages().load(path);
  if (!loaded)
    return loaded.error();
  paged->pages().close(text);
  text = *loaded;
  const std::vector<int32_t> &known = paged->pages().tokens(text);
  size_t common = 0, most = std::min(known.size(), tokens.empty() ? 0 : tokens.size() - 1);
  while (common < most && known[common] == tokens[common])
    ++common;
  past = int64_t(known.size());
  truncate(int64_t(common));
  return past;
}

Result<void> Decoder::save(const std::string &path) const {
  return paged->pages().save(text, path);
}

int64_t Decoder::cacheBytes() const {
  if (paged)
    return int64_t(paged->pages().pages(text).size()) * paged->pages().statistics().pageBytes;
  return past * bytesOfToken();
}

int64_t Decoder::bytesOfToken() const {
  int64_t bytes = 0;
  for (const Cache &cache : caches)
    bytes += cache.width * int64_t(sizeof(float));
  return bytes;
}

} // namespace tamis::tool
