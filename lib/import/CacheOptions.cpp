// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How language models keep keys and values of earlier tokens.
#include "lib/import/CacheOptions.h"

using namespace tamis;

llvm::Expected<CacheOptions> tamis::parseCacheOptions(llvm::StringRef text) {
  constexpr int64_t unit = 16, most = 1024;
  CacheOptions options;
  options.isRequired = true;
  auto [name, rest] = text.split('(');
  auto wrong = [&] {
    return llvm::createStringError("found '" + text +
                                   "' but contiguous, f32 or int8 is wanted, with pages also as "
                                   "f32(page=32), a multiple of 16 up to 1024");
  };
  if (name == "contiguous")
    options.kind = CacheOptions::Kind::contiguous;
  else if (name == "f32")
    options.kind = CacheOptions::Kind::f32;
  else if (name == "int8")
    options.kind = CacheOptions::Kind::int8;
  else
    return wrong();
  if (name.size() == text.size())
    return options;
  if (!options.isPaged() || !rest.consume_front("page=") || !rest.consume_back(")") ||
      rest.getAsInteger(10, options.page) || options.page < unit || options.page > most || options.page % unit)
    return wrong();
  return options;
}

llvm::Error tamis::parseDecodeAttention(llvm::StringRef text, CacheOptions &options) {
  constexpr int64_t fewest = 4, most = 1 << 20;
  auto wrong = [&] {
    return llvm::createStringError("found '" + text +
                                   "' but dense or page_bounds(pages=N) is wanted, of 4 pages or "
                                   "more, also with dense_layers=N");
  };
  if (text == "dense")
    return llvm::Error::success();
  llvm::StringRef rest = text;
  if (!rest.consume_front("page_bounds(") || !rest.consume_back(")"))
    return wrong();
  while (!rest.empty()) {
    auto [word, others] = rest.split(',');
    auto [name, value] = word.trim().split('=');
    int64_t &number = name == "pages" ? options.decodePages : options.denseLayers;
    if ((name != "pages" && name != "dense_layers") || value.getAsInteger(10, number) || number < 0 || number > most)
      return wrong();
    rest = others;
  }
  if (options.decodePages < fewest)
    return wrong();
  if (!options.isPaged())
    return llvm::createStringError("page_bounds selects among the pages of a cache, and a contiguous one has none");
  return llvm::Error::success();
}
