// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Symbolic tensor sizes: canonical polynomials, their text, their value.
#include "lib/support/DimExpr.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace tamis;

DimExpr::DimExpr(int64_t value) {
  addTerm({}, value);
}

DimExpr DimExpr::symbol(llvm::StringRef name) {
  DimExpr e;
  e.addTerm({name.str()}, 1);
  return e;
}

void DimExpr::addTerm(const Monomial &monomial, int64_t coefficient) {
  if (coefficient == 0)
    return;
  auto [it, inserted] = polynomial.try_emplace(monomial, coefficient);
  if (inserted)
    return;
  // Sizes that overflow 64 bits are rejected when the expression is evaluated, so wrapping here is harmless.
  it->second = static_cast<int64_t>(static_cast<uint64_t>(it->second) + static_cast<uint64_t>(coefficient));
  if (it->second == 0)
    polynomial.erase(it);
}

std::optional<int64_t> DimExpr::constant() const {
  if (polynomial.empty())
    return 0;
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return polynomial.begin()->second;
  return std::nullopt;
}

std::optional<llvm::StringRef> DimExpr::soleSymbol() const {
  if (polynomial.size() != 1)
    return std::nullopt;
  const auto &[monomial, coefficient] = *polynomial.begin();
  if (coefficient != 1 || monomial.size() != 1 || parseCall(monomial[0]))
    return std::nullopt;
  return llvm::StringRef(monomial[0]);
}

void DimExpr::collectSymbols(llvm::StringSet<> &names) const {
  for (const auto &[monomial, coefficient] : polynomial)
    for (const std::string &factor : monomial) {
      if (auto call = parseCall(factor)) {
        for (const DimExpr &operand : call->operands)
          operand.collectSymbols(names);
      } else {
        names.insert(factor);
      }
    }
}

DimExpr DimExpr::operator+(const DimExpr &other) const {
  DimExpr sum = *this;
  for (const auto &[monomial, coefficient] : other.polynomial)
    sum.addTerm(monomial, coefficient);
  return sum;
}

DimExpr DimExpr::operator-(const DimExpr &other) const {
  return *this + DimExpr(-1) * other;
}

DimExpr DimExpr::operator*(const DimExpr &other) const {
  DimExpr result;
  for (const auto &[a, ca] : polynomial)
    for (const auto &[b, cb] : other.polynomial) {
      Monomial factors;
      std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(factors));
      result.addTerm(factors, static_cast<int64_t>(static_cast<uint64_t>(ca) * static_cast<uint64_t>(cb)));
    }
  return result;
}

/// Powers compared symbol by symbol in ascending order: an order that products keep, as long division wants.
static bool hasLowerPowers(const DimExpr::Monomial &a, const DimExpr::Monomial &b) {
  auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return y != b.end() && (x == a.end() || *y < *x);
}

std::optional<DimExpr> DimExpr::exactDiv(const DimExpr &divisor) const {
  if (divisor.polynomial.empty())
    return std::nullopt;
  auto leading = [](const DimExpr &e) {
    return *std::max_element(e.polynomial.begin(), e.polynomial.end(),
                             [](const auto &a, const auto &b) { return hasLowerPowers(a.first, b.first); });
  };
  const auto [by, coefficient] = leading(divisor);
  DimExpr quotient, left = *this;
  while (!left.polynomial.empty()) {
    const auto [monomial, c] = leading(left);
    if (c == INT64_MIN && coefficient == -1) // the quotient does not fit
      return std::nullopt;
    if (c % coefficient != 0 || !std::includes(monomial.begin(), monomial.end(), by.begin(), by.end()))
      return std::nullopt;
    DimExpr term;
    Monomial rest;
    std::set_difference(monomial.begin(), monomial.end(), by.begin(), by.end(), std::back_inserter(rest));
    term.addTerm(rest, c / coefficient);
    quotient = quotient + term;
    left = left - term * divisor;
  }
  return quotient;
}

DimExpr DimExpr::makeCall(llvm::StringRef name, const DimExpr &a, const DimExpr &b) {
  return symbol((name + "(" + a.str() + ", " + b.str() + ")").str());
}

DimExpr DimExpr::floorDiv(const DimExpr &a, const DimExpr &b) {
  if (auto exact = a.exactDiv(b))
    return *exact;
  if (auto ca = a.constant(), cb = b.constant(); ca && cb && *cb != 0 && !(*ca == INT64_MIN && *cb == -1))
    return llvm::divideFloorSigned(*ca, *cb);
  return makeCall("floordiv", a, b);
}

bool DimExpr::isNeverNegative() const {
  for (const auto &[monomial, coefficient] : polynomial)
    if (coefficient < 0 || llvm::any_of(monomial, [](const std::string &factor) { return factor.back() == ')'; }))
      return false; // a call may be negative
  return true;
}

DimExpr DimExpr::max(const DimExpr &a, const DimExpr &b) {
  if ((a - b).isNeverNegative())
    return a;
  if ((b - a).isNeverNegative())
    return b;
  return a.str() < b.str() ? makeCall("max", a, b) : makeCall("max", b, a);
}

DimExpr DimExpr::min(const DimExpr &a, const DimExpr &b) {
  if ((a - b).isNeverNegative())
    return b;
  if ((b - a).isNeverNegative())
    return a;
  return a.str() < b.str() ? makeCall("min", a, b) : makeCall("min", b, a);
}

std::string DimExpr::str() const {
  if (polynomial.empty())
    return "0";
  std::string text;
  // Higher degrees first, the constant last, as one writes it by hand.
  std::vector<std::pair<Monomial, int64_t>> ordered(polynomial.begin(), polynomial.end());
  std::sort(ordered.begin(), ordered.end(), [](const auto &a, const auto &b) {
    return std::tuple(b.first.size(), a.first) < std::tuple(a.first.size(), b.first);
  });
  for (const auto &[monomial, coefficient] : ordered) {
    uint64_t magnitude = coefficient < 0 ? -static_cast<uint64_t>(coefficient) : coefficient;
    text += text.empty() ? (coefficient < 0 ? "-" : "") : (coefficient < 0 ? " - " : " + ");
    if (monomial.empty() || magnitude != 1)
      text += std::to_string(magnitude) + (monomial.empty() ? "" : "*");
    text += llvm::join(monomial, "*");
  }
  return text;
}

namespace {
/// Recursive descent over the text form.
class Parser {
public:
  explicit Parser(llvm::StringRef text) : text(text) {}

  std::optional<DimExpr> parseAll() {
    auto e = sum();
    skip();
    return e && text.empty() ? e : std::nullopt;
  }

  std::optional<DimExpr> sum() {
    if (++depth > 64) // hostile nesting must not exhaust the stack
      return std::nullopt;
    skip();
    bool negative = text.consume_front("-");
    auto total = term();
    if (!total)
      return std::nullopt;
    if (negative)
      total = DimExpr(0) - *total;
    for (skip(); text.starts_with("+") || text.starts_with("-"); skip()) {
      bool minus = text.front() == '-';
      text = text.drop_front();
      auto next = term();
      if (!next)
        return std::nullopt;
      total = minus ? *total - *next : *total + *next;
    }
    --depth;
    return total;
  }

private:
  std::optional<DimExpr> term() {
    auto result = factor();
    for (skip(); result && text.consume_front("*"); skip()) {
      auto next = factor();
      if (!next)
        return std::nullopt;
      result = *result * *next;
    }
    return result;
  }

  std::optional<DimExpr> factor() {
    skip();
    if (text.empty())
      return std::nullopt;
    if (llvm::isDigit(text.front())) {
      int64_t value;
      if (text.consumeInteger(10, value))
        return std::nullopt;
      return DimExpr(value);
    }
    if (text.consume_front("(")) {
      auto inner = sum();
      skip();
      return inner && text.consume_front(")") ? inner : std::nullopt;
    }
    auto isName = [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; };
    llvm::StringRef name = text.take_while(isName);
    if (name.empty())
      return std::nullopt;
    text = text.drop_front(name.size());
    skip();
    if (!text.consume_front("("))
      return DimExpr::symbol(name);
    auto a = sum();
    skip();
    if (!a || !text.consume_front(","))
      return std::nullopt;
    auto b = sum();
    skip();
    if (!b || !text.consume_front(")"))
      return std::nullopt;
    if (name == "floordiv")
      return DimExpr::floorDiv(*a, *b);
    if (name == "max")
      return DimExpr::max(*a, *b);
    if (name == "min")
      return DimExpr::min(*a, *b);
    return std::nullopt;
  }

  void skip() { text = text.ltrim(" \t"); }

  llvm::StringRef text;
  int depth = 0;
};
} // namespace

std::optional<DimExpr> DimExpr::parse(llvm::StringRef text) {
  return Parser(text).parseAll();
}

std::optional<DimExpr::Call> DimExpr::parseCall(llvm::StringRef factor) {
  size_t open = factor.find('(');
  if (open == llvm::StringRef::npos || !factor.ends_with(")"))
    return std::nullopt;
  llvm::StringRef inside = factor.drop_front(open + 1).drop_back();
  int level = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    level += inside[i] == '(' ? 1 : inside[i] == ')' ? -1 : 0;
    if (inside[i] != ',' || level != 0)
      continue;
    auto a = parse(inside.take_front(i)), b = parse(inside.drop_front(i + 1));
    if (!a || !b)
      return std::nullopt;
    return Call{factor.take_front(open).str(), {*a, *b}};
  }
  return std::nullopt;
}

std::optional<int64_t> DimExpr::evaluate(llvm::function_ref<std::optional<int64_t>(llvm::StringRef)> lookup) const {
  int64_t total = 0;
  for (const auto &[monomial, coefficient] : polynomial) {
    int64_t value = coefficient;
    for (const std::string &factor : monomial) {
      std::optional<int64_t> f;
      if (auto call = parseCall(factor)) {
        auto a = call->operands[0].evaluate(lookup), b = call->operands[1].evaluate(lookup);
        if (!a || !b || (call->name == "floordiv" && (*b == 0 || (*b == -1 && *a == INT64_MIN))))
          return std::nullopt;
        f = call->name == "floordiv" ? llvm::divideFloorSigned(*a, *b)
            : call->name == "max"    ? std::max(*a, *b)
                                     : std::min(*a, *b);
      } else {
        f = lookup(factor);
      }
      if (!f || llvm::MulOverflow(value, *f, value))
        return std::nullopt;
    }
    if (llvm::AddOverflow(total, value, total))
      return std::nullopt;
  }
  return total;
}

DimExpr tamis::product(llvm::ArrayRef<DimExpr> dims) {
  DimExpr result = 1;
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}
