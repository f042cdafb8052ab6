// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels round the operands of their products to: all that selections follow from must not round them to f16.
#include "lib/driver/GpuPrecision.h"

#include "codegen/nvptx/GpuKernels.h"
#include "dialects/plan/PlanDialect.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace tamis;

void tamis::splitProductsOfSelections(func::FuncOp main, ModuleOp kernels) {
  auto kernelOf = [&](plan::DispatchOp dispatch) { return kernels.lookupSymbol<func::FuncOp>(dispatch.getKernel()); };
  auto kindOf = [&](plan::DispatchOp dispatch) {
    return kernelOf(dispatch)->getAttrOfType<plan::KernelAttr>(plan::kKernelAttr).getKind();
  };
  SmallVector<plan::DispatchOp> open;
  llvm::DenseSet<Operation *> seen;
  for (auto dispatch : main.getOps<plan::DispatchOp>())
    if (kindOf(dispatch) == plan::KernelKind::select && seen.insert(dispatch).second)
      open.push_back(dispatch);
  while (!open.empty())
    for (Value input : open.pop_back_val().getInputs())
      if (auto source = input.getDefiningOp<plan::DispatchOp>(); source && seen.insert(source).second) {
        kernelOf(source)->setAttr(kGpuSplit, UnitAttr::get(main.getContext()));
        open.push_back(source);
      }
}

void tamis::roundProductsToBf16(ModuleOp kernels) {
  for (auto kernel : kernels.getOps<func::FuncOp>())
    kernel->setAttr(kGpuBf16, UnitAttr::get(kernels.getContext()));
}
