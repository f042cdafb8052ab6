// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A grid: its shape checked, its blocks spread over threads, what they found put together.

#include "runtime/emulator/run/Block.h"
#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace tamis::emulator {
namespace {

/// Why a launch cannot be done, or empty.
std::string launchProblem(const Kernel &kernel, const LaunchShape &shape, size_t bytes) {
  const EntryInfo &info = kernel.info;
  auto sizes = [](uint32_t x, uint32_t y, uint32_t z) {
    return std::to_string(x) + " x " + std::to_string(y) + " x " + std::to_string(z);
  };
  uint64_t threads = uint64_t(shape.blockX) * shape.blockY * shape.blockZ;
  if (shape.blockX > 1024 || shape.blockY > 1024 || shape.blockZ > 64 || threads == 0 || threads > 1024)
    return "blocks of " + sizes(shape.blockX, shape.blockY, shape.blockZ) + " threads, wanted 1 to 1024";
  if (info.requiredBlock[0] && (shape.blockX != info.requiredBlock[0] || shape.blockY != info.requiredBlock[1] ||
                                shape.blockZ != info.requiredBlock[2]))
    return "blocks of " + sizes(shape.blockX, shape.blockY, shape.blockZ) + " threads, wanted " +
           sizes(info.requiredBlock[0], info.requiredBlock[1], info.requiredBlock[2]) + " (.reqntid)";
  if (info.maxThreads && threads > info.maxThreads)
    return "blocks of " + std::to_string(threads) + " threads, wanted at most " + std::to_string(info.maxThreads) +
           " (.maxntid)";
  if (shape.gridY > 65535 || shape.gridZ > 65535 || shape.gridX > 0x7fffffff)
    return "a grid of " + sizes(shape.gridX, shape.gridY, shape.gridZ) +
           " blocks, wanted at most 2147483647 x 65535 x 65535";
  if (shape.clusterX != 1 || shape.clusterY != 1 || shape.clusterZ != 1 || info.requiredCluster[0] > 1 ||
      info.requiredCluster[1] > 1 || info.requiredCluster[2] > 1)
    return "clusters of several blocks are not emulated";
  uint64_t shared = kernel.dynamicSharedOffset + uint64_t(shape.sharedBytes);
  if (shared > 227 * 1024)
    return std::to_string(shared) + " bytes of shared memory, wanted at most 232448";
  if (bytes < info.parameterBytes)
    return std::to_string(bytes) + " bytes of parameters, wanted " + std::to_string(info.parameterBytes);
  return {};
}

Report refuse(std::string why) {
  Report report;
  Diagnostic diagnostic;
  diagnostic.kind = DiagnosticKind::LaunchError;
  diagnostic.detail = std::move(why);
  report.diagnostics.push_back(std::move(diagnostic));
  return report;
}

void addCounts(Counts &into, const Kernel &kernel, const std::vector<std::unique_ptr<Block>> &workers) {
  for (size_t i = 0; i < kernel.code.size(); ++i) {
    LineCounts line;
    line.line = kernel.code[i].line;
    for (const std::unique_ptr<Block> &worker : workers) {
      line.executed += worker->executed[i];
      if (worker->traffic.empty())
        continue;
      const LineTraffic &traffic = worker->traffic[i];
      line.wavefronts += traffic.wavefronts;
      line.idealWavefronts += traffic.idealWavefronts;
      line.sectors += traffic.sectors;
      line.idealSectors += traffic.idealSectors;
      line.bytes += traffic.bytes;
    }
    if (line.executed == 0)
      continue;
    line.opcode = kernel.opcodes[i];
    into.warpInstructions += line.executed;
    into.tensorMacs += line.executed * kernel.macs[i];
    into.specialFunctions += kernel.isSpecialFunction[i] ? line.executed * 32 : 0;
    into.globalSectors += line.sectors;
    into.idealGlobalSectors += line.idealSectors;
    into.sharedWavefronts += line.wavefronts;
    into.idealSharedWavefronts += line.idealWavefronts;
    (line.opcode.substr(0, 2) == "st" || line.opcode.find(".global.shared") != std::string::npos
         ? into.globalStoreBytes
         : into.globalLoadBytes) += line.bytes;
    into.lines.push_back(std::move(line));
  }
  std::sort(into.lines.begin(), into.lines.end(), [](const LineCounts &a, const LineCounts &b) {
    return a.line != b.line ? a.line < b.line : a.opcode < b.opcode;
  });
}

} // namespace

Report launch(const Module &module, std::string_view entry, const LaunchShape &shape, const void *params, size_t bytes,
              const Options &options) {
  const Module::Contents &contents = module.contents();
  const Kernel *kernel = nullptr;
  for (const Kernel &each : contents.kernels)
    if (each.info.name == entry)
      kernel = &each;
  if (!kernel)
    return refuse("no entry '" + std::string(entry) + "' in the module");
  if (shape.gridX == 0 || shape.gridY == 0 || shape.gridZ == 0)
    return {};
  if (std::string problem = launchProblem(*kernel, shape, bytes); !problem.empty())
    return refuse(std::string(entry) + ": " + problem);

  uint64_t blocks = uint64_t(shape.gridX) * shape.gridY * shape.gridZ;
  uint64_t wanted = options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  uint32_t threads = uint32_t(std::min({wanted, blocks, uint64_t(256)}));
  DeviceMemory memory(*contents.memory);
  std::vector<Findings> findings(threads);
  std::vector<std::unique_ptr<Block>> workers;
  for (uint32_t i = 0; i < threads; ++i) {
    workers.push_back(std::make_unique<Block>());
    Block &block = *workers.back();
    block.kernel = kernel;
    block.options = &options;
    block.shape = &shape;
    block.memory = &memory;
    block.findings = &findings[i];
    const uint8_t *from = static_cast<const uint8_t *>(params);
    block.params.assign(from, from + kernel->info.parameterBytes);
    prepareBlock(block);
  }
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> isOver = false;
  auto work = [&](Block &block) {
    for (uint64_t i; !isOver && (i = next.fetch_add(1)) < blocks;) {
      uint32_t id[3] = {uint32_t(i % shape.gridX), uint32_t(i / shape.gridX % shape.gridY),
                        uint32_t(i / shape.gridX / shape.gridY)};
      runBlock(block, id);
      if (block.isOver)
        isOver = true;
    }
  };
  std::vector<std::thread> pool;
  for (uint32_t i = 1; i < threads; ++i)
    pool.emplace_back(work, std::ref(*workers[i]));
  work(*workers[0]);
  for (std::thread &each : pool)
    each.join();

  Report report;
  for (uint32_t i = 1; i < threads; ++i)
    findings[0].merge(std::move(findings[i]));
  report.diagnostics = findings[0].list();
  addCounts(report.counts, *kernel, workers);
  return report;
}

} // namespace tamis::emulator
