// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of a model that follow from its weights and constants alone.
#pragma once

#include "lib/reference/HostTensor.h"
#include "lib/support/Weights.h"

namespace tamis {

/// Whether `value` follows from weights and constants alone, by ops of static sizes.
bool isKnownValue(mlir::Value value);

/// The elements of such a value, cast to `element`. Errors are diagnostics: those of the reference evaluator.
mlir::FailureOr<reference::HostTensor> knownValue(mlir::Value value, mlir::Type element, const WeightStore &weights);

} // namespace tamis
