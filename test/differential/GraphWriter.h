// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Graphs of the model dialect as text, written value by value, with what each value may be off by.
#pragma once

#include "lib/support/DimExpr.h"
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace tamis::test {

/// Numbers that are the same on every system for one seed.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  /// 0 to n - 1.
  int64_t below(int64_t n) { return int64_t(engine() % uint64_t(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool oneIn(int64_t n) { return below(n) == 0; }
  template <typename T> const T &of(const std::vector<T> &list) { return list[size_t(below(int64_t(list.size())))]; }

private:
  std::mt19937_64 engine;
};

/// A tensor of the graph. Floats of kernels are not those of the evaluator: `error` bounds how far apart they may be,
/// from what each op does to its operands' errors; it is 0 for what is moved, compared or computed in integers.
struct GraphValue {
  std::string name = {};    ///< "%3"
  std::string element = {}; ///< "f32"
  std::vector<DimExpr> dims = {};
  double most = 0, error = 0; ///< largest magnitude of a float; how far one may be off
  int64_t indexes = 0;        ///< an integer of [-indexes, indexes), an index of an axis that long; 0: any number
  bool isLast = false;        ///< may be infinite or no number, so nothing computes with it
  int uses = 0;

  bool isFloat() const { return element[0] == 'f' || element[0] == 'b'; }
  bool isInteger() const { return !isFloat() && element != "i1"; }
  bool isExact() const { return error == 0; }
  size_t rank() const { return dims.size(); }
  std::string type() const;
};

/// `tensor<?x32xf32, #model.dims<"s", "32">>`
std::string tensorType(const std::string &element, const std::vector<DimExpr> &dims);
/// The sizes that NumPy's rule gives two shapes; nothing where it gives none for some values of the symbols.
std::optional<std::vector<DimExpr>> broadcastDims(const std::vector<DimExpr> &a, const std::vector<DimExpr> &b);

/// A dynamic size of the graph and its range.
struct GraphSymbol {
  std::string name;
  int64_t least, most;
};

/// Writes a function `main`.
class GraphWriter {
public:
  explicit GraphWriter(std::vector<GraphSymbol> symbols) : symbols(std::move(symbols)) {}

  /// An argument; inputs() names it in order.
  size_t addInput(GraphValue value);
  /// `%N = TEXT`, a result of the type of `value`, whose name is given here.
  size_t add(const std::string &text, GraphValue value);
  const std::string &use(size_t value) {
    ++values[value].uses;
    return values[value].name;
  }
  /// `%a, %b`, `%a` and `type, type` of some values, which they become used by.
  std::string operands(const std::vector<size_t> &list);
  std::string types(const std::vector<size_t> &list) const;

  /// The function, which returns values that nothing uses, or the last one.
  std::string finish();

  /// The largest value of a size.
  int64_t largest(const DimExpr &dim) const;
  int64_t largestCount(const std::vector<DimExpr> &dims) const;
  /// Whether a size may be 0.
  bool mayBeEmpty(const DimExpr &dim) const;

  std::vector<GraphValue> values;
  std::vector<size_t> inputs, outputs; ///< outputs: after finish()
  const std::vector<GraphSymbol> symbols;

private:
  std::string body;
};

} // namespace tamis::test
