// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// nvptx-kernels FILE.mlir [TARGET]: prints how each kernel of the file is launched, as comments, and the PTX of all.
// The file holds functions that carry plan.kernel, or a program of tamis-form-dispatches with its module @kernels.
#include "codegen/nvptx/CompileForNvptx.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis;

int main(int count, char **arguments) {
  if (count < 2) {
    llvm::errs() << "usage: nvptx-kernels FILE.mlir [TARGET]\n";
    return 2;
  }
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<func::FuncDialect, model::ModelDialect, sattn::SattnDialect, plan::PlanDialect>();
  auto target = GpuTarget::parse(count > 2 ? arguments[2] : "sm_80");
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
  auto ptx = compileForNvptx(kernels ? kernels : *module, *target);
  if (!ptx) {
    llvm::errs() << llvm::toString(ptx.takeError()) << "\n";
    return 1;
  }
  for (const PtxModule::Kernel &kernel : ptx->kernels)
    llvm::outs() << "// " << kernel.name << ": threads " << kernel.threads << ", shared " << kernel.sharedBytes
                 << ", sizes [" << llvm::join(kernel.sizes, ", ") << "], grid [" << kernel.grid.str() << "], "
                 << kernel.schedule << "\n";
  llvm::outs() << ptx->text;
  return 0;
}
