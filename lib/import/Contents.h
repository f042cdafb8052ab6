// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integers and booleans that an importer knows before the model runs: shapes, positions, masks of all true.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "lib/import/SizeRules.h"

namespace tamis {

/// Elements that are a linear function of their index: `base + sum_k steps[k] * i_k`. Axes of size one have step 0.
struct Affine {
  DimExpr base;
  model::Dims steps;

  bool isSplat() const;
  bool operator==(const Affine &other) const { return base == other.base && steps == other.steps; }
};

/// What is known of the elements of an integer or bool tensor (bools are 0 and 1). Exported models compute shapes,
/// positions and mask indices as tensors; knowing them lets the importer leave those nodes out. At least one form is
/// set.
class Contents {
public:
  /// Every element, row-major, at most maxListed; with the linear form when there is one.
  static std::optional<Contents> ofList(model::Dims elements, llvm::ArrayRef<DimExpr> dims);
  /// The linear form, with the list when it is short.
  static std::optional<Contents> ofAffine(Affine affine, llvm::ArrayRef<DimExpr> dims);
  /// One vector along the last axis for each index of the others, component by component.
  static std::optional<Contents> ofTuple(std::vector<Affine> components);

  std::optional<model::Dims> list;
  std::optional<Affine> affine;
  std::optional<std::vector<Affine>> tuple;

  /// All elements as numbers, when they are.
  std::optional<llvm::SmallVector<int64_t>> numbers() const;
  /// The value of every element, when they are all the same.
  std::optional<DimExpr> splat() const;

  static constexpr int64_t maxListed = 256;
};

/// A tensor whose contents are known, with its sizes.
struct KnownTensor {
  const Contents *contents;
  llvm::ArrayRef<DimExpr> dims;
};

/// Each gives nothing when the outcome is not known; `dims` are those of the result.
std::optional<Contents> foldElementwise(model::ElementwiseKind kind, llvm::ArrayRef<KnownTensor> operands,
                                        llvm::ArrayRef<DimExpr> dims, const SizeRules &rules);
std::optional<Contents> foldReshape(KnownTensor operand, llvm::ArrayRef<DimExpr> dims);
std::optional<Contents> foldBroadcast(KnownTensor operand, llvm::ArrayRef<DimExpr> dims);
std::optional<Contents> foldTranspose(KnownTensor operand, llvm::ArrayRef<int64_t> permutation);
std::optional<Contents> foldSlice(KnownTensor operand, llvm::ArrayRef<DimExpr> starts, llvm::ArrayRef<int64_t> steps,
                                  llvm::ArrayRef<DimExpr> dims);
std::optional<Contents> foldConcat(llvm::ArrayRef<KnownTensor> operands, int64_t axis, llvm::ArrayRef<DimExpr> dims);
/// `data` along axis 0 at constant indices.
std::optional<Contents> foldGather(KnownTensor data, KnownTensor indices, llvm::ArrayRef<DimExpr> dims);

/// All elements lie within [min, max], for all values of the symbols. False when that is not sure.
bool liesWithin(KnownTensor tensor, int64_t min, int64_t max, const SizeRules &rules);

/// Expressions of hostile models grow without bound; those beyond this are not followed.
bool isTooLarge(const DimExpr &e);

} // namespace tamis
