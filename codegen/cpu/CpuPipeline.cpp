// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes from tiled kernels to the LLVM dialect, in order.
#include "codegen/cpu/CpuPipeline.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"

using namespace mlir;

void tamis::buildCpuPipeline(OpPassManager &manager) {
  OpPassManager &kernels = manager.nest<func::FuncOp>();
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(arith::createArithExpandOpsPass()); // floor and ceiling division
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  // Flat static buffers become one pointer an argument; descriptors would cost address arithmetic at every access.
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertIndexToLLVMPass());
  ConvertFuncToLLVMPassOptions barePointers;
  barePointers.useBarePtrCallConv = true;
  manager.addPass(createConvertFuncToLLVMPass(barePointers));
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  manager.addPass(createWrapKernelsPass());
}
