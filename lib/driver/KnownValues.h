// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values that follow from weights and constants alone.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/reference/HostTensor.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/SetVector.h"
#include <string>
#include <vector>

namespace tamis {

/// Whether the value follows from weights and constants alone, by the ops that it collects, each behind what it reads.
bool isKnown(mlir::Value value, llvm::SetVector<mlir::Operation *> &ops);
inline bool isKnown(mlir::Value value) {
  llvm::SetVector<mlir::Operation *> ops;
  return isKnown(value, ops);
}

/// The tensor that such a value is, cast to `element` where one is given; failure, without a diagnostic, for another
/// value.
mlir::FailureOr<reference::HostTensor> valueOf(mlir::Value value, const WeightStore &weights, mlir::Type element = {});

/// The key of the first weight that a value follows from; "constant" where there is none.
std::string keyOf(mlir::Value value);

/// The weight of a linear, an output a row.
struct OutputRows {
  int64_t rows, columns;
  std::vector<float> numbers;
};
mlir::FailureOr<OutputRows> outputRows(model::LinearOp op, const WeightStore &weights);

} // namespace tamis
