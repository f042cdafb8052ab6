// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles, lowers, and emits PTX.
#include "codegen/nvptx/CompileForNvptx.h"

#include "codegen/nvptx/EmitPtx.h"
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/LargestSize.h"
#include "codegen/nvptx/Lower.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace tamis;

namespace {
/// 32 where no value of the kernel can have so many elements that an offset, or one a little beyond, leaves i32.
unsigned indexWidthOf(func::FuncOp kernel) {
  constexpr int64_t most = (int64_t(1) << 31) - (int64_t(1) << 24);
  auto symbols = model::symbolsOf(kernel);
  auto isShort = [&](Type type) {
    if (!isa<RankedTensorType>(type))
      return true; // indices in kernels are of tensors that are arguments
    auto elements = largestOf(product(model::dimsOf(type)), symbols);
    return elements && *elements < most;
  };
  bool allShort = true;
  kernel.walk([&](Block *block) { allShort &= llvm::all_of(block->getArgumentTypes(), isShort); });
  kernel.walk([&](Operation *op) { allShort &= llvm::all_of(op->getResultTypes(), isShort); });
  return allShort ? 32 : 64;
}

void addSharedMemory(ModuleOp module, const GpuTarget &target) {
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  // Swizzles of wgmma repeat every 1024 bytes.
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/false, LLVM::Linkage::External, kSharedMemory,
                         Attribute(), /*alignment=*/target.hasWarpGroups() ? 1024 : 128, /*addrSpace=*/3);
}

/// Tiles and lowers one kernel, and moves its functions to `whole`.
LogicalResult compileKernel(func::FuncOp source, const GpuTarget &target, ModuleOp whole, PtxModule &ptx) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(source.getLoc());
  addSharedMemory(*module, target);
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto kernel = cast<func::FuncOp>(builder.clone(*source));
  std::vector<std::string> sizes;
  for (const model::Symbol &symbol : model::symbolsOf(kernel))
    sizes.push_back(symbol.name);
  KernelFrame frame{kernel.getNumArguments(), 0, 1, indexWidthOf(kernel)};
  auto launch = tileForGpu(kernel, target);
  if (failed(launch) || failed(verify(*module)))
    return failure();
  frame.threads = launch->threads;
  frame.groups = launch->groups;
  if (failed(lowerKernel(*module, frame)))
    return failure();
  for (auto function : llvm::to_vector(module->getOps<LLVM::LLVMFuncOp>()))
    function->moveBefore(whole.getBody(), whole.getBody()->end());
  ptx.kernels.push_back(
      {source.getName().str(), launch->threads, launch->sharedBytes, sizes, launch->grid, launch->schedule});
  return success();
}
} // namespace

llvm::Expected<PtxModule> tamis::compileForNvptx(ModuleOp kernels, const GpuTarget &target) {
  kernels.getContext()
      ->loadDialect<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  PtxModule ptx;
  OwningOpRef<ModuleOp> whole = ModuleOp::create(kernels.getLoc());
  addSharedMemory(*whole, target);
  unsigned failures = 0;
  for (auto function : kernels.getOps<func::FuncOp>())
    failures += failed(compileKernel(function, target, *whole, ptx));
  if (failures)
    return llvm::createStringError("%u kernels cannot be compiled for '%s'", failures, target.name.c_str());
  if (ptx.kernels.empty())
    return llvm::createStringError("no kernel to compile");
  auto text = emitPtx(*whole, target);
  if (!text)
    return text.takeError();
  ptx.text = std::move(*text);
  return ptx;
}
