// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A language model's plan with its tokenizer.

#ifndef TAMIS_TOOLS_TAMIS_LANGUAGEMODEL_H
#define TAMIS_TOOLS_TAMIS_LANGUAGEMODEL_H

#include "tools/tamis/Decoder.h"
#include "tools/text/Tokenizer.h"
#include <memory>
#include <nlohmann/json.hpp>

namespace tamis::tool {

struct LanguageModel {
  Decoder decoder;
  text::Tokenizer tokenizer;
  nlohmann::json about; ///< the plan's section "generation": an object; see docs/generate.md

  /// Errors name the path: no plan, of something else than a language model, without a tokenizer that can be read.
  static Result<LanguageModel> open(const std::string &path, const std::string &level, int threads);

  /// The tokens of a text, after the one that begins a text where the model has it.
  std::vector<int32_t> encode(const std::string &text) const;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_LANGUAGEMODEL_H
