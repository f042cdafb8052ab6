// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// nvptx-kernels FILE.mlir [TARGET] [--decisions | --table] [--choices=FILE]: prints how each kernel of the file is
// launched, as comments, and the PTX of all. With --decisions or --table, what was decided instead, as JSON or for
// people; --choices takes such JSON back. The file holds functions that carry plan.kernel, or a program of
// tamis-form-dispatches with its module @kernels.
#include "codegen/nvptx/CompileForNvptx.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis;

int main(int count, char **arguments) {
  if (count < 2) {
    llvm::errs() << "usage: nvptx-kernels FILE.mlir [TARGET] [--decisions | --table] [--choices=FILE]\n";
    return 2;
  }
  llvm::StringRef chip = "sm_80";
  llvm::StringRef prints;
  GpuChoices choices;
  for (int i = 2; i < count; ++i) {
    llvm::StringRef word = arguments[i];
    if (word.consume_front("--choices=")) {
      auto file = llvm::MemoryBuffer::getFile(word);
      llvm::Expected<GpuChoices> parsed = llvm::createStringError("cannot read '%s'", word.str().c_str());
      if (file) {
        llvm::consumeError(parsed.takeError());
        parsed = parseGpuChoices((*file)->getBuffer(), word);
      }
      if (!parsed) {
        llvm::errs() << llvm::toString(parsed.takeError()) << "\n";
        return 2;
      }
      choices = std::move(*parsed);
    } else if (word == "--decisions" || word == "--table") {
      prints = word;
    } else {
      chip = word;
    }
  }
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<func::FuncDialect, model::ModelDialect, sattn::SattnDialect, plan::PlanDialect>();
  auto target = GpuTarget::parse(chip);
  if (!target) {
    llvm::errs() << llvm::toString(target.takeError()) << "\n";
    return 2;
  }
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  auto module = parseSourceFile<ModuleOp>(arguments[1], sources, &context);
  if (!module)
    return 1;
  auto kernels = module->lookupSymbol<ModuleOp>(plan::kKernelModule);
  auto ptx = compileForNvptx(kernels ? kernels : *module, *target, choices[target->name]);
  if (!ptx) {
    llvm::errs() << llvm::toString(ptx.takeError()) << "\n";
    return 1;
  }
  if (!prints.empty()) {
    GpuDecisions decisions{target->name, {}, {}};
    for (const PtxModule::Kernel &kernel : ptx->kernels)
      decisions.kernels.push_back(kernel.decision);
    llvm::outs() << (prints == "--table" ? tableOfGpuDecisions(decisions) : printGpuDecisions(decisions));
    return 0;
  }
  for (const PtxModule::Kernel &kernel : ptx->kernels)
    llvm::outs() << "// " << kernel.name << ": threads " << kernel.threads << ", shared " << kernel.sharedBytes
                 << ", sizes [" << llvm::join(kernel.sizes, ", ") << "], grid [" << kernel.grid.str() << "], "
                 << kernel.schedule << "\n";
  llvm::outs() << ptx->text;
  return 0;
}
