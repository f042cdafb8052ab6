// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The named sizes of one import: their ranges, and which of them are the same.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/import/Import.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace tamis {

/// What an importer knows of the model's dynamic sizes. An import that learns that two sizes are one, or that a size is
/// limited, starts again with what it learnt, so that no type has to be changed afterwards.
class SizeRules {
public:
  explicit SizeRules(const ImportOptions &options) : options(options) {}

  /// The size that the model calls `name`; declared at its first use, from `min` to `max` where the user says nothing.
  /// Names that are no symbol are spelt as one.
  DimExpr named(llvm::StringRef name, int64_t min = defaultMinSize, int64_t max = defaultMaxSize);
  /// The same, but nothing for a name that is not declared.
  std::optional<DimExpr> find(llvm::StringRef name) const;

  /// The size that a text such as "past + sequence" gives, where it is no plain name and all its names are among
  /// `names`; nothing otherwise.
  std::optional<DimExpr> computed(llvm::StringRef text, const llvm::StringSet<> &names);

  /// After all inputs are declared: an error text when the user gave a range to a name that the model does not have or
  /// two ranges to one name, else empty.
  std::string checkOptions() const;

  /// Declared sizes that are still symbols, in order of declaration.
  llvm::SmallVector<model::Symbol> symbols() const;

  struct Bounds {
    int64_t min, max; ///< saturated at +-2^62
  };
  /// Bounds that hold for all values of the symbols; not always the tightest.
  Bounds bounds(const DimExpr &e) const;
  bool atLeast(const DimExpr &e, int64_t value) const { return bounds(e).min >= value; }
  bool atMost(const DimExpr &e, int64_t value) const { return bounds(e).max <= value; }

  /// Minimum and maximum, decided by the ranges where they suffice.
  DimExpr min(const DimExpr &a, const DimExpr &b) const;
  DimExpr max(const DimExpr &a, const DimExpr &b) const;

  enum class Meeting {
    equal,     ///< they are one expression
    learnt,    ///< they can only be equal if something holds that is noted for the next attempt
    different, ///< they differ, or it cannot be shown that they do not
  };
  /// Two sizes meet that the model needs to be equal.
  Meeting meet(const DimExpr &a, const DimExpr &b);

private:
  struct Range {
    int64_t min, max;
    bool given;
  };
  struct Size {
    std::string symbol;
    std::string text; ///< the model's own spelling
    Range range;
    std::optional<DimExpr> is; ///< a number, or an expression of other symbols, in its place
  };
  const Size *lookUp(llvm::StringRef symbol) const;
  Size *lookUp(llvm::StringRef symbol) { return const_cast<Size *>(std::as_const(*this).lookUp(symbol)); }
  DimExpr resolve(const Size &size) const;
  /// With what stands in the place of its symbols.
  DimExpr resolve(const DimExpr &e) const;
  bool replace(llvm::StringRef name, const DimExpr &by);
  bool limit(llvm::StringRef name, int64_t max);
  Bounds factorBounds(llvm::StringRef factor) const;

  const ImportOptions &options;
  std::vector<Size> sizes;            ///< in order of declaration
  llvm::StringMap<size_t> bySymbol;   ///< index into sizes
  llvm::StringMap<size_t> bySpelling; ///< the same, by the model's spelling
};

} // namespace tamis
