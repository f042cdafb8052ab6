// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decoders of Llama's kind, as a function of the model dialect: what their formats have in common.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/import/Importers.h"
#include "lib/import/SizeRules.h"
#include <string>
#include <vector>

namespace tamis {

/// Sizes and rules of one model. Biases, norms of queries and keys and a head of its own are there where their weights
/// are.
struct DecoderConfig {
  int64_t vocabulary, width, layers, heads, kvHeads, headWidth, inner;
  int64_t positions;               ///< tokens of the longest context
  double epsilon;                  ///< of the RMS norms
  double rotaryBase;               ///< pair i turns by position * base^(-2i / headWidth)
  std::vector<double> turnDivisor; ///< of each pair, where it turns more slowly; empty: 1
  double rotaryScale = 1;          ///< of turned queries and of turned keys
  bool isInterleaved;              ///< a pair is elements 2i and 2i + 1 of a head; else i and i + headWidth / 2
  model::ActivationKind activation;
};

/// How a format calls the weights; `layer` is what stands before a layer's number.
struct DecoderNames {
  std::string embedding, norm, head;
  std::string layer, attentionNorm, query, key, value, queryNorm, keyNorm, output, innerNorm, gate, up, down;
};

/// What stands behind the name of a matrix of integers of 4 or 8 bits in the names of its scales and of its minima, one
/// each for as many columns as rows of them say.
inline constexpr const char *kScaleSuffix = ".scale", *kMinimumSuffix = ".minimum";

/// Builds `main`, all in f32. Inputs: `input_ids` [batch, sequence]; `logits_at` [batch, kept], which of these tokens
/// logits are wanted of; and of each layer N `past_keys.N` and `past_values.N` [batch, past, kvHeads * headWidth], what
/// earlier calls gave for the tokens before (rotated keys). Outputs: `logits` [batch, kept, vocabulary]; and of each
/// layer `keys.N` and `values.N` [batch, sequence, kvHeads * headWidth], to append to what was passed in. Token i
/// stands at position past + i and reads all up to its own.
///
/// With a cache in pages (ImportOptions::cache): `input_ids` [tokens], of several texts; `positions` and `texts`
/// [tokens] i32, where each stands in which text; `page_table` [texts, places] i32; `logits_at` [kept]; and of each
/// layer pools `keys.N`, `values.N`, and with int8 `key_scales.N`, `value_scales.N`, and
/// where single tokens select pages `key_bounds.N`, which the outputs of the same
/// names take the place of (docs/cache.md). Output `logits` [kept, vocabulary].
///
/// Weights are [out, in], of floats, or matrices of integers with their scales. Source: Touvron et al., "LLaMA", 2023,
/// arXiv:2302.13971; grouped queries: Ainslie et al., 2023, arXiv:2305.13245; rotary embedding: Su et al., 2021,
/// arXiv:2104.09864. Errors, on `loc`: weights that are missing or of another shape, all together; sizes outside of
/// what the model has.
ImportedModule buildDecoder(const DecoderConfig &config, const DecoderNames &names, const ImportOptions &options,
                            WeightStore &weights, mlir::Location loc);

/// Each divisor of DecoderConfig::turnDivisor by the rule of Llama 3.1 ("llama3"): pairs that turn slowly are slowed by
/// `factor`, fast ones are left, those between are interpolated.
std::vector<double> llama3Divisors(int64_t headWidth, double base, double factor, double lowFactor, double highFactor,
                                   double originalPositions);

/// How a rotary embedding reaches `factor` times its context by the rule of YaRN (Peng et al., 2023, arXiv:2309.00071):
/// pairs that turn more than `fast` times in the original context are left, those below `slow` turns are slowed by the
/// factor, those between are interpolated by their number.
struct Yarn {
  double factor, originalPositions, fast = 32, slow = 1;
  bool truncates = true; ///< the bounds between them are whole numbers
  std::vector<double> divisors(int64_t headWidth, double base) const;
  /// DecoderConfig::rotaryScale where a model does not give it.
  double scale() const;
};

} // namespace tamis
