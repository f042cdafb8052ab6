// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best keys of each query among its approximate nearest neighbours.
#include "dialects/sattn/patterns/ModelWriter.h"
#include "dialects/sattn/patterns/ProductQuantization.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

// Codes are whole numbers of f32.
constexpr int64_t kMostBits = 24;

LogicalResult AnnAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t k, AnnMethod method, int64_t tables,
                              int64_t bits, int64_t seed, int64_t parts, int64_t centroids, int64_t candidates) {
  if (!isCount(k, 1) || !isCount(tables, 1)) // C1
    return emitError() << "found a k of " << k << " by " << tables
                       << " tables but numbers from 1, below 2^31, are wanted";
  if (bits < 1 || bits > kMostBits) // C2
    return emitError() << "found hashes of " << bits << " bits but 1 to " << kMostBits << " are wanted";
  if (!isCount(parts, 1) || !isCount(centroids, 1) || !isCount(candidates, 1)) // C4
    return emitError() << "found " << parts << " parts of " << centroids << " centroids for " << candidates
                       << " candidates but numbers from 1, below 2^31, are wanted";
  if (method == AnnMethod::pq && candidates < k)
    return emitError() << "found " << candidates << " candidates but no less than the k of " << k << " are wanted";
  return success();
}

LogicalResult AnnAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  auto keys = sizes.keys.constant();
  if (keys && getK() > *keys) // C3
    return emitError() << "found a k of " << getK() << " but there are " << *keys << " keys";
  if (getMethod() == AnnMethod::pq && sizes.width % getParts()) // C5
    return emitError() << "found " << getParts() << " parts but a number that divides the " << sizes.width
                       << " columns of a head is wanted";
  return success();
}

SmallVector<PatternWeight> AnnAttr::weights(const AttentionSizes &sizes) const {
  if (getMethod() != AnnMethod::pq || sizes.width % getParts())
    return {};
  return {{"codebook", {sizes.kvHeads, getParts(), getCentroids(), sizes.width / getParts()}}};
}

std::vector<std::vector<double>> AnnAttr::fit(ArrayRef<AttentionInputs> samples) const {
  return {Codebook{getParts(), getCentroids()}.fit(samples)};
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

/// Keeps for each query the best of its candidates by exact products.
static void keepBest(const HeadInputs &head, int64_t k, llvm::function_ref<bool(int64_t, int64_t)> isCandidate,
                     KeptPairs &kept) {
  for (int64_t q = 0; q < head.queries; ++q) {
    std::vector<double> scores(head.keys);
    std::vector<int64_t> candidates;
    for (int64_t key = 0; key < head.keys; ++key)
      if (head.mayPick(q, key) && isCandidate(q, key)) {
        scores[key] = head.product(q, key);
        candidates.push_back(key);
      }
    for (int64_t key : largest(scores, candidates, k))
      kept.keep(q, key);
  }
}

void AnnAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  if (getMethod() == AnnMethod::pq) {
    HeadInputs coded = head;
    coded.key = Codebook{getParts(), getCentroids()}.decode(head, head.item.weights[0]);
    KeptPairs proposed(head.queries, head.keys);
    keepLargest(coded, getCandidates(), proposed);
    return keepBest(head, getK(), proposed, kept);
  }
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
  keepBest(
      head, getK(),
      [&](int64_t q, int64_t k) {
        bool agrees = false;
        for (int64_t table = 0; table < getTables(); ++table) {
          auto query = ofQueries.begin() + q * planes + table * getBits();
          agrees |= std::equal(query, query + getBits(), ofKeys.begin() + k * planes + table * getBits());
        }
        return agrees;
      },
      kept);
}

/// A code is the number whose binary digits say on which sides a token lies, for each table: `B x S x (heads tables)`.
static Value codesOf(PatternBuilder &b, Value tokens, int64_t heads, int64_t tables, int64_t bits, int64_t seed) {
  ModelWriter w(b);
  model::Dims dims = w.dimsOf(tokens);
  int64_t width = *dims[2].constant() / heads, planes = tables * bits;
  Type f32 = b.ops().getF32Type();
  Value vectors = w.reshape(tokens, {dims[0], dims[1], heads, width});
  auto times = [&](Value x, Value weight, int64_t columns) -> Value {
    Type type = model::tensorType(f32, {dims[0], dims[1], heads, columns});
    return model::LinearOp::create(b.ops(), b.loc(), type, x, weight, Value(), false);
  };
  Value products = times(vectors, w.numbers(hyperplanes(seed, width * planes), {width, planes}), planes);
  Value sides = w.cast(w.elementwise(model::ElementwiseKind::greater, {products, w.number(0, f32)}), f32);
  std::vector<float> digits(planes * tables);
  for (int64_t plane = 0; plane < planes; ++plane)
    digits[plane * tables + plane / bits] = float(1 << (plane % bits));
  return w.reshape(times(sides, w.numbers(digits, {planes, tables}), tables), {dims[0], dims[1], heads * tables});
}

Value AnnAttr::lower(PatternBuilder &b) const {
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  if (getMethod() == AnnMethod::pq) {
    Value coded = Codebook{getParts(), getCentroids()}.decode(b, b.weight(0));
    PatternBuilder::Selection near{BudgetKind::count, double(getCandidates()), getCandidates()};
    best.candidates = b.select(b.score(b.query(), coded), 1, 1, near);
  } else {
    auto codes = [&](Value tokens, int64_t heads) {
      return codesOf(b, tokens, heads, getTables(), getBits(), getSeed());
    };
    Value agreements = b.agreement(codes(b.query(), b.heads()), codes(b.key(), b.kvHeads()));
    best.candidates = b.select(agreements, 1, 1, {BudgetKind::threshold, 1, b.keys()});
  }
  return b.attend({b.select(b.score(b.query(), b.key()), 1, 1, best)});
}

int64_t AnnAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::min(keys, getK());
}
