// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of a matrix as integers of few bits.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <vector>

namespace tamis {

/// A matrix of integers: `(integer - zero) * scale` stands for a number.
struct RoundedMatrix {
  int64_t rows = 0, columns = 0;
  int64_t group = 1;            ///< columns that share a scale; the last group of a row may have fewer
  int64_t low = 0, high = 0;    ///< the integers' range
  std::vector<char> integers;   ///< rows x columns, 8 bits each
  std::vector<float> scales;    ///< rows x groups
  std::vector<char> zeroPoints; ///< rows x groups

  int64_t groups() const { return group ? (columns + group - 1) / group : 0; }
};

/// How a matrix is rounded.
struct RoundOptions {
  int64_t group; ///< columns that share a scale
  int64_t bits;  ///< 8 or fewer
  bool symmetric;
  bool halfScales = false; ///< scales are numbers of f16, where that holds all of them
  bool searches = false;   ///< scales are those of least squared error instead of the group's whole range
};

/// Rounds to nearest integers. Symmetric ones lie around zero, without the lowest of their type unless scales are
/// searched, which then may be negative so that the number furthest from 0 becomes the lowest integer; others are
/// unsigned and reach from the lowest to the highest number of a group, 0 among them. A group of zeros has the scale 1.
/// `matrix`: rows of `columns` numbers; `importance`: what each column's squared error counts in a search, empty for
/// all alike. Errors: NaN, infinities, a range that f32 cannot hold. The search is that of the ggml project's
/// quantizers, read to learn: integers by each of some scales, and for those the scale of least squares.
llvm::Expected<RoundedMatrix> roundToNearest(llvm::ArrayRef<float> matrix, int64_t columns, const RoundOptions &options,
                                             llvm::ArrayRef<float> importance = {});

/// Whether all scales are numbers of f16.
bool hasHalfScales(const RoundedMatrix &matrix);
/// The bits of a number of f16.
uint16_t halfBits(float number);

/// Rounds again, with the same scales, so that products with the inputs that were seen change least: columns one after
/// the other, the largest inputs first, and what a column's rounding does to the products is made up for by the columns
/// that are still to come. `moments`: the mean of input[i] * input[j], columns x columns; 1 % of its mean diagonal is
/// added to the diagonal. Keeps the nearest integers where no factorization exists. Time goes with columns^3 + rows *
/// columns^2.
/// Source: Frantar et al., GPTQ, arXiv 2210.17323, algorithm 1, with the order by activation of its authors' code.
void roundByMoments(RoundedMatrix &rounded, llvm::ArrayRef<float> matrix, llvm::ArrayRef<float> moments);

/// What each row's product with `column` becomes by rounding, less what it is with the row of `matrix`.
std::vector<float> changedProducts(const RoundedMatrix &rounded, llvm::ArrayRef<float> matrix,
                                   llvm::ArrayRef<float> column);

/// Sums rows[t][i] * rows[t][j] over t into `moments`, width x width.
void addMoments(std::vector<float> &moments, llvm::ArrayRef<float> rows, int64_t width);

} // namespace tamis
