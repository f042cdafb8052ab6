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
/// Of a multiprocessor, as CUDA counts occupancy: work groups at most, and shared memory that the system takes of each.
constexpr int64_t kMostGroups = 32, kReservedShared = 1024;

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

/// Names the kernel; where the code has one form only, that is the candidate. Fails where another tile was wanted.
LogicalResult completeDecision(func::FuncOp source, const GpuTarget &target, StringAttr wanted, GpuLaunch &launch) {
  GpuDecision &decision = launch.decision;
  decision.kernel = source.getName().str();
  if (decision.candidates.empty()) {
    GpuCandidate &only = decision.candidates.emplace_back();
    only.tile = launch.schedule;
    only.warps = launch.threads / 32;
    only.sharedBytes = launch.sharedBytes;
    only.groups = std::min<int64_t>({target.threadsPerProcessor / launch.threads, kMostGroups,
                                     target.sharedPerProcessor / (launch.sharedBytes + kReservedShared)});
    only.occupancy = double(only.groups * launch.threads) / double(target.threadsPerProcessor);
  }
  if (!wanted || decision.tile() == wanted.getValue())
    return success();
  std::string fitting;
  for (const GpuCandidate &each : decision.candidates)
    if (each.fits())
      fitting += (fitting.empty() ? "" : ", ") + each.tile;
  return source.emitError() << "has no tile '" << wanted.getValue() << "' for " << target.name << " but one of "
                            << fitting << " is wanted";
}

/// Tiles and lowers one kernel, and moves its functions to `whole`. `wanted`: the tile, or null.
LogicalResult compileKernel(func::FuncOp source, const GpuTarget &target, StringAttr wanted, ModuleOp whole,
                            PtxModule &ptx) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(source.getLoc());
  addSharedMemory(*module, target);
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  auto kernel = cast<func::FuncOp>(builder.clone(*source));
  std::vector<std::string> sizes;
  for (const model::Symbol &symbol : model::symbolsOf(kernel))
    sizes.push_back(symbol.name);
  KernelFrame frame{kernel.getNumArguments(), 0, 1, indexWidthOf(kernel)};
  if (wanted)
    kernel->setAttr(kGpuTile, wanted);
  auto launch = tileForGpu(kernel, target);
  if (failed(launch) || failed(completeDecision(source, target, wanted, *launch)) || failed(verify(*module)))
    return failure();
  frame.threads = launch->threads;
  frame.groups = launch->groups;
  if (failed(lowerKernel(*module, frame)))
    return failure();
  for (auto function : llvm::to_vector(module->getOps<LLVM::LLVMFuncOp>()))
    function->moveBefore(whole.getBody(), whole.getBody()->end());
  ptx.kernels.push_back({source.getName().str(), launch->threads, launch->sharedBytes, sizes, launch->grid,
                         launch->schedule, std::move(launch->decision)});
  return success();
}
} // namespace

llvm::Expected<PtxModule> tamis::compileForNvptx(ModuleOp kernels, const GpuTarget &target,
                                                 const std::map<std::string, std::string> &choices) {
  for (const auto &[name, tile] : choices)
    if (!kernels.lookupSymbol<func::FuncOp>(name))
      return llvm::createStringError("there is no kernel '%s', for which the tile '%s' is wanted", name.c_str(),
                                     tile.c_str());
  kernels.getContext()
      ->loadDialect<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  PtxModule ptx;
  OwningOpRef<ModuleOp> whole = ModuleOp::create(kernels.getLoc());
  addSharedMemory(*whole, target);
  unsigned failures = 0;
  for (auto function : kernels.getOps<func::FuncOp>()) {
    auto choice = choices.find(function.getName().str());
    StringAttr wanted;
    if (choice != choices.end())
      wanted = StringAttr::get(kernels.getContext(), choice->second);
    failures += failed(compileKernel(function, target, wanted, *whole, ptx));
  }
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
