// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a tokenizer cuts a text into the pieces that become tokens one by one.

#include "tools/text/PreTokenizer.h"
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

namespace {
/// Of GPT-2's tokenizer: contractions, words, numbers and the rest, each with the blank before it.
constexpr const char *kByteLevelWords = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
/// Of Unicode's property White_Space, which is not quite what \s stands for.
constexpr const char *kWhiteSpace =
    R"([\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}])";
constexpr const char *kPunctuation = R"([!-\/:-@\[-`{-~\p{P}])";
} // namespace

static std::runtime_error unsupported(const std::string &what) {
  return std::runtime_error(what + ", which is not supported");
}

std::vector<std::string> PreTokenizer::cut(std::string_view text, bool isFirst) const {
  std::vector<std::string> texts;
  if (text.empty())
    return texts;
  std::vector<Piece> pieces{{std::string(text), isFirst}};
  for (const Step &step : steps)
    step(pieces);
  for (Piece &piece : pieces)
    if (!piece.text.empty())
      texts.push_back(std::move(piece.text));
  return texts;
}

/// Cuts every piece.
static void cutAll(const Split &split, auto &pieces) {
  std::remove_reference_t<decltype(pieces)> finer;
  std::vector<std::string_view> parts;
  for (auto &piece : pieces) {
    parts.clear();
    split.cut(piece.text, parts);
    for (std::string_view part : parts)
      finer.push_back({std::string(part), piece.isFirst && part.data() == piece.text.data()});
  }
  pieces.swap(finer);
}

void PreTokenizer::addSplit(const std::string &pattern, Matches matches, bool isInverted) {
  Result<Split> split = Split::compile(pattern, matches, isInverted);
  if (!split)
    throw std::runtime_error(split.error().message());
  steps.push_back([split = std::move(*split)](std::vector<Piece> &pieces) { cutAll(split, pieces); });
}

/// Blanks become a sign that shows, which begins words.
void PreTokenizer::addMetaspace(const Json &json) {
  std::string sign = json.value("replacement", "▁");
  std::string scheme = json.value("prepend_scheme", json.value("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    throw unsupported("its Metaspace has the prepend_scheme '" + scheme + "'");
  Result<Split> words = Split::compile(literalPattern(sign), Matches::mergedWithNext);
  if (!words)
    throw std::runtime_error(words.error().message());
  bool cuts = json.value("split", true);
  steps.push_back([sign, scheme, cuts, words = std::move(*words)](std::vector<Piece> &pieces) {
    for (Piece &piece : pieces) {
      std::string text;
      for (char byte : piece.text)
        if (byte == ' ')
          text += sign;
        else
          text += byte;
      bool wants = scheme == "always" || (scheme == "first" && piece.isFirst);
      if (wants && !text.starts_with(sign))
        text = sign + text;
      piece.text = std::move(text);
    }
    if (cuts)
      cutAll(words, pieces);
  });
}

void PreTokenizer::add(const Json &json) {
  if (json.is_null())
    return;
  std::string type = json.at("type");
  if (type == "Sequence") {
    for (const Json &each : json.at("pretokenizers"))
      add(each);
  } else if (type == "ByteLevel") {
    if (json.value("add_prefix_space", true))
      throw unsupported("its ByteLevel adds a blank to the first word");
    if (json.value("use_regex", true))
      addSplit(kByteLevelWords);
    hasBytes = true;
  } else if (type == "Digits") {
    addSplit("\\p{N}", json.value("individual_digits", false) ? Matches::isolated : Matches::contiguous);
  } else if (type == "Split") {
    std::string behaviour = json.at("behavior");
    Matches matches;
    if (behaviour == "Isolated")
      matches = Matches::isolated;
    else if (behaviour == "Removed")
      matches = Matches::removed;
    else if (behaviour == "MergedWithPrevious")
      matches = Matches::mergedWithPrevious;
    else if (behaviour == "MergedWithNext")
      matches = Matches::mergedWithNext;
    else if (behaviour == "Contiguous")
      matches = Matches::contiguous;
    else
      throw unsupported("its Split has the behaviour '" + behaviour + "'");
    const Json &pattern = json.at("pattern");
    addSplit(pattern.contains("String") ? literalPattern(pattern.at("String")) : pattern.at("Regex").get<std::string>(),
             matches, json.value("invert", false));
  } else if (type == "Metaspace") {
    addMetaspace(json);
  } else if (type == "BertPreTokenizer") {
    addSplit(kWhiteSpace, Matches::removed);
    addSplit(kPunctuation);
  } else if (type == "WhitespaceSplit") {
    addSplit(kWhiteSpace, Matches::removed);
  } else if (type == "Whitespace") {
    addSplit(R"(\w+|[^\w\s]+)", Matches::removed, /*isInverted=*/true);
  } else if (type == "Punctuation") {
    if (json.value("behavior", "Isolated") != "Isolated")
      throw unsupported("its Punctuation has the behaviour '" + json.at("behavior").get<std::string>() + "'");
    addSplit(kPunctuation);
  } else {
    throw unsupported("its pre_tokenizer is a '" + type + "'");
  }
}

} // namespace tamis::text
