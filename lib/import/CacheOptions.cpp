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
