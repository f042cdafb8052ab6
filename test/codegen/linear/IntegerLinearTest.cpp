// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of tiled products of bytes against the reference evaluator: integers exactly, on every target alike.
#include "codegen/tile/IntegerLinear.h"
#include "codegen/tile/PackPanels.h"
#include "dialects/model/ModelDialect.h"
#include "test/codegen/KernelHarness.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::vector<char> packWeight(func::FuncOp kernel, unsigned argument, const HostTensor &tensor) {
  auto linear = *kernel.getOps<model::IntegerLinearOp>().begin();
  if (linear.getWeight() != kernel.getArgument(argument))
    return tensor.bytes;
  int64_t K = tensor.shape[0], N = tensor.shape[1];
  std::vector<char> packed(packedBytePanelBytes(K, N));
  packBytePanels({tensor.bytes.data(), N, 1, tensor.element.isUnsignedInteger()}, K, N, packed.data());
  return packed;
}

KernelMaker maker() {
  return {[](func::FuncOp kernel) { return integerLinearLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tileIntegerLinear(kernel, target); }, packWeight};
}

/// A kernel's text: types of the operands, and zero points "" (none), "one" or "each".
struct Text {
  int64_t K, N;
  std::string input = "ui8", weight = "i8", inputZero = "", weightZero = "";
  std::string arguments = "", tail = "", last = "%0", element = "i32";

  static std::string rows(const std::string &last, const std::string &element) {
    return "tensor<?x" + last + "x" + element + ", #model.dims<\"n\", \"" + last + "\">>";
  }
  std::string zero(const std::string &kind, const std::string &each, const std::string &element) const {
    return kind == "each" ? each : "tensor<" + element + ">";
  }
  std::string str() const {
    std::string in = rows(std::to_string(K), input), sums = rows(std::to_string(N), "i32"),
                out = rows(std::to_string(N), element);
    std::string w = "tensor<" + std::to_string(K) + "x" + std::to_string(N) + "x" + weight + ">";
    std::string zx = zero(inputZero, rows("1", input), input);
    std::string zw = zero(weightZero, "tensor<" + std::to_string(N) + "x" + weight + ">", weight);
    bool hasX = !inputZero.empty(), hasW = !weightZero.empty();
    return "func.func @linear(%x: " + in + ", %w: " + w + (hasX ? ", %zx: " + zx : "") + (hasW ? ", %zw: " + zw : "") +
           arguments + ") -> " + out + " attributes {model.symbols = [#model.symbol<\"n\", 0, 4096>]} {\n" +
           "%0 = model.integer_linear %x, %w" + (hasX ? " input_zero_point %zx" : "") +
           (hasW ? " weight_zero_point %zw" : "") + " : " + in + ", " + w + (hasX ? ", " + zx : "") +
           (hasW ? " weight " + zw : "") + " -> " + sums + "\n" + tail + "\nreturn " + last + " : " + out + "\n}";
  }
};

class IntegerLinearTest : public KernelTest {
protected:
  void compile(const Text &kernel) {
    text = kernel;
    harness = KernelHarness::create(kernel.str(), target(), maker());
    EXPECT_TRUE(harness) << kernel.str();
  }
  /// Any bytes; `extreme`: the lowest and the highest alone, where sums of two products saturate 16 bits.
  HostTensor any(llvm::ArrayRef<int64_t> shape, const std::string &element, bool extreme = false) {
    bool isUnsigned = element.front() == 'u';
    int width = element.back() == '4' ? 4 : 8, low = isUnsigned ? 0 : -(1 << (width - 1));
    std::uniform_int_distribution<int> byte(0, (1 << width) - 1);
    std::vector<double> values(reference::elementCount(shape).value_or(0));
    for (double &value : values) {
      int number = byte(random);
      value = low + (extreme ? (number % 2) * ((1 << width) - 1) : number);
    }
    return HostTensor::ofNumbers(
        IntegerType::get(harness->context(), width, isUnsigned ? IntegerType::Unsigned : IntegerType::Signless), shape,
        values);
  }
  void check(int64_t n, std::vector<HostTensor> more = {}, bool extreme = false, double relative = 0) {
    if (!harness)
      return;
    SCOPED_TRACE("n " + std::to_string(n) + "\n" + text.str());
    std::vector<HostTensor> operands{any({n, text.K}, text.input, extreme),
                                     any({text.K, text.N}, text.weight, extreme)};
    if (!text.inputZero.empty())
      operands.push_back(any(text.inputZero == "each" ? llvm::ArrayRef<int64_t>{n, 1} : llvm::ArrayRef<int64_t>{},
                             text.input, extreme));
    if (!text.weightZero.empty())
      operands.push_back(any(text.weightZero == "each" ? llvm::ArrayRef<int64_t>{text.N} : llvm::ArrayRef<int64_t>{},
                             text.weight, extreme));
    llvm::append_range(operands, more);
    harness->expectMatch(operands, 10 * relative, relative);
  }

  Text text;
  std::unique_ptr<KernelHarness> harness;
};
} // namespace

TEST_P(IntegerLinearTest, RowCounts) {
  compile({17, 96});
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 95, 96, 97, 193})
    check(rows);
}

TEST_P(IntegerLinearTest, Depths) {
  for (int64_t K : {0, 1, 2, 3, 4, 67, 384}) {
    compile({K, 16, "i8", "i8"});
    check(13);
  }
}

TEST_P(IntegerLinearTest, Widths) {
  for (int64_t N : {1, 15, 17, 25, 48, 49, 100}) {
    compile({20, N});
    check(5);
    check(50);
  }
}

TEST_P(IntegerLinearTest, SignsAndZeroPoints) {
  struct Case {
    const char *input, *weight, *inputZero, *weightZero;
  };
  for (Case c : {Case{"i8", "i8", "", ""},
                 {"i8", "ui8", "one", ""},
                 {"ui8", "i8", "each", "each"},
                 {"ui8", "ui8", "", "one"},
                 {"i8", "ui8", "each", "one"},
                 {"ui8", "ui8", "one", "each"}}) {
    compile({70, 20, c.input, c.weight, c.inputZero, c.weightZero});
    check(11);
  }
}

TEST_P(IntegerLinearTest, FourBits) {
  for (const char *weight : {"i4", "ui4"}) {
    compile({21, 49, "ui8", weight, "one", "each"});
    check(9);
  }
}

TEST_P(IntegerLinearTest, SaturatesNowhere) {
  for (const char *input : {"i8", "ui8"})
    for (const char *weight : {"i8", "ui8"}) {
      compile({512, 48, input, weight, "one", "one"});
      check(9, {}, /*extreme=*/true);
    }
}

TEST_P(IntegerLinearTest, Epilogue) {
  std::string f = Text::rows("50", "f32"), i = Text::rows("50", "i32"), row = Text::rows("1", "f32");
  for (int64_t K : {40, 192}) {
    Text kernel{K, 50, "ui8", "i8", "one", ""};
    kernel.arguments = ", %s: " + row + ", %c: tensor<50xf32>, %b: tensor<50xf32>, %t: tensor<f32>, %r: " + f;
    kernel.tail = "%1 = model.cast %0 : " + i + " -> " + f + "\n%2 = model.elementwise mul %1, %s : (" + f + ", " +
                  row + ") -> " + f + "\n%3 = model.elementwise mul %2, %c : (" + f + ", tensor<50xf32>) -> " + f +
                  "\n%4 = model.elementwise add %3, %b : (" + f + ", tensor<50xf32>) -> " + f +
                  "\n%5 = model.activation gelu %4 : " + f + "\n%6 = model.elementwise mul %5, %t : (" + f +
                  ", tensor<f32>) -> " + f + "\n%7 = model.elementwise add %6, %r : (" + f + ", " + f + ") -> " + f;
    kernel.last = "%7";
    kernel.element = "f32";
    compile(kernel);
    for (int64_t n : {0, 1, 9, 50}) {
      auto number = [&](llvm::ArrayRef<int64_t> shape, float high) {
        return uniform(harness->context(), shape, random, -high, high);
      };
      check(n, {number({n, 1}, 1e-3f), number({50}, 1e-1f), number({50}, 1), number({}, 1), number({n, 50}, 1)}, false,
            1e-5);
    }
  }
}

// Where the target has tile registers: whole tiles of rows and what is left, panels that are not whole, both signs.
TEST_P(IntegerLinearTest, TileRegisters) {
  for (int64_t N : {7, 16, 40, 48, 49, 110}) {
    compile({128, N, "ui8", "i8", "each", ""});
    for (int64_t rows : {0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 64, 97})
      check(rows);
  }
  for (int64_t K : {64, 384, 1536}) {
    compile({K, 50, "ui8", "i8", "one", ""});
    check(50, {}, /*extreme=*/true);
  }
  for (const char *input : {"i8", "ui8"})
    for (const char *weight : {"i8", "ui8"})
      for (const char *zero : {"", "one", "each"}) {
        compile({64, 20, input, weight, zero, zero});
        check(37, {}, /*extreme=*/true);
        check(37);
      }
}

// Rows become bytes in the kernel that computes them: the numbers are those of the layer up to rounding, a byte may be
// the next one.
TEST_P(IntegerLinearTest, BytesOfRows) {
  if (llvm::StringRef(target()).starts_with("sm_"))
    GTEST_SKIP() << "plans for GPUs quantize rows in a kernel of its own";
  for (auto [K, N] : {std::pair(40, 16), {64, 48}, {128, 112}, {384, 1536}}) {
    std::string n = std::to_string(N), f = Text::rows(n, "f32"), i = Text::rows(n, "i32"), row = Text::rows("1", "f32"),
                bytes = Text::rows(n, "ui8"), zero = Text::rows("1", "ui8"), in = Text::rows(std::to_string(K), "ui8"),
                column = "tensor<" + n + "xf32>", w = "tensor<" + std::to_string(K) + "x" + n + "xi8>";
    std::string types = bytes + ", " + row + ", " + zero;
    std::string kernel =
        "func.func @linear(%x: " + in + ", %w: " + w + ", %zx: " + zero + ", %s: " + row + ", %c: " + column +
        ") -> (" + types + ") attributes {model.symbols = [#model.symbol<\"n\", 0, 4096>]} {\n" +
        "%0 = model.integer_linear %x, %w input_zero_point %zx : " + in + ", " + w + ", " + zero + " -> " + i +
        "\n%1 = model.cast %0 : " + i + " -> " + f + "\n%2 = model.elementwise mul %1, %s : (" + f + ", " + row +
        ") -> " + f + "\n%3 = model.elementwise mul %2, %c : (" + f + ", " + column + ") -> " + f +
        "\n%4 = model.activation gelu %3 : " + f + "\n%q, %u, %z = model.quantize_rows %4 : " + f + " -> " + types +
        "\nreturn %q, %u, %z : " + types + "\n}";
    SCOPED_TRACE(kernel);
    harness = KernelHarness::create(kernel, target(), maker());
    ASSERT_TRUE(harness);
    for (int64_t rows : {0, 1, 7, 16, 33, 63, 64, 65, 130}) {
      SCOPED_TRACE(rows);
      std::vector<HostTensor> inputs{any({rows, K}, "ui8"), any({K, N}, "i8"), any({rows, 1}, "ui8"),
                                     uniform(harness->context(), {rows, 1}, random, 1e-4f, 1e-3f),
                                     uniform(harness->context(), {N}, random, 1e-2f, 1e-1f)};
      auto found = harness->run(inputs), wanted = harness->evaluate(inputs);
      expectNear(found[0], wanted[0], 1, 0);
      expectNear(found[1], wanted[1], 0, 1e-5);
      expectNear(found[2], wanted[2], 1, 0);
    }
  }
}

TEST_P(IntegerLinearTest, RandomKernels) {
  const char *types[] = {"i8", "ui8"}, *zeros[] = {"", "one", "each"};
  std::uniform_int_distribution<int> depth(0, 200), width(1, 130), rows(0, 120), kind(0, 5);
  for (int round = 0; round < 4; ++round) {
    compile({depth(random), width(random), types[kind(random) % 2], types[kind(random) % 2], zeros[kind(random) % 3],
             zeros[kind(random) % 3]});
    for (int i = 0; i < 3; ++i)
      check(rows(random), {}, i == 2);
  }
}

INSTANTIATE_KERNEL_TEST(IntegerLinearTest);
