// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises activation functions.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

#include <array>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISEACTIVATIONS
#include "passes/graph/Passes.h.inc"

namespace {
constexpr unsigned kDegrees = 4;
/// Coefficients of a polynomial of degree below kDegrees, the constant first.
using Polynomial = std::array<double, kDegrees>;

/// `value` as a polynomial in `x`, or nothing. `depth` bounds the walk.
std::optional<Polynomial> polynomialIn(Value x, Value value, Trail &trail, unsigned depth = 8) {
  if (value == x)
    return Polynomial{0, 1};
  if (auto number = uniformNumber(value))
    return Polynomial{*number};
  auto op = value.getDefiningOp<ElementwiseOp>();
  if (!op || depth == 0)
    return std::nullopt;
  auto operand = [&](unsigned i) { return polynomialIn(x, op.getOperands()[i], trail, depth - 1); };
  auto a = op.getKind() <= K::fmod ? operand(0) : std::nullopt;
  if (!a)
    return std::nullopt;
  trail.add(op);
  auto multiply = [](const Polynomial &a, const Polynomial &b) -> std::optional<Polynomial> {
    Polynomial product{};
    for (unsigned i = 0; i < kDegrees; ++i)
      for (unsigned j = 0; j < kDegrees; ++j)
        if (a[i] != 0 && b[j] != 0) {
          if (i + j >= kDegrees)
            return std::nullopt;
          product[i + j] += a[i] * b[j];
        }
    return product;
  };
  Polynomial result = *a;
  switch (op.getKind()) {
  case K::neg:
    for (double &c : result)
      c = -c;
    return result;
  case K::add:
  case K::sub:
  case K::mul: {
    auto b = operand(1);
    if (!b)
      return std::nullopt;
    if (op.getKind() == K::mul)
      return multiply(*a, *b);
    for (unsigned i = 0; i < kDegrees; ++i)
      result[i] += op.getKind() == K::add ? (*b)[i] : -(*b)[i];
    return result;
  }
  case K::div: {
    auto by = uniformNumber(op.getOperands()[1]);
    if (!by || *by == 0)
      return std::nullopt;
    for (double &c : result)
      c /= *by;
    return result;
  }
  case K::pow: {
    auto exponent = uniformNumber(op.getOperands()[1]);
    if (exponent != 2 && exponent != 3)
      return std::nullopt;
    std::optional<Polynomial> power = multiply(*a, *a);
    return power && *exponent == 3 ? multiply(*power, *a) : power;
  }
  default:
    return std::nullopt;
  }
}

/// a + b * function(inner)
struct Affine {
  double a = 0, b = 1;
  ElementwiseOp function;
};

/// `value` as a + b * f(..), f one of erf, tanh, sigmoid; sigmoid also as 1 / (1 + exp(-..)) is left to the importer.
std::optional<Affine> matchAffine(Value value, Trail &trail) {
  Affine form;
  for (unsigned depth = 0; depth < 8; ++depth) {
    auto op = value.getDefiningOp<ElementwiseOp>();
    if (!op)
      return std::nullopt;
    trail.add(op);
    if (op.getKind() == K::erf || op.getKind() == K::tanh || op.getKind() == K::sigmoid) {
      form.function = op;
      return form;
    }
    // The walk goes inwards: a' + b' * (x + c) is (a' + b' c) + b' x.
    if (Value inner = matchScaled(value, form.b)) {
      value = inner;
      continue;
    }
    if (op.getKind() != K::add)
      return std::nullopt;
    unsigned which = uniformNumber(op.getOperands()[1]) ? 1 : 0;
    auto number = uniformNumber(op.getOperands()[which]);
    if (!number)
      return std::nullopt;
    form.a += form.b * *number;
    value = op.getOperands()[1 - which];
  }
  return std::nullopt;
}

/// The factors of a product: numbers in `coefficient`, the others in order.
void collectFactors(Value value, double &coefficient, SmallVectorImpl<Value> &factors, Trail &trail,
                    unsigned depth = 6) {
  if (auto number = uniformNumber(value)) {
    coefficient *= *number;
    return;
  }
  auto op = value.getDefiningOp<ElementwiseOp>();
  // Values with other uses are computed anyway, but may hide x itself: the caller tries a value whole as well.
  if (op && depth > 0) {
    if (Value inner = matchScaled(value, coefficient)) {
      trail.add(op);
      return collectFactors(inner, coefficient, factors, trail, depth - 1);
    }
    if (op.getKind() == K::mul) {
      trail.add(op);
      collectFactors(op.getOperands()[0], coefficient, factors, trail, depth - 1);
      collectFactors(op.getOperands()[1], coefficient, factors, trail, depth - 1);
      return;
    }
  }
  factors.push_back(value);
}

/// The activation c x (a + b f(p(x))) is, or nothing.
std::optional<ActivationKind> classify(double coefficient, Affine form, const Polynomial &p) {
  double a = coefficient * form.a, b = coefficient * form.b;
  bool odd = p[0] == 0 && p[2] == 0, linear = odd && p[3] == 0;
  using std::numbers::pi;
  switch (form.function.getKind()) {
  case K::erf:
    if (linear && isNearly(p[1], std::sqrt(0.5)) && isNearly(a, 0.5) && isNearly(b, 0.5))
      return ActivationKind::gelu;
    return std::nullopt;
  case K::tanh:
    if (odd && isNearly(p[1], std::sqrt(2 / pi)) && isNearly(p[3], std::sqrt(2 / pi) * 0.044715) && isNearly(a, 0.5) &&
        isNearly(b, 0.5))
      return ActivationKind::gelu_tanh;
    return std::nullopt;
  default:
    if (!linear || a != 0 || !isNearly(b, 1))
      return std::nullopt;
    if (p[1] == 1)
      return ActivationKind::silu;
    return isNearly(p[1], 1.702) ? std::optional(ActivationKind::quick_gelu) : std::nullopt;
  }
}

/// Products of x and a function of it.
struct RaiseGated : OpRewritePattern<ElementwiseOp> {
  RaiseGated(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() != K::mul && op.getKind() != K::div)
      return rewriter.notifyMatchFailure(op, "is no product");
    // First the product taken apart as far as it goes, then only at the top: x may itself be a product.
    for (unsigned depth : {6u, 1u, 2u, 3u}) {
      Trail trail;
      double coefficient = 1;
      SmallVector<Value> factors;
      collectFactors(op.getResult(), coefficient, factors, trail, depth);
      if (factors.size() != 2)
        continue;
      size_t mark = trail.size();
      for (unsigned i : {0u, 1u}) {
        trail.truncate(mark);
        Value x = factors[i];
        auto form = matchAffine(factors[1 - i], trail);
        if (!form || x.getType() != op.getType())
          continue;
        double by = coefficient;
        auto p = polynomialIn(x, form->function.getOperands()[0], trail);
        auto kind = p ? classify(by, *form, *p) : std::nullopt;
        if (!kind)
          continue;
        ++count;
        rewriter.replaceOp(op, ActivationOp::create(rewriter, trail.fuse(rewriter), op.getType(), *kind, x));
        return success();
      }
    }
    return rewriter.notifyMatchFailure(op, "is no known function of a factor");
  }
  Pass::Statistic &count;
};

/// maximum(x, 0)
struct RaiseRelu : OpRewritePattern<ElementwiseOp> {
  RaiseRelu(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() != K::maximum || !isa<FloatType>(typeOf(op.getResult()).getElementType()))
      return rewriter.notifyMatchFailure(op, "is no maximum of floats");
    for (unsigned i : {0u, 1u}) {
      Value x = op.getOperands()[i];
      if (uniformNumber(op.getOperands()[1 - i]) != 0 || x.getType() != op.getType())
        continue;
      ++count;
      rewriter.replaceOpWithNewOp<ActivationOp>(op, op.getType(), ActivationKind::relu, x);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is zero");
  }
  Pass::Statistic &count;
};

/// relu(x)^2
struct RaiseSquaredRelu : OpRewritePattern<ElementwiseOp> {
  RaiseSquaredRelu(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    bool isSquare = (op.getKind() == K::mul && op.getOperands()[0] == op.getOperands()[1]) ||
                    (op.getKind() == K::pow && uniformNumber(op.getOperands()[1]) == 2);
    auto relu = isSquare ? op.getOperands()[0].getDefiningOp<ActivationOp>() : ActivationOp();
    if (!relu || relu.getKind() != ActivationKind::relu || relu.getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "is no square of a relu");
    Trail trail;
    trail.add(relu);
    trail.add(op);
    ++count;
    rewriter.replaceOp(
        op, ActivationOp::create(rewriter, trail.fuse(rewriter), op.getType(), ActivationKind::relu2, relu.getInput()));
    return success();
  }
  Pass::Statistic &count;
};

struct RaiseActivationsPass : impl::RaiseActivationsBase<RaiseActivationsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseGated, RaiseRelu, RaiseSquaredRelu>(&getContext(), numRaised);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
