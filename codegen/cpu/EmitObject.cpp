// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimiser and code generator, set up for kernels.
#include "codegen/cpu/EmitObject.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
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
/// The level itself is only tuned for: code uses the features a plan lists and no others, whatever the CPU's name
/// would allow.
const char *baseCpu(const CpuTarget &target) {
  return target.isArm() ? "generic" : "x86-64";
}

std::string featureText(const CpuTarget &target) {
  return llvm::join(llvm::map_range(target.features, [](const std::string &feature) { return "+" + feature; }), ",");
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(const CpuTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
  std::string message;
  llvm::Triple triple(target.triple);
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!found)
    return llvm::createStringError("no code generator for '%s': %s", target.triple.c_str(), message.c_str());
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(triple, baseCpu(target), featureText(target),
                                                                          llvm::TargetOptions(), llvm::Reloc::PIC_));
  if (!machine)
    return llvm::createStringError("no code generator for '%s'", target.name.c_str());
  return machine;
}

void setAttributes(llvm::Function &function, const CpuTarget &target) {
  function.addFnAttr("target-cpu", baseCpu(target));
  function.addFnAttr("tune-cpu", target.cpu);
  function.addFnAttr("target-features", featureText(target));
  // Loops must not become calls of memset or memcpy: the image is linked against nothing.
  function.addFnAttr("no-builtins");
  // Tuning for several CPUs prefers half-width vectors; kernels are dense enough for the whole width.
  function.addFnAttr("prefer-vector-width", std::to_string(target.lanes * 32));
  function.addFnAttr(llvm::Attribute::NoUnwind);
  if (function.hasInternalLinkage() && function.hasOneUse())
    function.addFnAttr(llvm::Attribute::AlwaysInline);
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
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}
} // namespace

llvm::Expected<llvm::SmallVector<char, 0>> tamis::emitObject(mlir::ModuleOp module, const CpuTarget &target) {
  auto machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  mlir::registerBuiltinDialectTranslation(*module.getContext());
  mlir::registerLLVMDialectTranslation(*module.getContext());
  llvm::LLVMContext context;
  auto llvmModule = mlir::translateModuleToLLVMIR(module, context, "kernels");
  if (!llvmModule)
    return llvm::createStringError("kernels cannot be translated to LLVM IR");
  llvmModule->setSourceFileName("kernels");
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  llvmModule->setDataLayout((*machine)->createDataLayout());
  llvmModule->setPICLevel(llvm::PICLevel::SmallPIC);
  for (llvm::Function &function : *llvmModule)
    if (!function.isDeclaration())
      setAttributes(function, target);
  optimise(*llvmModule, **machine);

  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager emission;
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("no object files for '%s'", target.name.c_str());
  emission.run(*llvmModule);
  return object;
}
