// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys whose parts are replaced by the nearest codewords.
#include "dialects/sattn/patterns/ProductQuantization.h"

#include "dialects/sattn/patterns/ModelWriter.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

static constexpr int kRounds = 12;            // of k-means: codewords move little after ten
static constexpr size_t kMostVectors = 16384; // that a codebook is fitted to, for each head and part

/// Half the square of a vector.
static double halfSquare(llvm::ArrayRef<double> vector) {
  double sum = 0;
  for (double x : vector)
    sum += x * x;
  return sum / 2;
}

/// The nearest of `codewords`, vectors of the size of `part`.
static int64_t nearest(llvm::ArrayRef<double> part, llvm::ArrayRef<double> codewords) {
  int64_t found = 0;
  double best = NAN;
  for (size_t c = 0; c * part.size() < codewords.size(); ++c) {
    llvm::ArrayRef<double> codeword = codewords.slice(c * part.size(), part.size());
    double score = -halfSquare(codeword);
    for (size_t d = 0; d < part.size(); ++d)
      score += part[d] * codeword[d];
    if (c == 0 || score > best)
      best = score, found = c;
  }
  return found;
}

std::vector<double> Codebook::decode(const HeadInputs &head, llvm::ArrayRef<double> codewords) const {
  int64_t columns = head.width / parts, size = centroids * columns;
  int64_t keyHead = head.head / (head.item.heads / head.item.kvHeads);
  std::vector<double> decoded;
  for (int64_t k = 0; k < head.keys; ++k)
    for (int64_t p = 0; p < parts; ++p) {
      llvm::ArrayRef<double> part = llvm::ArrayRef(head.key).slice(k * head.width + p * columns, columns);
      llvm::ArrayRef<double> ofPart = codewords.slice((keyHead * parts + p) * size, size);
      llvm::append_range(decoded, ofPart.slice(nearest(part, ofPart) * columns, columns));
    }
  return decoded;
}

Value Codebook::decode(PatternBuilder &b, Value codewords) const {
  ModelWriter w(b);
  model::Dims dims = w.dimsOf(b.key());
  Type element = w.elementOf(b.key());
  int64_t rows = b.kvHeads() * parts, columns = *dims[2].constant() / rows;
  Value book = w.reshape(codewords, {rows, centroids, columns});
  Value square = w.reduce(model::ReduceKind::sum, w.elementwise(model::ElementwiseKind::mul, {book, book}), 2);
  square =
      w.elementwise(model::ElementwiseKind::mul, {w.reshape(square, {rows, 1, centroids}), w.number(0.5, element)});
  Value keys = w.transpose(w.reshape(b.key(), {dims[0], dims[1], rows, columns}), {0, 2, 1, 3});
  Value scores = w.elementwise(model::ElementwiseKind::sub, {w.matmul(keys, w.transpose(book, {0, 2, 1})), square});
  // The first of the largest: the smallest of the numbers of those that are the largest.
  Value isBest = w.elementwise(model::ElementwiseKind::equal, {scores, w.reduce(model::ReduceKind::max, scores, 3)});
  Value numbers = w.iota(0, 1, centroids, element);
  Value first = w.reduce(
      model::ReduceKind::min,
      w.elementwise(model::ElementwiseKind::select, {isBest, numbers, w.number(double(centroids), element)}), 3);
  Value chosen = w.cast(w.elementwise(model::ElementwiseKind::equal, {numbers, first}), element);
  return w.reshape(w.transpose(w.matmul(chosen, book), {0, 2, 1, 3}), dims);
}

std::vector<double> Codebook::fit(llvm::ArrayRef<AttentionInputs> samples) const {
  std::vector<double> codebook;
  if (samples.empty())
    return codebook;
  int64_t width = samples.front().width, kvHeads = samples.front().kvHeads, columns = width / parts;
  size_t keys = 0, size = columns;
  for (const AttentionInputs &item : samples)
    keys += item.keys;
  size_t step = keys / kMostVectors + 1;
  for (int64_t row = 0; row < kvHeads * parts; ++row) {
    std::vector<double> vectors; // of this part of this head's keys
    size_t number = 0;
    for (const AttentionInputs &item : samples)
      for (int64_t k = 0; k < item.keys; ++k) {
        llvm::ArrayRef<double> part = llvm::ArrayRef(item.key).slice(k * kvHeads * width + row * columns, columns);
        bool isKept = item.keyKept.empty() || item.keyKept[k];
        if (isKept && number++ % step == 0 && llvm::all_of(part, [](double x) { return std::isfinite(x); }))
          llvm::append_range(vectors, part);
      }
    size_t count = vectors.size() / size;
    std::vector<double> codewords(centroids * size);
    for (size_t c = 0; count && c < size_t(centroids); ++c)
      llvm::copy(llvm::ArrayRef(vectors).slice(c * count / centroids * size, size), codewords.begin() + c * size);
    for (int round = 0; round < kRounds && count; ++round) {
      std::vector<double> sums(codewords.size()), counts(centroids);
      for (size_t i = 0; i < count; ++i) {
        llvm::ArrayRef<double> part = llvm::ArrayRef(vectors).slice(i * size, size);
        int64_t c = nearest(part, codewords);
        ++counts[c];
        for (size_t d = 0; d < size; ++d)
          sums[c * size + d] += part[d];
      }
      for (size_t i = 0; i < sums.size(); ++i)
        if (counts[i / size] > 0) // one that nobody is near stays where it is
          codewords[i] = sums[i] / counts[i / size];
    }
    llvm::append_range(codebook, codewords);
  }
  return codebook;
}
