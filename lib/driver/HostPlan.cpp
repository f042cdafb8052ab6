// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans that the compiler itself runs.
#include "lib/driver/HostPlan.h"

#include "lib/driver/Pipeline.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

using namespace mlir;
using namespace tamis;

static LogicalResult runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> add) {
  PassManager manager(module.getContext());
  add(manager);
  return manager.run(module);
}

FailureOr<Plan> tamis::planForHost(ModuleOp module, const WeightStore &weights) {
  auto host = CpuTarget::parse("host");
  if (!host)
    return emitError(UnknownLoc::get(module.getContext())) << llvm::toString(host.takeError());
  std::vector<CpuTarget> targets;
  targets.push_back(std::move(*host));
  DeviceProgram program{module, {}};
  if (failed(runPasses(module, [&](OpPassManager &manager) { addTilePhase(manager, targets); })) ||
      failed(runTargetPhase(module, targets, program.code)) || failed(runPasses(module, addPlanPhase)))
    return failure();
  llvm::SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("tamis", "plan", path))
    return emitError(UnknownLoc::get(module.getContext())) << "cannot make a temporary file: " << error.message();
  llvm::FileRemover remover(path);
  if (auto error = writePlan(program, weights, {"", ""}, path))
    return emitError(UnknownLoc::get(module.getContext())) << llvm::toString(std::move(error));
  auto plan = Plan::load(path.str().str());
  if (!plan)
    return emitError(UnknownLoc::get(module.getContext())) << plan.error().message();
  return std::move(*plan);
}
