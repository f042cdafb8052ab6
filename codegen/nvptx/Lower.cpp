// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From tiled GPU kernels to the LLVM dialect.
#include "codegen/nvptx/Lower.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace tamis;

static constexpr llvm::StringLiteral kPointerOf = "tamis_pointer_of_";

Value tamis::pointerOf(ImplicitLocOpBuilder &builder, Value buffer) {
  // The block that is written may not be in the module yet; buffers are arguments of the function.
  auto module = buffer.getParentRegion()->getParentOfType<ModuleOp>();
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  std::string name;
  llvm::raw_string_ostream(name) << kPointerOf << element;
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    func::FuncOp::create(builder, name, builder.getFunctionType(buffer.getType(), pointer)).setPrivate();
  }
  return func::CallOp::create(builder, name, pointer, buffer).getResult(0);
}

/// The calls that pointerOf made are of functions that give what they are given.
static void removePointerCalls(ModuleOp module) {
  SmallVector<Operation *> dead;
  module.walk([&](LLVM::CallOp call) {
    if (call.getCallee() && call.getCallee()->starts_with(kPointerOf)) {
      call.getResult().replaceAllUsesWith(call.getArgOperands()[0]);
      dead.push_back(call);
    }
  });
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.getSymName().starts_with(kPointerOf))
      dead.push_back(function);
  for (Operation *op : dead)
    op->erase();
}

static LogicalResult wrapKernel(LLVM::LLVMFuncOp body, const KernelFrame &frame) {
  ArrayRef<Type> types = body.getArgumentTypes();
  auto isPointer = [](Type type) { return isa<LLVM::LLVMPointerType>(type); };
  size_t buffers = llvm::find_if_not(types, isPointer) - types.begin();
  if (types.size() < buffers + 3 || !isPointer(types.back()))
    return body.emitOpError("is not in the form of a tiled kernel");
  size_t sizes = types.size() - 3 - buffers;
  std::string name = body.getSymName().str();
  for (NamedAttribute attribute : llvm::to_vector(body->getDiscardableAttrs()))
    body->removeDiscardableAttr(attribute.getName());
  body.setSymName(name + "_body");
  body.setLinkage(LLVM::Linkage::Internal);

  ImplicitLocOpBuilder b(body.getLoc(), body.getContext());
  b.setInsertionPointAfter(body);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext()), i64 = b.getI64Type(), i32 = b.getI32Type();
  SmallVector<Type> arguments(buffers, pointer);
  arguments.append(sizes, i64);
  auto kernel = LLVM::LLVMFuncOp::create(
      b, name, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), arguments));
  kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
  kernel->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), b.getDenseI32ArrayAttr({int32_t(frame.threads), 1, 1}));
  if (frame.groups > 1)
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(frame.groups));
  for (size_t i = 0; i < buffers; ++i) {
    // A buffer that a kernel writes overlaps no other buffer of its dispatch.
    kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), b.getUnitAttr());
    kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(16));
    if (i < frame.inputs)
      kernel.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(), b.getUnitAttr());
  }
  Block *entry = kernel.addEntryBlock(b), *fault = new Block, *done = new Block;
  kernel.getBody().push_back(fault);
  kernel.getBody().push_back(done);
  b.setInsertionPointToStart(entry);
  SmallVector<Value> operands(entry->getArguments().take_front(buffers));
  Type index = types[buffers + sizes];
  auto toIndex = [&](Value value) -> Value {
    if (value.getType() == index)
      return value;
    if (value.getType() == i64)
      return LLVM::TruncOp::create(b, index, value);
    return LLVM::ZExtOp::create(b, index, value);
  };
  for (Value size : entry->getArguments().drop_front(buffers))
    operands.push_back(toIndex(size));
  auto intrinsic = b.getStringAttr("llvm.nvvm.read.ptx.sreg.ctaid.x");
  Value group =
      LLVM::CallIntrinsicOp::create(b, TypeRange(i32), intrinsic, ValueRange(), LLVM::FastmathFlagsAttr{}).getResults();
  group = toIndex(group);
  Value next = LLVM::AddOp::create(b, group, LLVM::ConstantOp::create(b, index, b.getIntegerAttr(index, 1)));
  operands.append({group, next, LLVM::PoisonOp::create(b, pointer)});
  Value status = LLVM::CallOp::create(b, body, operands).getResult();
  Value zero = LLVM::ConstantOp::create(b, i32, b.getI32IntegerAttr(0));
  LLVM::CondBrOp::create(b, LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, status, zero), fault, done);
  b.setInsertionPointToStart(fault);
  LLVM::CallIntrinsicOp::create(b, TypeRange(), b.getStringAttr("llvm.trap"), ValueRange(), LLVM::FastmathFlagsAttr{});
  LLVM::UnreachableOp::create(b);
  b.setInsertionPointToStart(done);
  LLVM::ReturnOp::create(b, ValueRange());
  return success();
}

LogicalResult tamis::lowerKernel(ModuleOp module, const KernelFrame &frame) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  OpPassManager &kernels = manager.nest<func::FuncOp>();
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(arith::createArithExpandOpsPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  FinalizeMemRefToLLVMConversionPassOptions memory;
  memory.indexBitwidth = frame.indexWidth;
  manager.addPass(createFinalizeMemRefToLLVMConversionPass(memory));
  ArithToLLVMConversionPassOptions arithmetic;
  arithmetic.indexBitwidth = frame.indexWidth;
  manager.addPass(createArithToLLVMConversionPass(arithmetic));
  ConvertFuncToLLVMPassOptions functions;
  functions.useBarePtrCallConv = true;
  functions.indexBitwidth = frame.indexWidth;
  manager.addPass(createConvertFuncToLLVMPass(functions));
  ConvertControlFlowToLLVMPassOptions branches;
  branches.indexBitwidth = frame.indexWidth;
  manager.addPass(createConvertControlFlowToLLVMPass(branches));
  UBToLLVMConversionPassOptions undefined;
  undefined.indexBitwidth = frame.indexWidth;
  manager.addPass(createUBToLLVMConversionPass(undefined));
  manager.addPass(createReconcileUnrealizedCastsPass());
  if (failed(manager.run(module)))
    return failure();
  removePointerCalls(module);
  for (auto function : llvm::to_vector(module.getOps<LLVM::LLVMFuncOp>()))
    if (!function.isExternal() && failed(wrapKernel(function, frame)))
      return failure();
  return success();
}
