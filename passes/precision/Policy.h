// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which precision each layer of a model gets, as users write it.
#pragma once

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include <string>
#include <vector>

namespace tamis::precision {

/// What layers have that no rule changes.
inline constexpr llvm::StringLiteral kUnchanged = "f32";
/// What stands for bf16 for layers of attention, its projections, and int8 for all others.
inline constexpr llvm::StringLiteral kMixed = "mixed";

/// The pattern of weights that fits this key alone.
std::string exactly(llvm::StringRef key);

/// One precision for all layers, or rules by the keys of their weights; the first that fits holds. Precisions are texts
/// that this does not look into.
class Policy {
public:
  /// `text`: a precision, `@FILE` of JSON, or JSON, which begins with `{` (AssignPrecision in Passes.td).
  /// Errors are diagnostics at `loc` that name the file: what it has and what is wanted.
  static mlir::FailureOr<Policy> parse(llvm::StringRef text, mlir::Location loc);

  llvm::StringRef precisionOf(llvm::StringRef key) const;
  /// All that occur, in their order.
  std::vector<std::string> precisions() const;
  /// Errors: a rule that fits none of `keys`.
  llvm::LogicalResult checkFits(llvm::ArrayRef<std::string> keys, mlir::Location loc) const;

private:
  struct Rule {
    std::string keys; ///< a pattern that GlobPattern takes
    std::string precision;
    bool fits(llvm::StringRef key) const;
  };
  friend class PolicyReader;

  std::string name = "the precision"; ///< the file, for messages
  std::string byDefault = kUnchanged.str();
  std::vector<Rule> rules;
};

} // namespace tamis::precision
