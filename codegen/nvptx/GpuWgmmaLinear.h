// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of matrices by warp groups.
#pragma once

#include "codegen/nvptx/GpuKernels.h"
#include "codegen/schedule/GpuSchedule.h"
#include "codegen/tile/PackedWeight.h"
#include "dialects/model/ModelDialect.h"

namespace tamis {

/// As tileGpuLinear, which has checked the kernel and taken it apart, on targets with warp groups.
GpuLaunch tileGpuWgmmaLinear(model::LinearOp linear, llvm::ArrayRef<mlir::Operation *> ops, const GpuLinearShape &shape,
                             const DimExpr &rows, const std::optional<PackedWeight> &packed, const GpuTarget &target);

} // namespace tamis
