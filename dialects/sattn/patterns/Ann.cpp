// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best keys of each query among those that share a hash with it.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

// Codes are whole numbers of f32.
constexpr int64_t kMostBits = 24;

LogicalResult AnnAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t k, int64_t tables, int64_t bits,
                              int64_t seed) {
  if (!isCount(k, 1) || !isCount(tables, 1)) // C1
    return emitError() << "found a k of " << k << " by " << tables
                       << " tables but numbers from 1, below 2^31, are wanted";
  if (bits < 1 || bits > kMostBits) // C2
    return emitError() << "found hashes of " << bits << " bits but 1 to " << kMostBits << " are wanted";
  return success();
}

LogicalResult AnnAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  auto keys = sizes.keys.constant();
  if (keys && getK() > *keys) // C3
    return emitError() << "found a k of " << getK() << " but there are " << *keys << " keys";
  return success();
}

bool AnnAttr::readsNumbers() const {
  return true;
}

namespace {
/// The normals of the hyperplanes, width x (tables x bits), 1 or -1: bits of a SplitMix64 sequence that starts at
/// `seed`.
std::vector<float> hyperplanes(int64_t seed, int64_t count) {
  std::vector<float> normals(count);
  uint64_t state = seed;
  for (float &component : normals) {
    uint64_t x = state += 0x9E3779B97F4A7C15;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    component = (x >> 63) ? -1 : 1; // the shift by 31 that ends a round leaves this bit as it is
  }
  return normals;
}
} // namespace

void AnnAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t planes = getTables() * getBits();
  std::vector<float> normals = hyperplanes(getSeed(), head.width * planes);
  auto sidesOf = [&](llvm::ArrayRef<double> tokens, int64_t count) {
    std::vector<bool> sides(count * planes);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t plane = 0; plane < planes; ++plane) {
        double product = 0;
        for (int64_t d = 0; d < head.width; ++d)
          product += tokens[t * head.width + d] * normals[d * planes + plane];
        sides[t * planes + plane] = product > 0;
      }
    return sides;
  };
  std::vector<bool> ofQueries = sidesOf(head.query, head.queries), ofKeys = sidesOf(head.key, head.keys);
  for (int64_t q = 0; q < head.queries; ++q) {
    std::vector<double> scores(head.keys);
    std::vector<int64_t> candidates;
    for (int64_t k = 0; k < head.keys; ++k) {
      bool agrees = false;
      for (int64_t table = 0; table < getTables(); ++table) {
        auto query = ofQueries.begin() + q * planes + table * getBits();
        agrees |= std::equal(query, query + getBits(), ofKeys.begin() + k * planes + table * getBits());
      }
      if (!agrees || !head.mayPick(q, k))
        continue;
      scores[k] = head.product(q, k);
      candidates.push_back(k);
    }
    for (int64_t k : largest(scores, candidates, getK()))
      kept.keep(q, k);
  }
}

Value AnnAttr::lower(PatternBuilder &b) const {
  // A code is the number whose binary digits say on which sides a token lies, for each table.
  auto constant = [&](std::vector<float> numbers, int64_t rows, int64_t columns) {
    auto type = RankedTensorType::get({rows, columns}, b.ops().getF32Type());
    Value value = model::ConstantOp::create(b.ops(), b.loc(), type, DenseElementsAttr::get(type, ArrayRef(numbers)));
    return value;
  };
  int64_t planes = getTables() * getBits();
  std::vector<float> digits(planes * getTables());
  for (int64_t plane = 0; plane < planes; ++plane)
    digits[plane * getTables() + plane / getBits()] = float(1 << (plane % getBits()));
  auto codesOf = [&](Value tokens, int64_t heads) {
    model::Dims dims = model::dimsOf(tokens.getType());
    int64_t width = *dims[2].constant() / heads;
    Type f32 = b.ops().getF32Type();
    auto typeOf = [&](int64_t columns, Type element) {
      return model::tensorType(element, {dims[0], dims[1], heads, columns});
    };
    Value vectors = model::ReshapeOp::create(b.ops(), b.loc(), typeOf(width, f32), tokens);
    Value normals = constant(hyperplanes(getSeed(), width * planes), width, planes);
    Value products = model::LinearOp::create(b.ops(), b.loc(), typeOf(planes, f32), vectors, normals, Value(), false);
    auto scalar = RankedTensorType::get({}, f32);
    Value zero =
        model::ConstantOp::create(b.ops(), b.loc(), scalar, DenseElementsAttr::get(scalar, b.ops().getF32FloatAttr(0)));
    Value sides = model::ElementwiseOp::create(b.ops(), b.loc(), typeOf(planes, b.ops().getI1Type()),
                                               model::ElementwiseKind::greater, ValueRange{products, zero});
    Value numbers = model::CastOp::create(b.ops(), b.loc(), typeOf(planes, f32), sides);
    Value codes = model::LinearOp::create(b.ops(), b.loc(), typeOf(getTables(), f32), numbers,
                                          constant(digits, planes, getTables()), Value(), false);
    Type flat = model::tensorType(f32, {dims[0], dims[1], heads * getTables()});
    return model::ReshapeOp::create(b.ops(), b.loc(), flat, codes).getResult();
  };
  Value agreements = b.agreement(codesOf(b.query(), b.heads()), codesOf(b.key(), b.kvHeads()));
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  best.candidates = b.select(agreements, 1, 1, {BudgetKind::threshold, 1, b.keys()});
  return b.attend({b.select(b.score(b.query(), b.key()), 1, 1, best)});
}

int64_t AnnAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::min(keys, getK());
}
