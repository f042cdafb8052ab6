// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cuts of GPU kernels, chosen by what the PTX interpreter counts.
#include "lib/driver/GpuTuning.h"

#include "codegen/nvptx/CompileForNvptx.h"
#include "codegen/nvptx/LargestSize.h"
#include "codegen/schedule/Schedule.h"
#include "dialects/model/ModelShapes.h"
#include "lib/driver/Cubin.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "runtime/emulator/Emulator.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;

namespace {
/// Work groups that are run: those of a kernel do the same, but for the last of each row.
constexpr int64_t kMostGroups = 8;
/// Buffers of a kernel, in bytes, beyond which it is not tuned.
constexpr int64_t kMostBytes = int64_t(1) << 30;

int64_t ceilDiv(int64_t x, int64_t y) {
  return (x + y - 1) / y;
}

/// Bytes of a buffer at typical sizes; weights may lie in panels along either axis, of which the last is whole.
int64_t bytesOf(Type type, ArrayRef<model::Symbol> symbols) {
  auto tensor = cast<RankedTensorType>(type);
  auto dims = model::dimsOf(tensor);
  int64_t bytes = ceilDiv(tensor.getElementTypeBitWidth(), 8);
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t size = typicalOf(dim, symbols);
    if (i + 1 == dims.size() || dims.size() == 2)
      size = llvm::alignTo(size, kPanelColumns);
    if (llvm::MulOverflow(bytes, size, bytes))
      return INT64_MAX;
  }
  return bytes;
}

/// Runs the first work groups of a compiled kernel over zeros.
llvm::Expected<GpuCounts> count(func::FuncOp kernel, const PtxModule &ptx, int64_t groups) {
  auto symbols = model::symbolsOf(kernel);
  const PtxModule::Kernel &entry = ptx.kernels.front();
  emulator::Memory memory;
  auto parsed = emulator::parseModule(ptx.text, memory);
  auto refuse = [&](const std::string &why) {
    return llvm::createStringError("the interpreter cannot count kernel '%s': %s", entry.name.c_str(), why.c_str());
  };
  if (!parsed.module)
    return refuse(parsed.errors.empty() ? "no module" : parsed.errors.front().message);
  std::vector<uint64_t> parameters;
  auto allocate = [&](Type type) {
    std::vector<char> zeros(bytesOf(type, symbols), 0);
    parameters.push_back(memory.allocate(zeros.size()));
    memory.copyIn(parameters.back(), zeros.data(), zeros.size());
  };
  llvm::for_each(kernel.getArgumentTypes(), allocate);
  llvm::for_each(kernel.getResultTypes(), allocate);
  for (const std::string &size : entry.sizes)
    parameters.push_back(typicalOf(DimExpr::symbol(size), symbols));
  emulator::LaunchShape shape;
  shape.gridX = uint32_t(groups);
  shape.blockX = entry.threads;
  shape.sharedBytes = uint32_t(entry.sharedBytes);
  emulator::Options options;
  options.checks = false;
  options.traffic = true;
  auto report = emulator::launch(*parsed.module, entry.name, shape, parameters.data(), parameters.size() * 8, options);
  if (!report.diagnostics.empty())
    return refuse(report.diagnostics.front().text());
  const emulator::Counts &counts = report.counts;
  double barriers = 0;
  for (const auto &line : counts.lines)
    if (line.opcode.rfind("bar.sync", 0) == 0 || line.opcode.rfind("barrier", 0) == 0)
      barriers += double(line.executed);
  auto each = [&](uint64_t all) { return double(all) / double(groups); };
  GpuCounts found;
  found.instructions = each(counts.warpInstructions);
  found.tensorMacs = each(counts.tensorMacs);
  found.specialFunctions = each(counts.specialFunctions);
  found.wavefronts = each(counts.sharedWavefronts);
  found.sectors = each(counts.globalSectors);
  found.barriers = barriers / double(groups) / (entry.threads / 32);
  return found;
}

/// Work groups that a multiprocessor holds where the assembler told their registers, which are given out eight by
/// eight.
int64_t groupsOf(const GpuTarget &target, const GpuCandidate &candidate, int64_t registers) {
  constexpr int64_t most = 32, reservedShared = 1024; // as CUDA counts occupancy
  int64_t threads = candidate.warps * 32, ofGroup = int64_t(llvm::alignTo(registers, 8)) * threads;
  return std::min({most, target.threadsPerProcessor / threads, target.registers / ofGroup,
                   target.sharedPerProcessor / (candidate.sharedBytes + reservedShared)});
}

/// Cycles of the whole grid.
double cyclesOf(const GpuTarget &target, const GpuCandidate &candidate, const GpuCounts &counts, int64_t grid) {
  // Of a multiprocessor a cycle: see GpuLinearSchedule::cost and GpuWgmmaSchedule::cost. Four schedulers issue an
  // instruction each.
  const double multiplies = target.hasWarpGroups() ? 2048 : 1024;
  constexpr double bytesPerCycle = 48, latency = 600, special = 16, schedulers = 4;
  int64_t held = counts.groups;
  int64_t waves = ceilDiv(grid, target.processors * held);
  auto sharing = double(std::min(held, ceilDiv(grid, target.processors)));
  // Few warps leave schedulers idle.
  double alone = std::max(1.0, schedulers / (double(candidate.warps) * sharing));
  double parts[] = {counts.instructions / schedulers * alone, counts.tensorMacs / multiplies * alone,
                    counts.specialFunctions / special, counts.wavefronts, counts.sectors * 32 / bytesPerCycle};
  double bound = 0, all = 0;
  for (double part : parts) {
    bound = std::max(bound, part);
    all += part;
  }
  // What does not bound the whole hides behind what does, but for some; what is waited for at barriers hides behind
  // the work of other groups, and of stages that are ahead.
  double work = bound + (all - bound) / 4;
  double waits = latency * (2 + counts.barriers / double(std::max<int64_t>(candidate.stages - 1, 1)));
  return double(waves) * std::max(sharing * work, work + waits);
}
} // namespace

llvm::Error tamis::tuneGpuKernels(ModuleOp kernels, const GpuTarget &target,
                                  std::map<std::string, std::string> &choices, GpuDecisions &decisions,
                                  llvm::StringRef ptxas, const Activity &activity) {
  for (const GpuDecision &decision : decisions.kernels) {
    auto kernel = kernels.lookupSymbol<func::FuncOp>(decision.kernel);
    auto fitting = llvm::count_if(decision.candidates, [](const GpuCandidate &each) { return each.fits(); });
    if (fitting < 2 || choices.count(decision.kernel))
      continue;
    auto symbols = model::symbolsOf(kernel);
    int64_t bytes = 0;
    for (TypeRange types : {TypeRange(kernel.getArgumentTypes()), TypeRange(kernel.getResultTypes())})
      for (Type type : types)
        bytes = std::max(bytes, std::min(bytesOf(type, symbols), kMostBytes) + bytes);
    if (bytes >= kMostBytes)
      continue;
    activity("counting candidates of " + decision.kernel + " for " + target.name);
    OwningOpRef<ModuleOp> alone = ModuleOp::create(kernel.getLoc());
    alone->push_back(kernel.clone());
    std::vector<GpuCounts> counted;
    const GpuCandidate *best = nullptr;
    double fewest = 0;
    for (const GpuCandidate &candidate : decision.candidates) {
      GpuCounts &own = counted.emplace_back();
      if (!candidate.fits())
        continue;
      auto ptx = compileForNvptx(*alone, target, {{decision.kernel, candidate.tile}});
      if (!ptx)
        return ptx.takeError();
      int64_t grid = typicalOf(ptx->kernels.front().grid, symbols);
      auto found = count(kernel, *ptx, std::min(grid, kMostGroups));
      if (!found)
        return found.takeError();
      own = *found;
      own.groups = candidate.groups;
      if (!ptxas.empty()) {
        auto assembled = measureKernel(ptx->text, target.name, ptxas);
        if (!assembled)
          return assembled.takeError();
        own.registers = assembled->registers;
        own.spillBytes = assembled->spillBytes;
        own.groups = std::max<int64_t>(1, groupsOf(target, candidate, own.registers));
      }
      own.cycles = cyclesOf(target, candidate, own, grid);
      if (!best || own.cycles < fewest) {
        best = &candidate;
        fewest = own.cycles;
      }
    }
    choices[decision.kernel] = best->tile;
    decisions.counted[decision.kernel] = std::move(counted);
  }
  return llvm::Error::success();
}
