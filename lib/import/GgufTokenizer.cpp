// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer of a GGUF file.
#define JSON_NOEXCEPTION
#include "lib/import/GgufTokenizer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include <algorithm>
#include <tuple>

using namespace tamis;
using Json = nlohmann::json;

Json tamis::sentencePieceTokenizer(const GgufFile &file) {
  auto tokens = file.texts("tokenizer.ggml.tokens");
  auto scores = file.numbers("tokenizer.ggml.scores");
  auto kinds = file.integers("tokenizer.ggml.token_type");
  if (!tokens || !scores || scores->size() != tokens->size() || (kinds && kinds->size() != tokens->size()))
    return nullptr;
  constexpr int64_t normal = 1, unknown = 2, control = 3, userDefined = 4;
  Json vocabulary = Json::object(), added = Json::array(), mark = nullptr;
  llvm::StringMap<int64_t> ids;
  for (auto [id, token] : llvm::enumerate(*tokens)) {
    int64_t kind = kinds ? (*kinds)[id] : normal;
    if (kind == unknown)
      mark = token.str();
    if (kind == unknown || kind == control || kind == userDefined)
      added.push_back({{"id", id}, {"content", token.str()}, {"special", kind != userDefined}, {"normalized", false}});
    vocabulary.push_back({token.str(), id});
    if (kind == normal || kind == userDefined)
      ids.try_emplace(token, int64_t(id));
  }
  struct Pair {
    double score;
    int64_t left, right;
  };
  std::vector<Pair> pairs;
  for (auto [id, token] : llvm::enumerate(*tokens)) {
    auto whole = ids.find(token);
    if (whole == ids.end() || whole->second != int64_t(id))
      continue;
    constexpr size_t longest = 512; // far beyond SentencePiece's own; what is longer is found whole or not at all
    for (size_t at = 1; at < token.size() && token.size() <= longest; ++at) {
      auto left = ids.find(token.take_front(at)), right = ids.find(token.drop_front(at));
      if (left != ids.end() && right != ids.end())
        pairs.push_back({(*scores)[id], left->second, right->second});
    }
  }
  llvm::stable_sort(pairs, [](const Pair &a, const Pair &b) {
    return std::tuple(-a.score, a.left, a.right) < std::tuple(-b.score, b.left, b.right);
  });
  Json merges = Json::array();
  for (const Pair &pair : pairs)
    merges.push_back(Json::array({(*tokens)[size_t(pair.left)].str(), (*tokens)[size_t(pair.right)].str()}));
  const char *sign = "\u2581";
  Json normalizer{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", sign}};
  if (file.boolean("tokenizer.ggml.add_space_prefix").value_or(true))
    normalizer = {{"type", "Sequence"},
                  {"normalizers", Json::array({{{"type", "Prepend"}, {"prepend", sign}}, std::move(normalizer)})}};
  return {{"version", "1.0"},
          {"added_tokens", std::move(added)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", nullptr},
          {"model",
           {{"type", "BPE"},
            {"unk_token", std::move(mark)},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"vocab", std::move(vocabulary)},
            {"merges", std::move(merges)}}}};
}
