// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis-tokenize TOKENIZER.json [--bytes|--whole]: of each line of standard input, a JSON string or bytes in
// hexadecimal, the tokens and the text that they stand for, or the tokens with those around a whole text; a program for
// tests.

#include "tools/text/Tokenizer.h"
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

static std::string bytesOf(const std::string &hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

int main(int argc, char **argv) {
  std::string option = argc == 3 ? argv[2] : "";
  if (argc < 2 || argc > 3 || (argc == 3 && option != "--bytes" && option != "--whole")) {
    fprintf(stderr, "error: one tokenizer.json is wanted, and --bytes, --whole or nothing\n");
    return 2;
  }
  std::ifstream file(argv[1]);
  std::string json{std::istreambuf_iterator<char>(file), {}};
  auto tokenizer = tamis::text::Tokenizer::parse(json);
  if (!tokenizer) {
    fprintf(stderr, "error: %s: %s\n", argv[1], tokenizer.error().message().c_str());
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    std::string text = option == "--bytes" ? bytesOf(line) : nlohmann::json::parse(line).get<std::string>();
    std::vector<int32_t> tokens = option == "--whole" ? tokenizer->encodeWhole(text) : tokenizer->encode(text);
    nlohmann::json answer{{"tokens", tokens}, {"text", tokenizer->decode(tokens, /*special=*/true)}};
    std::cout << answer.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) << "\n";
  }
  return 0;
}
