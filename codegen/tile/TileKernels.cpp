// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns kernels of tensors into loops over vectors, for one target; and removes the tensor form at the end.
#include "codegen/tile/Launch.h"
#include "codegen/tile/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tamis {
#define GEN_PASS_DEF_TILEKERNELS
#define GEN_PASS_DEF_DROPKERNELS
#include "codegen/tile/Passes.h.inc"
} // namespace tamis

using namespace mlir;
using namespace tamis;

namespace {
ModuleOp kernelModule(ModuleOp module) { return module.lookupSymbol<ModuleOp>(plan::kKernelModule); }

struct TileKernels : tamis::impl::TileKernelsBase<TileKernels> {
  using TileKernelsBase::TileKernelsBase;

  void runOnOperation() override {
    auto cpu = CpuTarget::parse(target);
    if (!cpu) {
      getOperation().emitError(llvm::toString(cpu.takeError()));
      return signalPassFailure();
    }
    ModuleOp kernels = kernelModule(getOperation());
    if (!kernels)
      return; // a program without a single computation
    OpBuilder builder(kernels);
    auto tiled = cast<ModuleOp>(builder.clone(*kernels));
    tiled.setName(cpu->name);
    for (auto kernel : llvm::make_early_inc_range(tiled.getOps<func::FuncOp>()))
      if (failed(tileKernel(kernel, *cpu)))
        return signalPassFailure();
  }
};

struct DropKernels : tamis::impl::DropKernelsBase<DropKernels> {
  void runOnOperation() override {
    if (ModuleOp kernels = kernelModule(getOperation()))
      kernels.erase();
  }
};
} // namespace
