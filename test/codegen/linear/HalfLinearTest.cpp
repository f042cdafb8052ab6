// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of tiled linears of bf16 against the reference evaluator.
#include "codegen/tile/HalfLinear.h"
#include "codegen/tile/PackPanels.h"
#include "dialects/model/ModelDialect.h"
#include "test/codegen/KernelHarness.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::vector<char> packWeight(func::FuncOp kernel, unsigned argument, const HostTensor &tensor) {
  auto linear = *kernel.getOps<model::LinearOp>().begin();
  if (linear.getWeight() != kernel.getArgument(argument))
    return tensor.bytes;
  int64_t K = tensor.shape[0], N = tensor.shape[1];
  std::vector<char> packed(packedPairPanelBytes(K, N));
  packPairPanels({tensor.values<uint16_t>().data(), N, 1}, K, N, packed.data());
  return packed;
}

KernelMaker maker() {
  return {[](func::FuncOp kernel) { return halfLinearLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tileHalfLinear(kernel, target); }, packWeight};
}

/// A kernel's text; `tail` continues from %0, of the type OUT in it.
struct Text {
  int64_t K, N;
  bool bias = false;
  std::string arguments = "", tail = "", last = "%0", element = "f32";

  static std::string rows(int64_t width, const std::string &element) {
    std::string last = std::to_string(width);
    return "tensor<?x" + last + "x" + element + ", #model.dims<\"n\", \"" + last + "\">>";
  }
  std::string str() const {
    std::string in = rows(K, "bf16"), sums = rows(N, "f32"), out = rows(N, element);
    std::string w = "tensor<" + std::to_string(K) + "x" + std::to_string(N) + "xbf16>";
    std::string b = "tensor<" + std::to_string(N) + "xf32>";
    return "func.func @linear(%x: " + in + ", %w: " + w + (bias ? ", %b: " + b : "") + arguments + ") -> " + out +
           " attributes {model.symbols = [#model.symbol<\"n\", 0, 4096>]} {\n" + "%0 = model.linear %x, %w" +
           (bias ? " bias %b" : "") + " : " + in + ", " + w + (bias ? ", " + b : "") + " -> " + sums + "\n" + tail +
           "\nreturn " + last + " : " + out + "\n}";
  }
};

class HalfLinearTest : public KernelTest {
protected:
  void compile(const Text &kernel) {
    text = kernel;
    harness = KernelHarness::create(kernel.str(), target(), maker());
    EXPECT_TRUE(harness) << kernel.str();
  }
  HostTensor half(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values) {
    return HostTensor::ofNumbers(BFloat16Type::get(harness->context()), shape, values);
  }
  HostTensor any(llvm::ArrayRef<int64_t> shape) {
    std::uniform_real_distribution<double> number(-1, 1);
    std::vector<double> values(reference::elementCount(shape).value_or(0));
    for (double &value : values)
      value = number(random);
    return half(shape, values);
  }
  void check(int64_t n, std::vector<HostTensor> more = {}, double relative = 1e-5) {
    if (!harness)
      return;
    SCOPED_TRACE("n " + std::to_string(n) + "\n" + text.str());
    std::vector<HostTensor> operands{any({n, text.K}), any({text.K, text.N})};
    if (text.bias)
      operands.push_back(uniform(harness->context(), {text.N}, random));
    llvm::append_range(operands, more);
    // Sums of up to 1536 products of about 1/4 in f32, in another order.
    harness->expectMatch(operands, 2e-5, relative);
  }
  /// A row times a matrix of one column, as the kernel computes it, in a tile of rows and behind it.
  float product(llvm::ArrayRef<double> x, llvm::ArrayRef<double> w) {
    int64_t K = x.size(), rows = 17;
    compile({K, 1});
    std::vector<double> all;
    for (int64_t row = 0; row < rows; ++row)
      llvm::append_range(all, x);
    auto results = harness->run({half({rows, K}, all), half({K, 1}, w)});
    auto found = results[0].values<float>();
    for (float each : found)
      EXPECT_TRUE(each == found[0] || (std::isnan(each) && std::isnan(found[0]))) << each << " and " << found[0];
    return found[0];
  }

  Text text;
  std::unique_ptr<KernelHarness> harness;
};
} // namespace

TEST_P(HalfLinearTest, RowCounts) {
  compile({17, 96});
  for (int64_t rows : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 96, 97, 193})
    check(rows);
}

TEST_P(HalfLinearTest, Depths) {
  for (int64_t K : {0, 1, 2, 3, 31, 32, 33, 384}) {
    compile({K, 16, true});
    check(13);
    check(33);
  }
}

TEST_P(HalfLinearTest, Widths) {
  for (int64_t N : {1, 15, 17, 47, 48, 49, 100}) {
    compile({20, N, true});
    check(5);
    check(50);
  }
}

// Where the target has tile registers: whole tiles of rows and what is left, panels that are not whole.
TEST_P(HalfLinearTest, TileRegisters) {
  for (int64_t N : {1, 16, 40, 48, 49, 110}) {
    compile({64, N, true});
    for (int64_t rows : {0, 1, 15, 16, 17, 31, 32, 33, 48, 97})
      check(rows);
  }
  compile({1536, 50});
  check(50);
}

TEST_P(HalfLinearTest, Epilogue) {
  std::string f = Text::rows(50, "f32"), h = Text::rows(50, "bf16");
  for (int64_t K : {40, 192})
    for (bool isRounded : {false, true}) {
      Text kernel{K, 50, true};
      kernel.arguments = ", %s: tensor<50xf32>, %t: tensor<f32>, %r: " + f;
      kernel.tail = "%1 = model.activation gelu %0 : " + f + "\n%2 = model.elementwise mul %1, %s : (" + f +
                    ", tensor<50xf32>) -> " + f + "\n%3 = model.elementwise mul %2, %t : (" + f + ", tensor<f32>) -> " +
                    f + "\n%4 = model.elementwise add %3, %r : (" + f + ", " + f + ") -> " + f;
      kernel.last = "%4";
      if (isRounded) {
        kernel.tail += "\n%5 = model.cast %4 : " + f + " -> " + h;
        kernel.last = "%5";
        kernel.element = "bf16";
      }
      compile(kernel);
      for (int64_t n : {0, 1, 9, 50})
        check(n,
              {uniform(harness->context(), {50}, random), uniform(harness->context(), {}, random),
               uniform(harness->context(), {n, 50}, random)},
              isRounded ? 0x1p-7 : 1e-5); // the next bf16, where sums lie between two
    }
}

// Nothing is written beyond the last column, of which one may be left for a vector.
TEST_P(HalfLinearTest, RoundedWidths) {
  for (int64_t N : {1, 2, 3, 17, 21, 33, 47, 49}) {
    Text kernel{40, N};
    kernel.tail = "%1 = model.cast %0 : " + Text::rows(N, "f32") + " -> " + Text::rows(N, "bf16");
    kernel.last = "%1";
    kernel.element = "bf16";
    compile(kernel);
    for (int64_t n : {1, 9, 33})
      check(n, {}, 0x1p-7);
  }
}

// What follows a layer is rounded as the evaluator does: every number of 16 bits, those beside it and halfway to the
// next.
TEST_P(HalfLinearTest, RoundsEveryNumber) {
  constexpr uint32_t kBelow[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  constexpr int64_t kWidth = 96, kRows = 65536 / 16;
  std::string f = Text::rows(kWidth, "f32");
  Text kernel{2, kWidth};
  kernel.arguments = ", %r: " + f;
  kernel.tail = "%1 = model.elementwise maximum %0, %r : (" + f + ", " + f + ") -> " + f + // layers add no zero to it
                "\n%2 = model.elementwise minimum %1, %r : (" + f + ", " + f + ") -> " + f +
                "\n%3 = model.cast %2 : " + f + " -> " + Text::rows(kWidth, "bf16");
  kernel.last = "%3";
  kernel.element = "bf16";
  compile(kernel);
  std::vector<uint32_t> bits;
  for (uint32_t upper = 0; upper < 65536; ++upper)
    for (uint32_t below : kBelow)
      bits.push_back(upper << 16 | below);
  harness->expectMatch({any({kRows, 2}), any({2, kWidth}),
                        HostTensor::of<uint32_t>(Float32Type::get(harness->context()), {kRows, kWidth}, bits)},
                       0, 0);
}

TEST_P(HalfLinearTest, SpecialNumbers) {
  double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (size_t K : {3, 32}) {
    auto with = [&](double first, double second, double rest = 1) {
      std::vector<double> numbers(K, rest);
      numbers[0] = first, numbers[1] = second;
      return numbers;
    };
    EXPECT_TRUE(std::isnan(product(with(nan, 1), with(1, 1))));
    EXPECT_TRUE(std::isnan(product(with(1, 1), with(1, nan))));
    EXPECT_EQ(product(with(infinity, 1), with(2, 1)), INFINITY);
    EXPECT_EQ(product(with(1, infinity), with(1, -1)), -INFINITY);
    EXPECT_TRUE(std::isnan(product(with(infinity, 1), with(0, 1))));
    EXPECT_TRUE(std::isnan(product(with(infinity, -infinity), with(1, 1))));
    EXPECT_EQ(product(with(3e38, 3e38, 0), with(2, 2)), INFINITY);
    // Below the normal range: 0 where an instruction multiplies pairs, exact elsewhere.
    float small = product(with(0x1p-130, 0, 0), with(1, 1));
    EXPECT_TRUE(small == 0 || small == 0x1p-130f) << small;
    // The last bit of either factor counts, and products are not rounded before they are summed.
    EXPECT_EQ(product(with(1 + 0x1p-7, 1, 0), with(1 + 0x1p-7, -1)), float(0x1p-6 + 0x1p-14));
  }
}

TEST_P(HalfLinearTest, RandomKernels) {
  std::uniform_int_distribution<int> depth(0, 200), width(1, 130), rows(0, 120);
  for (int round = 0; round < 4; ++round) {
    compile({round % 2 ? depth(random) : depth(random) / 32 * 32, width(random), round % 2 == 0});
    for (int i = 0; i < 3; ++i)
      check(rows(random));
  }
}

INSTANTIATE_KERNEL_TEST(HalfLinearTest);
