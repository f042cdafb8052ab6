// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integers and booleans that an importer knows before the model runs: their forms.
#include "lib/import/Contents.h"

using namespace tamis;
using model::Dims;

bool tamis::isTooLarge(const DimExpr &e) {
  constexpr size_t maxTerms = 32, maxFactors = 12, maxText = 1024;
  size_t text = 0;
  for (const auto &[monomial, coefficient] : e.terms()) {
    if (monomial.size() > maxFactors)
      return true;
    for (const std::string &factor : monomial)
      text += factor.size();
  }
  return e.terms().size() > maxTerms || text > maxText;
}

namespace {
/// The number of elements when it is known and short enough to list.
std::optional<int64_t> listedCount(llvm::ArrayRef<DimExpr> dims) {
  int64_t count = 1;
  for (const DimExpr &dim : dims) {
    auto number = dim.constant();
    if (!number || *number < 0 || *number > Contents::maxListed)
      return std::nullopt;
    count *= *number;
    if (count > Contents::maxListed)
      return std::nullopt;
  }
  return count;
}

std::optional<Affine> findAffine(llvm::ArrayRef<DimExpr> elements, llvm::ArrayRef<DimExpr> dims) {
  if (elements.empty())
    return std::nullopt;
  Affine affine{elements[0], Dims(dims.size(), DimExpr(0))};
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    int64_t size = *dims[axis].constant();
    if (size > 1)
      affine.steps[axis] = elements[stride] - elements[0];
    stride *= size;
  }
  for (size_t i = 0; i < elements.size(); ++i) {
    DimExpr value = affine.base;
    int64_t rest = i;
    for (size_t axis = dims.size(); axis-- > 0;) {
      int64_t size = *dims[axis].constant();
      value = value + affine.steps[axis] * DimExpr(rest % size);
      rest /= size;
    }
    if (value != elements[i])
      return std::nullopt;
  }
  return affine;
}
} // namespace

bool Affine::isSplat() const {
  return llvm::all_of(steps, [](const DimExpr &step) { return step.isConstant(0); });
}

std::optional<Contents> Contents::ofList(Dims elements, llvm::ArrayRef<DimExpr> dims) {
  auto count = listedCount(dims);
  if (!count || *count != static_cast<int64_t>(elements.size()) || llvm::any_of(elements, isTooLarge))
    return std::nullopt;
  Contents contents;
  contents.affine = findAffine(elements, dims);
  contents.list = std::move(elements);
  return contents;
}

std::optional<Contents> Contents::ofAffine(Affine affine, llvm::ArrayRef<DimExpr> dims) {
  if (affine.steps.size() != dims.size() || isTooLarge(affine.base) || llvm::any_of(affine.steps, isTooLarge))
    return std::nullopt;
  for (auto [step, dim] : llvm::zip_equal(affine.steps, dims))
    if (dim.isConstant(1))
      step = DimExpr(0);
  Contents contents;
  if (auto count = listedCount(dims)) {
    contents.list.emplace();
    for (int64_t i = 0; i < *count; ++i) {
      DimExpr value = affine.base;
      int64_t rest = i;
      for (size_t axis = dims.size(); axis-- > 0;) {
        int64_t size = *dims[axis].constant();
        value = value + affine.steps[axis] * DimExpr(rest % size);
        rest /= size;
      }
      contents.list->push_back(value);
    }
  }
  contents.affine = std::move(affine);
  return contents;
}

std::optional<Contents> Contents::ofTuple(std::vector<Affine> components) {
  Contents contents;
  contents.tuple = std::move(components);
  return contents;
}

std::optional<llvm::SmallVector<int64_t>> Contents::numbers() const {
  if (!list)
    return std::nullopt;
  llvm::SmallVector<int64_t> numbers;
  for (const DimExpr &element : *list) {
    auto number = element.constant();
    if (!number)
      return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<DimExpr> Contents::splat() const {
  return affine && affine->isSplat() ? std::optional(affine->base) : std::nullopt;
}
