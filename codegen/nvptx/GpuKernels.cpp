// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From kernels in model form to tiled GPU kernels, by kind.
#include "codegen/nvptx/GpuKernels.h"

#include "dialects/plan/PlanDialect.h"

using namespace mlir;
using namespace tamis;

FailureOr<GpuLaunch> tamis::tileForGpu(func::FuncOp kernel, const GpuTarget &target) {
  auto attribute = kernel->getAttrOfType<plan::KernelAttr>(plan::kKernelAttr);
  if (!attribute)
    return kernel.emitError("expected a kernel that carries plan.kernel");
  switch (attribute.getKind()) {
  case plan::KernelKind::linear:
    return tileGpuLinear(kernel, target);
  case plan::KernelKind::attention:
    return tileGpuAttention(kernel, target);
  case plan::KernelKind::sparse_attention:
    return tileGpuSparseAttention(kernel, target);
  case plan::KernelKind::linear_attention:
    return tileGpuLinearAttention(kernel, target);
  case plan::KernelKind::merge:
    return tileGpuMerge(kernel, target);
  case plan::KernelKind::compaction:
    return tileGpuCompact(kernel, target);
  case plan::KernelKind::select:
    return tileGpuSelect(kernel, target);
  case plan::KernelKind::index:
    return tileGpuIndex(kernel, target);
  case plan::KernelKind::lines:
    return tileGpuLines(kernel, target);
  case plan::KernelKind::rows:
    return tileGpuRows(kernel, target);
  case plan::KernelKind::map:
    return tileGpuMap(kernel, target);
  case plan::KernelKind::lookup:
    return tileGpuLookup(kernel, target);
  }
  llvm_unreachable("unknown kind of kernel");
}
