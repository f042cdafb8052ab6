// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The named sizes of one import: their ranges, and which of them are the same.
#include "lib/import/SizeRules.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>

using namespace tamis;
using Bounds = SizeRules::Bounds;

namespace {
constexpr int64_t limitOfBounds = int64_t(1) << 62;

int64_t saturate(__int128 value) {
  return value > limitOfBounds ? limitOfBounds : value < -limitOfBounds ? -limitOfBounds : static_cast<int64_t>(value);
}

Bounds times(Bounds a, Bounds b) {
  __int128 products[] = {__int128(a.min) * b.min, __int128(a.min) * b.max, __int128(a.max) * b.min,
                         __int128(a.max) * b.max};
  return {saturate(*std::min_element(products, products + 4)), saturate(*std::max_element(products, products + 4))};
}

/// `name` spelt as a symbol: letters, digits, `_` and `.`, no digit first.
std::string spellSymbol(llvm::StringRef name) {
  std::string symbol;
  for (char c : name)
    symbol += llvm::isAlnum(c) || c == '_' || c == '.' ? c : '_';
  if (symbol.empty() || !(llvm::isAlpha(symbol[0]) || symbol[0] == '_'))
    symbol.insert(0, "_");
  return symbol;
}

/// A number, or a sum of symbols such as the tokens of a cache and the new ones.
bool isPlain(const DimExpr &e) {
  return llvm::all_of(e.terms(), [](const auto &term) {
    return term.first.size() <= 1 &&
           llvm::none_of(term.first, [](const std::string &factor) { return DimExpr::parseCall(factor).has_value(); });
  });
}

/// The other operand when `e` is a minimum of a number and that operand; the number goes to `number`.
std::optional<DimExpr> cappedBy(const DimExpr &e, int64_t &number) {
  if (e.terms().size() != 1)
    return std::nullopt;
  const auto &[monomial, coefficient] = *e.terms().begin();
  if (coefficient != 1 || monomial.size() != 1)
    return std::nullopt;
  auto call = DimExpr::parseCall(monomial[0]);
  if (!call || call->name != "min")
    return std::nullopt;
  for (int i : {0, 1})
    if (auto constant = call->operands[i].constant()) {
      number = *constant;
      return call->operands[1 - i];
    }
  return std::nullopt;
}
} // namespace

const SizeRules::Size *SizeRules::lookUp(llvm::StringRef symbol) const {
  auto it = bySymbol.find(symbol);
  return it == bySymbol.end() ? nullptr : &sizes[it->second];
}

DimExpr SizeRules::named(llvm::StringRef name, int64_t min, int64_t max) {
  if (auto known = find(name))
    return *known;
  std::string symbol = spellSymbol(name);
  while (bySymbol.contains(symbol))
    symbol += "_";
  Size size{symbol, name.str(), {min, max, false}, std::nullopt};
  for (const model::Symbol &given : options.dims)
    if (given.name == name || given.name == symbol) {
      size.range = {given.min, given.max, true};
      if (given.min == given.max)
        size.is = DimExpr(given.min);
    }
  bySpelling[name] = bySymbol[symbol] = sizes.size();
  sizes.push_back(std::move(size));
  return resolve(sizes.back());
}

std::optional<DimExpr> SizeRules::find(llvm::StringRef name) const {
  auto known = bySpelling.find(name);
  return known == bySpelling.end() ? std::nullopt : std::optional(resolve(sizes[known->second]));
}

std::string SizeRules::checkOptions() const {
  llvm::StringSet<> seen;
  for (const model::Symbol &given : options.dims) {
    if (given.min < 0 || given.min > given.max)
      return "size '" + given.name + "' is given the range " + std::to_string(given.min) + ".." +
             std::to_string(given.max) + ", which is empty or negative";
    auto spelling = bySpelling.find(given.name);
    const Size *size = spelling == bySpelling.end() ? lookUp(given.name) : &sizes[spelling->second];
    if (!size) {
      llvm::SmallVector<std::string> names;
      for (const Size &known : sizes)
        names.push_back("'" + known.text + "'");
      return "the model has no dynamic size '" + given.name + "'" +
             (names.empty() ? "; all its sizes are static" : "; its dynamic sizes are " + llvm::join(names, ", "));
    }
    if (!seen.insert(size->symbol).second)
      return "size '" + given.name + "' is given two ranges";
  }
  return "";
}

DimExpr SizeRules::resolve(const Size &size) const {
  return size.is ? resolve(*size.is) : DimExpr::symbol(size.symbol);
}

DimExpr SizeRules::resolve(const DimExpr &e) const {
  DimExpr sum;
  for (const auto &[monomial, coefficient] : e.terms()) {
    DimExpr product(coefficient);
    for (const std::string &factor : monomial) {
      if (auto call = DimExpr::parseCall(factor)) {
        DimExpr a = resolve(call->operands[0]), b = resolve(call->operands[1]);
        product = product * (call->name == "min"   ? DimExpr::min(a, b)
                             : call->name == "max" ? DimExpr::max(a, b)
                                                   : DimExpr::floorDiv(a, b));
      } else {
        const Size *size = lookUp(factor);
        product = product * (size ? resolve(*size) : DimExpr::symbol(factor));
      }
    }
    sum = sum + product;
  }
  return sum;
}

std::optional<DimExpr> SizeRules::computed(llvm::StringRef text, const llvm::StringSet<> &names) {
  auto e = DimExpr::parse(text);
  llvm::StringSet<> used;
  if (!e || e->constant() || e->soleSymbol())
    return std::nullopt;
  e->collectSymbols(used);
  if (!llvm::all_of(used, [&](const auto &name) { return names.contains(name.getKey()); }))
    return std::nullopt;
  for (const auto &name : used)
    if (lookUp(name.getKey()) == nullptr)
      named(name.getKey());
  return resolve(*e);
}

llvm::SmallVector<model::Symbol> SizeRules::symbols() const {
  llvm::SmallVector<model::Symbol> list;
  for (const Size &size : sizes)
    if (!size.is)
      list.push_back({size.symbol, size.range.min, size.range.max});
  return list;
}

Bounds SizeRules::factorBounds(llvm::StringRef factor) const {
  auto call = DimExpr::parseCall(factor);
  if (!call) {
    const Size *size = lookUp(factor);
    return size ? Bounds{size->range.min, size->range.max} : Bounds{0, limitOfBounds};
  }
  Bounds a = bounds(call->operands[0]), b = bounds(call->operands[1]);
  if (call->name == "min")
    return {std::min(a.min, b.min), std::min(a.max, b.max)};
  if (call->name == "max")
    return {std::max(a.min, b.min), std::max(a.max, b.max)};
  if (b.min < 1) // floordiv by what may be zero or negative
    return {-limitOfBounds, limitOfBounds};
  return {std::min(llvm::divideFloorSigned(a.min, b.min), llvm::divideFloorSigned(a.min, b.max)),
          std::max(llvm::divideFloorSigned(a.max, b.min), llvm::divideFloorSigned(a.max, b.max))};
}

Bounds SizeRules::bounds(const DimExpr &e) const {
  __int128 low = 0, high = 0;
  for (const auto &[monomial, coefficient] : e.terms()) {
    Bounds product{1, 1};
    for (const std::string &factor : monomial)
      product = times(product, factorBounds(factor));
    product = times(product, {coefficient, coefficient});
    low += product.min;
    high += product.max;
  }
  return {saturate(low), saturate(high)};
}

DimExpr SizeRules::min(const DimExpr &a, const DimExpr &b) const {
  if (atLeast(a - b, 0))
    return b;
  return atMost(a - b, 0) ? a : DimExpr::min(a, b);
}

DimExpr SizeRules::max(const DimExpr &a, const DimExpr &b) const {
  if (atLeast(a - b, 0))
    return a;
  return atMost(a - b, 0) ? b : DimExpr::max(a, b);
}

/// Notes that the symbol is `by`, unless its range excludes that.
bool SizeRules::replace(llvm::StringRef symbol, const DimExpr &by) {
  Size *size = lookUp(symbol);
  if (!size || size->is)
    return false;
  if (!by.soleSymbol()) {
    llvm::StringSet<> used;
    by.collectSymbols(used);
    Bounds reached = bounds(by);
    // A range of the user's stays true; a default one is no promise.
    bool fits = size->range.given ? reached.min >= size->range.min && reached.max <= size->range.max
                                  : reached.max >= size->range.min && reached.min <= size->range.max;
    if (!fits || used.contains(size->symbol))
      return false;
  } else {
    Size *kept = lookUp(*by.soleSymbol());
    if (!kept)
      return false;
    int64_t min = std::max(size->range.min, kept->range.min), max = std::min(size->range.max, kept->range.max);
    if (min > max)
      return false;
    kept->range = {min, max, kept->range.given || size->range.given};
  }
  size->is = by;
  return true;
}

bool SizeRules::limit(llvm::StringRef symbol, int64_t max) {
  Size *size = lookUp(symbol);
  if (!size || size->range.given || max < size->range.min)
    return false; // a range of the user's is not changed behind their back
  size->range.max = std::min(size->range.max, max);
  return true;
}

SizeRules::Meeting SizeRules::meet(const DimExpr &a, const DimExpr &b) {
  if (a == b)
    return Meeting::equal;
  // min(c, n) is n exactly when n is at most c.
  for (auto [capped, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    int64_t cap;
    auto inner = cappedBy(*capped, cap);
    if (!inner || *inner != *other)
      continue;
    if (auto symbol = inner->soleSymbol(); symbol && limit(*symbol, cap))
      return Meeting::learnt;
    return Meeting::different;
  }
  auto first = a.soleSymbol(), second = b.soleSymbol();
  if (first && second) {
    // The one declared first stays.
    const Size *x = lookUp(*first), *y = lookUp(*second);
    if (!x || !y)
      return Meeting::different;
    return replace(x < y ? *second : *first, x < y ? a : b) ? Meeting::learnt : Meeting::different;
  }
  if (first && isPlain(b))
    return replace(*first, b) ? Meeting::learnt : Meeting::different;
  if (second && isPlain(a))
    return replace(*second, a) ? Meeting::learnt : Meeting::different;
  return Meeting::different;
}
