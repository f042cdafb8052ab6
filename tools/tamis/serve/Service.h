// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the server answers, path by path.

#ifndef TAMIS_TOOLS_TAMIS_SERVE_SERVICE_H
#define TAMIS_TOOLS_TAMIS_SERVE_SERVICE_H

#include "tools/tamis/serve/Api.h"
#include "tools/tamis/serve/Embedder.h"
#include "tools/tamis/serve/Engine.h"
#include "tools/tamis/serve/HttpServer.h"
#include "tools/tamis/serve/Metrics.h"
#include "tools/text/TextStream.h"
#include "tools/text/Tokenizer.h"
#include <atomic>
#include <random>

namespace tamis::serve {

struct ServiceLimits {
  int64_t tokens = 4096;          ///< written for one request at most
  std::chrono::seconds time{120}; ///< for one request
};

/// A model behind OpenAI's paths: /v1/chat/completions and /v1/completions where it is a language model,
/// /v1/embeddings where it is an encoder; /v1/models, /health, /metrics.
class Service {
public:
  std::string name;                         ///< of the model
  std::unique_ptr<Engine> engine;           ///< of a language model, else null
  std::unique_ptr<Embedder> embedder;       ///< of an encoder, else null
  std::optional<text::Tokenizer> tokenizer; ///< none: requests give tokens
  nlohmann::json about;                     ///< the plan's section "generation", or an empty object
  ServiceLimits limits;
  Metrics metrics;
  std::atomic<bool> isDraining = false; ///< new work is refused
  std::atomic<int64_t> active = 0;      ///< requests that are being answered

  /// Adds the paths to a server, which must go before this.
  void install(HttpServer &server);

private:
  struct Answer;
  void generate(const httplib::Request &request, httplib::Response &response, bool isChat);
  void embed(const httplib::Request &request, httplib::Response &response);
  void answerWhole(Answer &answer, httplib::Response &response);
  void answerStreamed(std::shared_ptr<Answer> answer, httplib::Response &response);
  std::vector<int32_t> promptOf(const TextRequest &request, bool isChat) const;
  void checkModel(const std::string &asked) const;
  std::string metricsText() const;
  std::string newId(const char *prefix);

  std::mutex mutex;
  std::mt19937_64 random{std::random_device()()};
};

} // namespace tamis::serve

#endif // TAMIS_TOOLS_TAMIS_SERVE_SERVICE_H
