// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles and runs one kernel on the CPU.
#include "test/codegen/KernelHarness.h"

#include "dialects/model/ModelShapes.h"
#include "lib/reference/Evaluator.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "runtime/device/cpu/CodeImage.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// Bytes that end at an inaccessible page, so that the first one read or written beyond them ends the test.
class GuardedBuffer {
public:
  GuardedBuffer(int64_t size, int fill) : size(size) {
    page = sysconf(_SC_PAGESIZE);
    pages = (size + page - 1) / page + 2;
    base = static_cast<char *>(mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base, page, PROT_NONE);
    mprotect(base + (pages - 1) * page, page, PROT_NONE);
    memset(base + page, fill, (pages - 2) * page);
  }
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer(GuardedBuffer &&other) : size(other.size), page(other.page), pages(other.pages), base(other.base) {
    other.base = nullptr;
  }
  ~GuardedBuffer() {
    if (base)
      munmap(base, pages * page);
  }
  char *data() { return base + (pages - 1) * page - size; }
  int64_t size;

private:
  int64_t page, pages;
  char *base;
};

int64_t valueOf(const DimExpr &expr, const llvm::StringMap<int64_t> &symbols) {
  auto value = expr.evaluate([&](llvm::StringRef name) -> std::optional<int64_t> {
    auto it = symbols.find(name);
    return it == symbols.end() ? std::nullopt : std::optional<int64_t>(it->second);
  });
  EXPECT_TRUE(value) << "cannot evaluate " << expr.str();
  return value.value_or(0);
}
} // namespace

bool tamis::test::canRun(const CpuTarget &target) {
  return llvm::all_of(target.features, [](const std::string &name) { return runtime::hasCpuFeature(name.c_str()); });
}

KernelHarness::KernelHarness() : mlirContext(createContext()) {}
KernelHarness::~KernelHarness() = default;
double KernelHarness::rounding() const {
  return 0;
}

std::unique_ptr<KernelHarness> KernelHarness::create(llvm::StringRef ir, llvm::StringRef targetName,
                                                     const KernelMaker &maker) {
  auto target = CpuTarget::parse(targetName);
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
  auto failWith = [&](const llvm::Twine &what) {
    ADD_FAILURE() << what.str() << "\n" << diagnostics;
    return nullptr;
  };
  harness->module = parseSourceString<ModuleOp>(ir, harness->context());
  if (!harness->module)
    return failWith("the kernel cannot be parsed");
  auto functions = harness->module->getOps<func::FuncOp>();
  if (functions.empty())
    return failWith("no function in the kernel's text");
  harness->kernel = *functions.begin();
  auto launch = maker.launch(harness->kernel);
  if (failed(launch))
    return failWith("the kernel has no launch");
  harness->launch = *launch;
  OwningOpRef<ModuleOp> tiled = harness->module->clone();
  if (failed(maker.tile(*tiled->getOps<func::FuncOp>().begin(), *target)))
    return failWith("the kernel cannot be tiled");
  if (failed(verify(*tiled)))
    return failWith("the tiled kernel is invalid");
  auto image = compileKernels(*tiled, *target);
  if (!image)
    return failWith(llvm::toString(image.takeError()));
  harness->compiled = std::move(*image);
  harness->code = std::make_unique<runtime::CodeImage>();
  tamis_error error;
  auto *bytes = reinterpret_cast<const uint8_t *>(harness->compiled.bytes.data());
  if (harness->code->check(bytes, harness->compiled.bytes.size(), "test", &error) != TAMIS_OK ||
      harness->code->map(-1, 0, TAMIS_CODE_COPY, &error) != TAMIS_OK)
    return failWith(error.message);
  return harness;
}

std::vector<HostTensor> KernelHarness::run(llvm::ArrayRef<HostTensor> inputs, int32_t *status) {
  auto symbols = reference::bindSymbols(kernel, inputs);
  if (!symbols) {
    ADD_FAILURE() << llvm::toString(symbols.takeError());
    return {};
  }
  constexpr int garbage = 0xFF;
  std::vector<GuardedBuffer> buffers;
  for (auto [i, input] : llvm::enumerate(inputs)) {
    std::vector<char> bytes = maker.buffer ? maker.buffer(kernel, i, input) : input.bytes;
    buffers.emplace_back(bytes.size(), garbage);
    memcpy(buffers.back().data(), bytes.data(), bytes.size());
  }
  std::vector<HostTensor> results;
  for (Type type : kernel.getResultTypes()) {
    llvm::SmallVector<int64_t> shape;
    for (const DimExpr &dim : model::dimsOf(type))
      shape.push_back(valueOf(dim, *symbols));
    results.push_back(HostTensor::zeros(cast<RankedTensorType>(type).getElementType(), shape));
    buffers.emplace_back(results.back().bytes.size(), garbage);
    if (results.size() <= maker.inPlace)
      memcpy(buffers.back().data(), inputs[results.size() - 1].bytes.data(), results.back().bytes.size());
  }
  std::vector<void *> pointers;
  for (GuardedBuffer &buffer : buffers)
    pointers.push_back(buffer.data());
  std::vector<int64_t> sizes;
  for (const model::Symbol &symbol : model::symbolsOf(kernel))
    sizes.push_back(symbols->lookup(symbol.name));

  int64_t grid = valueOf(launch.grid, *symbols), scratchBytes = valueOf(launch.scratchBytes, *symbols);
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (int64_t begin = 0; begin < grid;) {
    int64_t end = std::min<int64_t>(grid, begin + 1 + random() % 5);
    ranges.emplace_back(begin, end);
    begin = end;
  }
  std::shuffle(ranges.begin(), ranges.end(), random);
  using Function = int32_t (*)(void *const *, const int64_t *, int64_t, int64_t, void *);
  auto function = reinterpret_cast<Function>(const_cast<void *>(code->address(compiled.kernels[0].entry)));
  int32_t worst = 0;
  int64_t aligned = (scratchBytes + 63) / 64 * 64;
  GuardedBuffer scratch(aligned, garbage);
  for (auto [begin, end] : ranges) {
    memset(scratch.data(), garbage, aligned);
    worst = std::max(worst, function(pointers.data(), sizes.data(), begin, end, scratch.data()));
  }
  if (status)
    *status = worst;
  for (auto [i, result] : llvm::enumerate(results))
    memcpy(result.bytes.data(), pointers[inputs.size() + i], result.bytes.size());
  return results;
}

void KernelTest::SetUp() {
  auto parsed = CpuTarget::parse(target());
  ASSERT_TRUE(bool(parsed)) << llvm::toString(parsed.takeError());
  if (!canRun(*parsed))
    GTEST_SKIP() << "this machine has not all features of " << target();
}
