// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimiser and its PTX back end, set up for kernels.
#include "codegen/nvptx/EmitPtx.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace tamis;

namespace {
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const GpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  std::string message;
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!found)
    return llvm::createStringError("no code generator for PTX: %s", message.c_str());
  std::unique_ptr<llvm::TargetMachine> machine(
      found->createTargetMachine(triple, target.name, target.features, llvm::TargetOptions(), std::nullopt));
  if (!machine)
    return llvm::createStringError("no code generator for '%s'", target.name.c_str());
  return machine;
}

/// Instructions of a whole warp must not be moved or copied to where only some of its lanes are.
void markWarpInstructions(llvm::Function &function) {
  for (llvm::Instruction &instruction : llvm::instructions(function))
    if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->isInlineAsm())
      if (llvm::cast<llvm::InlineAsm>(call->getCalledOperand())->hasSideEffects())
        call->setConvergent();
}

void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}
} // namespace

llvm::Expected<std::string> tamis::emitPtx(mlir::ModuleOp module, const GpuTarget &target) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  mlir::registerBuiltinDialectTranslation(*module.getContext());
  mlir::registerLLVMDialectTranslation(*module.getContext());
  mlir::registerNVVMDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  auto llvmModule = mlir::translateModuleToLLVMIR(module, context, "kernels");
  if (!llvmModule)
    return llvm::createStringError("kernels cannot be translated to LLVM IR");
  llvmModule->setSourceFileName("kernels");
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  llvmModule->setDataLayout((*machine)->createDataLayout());
  for (llvm::Function &function : *llvmModule) {
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (function.hasInternalLinkage())
      function.addFnAttr(llvm::Attribute::AlwaysInline);
    markWarpInstructions(function);
  }
  optimise(*llvmModule, **machine);
  // The back end would declare what is missing, and only the driver would refuse it.
  for (const llvm::Function &function : *llvmModule)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty())
      return llvm::createStringError("kernels call '%s', which nothing defines", function.getName().str().c_str());

  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager emission;
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("no PTX for '%s'", target.name.c_str());
  emission.run(*llvmModule);
  return std::string(text);
}
