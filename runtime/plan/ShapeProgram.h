// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic that turns the sizes of a run into offsets, grids and output shapes.

#ifndef TAMIS_RUNTIME_PLAN_SHAPEPROGRAM_H
#define TAMIS_RUNTIME_PLAN_SHAPEPROGRAM_H

#include "runtime/plan/Plan_generated.h"
#include "tamis/tamis.h"

namespace tamis::runtime {

/// Evaluates plan.sizes() into `registers`, one value an instruction, from `symbols`, one value a symbol. The plan has
/// passed checkMetadata. TAMIS_SHAPE_MISMATCH when a value does not fit 64 bits or a divisor is zero: sizes no run can
/// have. Division rounds down (FloorDiv) or up (CeilDiv), also for negative values. Thread-safe, allocates nothing.
tamis_status evaluateSizes(const plan::Plan &plan, const int64_t *symbols, int64_t *registers, tamis_error *error);

/// Bytes of a tensor of these dims. False when a dim is negative or the product is too large for a pointer difference.
[[nodiscard]] bool tensorBytes(const int64_t *dims, int32_t rank, size_t elementSize, int64_t &bytes);

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_PLAN_SHAPEPROGRAM_H
