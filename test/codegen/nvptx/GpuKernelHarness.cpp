// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The harness of kernels (KernelHarness.h) for GPUs: compiles them to PTX and runs that in the interpreter, so that
// tests of kernels on the CPU are tests of those on GPUs, too. Every finding of the interpreter fails the test.
#include "codegen/nvptx/CompileForNvptx.h"
#include "codegen/nvptx/GpuKernels.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Parser/Parser.h"
#include "runtime/device/cpu/CodeImage.h"
#include "runtime/emulator/Emulator.h"
#include "test/codegen/KernelHarness.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

struct KernelHarness::Device {
  PtxModule ptx;
  bool roundsOperands = false;
};

/// Of what kind the kernel is, which compilation tells otherwise.
static std::optional<plan::KernelKind> kindOf(func::FuncOp kernel) {
  std::optional<plan::KernelKind> kind;
  for (Operation &op : kernel.getOps()) {
    if (isa<model::IntegerLinearOp, model::LinearOp>(op))
      kind = plan::KernelKind::linear;
    else if (isa<sattn::AttendOp>(op))
      kind = plan::KernelKind::sparse_attention;
    else if (isa<model::AttentionOp, sattn::AttendAtOp>(op))
      kind = plan::KernelKind::attention;
    else if (isa<sattn::LinearAttendOp>(op))
      kind = plan::KernelKind::linear_attention;
    else if (isa<sattn::MergeOp>(op))
      kind = plan::KernelKind::merge;
    else if (isa<sattn::SelectOp>(op))
      kind = plan::KernelKind::select;
    else if (isa<sattn::CompactOp, sattn::ExpandOp>(op))
      kind = plan::KernelKind::compaction;
    else if (isa<model::CumulativeOp, model::TopKOp, model::ScatterOp>(op))
      kind = plan::KernelKind::lines;
    else if (isa<model::QuantizeRowsOp, model::NormOp, model::SoftmaxOp>(op))
      kind = plan::KernelKind::rows;
    else if (isa<model::EmbeddingOp>(op))
      kind = plan::KernelKind::lookup;
    else if (isa<sattn::StoreIndexOp>(op) && !kind)
      kind = plan::KernelKind::index;
  }
  return kind;
}

bool tamis::test::canRun(const CpuTarget &) {
  return false;
}

KernelHarness::KernelHarness() : mlirContext(createContext()) {
  mlirContext->loadDialect<plan::PlanDialect>();
}
KernelHarness::~KernelHarness() = default;

/// Products of f16, of numbers up to 2 and scores of about as many.
double KernelHarness::rounding() const {
  return device->roundsOperands ? 1e-2 : 0;
}

std::unique_ptr<KernelHarness> KernelHarness::create(llvm::StringRef ir, llvm::StringRef targetName,
                                                     const KernelMaker &maker) {
  auto target = GpuTarget::parse(targetName);
  if (!target) {
    ADD_FAILURE() << llvm::toString(target.takeError());
    return nullptr;
  }
  std::unique_ptr<KernelHarness> harness(new KernelHarness);
  harness->maker = maker;
  std::string diagnostics;
  ScopedDiagnosticHandler handler(harness->context(), [&](Diagnostic &diagnostic) {
    diagnostics += diagnostic.str() + "\n";
    return success();
  });
  harness->module = parseSourceString<ModuleOp>(ir, harness->context());
  auto kind = harness->module ? kindOf(*harness->module->getOps<func::FuncOp>().begin()) : std::nullopt;
  if (!kind) {
    ADD_FAILURE() << "the kernel is of no kind\n" << diagnostics;
    return nullptr;
  }
  harness->kernel = *harness->module->getOps<func::FuncOp>().begin();
  harness->kernel->setAttr(plan::kKernelAttr, plan::KernelAttr::get(harness->context(), *kind));
  if (*kind == plan::KernelKind::linear) // products of nearly f32
    harness->kernel->setAttr(kGpuSplit, UnitAttr::get(harness->context()));
  auto ptx = compileForNvptx(*harness->module, *target);
  if (!ptx) {
    ADD_FAILURE() << llvm::toString(ptx.takeError()) << "\n" << diagnostics;
    return nullptr;
  }
  harness->device = std::make_shared<Device>();
  harness->device->ptx = std::move(*ptx);
  harness->device->roundsOperands = *kind == plan::KernelKind::attention || *kind == plan::KernelKind::sparse_attention;
  return harness;
}

std::vector<HostTensor> KernelHarness::run(llvm::ArrayRef<HostTensor> inputs, int32_t *status) {
  auto symbols = reference::bindSymbols(kernel, inputs);
  if (!symbols) {
    ADD_FAILURE() << llvm::toString(symbols.takeError());
    return {};
  }
  auto valueOf = [&](const DimExpr &expr) {
    return expr.evaluate([&](llvm::StringRef name) { return std::optional<int64_t>(symbols->lookup(name)); }).value();
  };
  emulator::Memory memory;
  auto parsed = emulator::parseModule(device->ptx.text, memory);
  for (const auto &error : parsed.errors)
    ADD_FAILURE() << "line " << error.line << ": " << error.message;
  if (!parsed.module)
    return {};
  std::vector<uint64_t> parameters;
  auto allocate = [&](size_t bytes) { parameters.push_back(memory.allocate(std::max<size_t>(bytes, 1))); };
  for (auto [i, input] : llvm::enumerate(inputs)) {
    std::vector<char> bytes = maker.buffer ? maker.buffer(kernel, i, input) : input.bytes;
    allocate(bytes.size());
    memory.copyIn(parameters.back(), bytes.data(), bytes.size());
  }
  std::vector<HostTensor> results;
  for (Type type : kernel.getResultTypes()) {
    llvm::SmallVector<int64_t> shape;
    for (const DimExpr &dim : model::dimsOf(type))
      shape.push_back(valueOf(dim));
    results.push_back(HostTensor::zeros(cast<RankedTensorType>(type).getElementType(), shape));
    allocate(results.back().bytes.size());
  }
  const PtxModule::Kernel &launched = device->ptx.kernels[0];
  for (const std::string &size : launched.sizes)
    parameters.push_back(symbols->lookup(size));
  emulator::LaunchShape shape;
  shape.gridX = valueOf(launched.grid);
  shape.blockX = launched.threads;
  shape.sharedBytes = launched.sharedBytes;
  emulator::Options options;
  options.seed = random();
  emulator::Report report;
  if (shape.gridX)
    report = emulator::launch(*parsed.module, launched.name, shape, parameters.data(), parameters.size() * 8, options);
  bool isTrapped = false;
  for (const auto &found : report.diagnostics) {
    isTrapped |= found.kind == emulator::DiagnosticKind::Trap;
    if (found.kind != emulator::DiagnosticKind::Trap || !status)
      ADD_FAILURE() << found.text();
  }
  if (status)
    *status = isTrapped;
  for (auto [i, result] : llvm::enumerate(results)) {
    uint64_t address = parameters[inputs.size() + i];
    if (!isTrapped && shape.gridX && !result.bytes.empty())
      EXPECT_TRUE(memory.isWritten(address, result.bytes.size())) << "some of a result is not written";
    memory.copyOut(result.bytes.data(), address, result.bytes.size());
  }
  return results;
}

void KernelTest::SetUp() {}
