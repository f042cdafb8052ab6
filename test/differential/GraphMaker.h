// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: each step adds an op that fits what is there.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/MLIRContext.h"
#include "test/differential/GraphWriter.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace tamis::test {

/// Adds ops to a graph. A step that finds no operand it could take, or whose result would be too large or too far off
/// to be judged, adds nothing and says so by false.
class GraphMaker {
public:
  GraphMaker(GraphWriter &graph, Random &random, WeightStore &weights, mlir::MLIRContext *context)
      : graph(graph), random(random), weights(weights), context(context) {}

  /// Inputs, then about `ops` ops.
  void make(int64_t ops);

private:
  using Dims = std::vector<DimExpr>;

  void makeInputs();

  // Elementwise.cpp
  bool unary();
  bool function();
  bool binary();
  bool quotient();
  bool integers();
  bool comparison();
  bool select();
  bool cast();
  // Movement.cpp
  bool reshape();
  bool transpose();
  bool broadcast();
  bool slice();
  bool concat();
  bool gather();
  bool gatherNd();
  bool scatter();
  bool iota();
  // Products.cpp
  bool reduce();
  bool softmax();
  bool cumulative();
  bool topK();
  bool matmul();
  bool linear();
  bool norm();
  bool embedding();
  bool attention();
  // Decomposed.cpp
  bool writtenActivation();
  bool writtenNorm();
  bool writtenAttention();
  size_t step(const std::string &function, const std::vector<size_t> &operands, double most, double error);
  size_t reduced(const std::string &kind, size_t operand, double most, double error);

  /// A value that `fits`, those of late preferred; nothing where there is none.
  std::optional<size_t> pick(llvm::function_ref<bool(const GraphValue &)> fits);
  std::optional<std::pair<size_t, size_t>> pickPair(llvm::function_ref<bool(const GraphValue &)> fits);
  /// A float that something may compute with.
  std::optional<size_t> pickFloat(size_t leastRank = 0);
  bool add(const std::string &text, GraphValue value);
  /// Whether a result is worth computing: not too many elements, floats neither too large nor too far off.
  bool isJudged(const GraphValue &result) const;
  /// `OP %a, %b : (A, B) -> R`, elementwise.
  bool elementwise(const std::string &function, const std::vector<size_t> &operands, GraphValue result);
  /// A number as a tensor of rank 0.
  size_t constant(double number, const std::string &element = "f32");
  /// A weight of random numbers of [-1, 1], as an operand.
  size_t weight(const Dims &dims);
  /// What rounding adds to a value of some size.
  static double rounding(const std::string &element, double most);
  /// And to a sum, which may be rounded after each of its `count` terms.
  static double roundingOfSum(const std::string &element, double most, double count) {
    return (1 + count / 4) * rounding(element, most);
  }
  /// `result` becomes a sum of `count` products.
  static void setProducts(GraphValue &result, const GraphValue &a, const GraphValue &b, double count);

  GraphWriter &graph;
  Random &random;
  WeightStore &weights;
  mlir::MLIRContext *context;
};

} // namespace tamis::test
