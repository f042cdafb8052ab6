// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a kernel in model form to its launch and its tiled form, by kind.
#include "codegen/tile/Launch.h"

#include "codegen/tile/Attention.h"
#include "codegen/tile/Cache.h"
#include "codegen/tile/Compact.h"
#include "codegen/tile/HalfLinear.h"
#include "codegen/tile/Index.h"
#include "codegen/tile/IntegerLinear.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/Linear.h"
#include "codegen/tile/LinearAttention.h"
#include "codegen/tile/Lines.h"
#include "codegen/tile/Map.h"
#include "codegen/tile/Merge.h"
#include "codegen/tile/PackedLinear.h"
#include "codegen/tile/PackedLookup.h"
#include "codegen/tile/Rows.h"
#include "codegen/tile/Select.h"
#include "codegen/tile/SparseAttention.h"
#include "dialects/model/ModelDialect.h"

using namespace mlir;
using namespace tamis;

/// Whether a linear kernel multiplies integers.
static bool isOfIntegers(func::FuncOp kernel) {
  return !kernel.getOps<model::IntegerLinearOp>().empty();
}

/// Whether it multiplies bf16.
static bool isOfHalves(func::FuncOp kernel) {
  return llvm::any_of(kernel.getOps<model::LinearOp>(), [](model::LinearOp linear) {
    return cast<RankedTensorType>(linear.getInput().getType()).getElementType().isBF16();
  });
}

/// Whether it unpacks its weight.
static bool isPacked(func::FuncOp kernel) {
  return !kernel.getOps<model::DequantizeOp>().empty();
}

FailureOr<Launch> tamis::launchOf(func::FuncOp kernel, plan::KernelKind kind) {
  switch (kind) {
  case plan::KernelKind::linear:
    if (isPacked(kernel))
      return packedLinearLaunch(kernel);
    if (isOfHalves(kernel))
      return halfLinearLaunch(kernel);
    return isOfIntegers(kernel) ? integerLinearLaunch(kernel) : linearLaunch(kernel);
  case plan::KernelKind::attention:
    return attentionLaunch(kernel);
  case plan::KernelKind::sparse_attention:
    return sparseAttentionLaunch(kernel);
  case plan::KernelKind::linear_attention:
    return linearAttentionLaunch(kernel);
  case plan::KernelKind::merge:
    return mergeLaunch(kernel);
  case plan::KernelKind::select:
    return selectLaunch(kernel);
  case plan::KernelKind::compaction:
    return compactLaunch(kernel);
  case plan::KernelKind::index:
    return indexLaunch(kernel);
  case plan::KernelKind::lines:
    return linesLaunch(kernel);
  case plan::KernelKind::rows:
    return rowsLaunch(kernel);
  case plan::KernelKind::map:
    return mapLaunch(kernel);
  case plan::KernelKind::lookup:
    return packedLookupLaunch(kernel);
  case plan::KernelKind::cache:
    return cacheLaunch(kernel);
  }
  llvm_unreachable("unknown kernel kind");
}

/// Whether it has no element to compute, whatever the sizes.
static bool isEmpty(func::FuncOp kernel) {
  return kernel.getNumResults() && llvm::all_of(kernel.getResultTypes(), [](Type type) {
           auto tensor = dyn_cast<RankedTensorType>(type);
           return tensor && tensor.hasStaticShape() && tensor.getNumElements() == 0;
         });
}

LogicalResult tamis::tileKernel(func::FuncOp kernel, const CpuTarget &target) {
  auto attribute = kernel->getAttrOfType<plan::KernelAttr>(plan::kKernelAttr);
  if (!attribute)
    return kernel.emitError("expected a kernel that carries plan.kernel");
  if (isEmpty(kernel)) { // it is never run, and dividing by its sizes would make it no code at all
    KernelBuilder(kernel).finish(Value());
    return success();
  }
  switch (attribute.getKind()) {
  case plan::KernelKind::linear:
    if (isPacked(kernel))
      return tilePackedLinear(kernel, target);
    if (isOfHalves(kernel))
      return tileHalfLinear(kernel, target);
    return isOfIntegers(kernel) ? tileIntegerLinear(kernel, target) : tileLinear(kernel, target);
  case plan::KernelKind::attention:
    return tileAttention(kernel, target);
  case plan::KernelKind::sparse_attention:
    return tileSparseAttention(kernel, target);
  case plan::KernelKind::linear_attention:
    return tileLinearAttention(kernel, target);
  case plan::KernelKind::merge:
    return tileMerge(kernel, target);
  case plan::KernelKind::select:
    return tileSelect(kernel, target);
  case plan::KernelKind::compaction:
    return tileCompact(kernel, target);
  case plan::KernelKind::index:
    return tileIndex(kernel);
  case plan::KernelKind::lines:
    return tileLines(kernel, target);
  case plan::KernelKind::rows:
    return tileRows(kernel, target);
  case plan::KernelKind::map:
    return tileMap(kernel, target);
  case plan::KernelKind::lookup:
    return tilePackedLookup(kernel, target);
  case plan::KernelKind::cache:
    return tileCache(kernel, target);
  }
  llvm_unreachable("unknown kernel kind");
}
