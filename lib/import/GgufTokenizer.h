// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer of a GGUF file. Include after JSON_NOEXCEPTION is defined.
#pragma once

#include "lib/support/Gguf.h"
#include <nlohmann/json.hpp>

namespace tamis {

/// SentencePiece's pairs (Kudo and Richardson, 2018, arXiv:1808.06226) in the form of the `tokenizers` package. The
/// file gives a score to each token instead of pairs: two neighbours are merged when together they are a token, that of
/// the highest score first. Null where the file has no tokens, or scores or kinds of other tokens.
nlohmann::json sentencePieceTokenizer(const GgufFile &file);

} // namespace tamis
