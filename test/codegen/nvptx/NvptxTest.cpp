// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of GPU kernels, run by the PTX interpreter with all its checks, against the reference evaluator.
#include "codegen/nvptx/CompileForNvptx.h"
#include "codegen/tile/PackPanels.h"
#include "codegen/tile/PackWords.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "runtime/emulator/Emulator.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace tamis;
using reference::HostTensor;

namespace {
/// f16 operands, sums of f32: products differ from the reference's by two roundings.
constexpr double kRounded = 2e-3;
/// Operands that are split.
constexpr double kSplit = 1e-5;

std::string replaced(std::string text, llvm::ArrayRef<std::pair<std::string, std::string>> words) {
  for (const auto &[word, by] : words)
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
      text.replace(at, word.size(), by);
  return text;
}

class NvptxTest : public testing::Test {
protected:
  NvptxTest() : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<func::FuncDialect, model::ModelDialect, sattn::SattnDialect, plan::PlanDialect>();
  }

  void compile(const std::string &text) {
    module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module) << text;
    auto target = GpuTarget::parse(chip);
    ASSERT_TRUE(bool(target));
    auto compiled = compileForNvptx(*module, *target);
    ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError()) << text;
    ptx = std::move(*compiled);
    kernel = *module->getOps<func::FuncOp>().begin();
  }

  HostTensor any(llvm::ArrayRef<int64_t> shape, Type element = {}) {
    std::vector<double> values(*reference::elementCount(shape));
    for (double &value : values)
      value = std::uniform_real_distribution<double>(-1, 1)(random);
    return HostTensor::ofNumbers(element ? element : Float32Type::get(&context), shape, values);
  }

  /// Runs the kernel; results lie in memory that nobody wrote. Every finding of the interpreter fails the test.
  std::vector<HostTensor> run(llvm::ArrayRef<HostTensor> inputs) {
    auto symbols = reference::bindSymbols(kernel, inputs);
    EXPECT_TRUE(bool(symbols));
    auto valueOf = [&](const DimExpr &expr) {
      return expr.evaluate([&](llvm::StringRef name) { return std::optional<int64_t>(symbols->lookup(name)); }).value();
    };
    emulator::Memory memory;
    auto parsed = emulator::parseModule(ptx.text, memory);
    for (const auto &error : parsed.errors)
      ADD_FAILURE() << "line " << error.line << ": " << error.message;
    if (!parsed.module)
      return {};
    std::vector<uint64_t> parameters;
    for (auto [i, input] : llvm::enumerate(inputs)) {
      std::vector<char> bytes = bufferOf(i, input);
      parameters.push_back(memory.allocate(std::max<size_t>(bytes.size(), 1)));
      memory.copyIn(parameters.back(), bytes.data(), bytes.size());
    }
    std::vector<HostTensor> results;
    for (Type type : kernel.getResultTypes()) {
      llvm::SmallVector<int64_t> shape;
      for (const DimExpr &dim : model::dimsOf(type))
        shape.push_back(valueOf(dim));
      results.push_back(HostTensor::zeros(cast<RankedTensorType>(type).getElementType(), shape));
      parameters.push_back(memory.allocate(std::max<size_t>(results.back().bytes.size(), 1)));
    }
    const PtxModule::Kernel &launched = ptx.kernels[0];
    for (const std::string &size : launched.sizes)
      parameters.push_back(symbols->lookup(size));
    emulator::LaunchShape shape;
    shape.gridX = valueOf(launched.grid);
    shape.blockX = launched.threads;
    shape.sharedBytes = launched.sharedBytes;
    emulator::Options options;
    options.traffic = true;
    options.seed = random();
    if (shape.gridX)
      report =
          emulator::launch(*parsed.module, launched.name, shape, parameters.data(), parameters.size() * 8, options);
    for (const auto &found : report.diagnostics)
      findings.push_back(found.text());
    for (auto [i, result] : llvm::enumerate(results))
      memory.copyOut(result.bytes.data(), parameters[inputs.size() + i], result.bytes.size());
    return results;
  }

  void expectMatch(llvm::ArrayRef<HostTensor> inputs, double tolerance) {
    auto found = run(inputs);
    EXPECT_EQ(findings, std::vector<std::string>());
    auto wanted = reference::evaluate(kernel, inputs, WeightStore());
    ASSERT_TRUE(bool(wanted));
    ASSERT_EQ(found.size(), wanted->size());
    for (size_t r = 0; r < found.size(); ++r) {
      std::vector<double> f = found[r].numbers(), w = (*wanted)[r].numbers();
      ASSERT_EQ(f.size(), w.size());
      double worst = 0;
      for (size_t i = 0; i < f.size(); ++i) {
        double error = std::abs(f[i] - w[i]) / (1 + std::abs(w[i]));
        worst = std::isnan(error) ? INFINITY : std::max(worst, error);
      }
      EXPECT_LE(worst, tolerance);
    }
  }

  /// The weight of a linear of f32 in panels, a packed one in words and units.
  std::vector<char> bufferOf(unsigned argument, const HostTensor &tensor) {
    for (auto op : kernel.getOps<model::DequantizeOp>()) {
      int64_t rows = tensor.shape[0], columns = tensor.shape.size() > 1 ? tensor.shape[1] : 0;
      std::vector<char> packed;
      if (op.getInput() == kernel.getArgument(argument)) {
        packed.resize(packedWordBytes(columns, rows, 4));
        packWords({tensor.bytes.data(), 1, columns, true}, columns, rows, 4, packed.data());
        return packed;
      }
      if (op.getScale() != kernel.getArgument(argument))
        continue;
      packed.resize(packedUnitBytes(columns, rows, 4));
      packUnits({tensor.bytes.data(), 1, columns, 4}, columns, rows, packed.data());
      return packed;
    }
    auto linears = kernel.getOps<model::LinearOp>();
    bool isWeight = !linears.empty() && (*linears.begin()).getWeight() == kernel.getArgument(argument);
    if (!isWeight || !tensor.element.isF32())
      return tensor.bytes;
    int64_t K = tensor.shape[0], N = tensor.shape[1];
    std::vector<char> packed(packedPanelBytes(K, N));
    packPanels({tensor.values<float>().data(), N, 1}, K, N, packed.data());
    return packed;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp kernel;
  PtxModule ptx;
  emulator::Report report;
  std::vector<std::string> findings;
  std::mt19937 random{3};
  const char *chip = "sm_80";
};

/// What has a form of its own for sm_90a.
class NvptxTargets : public NvptxTest, public testing::WithParamInterface<const char *> {
protected:
  NvptxTargets() { chip = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(All, NvptxTargets, testing::Values("sm_80", "sm_90a"));

TEST_P(NvptxTargets, Linear) {
  const char *text = R"(func.func @linear(%x: X, %w: W, %b: B, %r: Y) -> Y
      attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 0, 512>]} {
    %0 = model.linear %x, %w bias %b : X, W, B -> Y
    %1 = model.activation gelu %0 : Y
    %2 = model.elementwise add %1, %r : (Y, Y) -> Y
    return %2 : Y
  })";
  for (const char *element : {"f32", "f16"})
    for (auto [K, N] : {std::pair<int64_t, int64_t>{64, 48}, {72, 136}, {128, 160}, {19, 51}}) {
      if (llvm::StringRef(element) == "f16" && K % 8)
        continue;
      std::string k = std::to_string(K), n = std::to_string(N), e = element;
      auto matrix = [&](const std::string &width) {
        return "tensor<?x" + width + "x" + e + ", #model.dims<\"s\", \"" + width + "\">>";
      };
      compile(replaced(text, {{"X", matrix(k)},
                              {"Y", matrix(n)},
                              {"W", "tensor<" + k + "x" + n + "x" + e + ">"},
                              {"B", "tensor<" + n + "x" + e + ">"}}));
      Type type = e == "f32" ? Type(Float32Type::get(&context)) : Type(Float16Type::get(&context));
      for (int64_t rows : {0, 1, 33, 64, 130})
        expectMatch({any({rows, K}, type), any({K, N}, type), any({N}, type), any({rows, N}, type)}, 2 * kRounded);
    }
}

/// Weights of 4 bits that are unpacked on their way, where products are not split: by warp groups, too.
TEST_P(NvptxTargets, PackedLinear) {
  const char *text = R"(func.func @linear(%x: X, %q: tensor<NxKxui4>, %s: tensor<NxGxf32>) -> Y
      attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 0, 512>]} {
    %w = model.dequantize %q scale %s block 16 along 1 : tensor<NxKxui4>, tensor<NxGxf32> -> tensor<NxKxf32>
    %0 = model.linear %x, %w transposed : X, tensor<NxKxf32> -> Y
    return %0 : Y
  })";
  for (auto [K, N] : {std::pair<int64_t, int64_t>{64, 48}, {72, 136}, {200, 300}}) {
    std::string k = std::to_string(K), n = std::to_string(N);
    compile(replaced(text, {{"X", "tensor<?xKxf32, #model.dims<\"s\", \"K\">>"},
                            {"Y", "tensor<?xNxf32, #model.dims<\"s\", \"N\">>"},
                            {"NxK", n + "x" + k},
                            {"NxG", n + "x" + std::to_string((K + 15) / 16)},
                            {"xKx", "x" + k + "x"},
                            {"xNx", "x" + n + "x"},
                            {"\"K\"", "\"" + k + "\""},
                            {"\"N\"", "\"" + n + "\""}}));
    EXPECT_NE(ptx.text.find(chip == std::string("sm_80") ? "mma.sync" : "wgmma"), std::string::npos);
    std::vector<double> integers(N * K), scales(N * ((K + 15) / 16));
    for (double &integer : integers)
      integer = double(random() % 16);
    for (double &scale : scales)
      scale = double(1 + random() % 8) / 64;
    for (int64_t rows : {1, 65, 130})
      expectMatch({any({rows, K}),
                   HostTensor::ofNumbers(IntegerType::get(&context, 4, IntegerType::Unsigned), {N, K}, integers),
                   HostTensor::ofNumbers(Float32Type::get(&context), {N, (K + 15) / 16}, scales)},
                  4 * kRounded);
  }
}

TEST_P(NvptxTargets, Attention) {
  const char *text =
      R"(func.func @attention(%q: Q, %k: K, %v: K) -> Q attributes {gpu_tile = "TILE", plan.kernel = #plan.kernel<attention>,
      model.symbols = [#model.symbol<"b", 0, 8>, #model.symbol<"q", 0, 512>, #model.symbol<"k", 0, 512>]} {
    %0 = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.125 ORDER : Q, K, K -> Q
    return %0 : Q
  })";
  for (const char *element : {"f32", "f16"})
    for (auto [order, tile] :
         {std::pair<const char *, const char *>{"", "64x64"}, {"causal", "64x64"}, {"causal", "32x64"}, {"", "128x64"}})
      for (int64_t width : {32, 64}) {
        std::string n = std::to_string(2 * width), e = element;
        auto tensor = [&](const std::string &size) {
          return "tensor<?x?x" + n + "x" + e + ", #model.dims<\"b\", \"" + size + "\", \"" + n + "\">>";
        };
        compile(replaced(text, {{"TILE", tile}, {"Q", tensor("q")}, {"K", tensor("k")}, {"ORDER", order}}));
        if (chip == std::string("sm_80"))
          EXPECT_EQ(ptx.kernels[0].decision.tile(), tile);
        Type type = e == "f32" ? Type(Float32Type::get(&context)) : Type(Float16Type::get(&context));
        for (auto [queries, keys] : {std::pair<int64_t, int64_t>{1, 1}, {7, 0}, {64, 64}, {65, 130}, {130, 257}})
          expectMatch(
              {any({2, queries, 2 * width}, type), any({2, keys, 2 * width}, type), any({2, keys, 2 * width}, type)},
              kRounded);
      }
}

/// Products of bf16: of operands that lie so in memory, and of f32 where the kernel asks for it.
TEST_P(NvptxTargets, Bf16) {
  const char *linear = R"(func.func @linear(%x: X, %w: W, %b: B) -> Y
      attributes {ASKS plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 0, 512>]} {
    %0 = model.linear %x, %w bias %b : X, W, B -> Y
    %1 = model.activation relu %0 : Y
    return %1 : Y
  })";
  const char *attention =
      R"(func.func @attention(%q: X, %k: X, %v: X) -> X attributes {ASKS plan.kernel = #plan.kernel<attention>,
      model.symbols = [#model.symbol<"s", 0, 512>]} {
    %0 = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.125 causal : X, X, X -> X
    return %0 : X
  })";
  for (bool inMemory : {false, true}) {
    std::string e = inMemory ? "bf16" : "f32", asks = inMemory ? "" : "gpu_bf16,";
    Type type = inMemory ? Type(BFloat16Type::get(&context)) : Type(Float32Type::get(&context));
    auto expectBf16 = [&] {
      EXPECT_NE(ptx.text.find(".bf16.bf16"), std::string::npos);
      EXPECT_EQ(ptx.text.find(".f16"), std::string::npos);
    };
    for (int64_t K : {64, 72}) {
      std::string k = std::to_string(K);
      compile(replaced(linear, {{"X", "tensor<?x" + k + "x" + e + ", #model.dims<\"s\", \"" + k + "\">>"},
                                {"Y", "tensor<?x136x" + e + ", #model.dims<\"s\", \"136\">>"},
                                {"W", "tensor<" + k + "x136x" + e + ">"},
                                {"B", "tensor<136x" + e + ">"},
                                {"ASKS", asks}}));
      expectBf16();
      for (int64_t rows : {1, 65})
        expectMatch({any({rows, K}, type), any({K, 136}, type), any({136}, type)}, 8 * 2 * kRounded);
    }
    compile(
        replaced(attention, {{"X", "tensor<2x?x128x" + e + ", #model.dims<\"2\", \"s\", \"128\">>"}, {"ASKS", asks}}));
    expectBf16();
    for (int64_t tokens : {1, 130})
      expectMatch({any({2, tokens, 128}, type), any({2, tokens, 128}, type), any({2, tokens, 128}, type)},
                  8 * kRounded);
  }
  // Rounded to f16, numbers of this size are infinite.
  compile(replaced(linear, {{"X", "tensor<?x64xf32, #model.dims<\"s\", \"64\">>"},
                            {"Y", "tensor<?x136xf32, #model.dims<\"s\", \"136\">>"},
                            {"W", "tensor<64x136xf32>"},
                            {"B", "tensor<136xf32>"},
                            {"ASKS", "gpu_bf16,"}}));
  std::vector<double> large(3 * 64, 1e6);
  expectMatch({HostTensor::ofNumbers(Float32Type::get(&context), {3, 64}, large), any({64, 136}), any({136})},
              8 * 2 * kRounded * 1e6);
}

TEST_P(NvptxTargets, SparseAttention) {
  const char *text =
      R"(func.func @attend(%q: Q, %k: K, %v: K, %t: T) -> Q attributes {plan.kernel = #plan.kernel<sparse_attention>,
      model.symbols = [#model.symbol<"b", 0, 8>, #model.symbol<"q", 0, 512>, #model.symbol<"k", 0, 512>]} {
    %i = sattn.load_index %t : T -> !sattn.index<64 x 64 block, shape["b", "2", "ROWS"], items "ITEMS", capacity "ITEMS">
    %0 = sattn.attend %q, %k, %v over %i heads 2 kv_heads 2 scale 0.125 ORDER : Q, K, K, over !sattn.index<64 x 64 block, shape["b", "2", "ROWS"], items "ITEMS", capacity "ITEMS"> -> Q
    return %0 : Q
  })";
  std::string index = "tensor<?x2x?x?xi32, #model.dims<\"b\", \"2\", \"ROWS\", \"ITEMS + 1\">>";
  for (const char *element : {"f32", "f16"})
    for (const char *order : {"", "causal"}) {
      std::string e = element;
      auto tensor = [&](const std::string &size) {
        return "tensor<?x?x128x" + e + ", #model.dims<\"b\", \"" + size + "\", \"128\">>";
      };
      compile(replaced(text, {{"Q", tensor("q")},
                              {": T", ": " + index},
                              {"K,", tensor("k") + ","},
                              {"ORDER", order},
                              {"K)", tensor("k") + ")"},
                              {"ROWS", "floordiv(q + 63, 64)"},
                              {"ITEMS", "floordiv(k + 63, 64)"}}));
      Type type = e == "f32" ? Type(Float32Type::get(&context)) : Type(Float16Type::get(&context));
      for (auto [queries, keys] : {std::pair<int64_t, int64_t>{64, 64}, {65, 130}, {130, 257}}) {
        int64_t rows = (queries + 63) / 64, items = (keys + 63) / 64;
        std::vector<double> stored;
        for (int64_t row = 0; row < 2 * 2 * rows; ++row) {
          std::vector<double> kept;
          for (int64_t item = 0; item < items; ++item)
            if (random() % 2)
              kept.push_back(double(item));
          stored.push_back(double(kept.size()));
          kept.resize(items);
          llvm::append_range(stored, kept);
        }
        expectMatch({any({2, queries, 128}, type), any({2, keys, 128}, type), any({2, keys, 128}, type),
                     HostTensor::ofNumbers(IntegerType::get(&context, 32), {2, 2, rows, items + 1}, stored)},
                    kRounded);
      }
    }
}

TEST_F(NvptxTest, RowsAndMaps) {
  const char *text = R"(func.func @norm(%x: X, %r: X, %s: V, %b: V) -> X
      attributes {plan.kernel = #plan.kernel<rows>, model.symbols = [#model.symbol<"s", 0, 512>]} {
    %0 = model.elementwise add %x, %r : (X, X) -> X
    %1 = model.norm layer %0 scale %s bias %b axis 1 epsilon 1.0e-5 : X, V, V -> X
    %2 = model.activation gelu %1 : X
    return %2 : X
  })";
  for (int64_t length : {1, 50, 64, 384}) {
    std::string n = std::to_string(length);
    compile(replaced(
        text, {{"X", "tensor<?x" + n + "xf32, #model.dims<\"s\", \"" + n + "\">>"}, {"V", "tensor<" + n + "xf32>"}}));
    for (int64_t rows : {0, 1, 9})
      expectMatch({any({rows, length}), any({rows, length}), any({length}), any({length})}, 2e-5);
  }
}

/// What decides a selection is as right as in f32, but for the order of sums.
TEST_P(NvptxTargets, SplitLinear) {
  const char *text = R"(func.func @linear(%x: X, %w: W, %b: B) -> Y
      attributes {gpu_split, plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 0, MOST>]} {
    %0 = model.linear %x, %w bias %b : X, W, B -> Y
    return %0 : Y
  })";
  for (const char *most : {"64", "65536"}) // small tiles, large tiles
    for (auto [K, N] : {std::pair<int64_t, int64_t>{64, 48}, {72, 136}, {19, 51}}) {
      std::string k = std::to_string(K), n = std::to_string(N);
      compile(replaced(text, {{"X", "tensor<?x" + k + "xf32, #model.dims<\"s\", \"" + k + "\">>"},
                              {"Y", "tensor<?x" + n + "xf32, #model.dims<\"s\", \"" + n + "\">>"},
                              {"W", "tensor<" + k + "x" + n + "xf32>"},
                              {"B", "tensor<" + n + "xf32>"},
                              {"MOST", most}}));
      for (int64_t rows : {0, 1, 33, 64})
        expectMatch({any({rows, K}), any({K, N}), any({N})}, kSplit);
    }
  // Numbers beyond those of f16 are no silent mistake.
  std::vector<double> numbers(19, 0.5);
  numbers[3] = 1e6;
  HostTensor x = HostTensor::ofNumbers(Float32Type::get(&context), {1, 19}, numbers);
  for (const HostTensor &result : run({x, any({19, 51}), any({51})}))
    for (double value : result.numbers())
      EXPECT_FALSE(std::isfinite(value));
}

TEST_P(NvptxTargets, SplitAttention) {
  const char *text =
      R"(func.func @attention(%q: Q, %k: K, %v: K, %m: M) -> Q attributes {gpu_split, gpu_tile = "TILE", plan.kernel = #plan.kernel<attention>,
      model.symbols = [#model.symbol<"b", 0, 8>, #model.symbol<"q", 0, 512>, #model.symbol<"k", 0, 512>]} {
    %0 = model.attention %q, %k, %v mask %m heads 2 kv_heads 2 scale 0.5 : Q, K, K, M -> Q
    return %0 : Q
  })";
  for (auto [width, tile] :
       {std::pair<int64_t, const char *>{19, "64x64"}, {32, "32x64"}, {64, "128x64"}, {128, "64x64"}}) {
    std::string n = std::to_string(2 * width);
    auto tensor = [&](const std::string &size) {
      return "tensor<?x?x" + n + "xf32, #model.dims<\"b\", \"" + size + "\", \"" + n + "\">>";
    };
    compile(replaced(text, {{"TILE", tile},
                            {"Q", tensor("q")},
                            {"K,", tensor("k") + ","},
                            {"M", "tensor<?x1x1x?xf32, #model.dims<\"b\", \"1\", \"1\", \"k\">>"}}));
    for (auto [queries, keys] : {std::pair<int64_t, int64_t>{1, 1}, {7, 0}, {65, 130}})
      expectMatch(
          {any({2, queries, 2 * width}), any({2, keys, 2 * width}), any({2, keys, 2 * width}), any({2, 1, 1, keys})},
          kSplit);
  }
}

/// Memory is read and written without waste, and shared memory without conflicts, in what tensors are multiplied with.
TEST_P(NvptxTargets, Traffic) {
  compile(R"(!x = tensor<128x256xf16>
    func.func @linear(%x: !x, %w: tensor<256x128xf16>) -> tensor<128x128xf16> attributes {plan.kernel = #plan.kernel<linear>} {
      %0 = model.linear %x, %w : !x, tensor<256x128xf16> -> tensor<128x128xf16>
      return %0 : tensor<128x128xf16>
    })");
  Type half = Float16Type::get(&context);
  expectMatch({any({128, 256}, half), any({256, 128}, half)}, 2 * kRounded);
  EXPECT_EQ(report.counts.tensorMacs, 128u * 128 * 256);
  EXPECT_EQ(report.counts.sharedWavefronts, report.counts.idealSharedWavefronts);
  for (const auto &line : report.counts.lines)
    if (line.opcode.starts_with("cp.async.c"))
      EXPECT_EQ(line.sectors, line.idealSectors) << line.opcode;
}
/// What the interpreter is there for: each of these leaves a kernel that may well compute the right numbers.
TEST_P(NvptxTargets, MutationsAreFound) {
  const char *text = R"(!x = tensor<128x256xf16>
    func.func @linear(%x: !x, %w: tensor<256x128xf16>) -> tensor<128x128xf16> attributes {plan.kernel = #plan.kernel<linear>} {
      %0 = model.linear %x, %w : !x, tensor<256x128xf16> -> tensor<128x128xf16>
      return %0 : tensor<128x128xf16>
    })";
  Type half = Float16Type::get(&context);
  compile(text);
  std::string original = ptx.text;
  std::vector<HostTensor> inputs{any({128, 256}, half), any({256, 128}, half)};
  run(inputs);
  EXPECT_TRUE(findings.empty());
  std::vector<std::pair<std::string, std::string>> mutations{{"cp.async.wait_group 2;", "cp.async.wait_group 3;"},
                                                             {"bar.sync \t0;", ""}};
  if (chip == std::string("sm_90a"))
    for (const char *word : {"fence.proxy.async.shared::cta;", "wgmma.fence.sync.aligned;",
                             "wgmma.wait_group.sync.aligned 0;", "wgmma.commit_group.sync.aligned;"})
      mutations.push_back({word, ""});
  for (auto [from, to] : mutations) {
    findings.clear();
    ptx.text = replaced(original, {{from, to}});
    ASSERT_NE(ptx.text, original) << from;
    run(inputs);
    EXPECT_FALSE(findings.empty()) << from;
  }
}
} // namespace
