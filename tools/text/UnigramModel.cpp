// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The likeliest way to cut a piece into tokens (Kudo, 2018, arXiv:1804.10959), as T5 and XLM have them.

#include "tools/text/TokenModel.h"
#include "tools/text/Unicode.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

namespace {
class UnigramModel : public TokenModel {
public:
  explicit UnigramModel(const Json &json) {
    double least = std::numeric_limits<double>::infinity();
    for (const Json &each : json.at("vocab")) {
      std::string token = each.at(0);
      auto id = int64_t(scores.size());
      // The first of equal ones counts, as in a trie that is filled in order.
      addToken(vocabulary, token, id);
      scores.push_back(each.at(1));
      if (!std::isfinite(scores.back()))
        throw std::runtime_error("the score of its token '" + token + "' is no number");
      least = std::min(least, scores.back());
      add(token, int32_t(id));
    }
    if (json.contains("unk_id") && !json.at("unk_id").is_null()) {
      unknown = json.at("unk_id");
      if (unknown < 0 || size_t(unknown) >= scores.size())
        throw std::runtime_error("its unk_id is " + std::to_string(unknown) + " but it has " +
                                 std::to_string(scores.size()) + " tokens");
    }
    constexpr double penalty = 10; // of what no token stands for, as SentencePiece has it
    unknownScore = least - penalty;
    if (json.value("byte_fallback", false))
      bytes = ByteTokens(vocabulary).ids;
  }

  void encode(std::string_view piece, std::vector<int32_t> &tokens) const override {
    struct Node {
      double score = 0;
      int64_t start = -1; ///< of the token that ends here
      int32_t token = -1;
    };
    std::vector<Node> best(piece.size() + 1);
    for (size_t at = 0; at < piece.size(); at += characterBytes(piece[at])) {
      size_t character = characterBytes(piece[at]);
      double sofar = best[at].score;
      auto offer = [&](size_t end, double score, int32_t token) {
        Node &node = best[end];
        if (node.start < 0 || score > node.score)
          node = {score, int64_t(at), token};
      };
      bool isKnown = false;
      int32_t state = 0;
      for (size_t end = at; end < piece.size();) {
        auto next = edges.find(edgeOf(state, piece[end++]));
        if (next == edges.end())
          break;
        state = next->second;
        if (int32_t token = ends[size_t(state)]; token >= 0) {
          offer(end, scores[size_t(token)] + sofar, token);
          isKnown |= end - at == character;
        }
      }
      if (!isKnown)
        offer(at + character, unknownScore + sofar, unknown);
    }
    // From the end to the start; what is not known in a row is one.
    struct Part {
      size_t start, end;
      int32_t token;
    };
    std::vector<Part> parts;
    for (size_t end = piece.size(); end > 0;) {
      const Node &node = best[end];
      auto start = size_t(node.start);
      if (node.token == unknown && !parts.empty() && parts.back().token == unknown && parts.back().start == end)
        parts.back().start = start;
      else
        parts.push_back({start, end, node.token});
      end = start;
    }
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      std::string_view text = piece.substr(part->start, part->end - part->start);
      if (part->token != unknown) {
        tokens.push_back(part->token);
      } else if (auto it = vocabulary.find(std::string(text)); it != vocabulary.end()) {
        tokens.push_back(it->second);
      } else if (!bytes.empty()) {
        for (char byte : text)
          tokens.push_back(bytes[uint8_t(byte)]);
      } else if (unknown >= 0) {
        tokens.push_back(unknown);
      }
    }
  }

  std::string bytesOf(const std::string &token) const override { return sentencePieceBytes(token); }

private:
  static uint64_t edgeOf(int32_t state, char byte) { return uint64_t(state) << 8 | uint8_t(byte); }

  void add(const std::string &token, int32_t id) {
    int32_t state = 0;
    for (char byte : token) {
      auto [edge, isNew] = edges.try_emplace(edgeOf(state, byte), int32_t(ends.size()));
      if (isNew)
        ends.push_back(-1);
      state = edge->second;
    }
    if (state)
      ends[size_t(state)] = id;
  }

  std::vector<double> scores;                  ///< of the tokens, logarithms of what they are likely
  std::unordered_map<uint64_t, int32_t> edges; ///< of a trie of the tokens' bytes
  std::vector<int32_t> ends = {-1};            ///< the token that ends in each state, or -1
  std::vector<int32_t> bytes;                  ///< tokens of bytes, or none
  int32_t unknown = -1;
  double unknownScore;
};
} // namespace

std::unique_ptr<TokenModel> readUnigrams(const Json &json) {
  return std::make_unique<UnigramModel>(json);
}

} // namespace tamis::text
