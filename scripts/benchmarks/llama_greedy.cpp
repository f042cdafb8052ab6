// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What llama.cpp writes: llama_greedy MODEL.gguf THREADS COUNT FOLDER reads each FOLDER/*.txt, marks of turns as such,
// and writes beside it NAME.ids, a line of the prompt's tokens and one of the most likely ones that follow, at most
// COUNT and up to the end of the text; and NAME.f32, the logits of each choice, [choices, vocabulary].

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <llama.h>
#include <string>
#include <vector>

static std::vector<llama_token> tokensOf(const llama_vocab *vocab, const std::string &text) {
  std::vector<llama_token> tokens(text.size() + 8);
  int count = llama_tokenize(vocab, text.data(), int(text.size()), tokens.data(), int(tokens.size()),
                             /*add_special=*/true, /*parse_special=*/true);
  tokens.resize(size_t(std::max(count, 0)));
  return tokens;
}

static bool write(llama_context *context, const llama_vocab *vocab, int count, const std::filesystem::path &prompt) {
  std::ifstream in(prompt, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  std::vector<llama_token> tokens = tokensOf(vocab, text), made;
  if (tokens.empty())
    return false;
  std::filesystem::path ids = prompt, logitsPath = prompt;
  std::ofstream out(ids.replace_extension(".ids")), logitsOut(logitsPath.replace_extension(".f32"), std::ios::binary);
  for (llama_token token : tokens)
    out << token << ' ';
  out << '\n';
  llama_memory_clear(llama_get_memory(context), true);
  int words = llama_vocab_n_tokens(vocab);
  llama_batch batch = llama_batch_get_one(tokens.data(), int(tokens.size()));
  llama_token token;
  while (int(made.size()) < count) {
    if (llama_decode(context, batch))
      return false;
    const float *logits = llama_get_logits_ith(context, -1);
    logitsOut.write(reinterpret_cast<const char *>(logits), std::streamsize(sizeof(float)) * words);
    token = llama_token(std::max_element(logits, logits + words) - logits);
    if (llama_vocab_is_eog(vocab, token))
      break;
    made.push_back(token);
    batch = llama_batch_get_one(&token, 1);
  }
  for (llama_token each : made)
    out << each << ' ';
  out << '\n';
  return out.good() && logitsOut.good();
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: llama_greedy MODEL.gguf THREADS COUNT FOLDER\n");
    return 2;
  }
  llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (!model)
    return 1;
  llama_context_params options = llama_context_default_params();
  options.n_ctx = 1024, options.n_batch = options.n_ubatch = 512;
  options.n_threads = options.n_threads_batch = atoi(argv[2]);
  options.type_k = options.type_v = GGML_TYPE_F32;
  llama_context *context = llama_init_from_model(model, options);
  if (!context)
    return 1;
  for (const auto &entry : std::filesystem::directory_iterator(argv[4]))
    if (entry.path().extension() == ".txt" &&
        !write(context, llama_model_get_vocab(model), atoi(argv[3]), entry.path())) {
      fprintf(stderr, "cannot continue %s\n", entry.path().c_str());
      return 1;
    }
  llama_free(context);
  llama_model_free(model);
  return 0;
}
