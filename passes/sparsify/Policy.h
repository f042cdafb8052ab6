// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which pattern each layer and head of a model gets, as users write it.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>
#include <string>
#include <vector>

namespace tamis::sparsify {

/// `name(a=1, b=2)` as an attribute of the dialect; null, with a diagnostic, when it is none.
sattn::PatternAttrInterface parsePattern(llvm::StringRef text, mlir::Location loc);

/// Heads next to each other that have one pattern; null: dense.
struct HeadRun {
  int64_t first, count;
  sattn::PatternAttrInterface pattern;
};

/// A pattern for everything, or rules by layer and head. Layers are the attentions of a model, in their order.
///
/// As JSON: `{"default": PATTERN, "layers": {LAYERS: PATTERN | {HEADS: PATTERN, ...}, ...}}`, where LAYERS and HEADS
/// are numbers from 0, `"3"`, or ranges with both ends, `"0-3"`. What no rule names has the default, or is dense.
/// `share(2)` in place of a PATTERN of LAYERS gives them the patterns of layer 2, and what it selects.
class Policy {
public:
  /// `text` is a pattern, `dense`, empty for `dense`, `@FILE` of JSON, or JSON itself, which begins with `{`.
  /// Errors are diagnostics: what the file has and what is wanted.
  static mlir::FailureOr<Policy> parse(llvm::StringRef text, mlir::Location loc);

  int64_t denseBelow() const { return fewestKeys; }
  /// The earlier layer whose selection this one reads.
  std::optional<int64_t> sharedBy(int64_t layer) const;
  bool isDense() const { return !byDefault && rules.empty(); }
  /// Errors: a rule for a layer past those, or for one that `hasPattern` says has its own.
  llvm::LogicalResult checkLayers(llvm::ArrayRef<bool> hasPattern, mlir::Location loc) const;
  /// The runs of heads of a layer of `heads`, in order and as long as they can be. Errors: a rule for a head past
  /// those.
  mlir::FailureOr<std::vector<HeadRun>> runsOf(int64_t layer, int64_t heads, mlir::Location loc) const;

private:
  struct Range {
    int64_t first, last; ///< both included
    std::string text;
  };
  struct HeadRule {
    Range heads;
    sattn::PatternAttrInterface pattern;
  };
  struct LayerRule {
    Range layers;
    sattn::PatternAttrInterface pattern; ///< of all heads, where `heads` is empty
    std::vector<HeadRule> heads;
    std::optional<int64_t> shared = {};
  };
  const LayerRule *ruleOf(int64_t layer) const;
  friend class PolicyReader;

  std::string name; ///< of the file, for messages
  sattn::PatternAttrInterface byDefault;
  std::vector<LayerRule> rules;
  int64_t fewestKeys = 0;
};

} // namespace tamis::sparsify
