// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How far what a model computes is from what it should compute.
#include "lib/driver/OutputError.h"

#include "lib/driver/HostPlan.h"
#include "mlir/IR/Diagnostics.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace tamis;

/// One passage in so many is held out.
static constexpr size_t kHeldOut = 4;

void OutputError::include(const OutputError &other) {
  cosine = std::max(cosine, other.cosine);
  relative = std::max(relative, other.relative);
}

static OutputError compare(const npy::Array &found, const npy::Array &right) {
  if (found.type != TAMIS_F32)
    return {};
  auto *a = reinterpret_cast<const float *>(found.bytes.data()),
       *b = reinterpret_cast<const float *>(right.bytes.data());
  double aa = 0, bb = 0, ab = 0, apart = 0;
  for (size_t i = 0; i < right.bytes.size() / sizeof(float); ++i) {
    aa += double(a[i]) * a[i], bb += double(b[i]) * b[i], ab += double(a[i]) * b[i];
    apart += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  }
  if (apart == 0)
    return {};
  OutputError error{1 - ab / std::sqrt(aa * bb), std::sqrt(apart / bb)};
  return std::isfinite(error.cosine) ? error : OutputError{2, INFINITY};
}

OutputError tamis::compareOutputs(ArrayRef<npy::Array> found, ArrayRef<npy::Array> right) {
  OutputError worst;
  for (auto [output, wanted] : llvm::zip_equal(found, right))
    worst.include(compare(output, wanted));
  return worst;
}

bool SplitPassages::isHeldOut(size_t number, size_t passages) {
  return number % kHeldOut == kHeldOut - 1 || (passages < kHeldOut && number + 1 == passages);
}

FailureOr<SplitPassages> SplitPassages::of(ArrayRef<Passage> passages, Location loc) {
  if (passages.size() < 2)
    return emitError(loc) << "found " << passages.size()
                          << " passages of calibration but two or more are wanted: some are held out";
  SplitPassages split;
  for (auto [number, passage] : llvm::enumerate(passages))
    (isHeldOut(number, passages.size()) ? split.heldOut : split.seen).push_back(passage);
  return split;
}

FailureOr<OutputError> tamis::measureError(ModuleOp module, const WeightStore &weights, ArrayRef<Passage> passages,
                                           ArrayRef<std::vector<npy::Array>> right) {
  auto plan = planForHost(module, weights);
  if (failed(plan))
    return failure();
  auto context = plan->context();
  if (!context)
    return emitError(UnknownLoc::get(module.getContext())) << context.error().message();
  OutputError worst;
  for (auto [passage, wanted] : llvm::zip_equal(passages, right)) {
    auto outputs = runPlan(*context, passage, module.getLoc());
    if (failed(outputs))
      return failure();
    worst.include(compareOutputs(*outputs, wanted));
  }
  return worst;
}
