// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer of an encoder's Hugging Face folder.
#define JSON_NOEXCEPTION
#include "lib/import/HuggingFace.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tamis;
using Json = nlohmann::json;

/// What BERT's own tokenizer of a vocabulary does, in the form of the `tokenizers` package. Null where marks that it
/// needs are not in the vocabulary.
static Json bertTokenizer(StringRef vocabulary, const Json &settings) {
  Json words = Json::object(), added = Json::array();
  int64_t id = 0;
  for (StringRef rest = vocabulary; !rest.empty(); ++id) {
    auto [line, after] = rest.split('\n');
    words.push_back({line.rtrim('\r').str(), id});
    rest = after;
  }
  for (const char *mark : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    auto it = words.find(mark);
    if (it != words.end())
      added.push_back({{"id", *it}, {"content", mark}, {"special", true}, {"normalized", false}});
  }
  for (const char *needed : {"[UNK]", "[CLS]", "[SEP]"})
    if (!words.contains(needed))
      return nullptr;
  auto option = [&](const char *name, const Json &missing) {
    auto it = settings.find(name);
    return it == settings.end() ? missing : *it;
  };
  return {{"version", "1.0"},
          {"added_tokens", std::move(added)},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", option("tokenize_chinese_chars", true)},
            {"strip_accents", option("strip_accents", nullptr)},
            {"lowercase", option("do_lower_case", true)}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "BertProcessing"},
            {"sep", Json::array({"[SEP]", words["[SEP]"]})},
            {"cls", Json::array({"[CLS]", words["[CLS]"]})}}},
          {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", std::move(words)}}}};
}

void tamis::addEncoderTokenizer(StringRef folder, WeightStore &weights, MLIRContext *context) {
  auto inFolder = [&](StringRef name) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, name);
    return path;
  };
  auto read = [&](StringRef name) -> Json {
    llvm::SmallString<256> path = inFolder(name);
    if (!llvm::sys::fs::exists(path))
      return nullptr;
    auto json = readJsonObject(path, weights, fileLocation(path, context));
    return succeeded(json) ? *json : Json(nullptr);
  };
  Json tokenizer = read("tokenizer.json");
  if (tokenizer.is_null())
    if (auto words = weights.mapFile(inFolder("vocab.txt")))
      tokenizer = bertTokenizer({words->data(), words->size()}, read("tokenizer_config.json"));
    else
      llvm::consumeError(words.takeError());
  if (!tokenizer.is_null())
    weights.addText("tokenizer", tokenizer.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
}
