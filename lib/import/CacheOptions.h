// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How language models keep keys and values of earlier tokens.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>

namespace tamis {

struct CacheOptions {
  enum class Kind {
    contiguous, ///< the caller's: one tensor a layer of all earlier tokens goes in, that of the new ones comes out
    f32,        ///< pages of f32, written in place
    int8,       ///< pages of i8 with a scale a token and head
  };
  Kind kind = Kind::contiguous;
  int64_t page = 64;       ///< tokens of one; a multiple of 16, which is a vector of the widest machine
  int64_t decodePages = 0; ///< single tokens read so many pages, chosen by bounds of their keys; 0: all
  int64_t denseLayers = 2; ///< first layers that read all pages anyhow
  bool isRequired = false; ///< a model that has no cache is an error

  bool isPaged() const { return kind != Kind::contiguous; }
};

/// "contiguous", "f32", "int8", the last two also with "(page=32)". Errors: anything else.
llvm::Expected<CacheOptions> parseCacheOptions(llvm::StringRef text);

/// Sets what single tokens read: "dense", "page_bounds(pages=64)", also with "dense_layers=2". Errors: anything else,
/// or a cache without pages.
llvm::Error parseDecodeAttention(llvm::StringRef text, CacheOptions &options);

} // namespace tamis
