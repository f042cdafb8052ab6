// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Symbolic tensor sizes.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tamis {

/// An integer polynomial over named sizes, in canonical form: two expressions are equal exactly when their texts are.
///
/// Text: `batch*sequence + 2*batch - 1`. A factor is a symbol (`[A-Za-z_][A-Za-z0-9_.]*`) or one of
/// `floordiv(e, e)`, `max(e, e)`, `min(e, e)`, which are kept whole. A value type; not thread-safe while written.
class DimExpr {
public:
  /// What a term multiplies: factor texts in ascending order, repeated for powers; empty for the constant term.
  using Monomial = std::vector<std::string>;

  DimExpr() = default; ///< zero
  DimExpr(int64_t value);
  static DimExpr symbol(llvm::StringRef name);
  /// Reads the text form; nothing on a syntax error or on overflow.
  static std::optional<DimExpr> parse(llvm::StringRef text);

  std::string str() const;
  std::optional<int64_t> constant() const;
  bool isConstant(int64_t value) const { return constant() == value; }
  /// The symbol's name when the expression is one symbol alone.
  std::optional<llvm::StringRef> soleSymbol() const;
  void collectSymbols(llvm::StringSet<> &names) const;
  const std::map<Monomial, int64_t> &terms() const { return polynomial; }

  DimExpr operator+(const DimExpr &other) const;
  DimExpr operator-(const DimExpr &other) const;
  DimExpr operator*(const DimExpr &other) const;
  bool operator==(const DimExpr &other) const { return polynomial == other.polynomial; }
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  /// this / divisor when the division leaves no remainder for every value of the symbols.
  std::optional<DimExpr> exactDiv(const DimExpr &divisor) const;
  static DimExpr floorDiv(const DimExpr &a, const DimExpr &b);
  static DimExpr max(const DimExpr &a, const DimExpr &b);
  static DimExpr min(const DimExpr &a, const DimExpr &b);

  /// The value under `lookup` (nothing: symbol unknown); nothing on overflow or division by zero.
  std::optional<int64_t> evaluate(llvm::function_ref<std::optional<int64_t>(llvm::StringRef)> lookup) const;

  /// An opaque factor taken apart: `floordiv`, `max` or `min` and its two operands. Nothing for a plain symbol.
  struct Call {
    std::string name;
    std::vector<DimExpr> operands; ///< two
  };
  static std::optional<Call> parseCall(llvm::StringRef factor);

private:
  /// Symbols are sizes, so a sum of products of symbols with positive factors is never negative. False when not sure.
  bool isNeverNegative() const;
  void addTerm(const Monomial &monomial, int64_t coefficient);
  static DimExpr makeCall(llvm::StringRef name, const DimExpr &a, const DimExpr &b);
  std::map<Monomial, int64_t> polynomial; // no zero coefficients
};

/// Product of sizes, 1 for none.
DimExpr product(llvm::ArrayRef<DimExpr> dims);

} // namespace tamis
