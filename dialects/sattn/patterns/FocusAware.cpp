// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of the tokens in focus, scaled by how much they are.
#include "dialects/sattn/LeastSquares.h"
#include "dialects/sattn/patterns/Compaction.h"
#include "dialects/sattn/patterns/Gate.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using model::dimsOf;
using model::ElementwiseKind;

static constexpr double kSkip = 0.63;
static constexpr int64_t kWidth = 3; // of the convolution

LogicalResult FocusAwareAttr::verify(function_ref<InFlightDiagnostic()> emitError, std::optional<APFloat> skip,
                                     std::optional<APFloat> threshold) {
  if (skip && threshold) // C1
    return emitError() << "found a skip and a threshold but one of them is wanted";
  if (skip && !(skip->convertToDouble() >= 0 && skip->convertToDouble() < 1))
    return emitError() << "found a skip of " << skip->convertToDouble() << " but a number from 0 to below 1 is wanted";
  if (threshold && !(threshold->convertToDouble() > 0 && threshold->convertToDouble() < 1))
    return emitError() << "found a threshold of " << threshold->convertToDouble()
                       << " but a number above 0 and below 1 is wanted";
  return success();
}

LogicalResult FocusAwareAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  if (sizes.queries != sizes.keys) // C2
    return emitError() << "found " << sizes.queries.str() << " queries and " << sizes.keys.str()
                       << " keys but focus_aware wants as many of both";
  return success();
}

bool FocusAwareAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> FocusAwareAttr::weights(const AttentionSizes &sizes) const {
  return {{"focus", {kWidth, sizes.heads * sizes.width}}, {"bias", {1}}};
}

/// What goes into the sigmoid, or the threshold on it.
static double logitOf(double x) {
  return std::log(x / (1 - x));
}
static double shareInFocus(const std::optional<APFloat> &skip) {
  return 1 - (skip ? skip->convertToDouble() : kSkip);
}

namespace {
/// Whether the convolution reads a token there.
bool isSource(const AttentionInputs &item, int64_t token) {
  return token >= 0 && token < item.queries && (item.keyKept.empty() || item.keyKept[token]);
}

/// The focus of each token, before the sigmoid.
std::vector<double> focusOf(const AttentionInputs &item) {
  int64_t features = item.heads * item.width;
  std::vector<double> logits(item.queries, item.weights[1][0]);
  for (int64_t t = 0; t < item.queries; ++t)
    for (int64_t j = 0; j < kWidth; ++j)
      if (int64_t source = t + j - 1; isSource(item, source))
        for (int64_t f = 0; f < features; ++f)
          logits[t] += item.weights[0][j * features + f] * item.query[source * features + f];
  return logits;
}
} // namespace

void FocusAwareAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  std::vector<double> logits = focusOf(head.item);
  std::vector<int64_t> tokens = keptTokens(head.item), inFocus;
  if (!getThreshold())
    inFocus = largest(logits, tokens, shareOf(head.queries, shareInFocus(getSkip())));
  else
    for (int64_t t : tokens)
      if (logits[t] >= logitOf(getThreshold()->convertToDouble()))
        inFocus.push_back(t);
  for (int64_t q : inFocus)
    for (int64_t k = 0; k < head.keys; ++k)
      if (head.isOrdered(q, k))
        kept.keep(q, k);
}

void FocusAwareAttr::attend(const HeadInputs &head, const KeptPairs &kept, MutableArrayRef<double> result) const {
  std::vector<double> focus = focusOf(head.item);
  HeadInputs scaled = head;
  for (int64_t q = 0; q < head.queries; ++q) {
    focus[q] = 1 / (1 + std::exp(-focus[q]));
    for (int64_t d = 0; d < head.width; ++d)
      scaled.query[q * head.width + d] *= focus[q];
  }
  attendKept(scaled, kept, result);
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t d = 0; d < head.valueWidth; ++d)
      if (double &x = result[q * head.valueWidth + d]; x != 0) // out of focus may be of no number
        x *= focus[q];
}

/// The focus of tokens before the sigmoid, as ops: `B x S x 1`.
static Value writeFocus(PatternBuilder &b) {
  model::Dims dims = dimsOf(b.query().getType());
  Type element = cast<RankedTensorType>(b.query().getType()).getElementType();
  auto type = [&](const DimExpr &tokens, int64_t columns) {
    return model::tensorType(element, {dims[0], tokens, columns});
  };
  OpBuilder &ops = b.ops();
  Location loc = b.loc();
  // Products with all three of its rows, and then the row before, the own one and the next.
  Value products = model::LinearOp::create(ops, loc, type(dims[1], kWidth), b.query(), b.weight(0), /*bias=*/Value(),
                                           /*transposed=*/true);
  if (Value mask = b.keyMask()) { // padding is as what lies beyond the ends
    Type maskType = model::tensorType(ops.getI1Type(), {dims[0], dims[1], 1});
    mask = model::ReshapeOp::create(ops, loc, maskType, mask);
    auto scalar = RankedTensorType::get({}, element);
    Value zero = model::ConstantOp::create(ops, loc, scalar,
                                           DenseElementsAttr::get(scalar, ops.getFloatAttr(element, 0).getValue()));
    products = model::ElementwiseOp::create(ops, loc, products.getType(), ElementwiseKind::select,
                                            ValueRange{mask, products, zero});
  }
  auto zeroType = RankedTensorType::get({1, 1, kWidth}, element);
  Value zeros = model::ConstantOp::create(ops, loc, zeroType,
                                          DenseElementsAttr::get(zeroType, ops.getFloatAttr(element, 0).getValue()));
  zeros = model::BroadcastOp::create(ops, loc, type(1, kWidth), zeros);
  Value padded = model::ConcatOp::create(ops, loc, type(dims[1] + (kWidth - 1), kWidth),
                                         ValueRange{zeros, products, zeros}, ops.getI64IntegerAttr(1));
  Value sum = b.weight(1);
  for (int64_t j = 0; j < kWidth; ++j) {
    std::string start = std::to_string(j);
    Value product = model::SliceOp::create(ops, loc, type(dims[1], 1), padded, ops.getStrArrayAttr({"0", start, start}),
                                           ops.getDenseI64ArrayAttr({1, 1, 1}));
    sum = model::ElementwiseOp::create(ops, loc, product.getType(), ElementwiseKind::add, ValueRange{product, sum});
  }
  return sum;
}

Value FocusAwareAttr::lower(PatternBuilder &b) const {
  AttentionOp op = b.attention();
  OpBuilder &ops = b.ops();
  Location loc = b.loc();
  Value logits = writeFocus(b);
  model::Dims dims = dimsOf(logits.getType());
  Type element = cast<RankedTensorType>(logits.getType()).getElementType();
  Value scores = model::ReshapeOp::create(ops, loc, model::tensorType(element, {dims[0], 1, 1, dims[1]}), logits);
  double share = shareInFocus(getSkip());
  Value inFocus = getThreshold() ? selectTokens(b, scores, BudgetKind::threshold,
                                                logitOf(getThreshold()->convertToDouble()), b.keys())
                                 : selectTokens(b, scores, BudgetKind::fraction, share, shareCapacity(b.keys(), share));
  Value focus = compact(b, logits, inFocus);
  focus = model::ElementwiseOp::create(ops, loc, focus.getType(), ElementwiseKind::sigmoid, ValueRange{focus});
  auto scale = [&](Value tokens) -> Value {
    return model::ElementwiseOp::create(ops, loc, tokens.getType(), ElementwiseKind::mul, ValueRange{tokens, focus});
  };
  Value query = scale(compact(b, b.query(), inFocus));
  model::Dims resultDims = dimsOf(op.getType());
  resultDims[1] = dimsOf(query.getType())[1];
  Value result =
      AttendAtOp::create(ops, loc, model::tensorType(element, resultDims), query, b.key(), b.value(), inFocus,
                         op.getMask(), op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr());
  return expand(b, scale(result), inFocus);
}

int64_t FocusAwareAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return keys * (getThreshold() ? queries : std::min(queries, shareOf(queries, shareInFocus(getSkip()))));
}

/// How much dense attention adds at each token: the logarithm of its result's norm over all heads; NaN where that is
/// nothing. A mask of keys tells of the queries too where both are the same tokens.
static std::vector<double> normsOf(const AttentionInputs &item) {
  std::vector<double> squares(item.queries), result(item.queries * item.valueWidth), norms(item.queries, NAN);
  for (int64_t h = 0; h < item.heads; ++h) {
    attendKept(HeadInputs(item, h), KeptPairs(item.queries, item.keys, true), result);
    for (int64_t i = 0; i < int64_t(result.size()); ++i)
      squares[i / item.valueWidth] += result[i] * result[i];
  }
  for (int64_t t = 0; t < item.queries; ++t)
    if (bool isKept = !item.sameTokens || item.keyKept.empty() || item.keyKept[t]; isKept && squares[t] > 0)
      norms[t] = std::log(squares[t]) / 2;
  return norms;
}

/// The focus is fitted to the norm n of what dense attention adds at a token, as n / (n + m), whose logit is the
/// logarithm of n / m. m is the norm of the token on the limit of what is skipped in all samples, so that those to be
/// skipped are below one half; in place of a share that is not known, one half.
std::vector<std::vector<double>> FocusAwareAttr::fit(ArrayRef<AttentionInputs> samples) const {
  if (samples.empty())
    return {{}, {}};
  int64_t features = samples.front().heads * samples.front().width;
  std::vector<std::vector<double>> norms;
  std::vector<double> known;
  for (const AttentionInputs &item : samples) {
    norms.push_back(normsOf(item));
    llvm::copy_if(norms.back(), std::back_inserter(known), [](double norm) { return !std::isnan(norm); });
  }
  llvm::sort(known);
  double skip = getThreshold() ? 0.5 : 1 - shareInFocus(getSkip());
  double limit = known.empty() ? 0 : known[int64_t(skip * (known.size() - 1))];
  LeastSquares regression(kWidth * features + 1);
  std::vector<double> row(kWidth * features + 1);
  for (auto [item, ofItem] : llvm::zip(samples, norms))
    for (int64_t t = 0; t < item.queries; ++t) {
      for (int64_t j = 0; j < kWidth; ++j) {
        int64_t source = t + j - 1;
        bool exists = isSource(item, source);
        for (int64_t f = 0; f < features; ++f)
          row[j * features + f] = exists ? item.query[source * features + f] : 0;
      }
      row.back() = 1;
      regression.add(row, ofItem[t] - limit); // NaN is left out
    }
  std::vector<double> focus = regression.solve(), bias{focus.back()};
  focus.pop_back();
  return {focus, bias};
}
