// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives kernels in the LLVM dialect the ABI of a plan.
#include "codegen/cpu/CpuPipeline.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace {
class WrapKernels : public PassWrapper<WrapKernels, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(WrapKernels)
  StringRef getArgument() const override { return "tamis-wrap-kernels"; }
  StringRef getDescription() const override { return "give kernels the ABI of a plan"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<LLVM::LLVMDialect>(); }

  void runOnOperation() override {
    auto functions = llvm::to_vector(getOperation().getOps<LLVM::LLVMFuncOp>());
    for (LLVM::LLVMFuncOp function : functions)
      if (!function.isExternal() && function.getLinkage() == LLVM::Linkage::External && failed(wrap(function)))
        return signalPassFailure();
  }

private:
  LogicalResult wrap(LLVM::LLVMFuncOp body);
};
} // namespace

LogicalResult WrapKernels::wrap(LLVM::LLVMFuncOp body) {
  ArrayRef<Type> types = body.getArgumentTypes();
  auto isPointer = [](Type type) { return isa<LLVM::LLVMPointerType>(type); };
  size_t buffers = llvm::find_if_not(types, isPointer) - types.begin();
  auto integers = types.drop_front(buffers);
  if (integers.size() < 3 || !isPointer(integers.back()) || !body.getFunctionType().getReturnType().isInteger(32) ||
      !llvm::all_of(integers.drop_back(), [](Type type) { return type.isInteger(64); }))
    return body.emitOpError() << "has type " << body.getFunctionType()
                              << " but kernels take buffers, sizes, begin, end and scratch and return i32";
  size_t sizes = integers.size() - 3;

  std::string name = body.getSymName().str();
  for (StringAttr attribute : llvm::to_vector(llvm::map_range(body->getDiscardableAttrs(), [](NamedAttribute a) {
         return a.getName();
       })))
    body->removeDiscardableAttr(attribute);
  body.setSymName(name + ".body");
  body.setLinkage(LLVM::Linkage::Internal);
  // A buffer that a kernel writes overlaps no other buffer of its dispatch.
  for (unsigned i = 0; i < types.size(); ++i)
    if (isPointer(types[i]))
      body.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), UnitAttr::get(body.getContext()));

  ImplicitLocOpBuilder builder(body.getLoc(), body.getContext());
  builder.setInsertionPointAfter(body);
  Type pointer = LLVM::LLVMPointerType::get(body.getContext()), i64 = builder.getI64Type();
  auto type = LLVM::LLVMFunctionType::get(builder.getI32Type(), {pointer, pointer, i64, i64, pointer});
  auto kernel = LLVM::LLVMFuncOp::create(builder, name, type);
  Block *entry = kernel.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);
  SmallVector<Value> operands;
  auto load = [&](Type element, Value base, size_t index) {
    Value address = LLVM::GEPOp::create(builder, pointer, element, base, ArrayRef<LLVM::GEPArg>{int32_t(index)});
    operands.push_back(LLVM::LoadOp::create(builder, element, address));
  };
  for (size_t i = 0; i < buffers; ++i)
    load(pointer, entry->getArgument(0), i);
  for (size_t i = 0; i < sizes; ++i)
    load(i64, entry->getArgument(1), i);
  operands.append({entry->getArgument(2), entry->getArgument(3), entry->getArgument(4)});
  auto call = LLVM::CallOp::create(builder, body, operands);
  LLVM::ReturnOp::create(builder, call.getResults());
  return success();
}

std::unique_ptr<OperationPass<ModuleOp>> tamis::createWrapKernelsPass() { return std::make_unique<WrapKernels>(); }
