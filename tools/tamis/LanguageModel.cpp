// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with its tokenizer.

#include "tools/tamis/LanguageModel.h"
#include "tools/tamis/OpenPlan.h"

namespace tamis::tool {

Result<LanguageModel> LanguageModel::open(const std::string &path, const std::string &level, int threads) {
  LoadOptions load;
  load.level = level;
  Result<Plan> plan = openPlan(path, load);
  if (!plan)
    return plan.error();
  auto error = [&](const std::string &what) { return Error(TAMIS_INVALID_ARGUMENT, path + ": " + what); };
  auto shared = std::make_shared<const Plan>(std::move(*plan));
  Result<Decoder> decoder = Decoder::open(shared, threads);
  if (!decoder)
    return error(decoder.error().message());
  std::string json = sectionText(*shared, "tokenizer");
  if (json.empty())
    return error("the plan holds no tokenizer");
  Result<text::Tokenizer> tokenizer = text::Tokenizer::parse(json);
  if (!tokenizer)
    return error(tokenizer.error().message());
  auto about = nlohmann::json::parse(sectionText(*shared, "generation"), nullptr, /*allow_exceptions=*/false);
  if (!about.is_object())
    return error("the plan does not say how text is generated");
  return LanguageModel{std::move(*decoder), std::move(*tokenizer), std::move(about)};
}

std::vector<int32_t> LanguageModel::encode(const std::string &text) const {
  std::vector<int32_t> tokens = tokenizer.encode(text);
  // Chat templates write it themselves.
  if (auto begin = about.find("begin"); begin != about.end() && begin->is_number_integer())
    if (tokens.empty() || tokens.front() != begin->get<int32_t>())
      tokens.insert(tokens.begin(), begin->get<int32_t>());
  return tokens;
}

} // namespace tamis::tool
