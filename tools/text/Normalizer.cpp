// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer does to a text before anything else.

#include "tools/text/Normalizer.h"
#include "tools/text/Split.h"
#include "tools/text/Unicode.h"
#include <memory>
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

std::string Normalizer::apply(std::string text) const {
  for (const auto &step : steps)
    text = step(std::move(text));
  return text;
}

/// `text` without the characters that `isDropped` holds for.
template <typename Test> static std::string without(const std::string &text, Test isDropped) {
  std::string kept;
  for (size_t at = 0; at < text.size();)
    if (uint32_t character = nextCharacter(text, at); !isDropped(character))
      appendCharacter(kept, character);
  return kept;
}

/// BERT's own of control characters: blanks of all kinds become one, the rest goes.
static std::string cleaned(const std::string &text) {
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    uint32_t c = nextCharacter(text, at);
    bool isBlank = c == '\t' || c == '\n' || c == '\r' || isWhiteSpace(c);
    bool isControl = c != '\t' && c != '\n' && c != '\r' && isOther(c);
    if (c == 0 || c == 0xFFFD || isControl)
      continue;
    appendCharacter(kept, isBlank ? ' ' : c);
  }
  return kept;
}

/// The blocks of ideographs that BERT sets apart; those of Korean and Japanese syllables are not among them.
static bool isIdeograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static std::string spaced(const std::string &text) {
  std::string wide;
  for (size_t at = 0; at < text.size();) {
    uint32_t character = nextCharacter(text, at);
    if (!isIdeograph(character)) {
      appendCharacter(wide, character);
      continue;
    }
    wide += ' ';
    appendCharacter(wide, character);
    wide += ' ';
  }
  return wide;
}

void Normalizer::addBert(const Json &json) {
  bool isLower = json.value("lowercase", true);
  bool strips = json.contains("strip_accents") && json.at("strip_accents").is_boolean()
                    ? json.at("strip_accents").get<bool>()
                    : isLower;
  if (json.value("clean_text", true))
    steps.push_back([](std::string text) { return cleaned(text); });
  if (json.value("handle_chinese_chars", true))
    steps.push_back([](std::string text) { return spaced(text); });
  if (strips)
    steps.push_back([](std::string text) { return without(normalForm(text, NormalForm::nfd), isNonspacingMark); });
  if (isLower)
    steps.push_back([](std::string text) { return toLower(text); });
}

void Normalizer::addReplace(const Json &json) {
  const Json &pattern = json.at("pattern");
  std::string content = json.at("content");
  bool isLiteral = pattern.contains("String");
  std::string wanted = pattern.at(isLiteral ? "String" : "Regex");
  Result<Split> found = Split::compile(isLiteral ? literalPattern(wanted) : wanted);
  if (!found)
    throw std::runtime_error(found.error().message());
  auto split = std::make_shared<Split>(std::move(*found));
  steps.push_back([split, content](std::string text) {
    std::string replaced;
    split->each(text, [&](std::string_view piece, bool isMatch) { replaced += isMatch ? content : piece; });
    return replaced;
  });
}

void Normalizer::add(const Json &json) {
  if (json.is_null())
    return;
  std::string type = json.at("type");
  auto form = [&](NormalForm form) { steps.push_back([form](std::string text) { return normalForm(text, form); }); };
  if (type == "Sequence") {
    for (const Json &each : json.at("normalizers"))
      add(each);
  } else if (type == "NFC") {
    form(NormalForm::nfc);
  } else if (type == "NFD") {
    form(NormalForm::nfd);
  } else if (type == "NFKC") {
    form(NormalForm::nfkc);
  } else if (type == "NFKD") {
    form(NormalForm::nfkd);
  } else if (type == "Lowercase") {
    steps.push_back([](std::string text) { return toLower(text); });
  } else if (type == "StripAccents") {
    steps.push_back([](std::string text) { return without(text, isNonspacingMark); });
  } else if (type == "BertNormalizer") {
    addBert(json);
  } else if (type == "Prepend") {
    std::string front = json.at("prepend");
    steps.push_back([front](std::string text) { return text.empty() ? text : front + text; });
  } else if (type == "Replace") {
    addReplace(json);
  } else if (type == "Strip") {
    bool left = json.value("strip_left", true), right = json.value("strip_right", true);
    steps.push_back([left, right](std::string text) { return std::string(stripped(text, left, right)); });
  } else if (type == "Precompiled") {
    steps.push_back(precompiledNormalizer(json.at("precompiled_charsmap")));
  } else {
    throw std::runtime_error("it has the normalizer '" + type + "', which is not supported");
  }
}

} // namespace tamis::text
