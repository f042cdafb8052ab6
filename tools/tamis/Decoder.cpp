// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with the cache of one text.

#include "tools/tamis/Decoder.h"
#include <algorithm>
#include <cstring>

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

Result<Decoder> Decoder::open(const Plan &plan, int threads) {
  auto isNone = [](const std::string &what) {
    return Error(TAMIS_INVALID_ARGUMENT, "the plan is no language model with a cache: it has no " + what +
                                             "; compile one from a .gguf file or a folder of Hugging Face's");
  };
  std::vector<tamis_tensor_info> inputs = plan.inputs(), outputs = plan.outputs();
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  int64_t ids = indexOf(inputs, "input_ids"), places = indexOf(inputs, "logits_at"),
          logits = indexOf(outputs, "logits");
  for (auto [index, what] : {std::pair(ids, "input 'input_ids'"), std::pair(places, "input 'logits_at'"),
                             std::pair(logits, "output 'logits'"), std::pair(indexOf(symbols, "past"), "size 'past'"),
                             std::pair(indexOf(symbols, "sequence"), "size 'sequence'")})
    if (index < 0)
      return isNone(what);
  Result<Context> context = plan.context(threads);
  if (!context)
    return context.error();
  Decoder decoder(std::move(*context));
  decoder.idsInput = size_t(ids), decoder.placesInput = size_t(places), decoder.logitsOutput = size_t(logits);
  decoder.words = outputs[size_t(logits)].dims[outputs[size_t(logits)].rank - 1];
  decoder.maxPast = symbols[size_t(indexOf(symbols, "past"))].max;
  decoder.maxSequence = symbols[size_t(indexOf(symbols, "sequence"))].max;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string name = inputs[i].name;
    if (name.rfind("past_", 0) != 0)
      continue;
    int64_t output = indexOf(outputs, name.substr(5));
    if (output < 0 || inputs[i].rank != 3 || inputs[i].dims[2] <= 0 || inputs[i].element_type != TAMIS_F32)
      return isNone("output '" + name.substr(5) + "' to go with its input '" + name + "'");
    decoder.caches.push_back({i, size_t(output), inputs[i].dims[2], {}});
  }
  if (decoder.caches.size() + 2 != inputs.size() || decoder.words <= 0)
    return isNone("cache for each of its " + std::to_string(inputs.size()) + " inputs");
  decoder.inputs.resize(inputs.size());
  return decoder;
}

Result<void> Decoder::reserve(int64_t tokens, int64_t chunk) {
  if (tokens > positions())
    return Error(TAMIS_INVALID_ARGUMENT,
                 std::to_string(tokens) + " tokens do not fit the model's context of " + std::to_string(positions()));
  chunkSize = std::clamp<int64_t>(chunk, 1, maxSequence);
  for (Cache &cache : caches)
    cache.values.reserve(size_t(tokens * cache.width));
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
  Result<const float *> logits = nullptr;
  for (int64_t at = 0; at < count && logits; at += chunkSize)
    logits = readChunk(tokens.data() + at, std::min(chunkSize, count - at), each);
  return logits;
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
  Result<std::vector<Tensor>> outputs = context.run(inputs);
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
  for (Cache &cache : caches)
    cache.values.resize(size_t(past * cache.width));
}

int64_t Decoder::bytesOfToken() const {
  int64_t bytes = 0;
  for (const Cache &cache : caches)
    bytes += cache.width * int64_t(sizeof(float));
  return bytes;
}

} // namespace tamis::tool
