// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a fuzz target without libFuzzer: its corpus, then seeded changes of it, for some seconds.
//
//   TARGET SECONDS SEED FOLDER...
//
// An input that crashes the target, or takes it more than a minute, is left in TARGET.input of the current folder.
#include "test/fuzz/FuzzTarget.h"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <vector>

using Bytes = std::vector<uint8_t>;

static const Bytes *current;
static char keptPath[512];

static void keep(int number) {
  int file = open(keptPath, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && current)
    (void)!write(file, current->data(), current->size());
  signal(number, SIG_DFL);
  raise(number);
}

static void run(const Bytes &input) {
  constexpr unsigned tooLong = 60;
  Bytes exact(input); // of exactly the input's size, so that a sanitizer sees a read past its end
  exact.shrink_to_fit();
  current = &exact;
  alarm(tooLong);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  alarm(0);
}

/// One to four changes: bytes of all kinds, numbers that are on edges, cuts, repeats, parts of another input.
static Bytes mutated(Bytes input, const Bytes &other, std::mt19937_64 &random) {
  constexpr uint64_t edges[] = {0,
                                1,
                                0x7f,
                                0x80,
                                0xff,
                                0x7fffffff,
                                0x80000000,
                                0xffffffff,
                                uint64_t(1) << 62,
                                uint64_t(1) << 63,
                                ~uint64_t(0),
                                ~uint64_t(0) - 3};
  for (uint64_t changes = 1 + random() % 4; changes && !input.empty(); --changes) {
    size_t at = random() % input.size();
    switch (random() % 7) {
    case 0:
      input[at] = uint8_t(random());
      break;
    case 1:
      input[at] ^= uint8_t(1 << random() % 8);
      break;
    case 2: {
      uint64_t edge = edges[random() % std::size(edges)];
      memcpy(&input[at], &edge, std::min<size_t>(input.size() - at, size_t(1) << random() % 4));
      break;
    }
    case 3:
      input.erase(input.begin() + long(at), input.begin() + long(std::min(input.size(), at + 1 + random() % 16)));
      break;
    case 4: {
      Bytes part(input.begin() + long(at), input.begin() + long(std::min(input.size(), at + 1 + random() % 32)));
      input.insert(input.begin() + long(random() % input.size()), part.begin(), part.end());
      break;
    }
    case 5:
      if (random() % 8 == 0)
        input.resize(at);
      break;
    case 6:
      if (!other.empty()) {
        size_t from = random() % other.size();
        Bytes part(other.begin() + long(from), other.begin() + long(std::min(other.size(), from + 1 + random() % 64)));
        input.insert(input.begin() + long(at), part.begin(), part.end());
      }
      break;
    }
  }
  return input;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s SECONDS SEED FOLDER...\n", argv[0]);
    return 2;
  }
  snprintf(keptPath, sizeof keptPath, "%s.input", std::filesystem::path(argv[0]).filename().c_str());
  std::vector<Bytes> corpus;
  std::vector<std::filesystem::path> files;
  for (int i = 3; i < argc; ++i)
    for (const auto &entry : std::filesystem::directory_iterator(argv[i]))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end()); // the same order everywhere
  for (const std::filesystem::path &path : files) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) {
    fprintf(stderr, "error: the corpus is empty\n");
    return 1;
  }
  for (int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGALRM})
    signal(number, keep);
  for (const Bytes &input : corpus)
    run(input);
  std::mt19937_64 random(strtoull(argv[2], nullptr, 10));
  auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(atof(argv[1]));
  size_t runs = 0;
  for (; std::chrono::steady_clock::now() < end; ++runs)
    run(mutated(corpus[random() % corpus.size()], corpus[random() % corpus.size()], random));
  printf("%zu files of the corpus and %zu changes of them\n", corpus.size(), runs);
  return runs ? 0 : 1;
}
