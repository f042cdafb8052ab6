// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests in the form of OpenAI's API, read and checked.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_API_H
#define TAMIS_TOOLS_TAMIS_SERVE_API_H

#include "tools/text/Sampler.h"
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tamis::serve {

using Json = nlohmann::ordered_json;

/// What a request is answered with that cannot be done; thrown within the server alone.
struct ApiError {
  int status; ///< of HTTP
  std::string message, param, code;

  Json json() const; ///< {"error": {"message", "type", "param", "code"}}
};

struct TextRequest {
  std::string model;
  Json messages;                                          ///< of a chat: checked, a list of objects
  std::variant<std::string, std::vector<int32_t>> prompt; ///< of a completion
  std::optional<int64_t> most;                            ///< tokens to write
  text::SamplerOptions sampler;
  bool hasSeed = false;
  std::vector<std::string> stops;
  bool isStreamed = false, wantsUsage = false; ///< the latter at the end of a stream
};

struct EmbeddingRequest {
  std::string model;
  std::vector<std::variant<std::string, std::vector<int32_t>>> inputs; ///< one at least
  bool isBase64 = false;
};

/// Read the body of a request. Throw ApiError, which names the field: another type or range; a field that would change
/// the answer and is not supported. Fields that are not known are passed over, as OpenAI's clients send many.
TextRequest parseChat(const std::string &body);
TextRequest parseCompletion(const std::string &body);
EmbeddingRequest parseEmbedding(const std::string &body);

/// The bytes of little-endian f32 in base64, as OpenAI's clients ask for embeddings.
std::string base64(const std::vector<float> &values);

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_API_H
