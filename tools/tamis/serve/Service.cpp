// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the server answers, path by path.

#include "tools/tamis/serve/Service.h"
#include "tools/tamis/Table.h"
#include "tools/text/Chat.h"
#include <ctime>

namespace tamis::serve {

static std::string dump(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

static void setJson(httplib::Response &response, const Json &json) {
  response.set_content(dump(json), "application/json");
}

static void setError(httplib::Response &response, const ApiError &error) {
  response.status = error.status;
  if (error.status == 429 || error.status == 503)
    response.set_header("Retry-After", "1");
  setJson(response, error.json());
}

/// The engine's and the embedder's errors by what a client can do about them.
static ApiError refusal(const Error &error, bool isDraining) {
  if (error.status() == TAMIS_INVALID_ARGUMENT)
    return {400, error.message(), "", "context_length_exceeded"};
  if (isDraining)
    return {503, "the server is stopping", "", "unavailable"};
  return {429, error.message(), "", "queue_full"};
}

std::string Service::newId(const char *prefix) {
  std::lock_guard lock(mutex);
  return prefix + tool::format("%016llx", static_cast<unsigned long long>(random()));
}

void Service::checkModel(const std::string &asked) const {
  if (!asked.empty() && asked != name)
    throw ApiError{404, "there is no model '" + asked + "' here but '" + name + "'", "model", "model_not_found"};
}

std::vector<int32_t> Service::promptOf(const TextRequest &request, bool isChat) const {
  if (!isChat)
    if (auto *tokens = std::get_if<std::vector<int32_t>>(&request.prompt))
      return *tokens;
  if (!tokenizer)
    throw ApiError{400, "the plan holds no tokenizer: prompts are lists of tokens", isChat ? "messages" : "prompt",
                   "no_tokenizer"};
  std::string prompt;
  if (isChat) {
    Result<std::string> chat = text::chatText(about, *tokenizer, request.messages);
    if (!chat)
      throw ApiError{400, chat.error().message(), "messages", "chat_template"};
    prompt = *chat;
  } else {
    prompt = std::get<std::string>(request.prompt);
  }
  std::vector<int32_t> tokens = tokenizer->encode(prompt);
  if (auto begin = about.find("begin"); begin != about.end() && begin->is_number_integer())
    if (tokens.empty() || tokens.front() != begin->get<int32_t>()) // chat templates write it themselves
      tokens.insert(tokens.begin(), begin->get<int32_t>());
  if (tokens.empty())
    throw ApiError{400, "the prompt is empty", isChat ? "messages" : "prompt", "invalid_value"};
  return tokens;
}

namespace {
/// Counts as long as it is there.
struct Busy {
  explicit Busy(std::atomic<int64_t> &count) : count(count) { ++count; }
  Busy(const Busy &) = delete;
  ~Busy() { --count; }
  std::atomic<int64_t> &count;
};
} // namespace

/// One request for text while it is answered.
struct Service::Answer {
  Busy busy;
  bool isChat, wantsUsage;
  std::string id;
  int64_t created = int64_t(time(nullptr)), promptTokens = 0, written = 0;
  text::TextStream stream;
  std::shared_ptr<Generation> generation;
  Clock::time_point start = Clock::now(), until;
  const char *reason = nullptr; ///< why it ended
  bool isFirst = true;

  Answer(std::vector<std::string> stops, std::atomic<int64_t> &active) : busy(active), stream(std::move(stops)) {}
  ~Answer() {
    if (generation)
      generation->cancel();
  }

  Json head(const std::string &model, bool isChunk) const {
    return {{"id", id},
            {"object", !isChat   ? "text_completion"
                       : isChunk ? "chat.completion.chunk"
                                 : "chat.completion"},
            {"created", created},
            {"model", model}};
  }

  Json usage() const {
    return {{"prompt_tokens", promptTokens}, {"completion_tokens", written}, {"total_tokens", promptTokens + written}};
  }

  /// Goes on until text has become known or the answer has ended. Throws ApiError.
  std::string_view more(const text::Tokenizer *tokenizer, Metrics &metrics) {
    while (!reason) {
      std::optional<int32_t> token = generation->next(std::min(until, Clock::now() + std::chrono::milliseconds(100)));
      if (!token) {
        switch (generation->state()) {
        case Generation::State::running:
          if (HttpServer::isClientGone())
            throw ApiError{499, "the client is gone", "", ""};
          if (Clock::now() >= until)
            throw ApiError{504, "the request took longer than the server allows", "", "timeout"};
          continue;
        case Generation::State::end:
          reason = "stop";
          break;
        case Generation::State::length:
          reason = "length";
          break;
        case Generation::State::cancelled:
          throw ApiError{503, "the server is stopping", "", "unavailable"};
        case Generation::State::failed:
          throw ApiError{500, generation->message(), "", "engine_failed"};
        }
        stream.finish();
        break;
      }
      if (written++ == 0)
        metrics.firstToken(std::chrono::duration<double>(Clock::now() - start).count());
      if (tokenizer && !stream.add(tokenizer->decode({*token}))) {
        reason = "stop";
        generation->cancel();
      }
      std::string_view fresh = stream.take();
      if (!fresh.empty())
        return fresh;
    }
    return stream.take();
  }
};

void Service::answerWhole(Answer &answer, httplib::Response &response) {
  std::string text;
  while (!answer.reason)
    text += answer.more(tokenizer ? &*tokenizer : nullptr, metrics);
  Json choice{{"index", 0}};
  if (answer.isChat)
    choice["message"] = {{"role", "assistant"}, {"content", text}};
  else
    choice["text"] = text;
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = answer.reason;
  Json json = answer.head(name, /*isChunk=*/false);
  json["choices"] = Json::array({choice});
  json["usage"] = answer.usage();
  setJson(response, json);
}

void Service::answerStreamed(std::shared_ptr<Answer> answer, httplib::Response &response) {
  response.set_header("Cache-Control", "no-cache");
  auto send = [](httplib::DataSink &sink, const Json &json) {
    std::string event = "data: " + dump(json) + "\n\n";
    return sink.write(event.data(), event.size());
  };
  auto chunk = [this, answer](Json delta, const char *reason) {
    Json choice{{"index", 0}};
    if (answer->isChat)
      choice["delta"] = std::move(delta);
    else
      choice["text"] = delta.value("content", "");
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = reason ? Json(reason) : Json(nullptr);
    Json json = answer->head(name, /*isChunk=*/true);
    json["choices"] = Json::array({choice});
    return json;
  };
  auto provide = [this, answer, send, chunk](size_t, httplib::DataSink &sink) {
    try {
      if (answer->isFirst && answer->isChat && !send(sink, chunk({{"role", "assistant"}, {"content", ""}}, nullptr)))
        return false;
      answer->isFirst = false;
      std::string text(answer->more(tokenizer ? &*tokenizer : nullptr, metrics));
      if (!text.empty() && !send(sink, chunk({{"content", text}}, nullptr)))
        return false;
      if (!answer->reason)
        return true;
      if (!send(sink, chunk(Json::object(), answer->reason)))
        return false;
      if (answer->wantsUsage) {
        Json json = answer->head(name, /*isChunk=*/true);
        json["choices"] = Json::array();
        json["usage"] = answer->usage();
        if (!send(sink, json))
          return false;
      }
    } catch (const ApiError &error) {
      if (error.status == 499 || !send(sink, error.json()))
        return false;
    }
    constexpr std::string_view end = "data: [DONE]\n\n";
    if (!sink.write(end.data(), end.size()))
      return false;
    sink.done();
    return true;
  };
  response.set_chunked_content_provider("text/event-stream", provide);
}

void Service::generate(const httplib::Request &request, httplib::Response &response, bool isChat) {
  TextRequest asked = isChat ? parseChat(request.body) : parseCompletion(request.body);
  checkModel(asked.model);
  if (!engine)
    throw ApiError{404, "the model '" + name + "' gives embeddings and no text", "model", "model_not_found"};
  auto answer = std::make_shared<Answer>(asked.stops, active);
  GenerationRequest wanted{promptOf(asked, isChat), 0, asked.sampler};
  answer->isChat = isChat, answer->wantsUsage = asked.wantsUsage, answer->id = newId(isChat ? "chatcmpl-" : "cmpl-");
  answer->promptTokens = int64_t(wanted.prompt.size());
  answer->until = answer->start + limits.time;
  if (asked.most && *asked.most > limits.tokens)
    throw ApiError{400,
                   std::to_string(*asked.most) + " tokens are asked for but the server writes at most " +
                       std::to_string(limits.tokens),
                   "max_tokens", "invalid_value"};
  // Not asked for: what is left of the context.
  int64_t left = std::max<int64_t>(1, engine->positions() - answer->promptTokens);
  wanted.most = asked.most.value_or(std::min(limits.tokens, left));
  if (!asked.hasSeed) {
    std::lock_guard lock(mutex);
    wanted.sampler.seed = random();
  }
  Result<std::shared_ptr<Generation>> generation = engine->submit(std::move(wanted));
  if (!generation)
    throw refusal(generation.error(), isDraining);
  answer->generation = *generation;
  if (asked.isStreamed)
    answerStreamed(answer, response);
  else
    answerWhole(*answer, response);
}

void Service::embed(const httplib::Request &request, httplib::Response &response) {
  Busy busy(active);
  EmbeddingRequest asked = parseEmbedding(request.body);
  checkModel(asked.model);
  if (!embedder)
    throw ApiError{404, "the model '" + name + "' writes text and gives no embeddings", "model", "model_not_found"};
  int64_t count = 0;
  std::vector<std::vector<int32_t>> texts;
  for (auto &input : asked.inputs) {
    if (auto *tokens = std::get_if<std::vector<int32_t>>(&input))
      texts.push_back(*tokens);
    else if (tokenizer)
      texts.push_back(tokenizer->encodeWhole(std::get<std::string>(input)));
    else
      throw ApiError{400, "the plan holds no tokenizer: inputs are lists of tokens", "input", "no_tokenizer"};
    count += int64_t(texts.back().size());
  }
  Clock::time_point until = Clock::now() + limits.time;
  auto answers = embedder->submit(std::move(texts));
  if (!answers)
    throw refusal(answers.error(), isDraining);
  Json data = Json::array();
  for (size_t i = 0; i < answers->size(); ++i) {
    while ((*answers)[i].wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
      if (HttpServer::isClientGone())
        throw ApiError{499, "the client is gone", "", ""};
      if (Clock::now() >= until)
        throw ApiError{504, "the request took longer than the server allows", "", "timeout"};
    }
    Embedder::Answer embedding = (*answers)[i].get();
    if (!embedding)
      throw embedding.error().status() == TAMIS_OUT_OF_MEMORY
          ? refusal(embedding.error(), isDraining)
          : ApiError{400, embedding.error().message(), "input", "invalid_value"};
    data.push_back({{"object", "embedding"},
                    {"index", i},
                    {"embedding", asked.isBase64 ? Json(base64(*embedding)) : Json(*embedding)}});
  }
  setJson(response, {{"object", "list"},
                     {"data", std::move(data)},
                     {"model", name},
                     {"usage", {{"prompt_tokens", count}, {"total_tokens", count}}}});
}

std::string Service::metricsText() const {
  std::string text = metrics.text();
  if (engine) {
    EngineStatistics now = engine->statistics();
    for (auto [name, type, help, value] :
         {std::tuple("tamis_texts_running", "gauge", "Texts that are being written.", now.running),
          std::tuple("tamis_texts_waiting", "gauge", "Texts that wait for room.", now.waiting),
          std::tuple("tamis_cache_tokens", "gauge", "Tokens that room is kept for.", now.reservedTokens),
          std::tuple("tamis_cache_tokens_capacity", "gauge", "Tokens that there is room for.", now.capacity),
          std::tuple("tamis_prompt_tokens_total", "counter", "Tokens of prompts that were read.", now.promptTokens),
          std::tuple("tamis_shared_prompt_tokens_total", "counter", "Tokens of prompts that other texts had read.",
                     now.adoptedTokens),
          std::tuple("tamis_written_tokens_total", "counter", "Tokens that were written.", now.writtenTokens),
          std::tuple("tamis_steps_total", "counter", "Steps of the model.", now.steps),
          std::tuple("tamis_cancelled_total", "counter", "Texts whose reader went.", now.cancelled)})
      text += metricText(name, type, help, double(value));
  }
  if (embedder)
    text += metricText("tamis_embeddings_waiting", "gauge", "Texts that wait for a run.", double(embedder->waiting()));
  return text;
}

void Service::install(HttpServer &server) {
  static thread_local Clock::time_point arrived;
  auto guarded = [this](auto handle) {
    return [this, handle](const httplib::Request &request, httplib::Response &response) {
      try {
        if (isDraining)
          throw ApiError{503, "the server is stopping", "", "unavailable"};
        handle(request, response);
      } catch (const ApiError &error) {
        setError(response, error);
      } catch (const std::exception &error) {
        setError(response, {500, error.what(), "", "internal"});
      }
    };
  };
  server.Post("/v1/chat/completions",
              guarded([this](auto &request, auto &response) { generate(request, response, /*isChat=*/true); }));
  server.Post("/v1/completions",
              guarded([this](auto &request, auto &response) { generate(request, response, /*isChat=*/false); }));
  server.Post("/v1/embeddings", guarded([this](auto &request, auto &response) { embed(request, response); }));
  int64_t created = int64_t(time(nullptr));
  server.Get("/v1/models", [this, created](const httplib::Request &, httplib::Response &response) {
    Json model{{"id", name}, {"object", "model"}, {"created", created}, {"owned_by", "tamis"}};
    setJson(response, {{"object", "list"}, {"data", Json::array({model})}});
  });
  server.Get("/health", [this](const httplib::Request &, httplib::Response &response) {
    response.status = isDraining ? 503 : 200;
    setJson(response, {{"status", isDraining ? "stopping" : "ok"}});
  });
  server.Get("/metrics", [this](const httplib::Request &, httplib::Response &response) {
    response.set_content(metricsText(), "text/plain; version=0.0.4");
  });
  server.set_pre_routing_handler([](const httplib::Request &, httplib::Response &) {
    arrived = Clock::now();
    return httplib::Server::HandlerResponse::Unhandled;
  });
  auto known = [](const std::string &path) {
    for (const char *each :
         {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/health", "/metrics"})
      if (path == each)
        return true;
    return false;
  };
  // What the library itself refuses: paths, methods, bodies.
  server.set_error_handler([known](const httplib::Request &request, httplib::Response &response) {
    if (!response.body.empty())
      return;
    int status = response.status;
    if (status == 404 && known(request.path))
      setError(response, {405, "the path '" + request.path + "' is not for the method " + request.method, "", ""});
    else if (status == 404)
      setError(response, {404, "there is no path '" + request.path + "'", "", ""});
    else if (status == 413)
      setError(response, {413, "the body is larger than the server allows", "", "too_large"});
    else
      setError(response, {status, "the request cannot be understood", "", ""});
  });
  server.set_logger([this, known](const httplib::Request &request, const httplib::Response &response) {
    metrics.request(known(request.path) ? request.path : "other", response.status,
                    std::chrono::duration<double>(Clock::now() - arrived).count());
  });
}

} // namespace tamis::serve
