// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of linears and look-ups that unpack their weights, against the reference evaluator.
#include "codegen/tile/PackedLinear.h"
#include "codegen/tile/PackWords.h"
#include "codegen/tile/PackedLookup.h"
#include "dialects/model/ModelDialect.h"
#include "lib/support/Weights.h"
#include "test/codegen/KernelHarness.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// Integers as words, their units in panels, other operands as they are.
std::vector<char> packOperand(func::FuncOp kernel, unsigned argument, const HostTensor &tensor) {
  auto op = *kernel.getOps<model::DequantizeOp>().begin();
  Value value = kernel.getArgument(argument);
  if (!llvm::is_contained(op->getOperands(), value))
    return tensor.bytes;
  int64_t N = tensor.shape[0], columns = tensor.shape[1], width = elementBytes(tensor.element);
  std::vector<char> packed;
  if (value == op.getInput()) {
    unsigned bits = tensor.element.getIntOrFloatBitWidth();
    packed.resize(packedWordBytes(columns, N, bits));
    packWords({tensor.bytes.data(), 1, columns, tensor.element.isUnsignedInteger()}, columns, N, bits, packed.data());
    return packed;
  }
  packed.resize(packedUnitBytes(columns, N, width));
  packUnits({tensor.bytes.data(), 1, columns, width}, columns, N, packed.data());
  return packed;
}

KernelMaker linearMaker() {
  return {[](func::FuncOp kernel) { return packedLinearLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tilePackedLinear(kernel, target); }, packOperand};
}
KernelMaker lookupMaker() {
  return {[](func::FuncOp kernel) { return packedLookupLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tilePackedLookup(kernel, target); }, packOperand};
}

/// A weight and what reads it.
struct Text {
  int64_t N, K, group;
  std::string integer = "ui4", unit = "f32";
  std::string zero = ""; ///< "" for none, "each", or a number
  bool minimum = false;
  bool bias = false;
  std::string arguments = "", tail = "", last = "%0";

  int64_t groups() const { return (K + group - 1) / group; }
  std::string matrix(int64_t columns, const std::string &element) const {
    return "tensor<" + std::to_string(N) + "x" + std::to_string(columns) + "x" + element + ">";
  }
  static std::string rows(int64_t width, const std::string &element = "f32") {
    std::string w = std::to_string(width);
    return "tensor<?x" + w + "x" + element + ", #model.dims<\"n\", \"" + w + "\">>";
  }
  std::string weightArguments() const {
    return "%q: " + matrix(K, integer) + ", %s: " + matrix(groups(), unit) +
           (zero == "each" ? ", %z: " + matrix(groups(), integer) : "") +
           (minimum ? ", %m: " + matrix(groups(), unit) : "");
  }
  std::string dequantize() const {
    std::string zeros = matrix(groups(), integer);
    return (zero.empty() || zero == "each"
                ? ""
                : "%z = model.constant dense<" + zero + "> : " + matrix(groups(), integer) + "\n") +
           "%w = model.dequantize %q scale %s" + (zero.empty() ? "" : " zero_point %z") +
           (minimum ? " minimum %m" : "") + " block " + std::to_string(group) + " along 1 : " + matrix(K, integer) +
           ", " + matrix(groups(), unit) + (zero.empty() ? "" : ", " + zeros) +
           (minimum ? " minimum " + matrix(groups(), unit) : "") + " -> " + matrix(K, "f32") + "\n";
  }
  std::string linear() const {
    std::string b = "tensor<" + std::to_string(N) + "xf32>";
    return "func.func @linear(%x: " + rows(K) + ", " + weightArguments() + (bias ? ", %b: " + b : "") + arguments +
           ") -> " + rows(N) + " attributes {model.symbols = [#model.symbol<\"n\", 0, 4096>]} {\n" + dequantize() +
           "%0 = model.linear %x, %w" + (bias ? " bias %b" : "") + " transposed : " + rows(K) + ", " +
           matrix(K, "f32") + (bias ? ", " + b : "") + " -> " + rows(N) + "\n" + tail + "\nreturn " + last + " : " +
           rows(N) + "\n}";
  }
  std::string lookup(const std::string &index) const {
    std::string ids = "tensor<?x" + index + ", #model.dims<\"n\">>";
    return "func.func @lookup(" + weightArguments() + ", %ids: " + ids + ") -> " + rows(K) +
           " attributes {model.symbols = [#model.symbol<\"n\", 0, 4096>]} {\n" + dequantize() +
           "%0 = model.embedding %w, %ids : " + matrix(K, "f32") + ", " + ids + " -> " + rows(K) +
           "\nreturn %0 : " + rows(K) + "\n}";
  }
};

class PackedLinearTest : public KernelTest {
protected:
  void compile(const Text &kernel) {
    text = kernel;
    ir = kernel.linear();
    harness = KernelHarness::create(ir, target(), linearMaker());
    EXPECT_TRUE(harness) << ir;
  }
  HostTensor number(llvm::ArrayRef<int64_t> shape, float low = -1, float high = 1) {
    return uniform(harness->context(), shape, random, low, high);
  }
  HostTensor integers(llvm::ArrayRef<int64_t> shape) {
    bool isUnsigned = text.integer.front() == 'u';
    int width = text.integer.back() == '4' ? 4 : 8, low = isUnsigned ? 0 : -(1 << (width - 1));
    std::uniform_int_distribution<int> any(0, (1 << width) - 1);
    std::vector<double> values(reference::elementCount(shape).value_or(0));
    for (double &value : values)
      value = low + any(random);
    return HostTensor::ofNumbers(
        IntegerType::get(harness->context(), width, isUnsigned ? IntegerType::Unsigned : IntegerType::Signless), shape,
        values);
  }
  HostTensor units() {
    HostTensor tensor = number({text.N, text.groups()}, 0.01f, 0.1f);
    Type f16 = Float16Type::get(harness->context());
    return text.unit == "f16" ? HostTensor::ofNumbers(f16, tensor.shape, tensor.numbers()) : tensor;
  }
  std::vector<HostTensor> weight() {
    std::vector<HostTensor> operands{integers({text.N, text.K}), units()};
    if (text.zero == "each")
      operands.push_back(integers({text.N, text.groups()}));
    if (text.minimum)
      operands.push_back(units());
    return operands;
  }
  /// On n rows of random numbers.
  void check(int64_t n, std::vector<HostTensor> more = {}) {
    if (!harness)
      return;
    SCOPED_TRACE("n " + std::to_string(n) + "\n" + ir);
    std::vector<HostTensor> operands{number({n, text.K})};
    llvm::append_range(operands, weight());
    if (text.bias)
      operands.push_back(number({text.N}));
    llvm::append_range(operands, more);
    // Integers are as large as 255, units as 0.1.
    double size = text.integer.back() == '8' ? 16 : 1;
    harness->expectMatch(operands, size * 2e-6 * std::sqrt(double(text.K)), 1e-5);
  }

  Text text;
  std::string ir;
  std::unique_ptr<KernelHarness> harness;
};
class PackedLookupTest : public PackedLinearTest {};
} // namespace

TEST_P(PackedLinearTest, RowCounts) {
  for (const char *integer : {"ui4", "i8"}) {
    compile({96, 64, 32, integer, "f16"});
    for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 95, 96, 97, 129, 513, 1100})
      check(rows);
  }
}

TEST_P(PackedLinearTest, Formats) {
  int turn = 0;
  for (const char *integer : {"i4", "ui4", "i8", "ui8"})
    for (const char *zero : {"", "each", "3"})
      for (bool minimum : {false, true}) {
        compile({48, 64, 32, integer, ++turn % 2 ? "f16" : "f32", zero, minimum});
        for (int64_t rows : {1, 5, 11})
          check(rows);
      }
}

TEST_P(PackedLinearTest, DepthsAndGroups) {
  struct Case {
    int64_t K, group;
  };
  int turn = 0;
  for (Case c :
       {Case{1, 1}, {2, 32}, {7, 7}, {9, 16}, {31, 32}, {33, 32}, {64, 64}, {65, 64}, {130, 128}, {37, 8}, {384, 32}}) {
    compile({48, c.K, c.group, ++turn % 2 ? "i4" : "ui8", "f32", "each"});
    for (int64_t rows : {1, 2, 8, 9})
      check(rows);
  }
}

TEST_P(PackedLinearTest, Widths) {
  for (int64_t N : {1, 15, 17, 32, 47, 49, 144}) {
    compile({N, 32, 16, "ui4", "f16", "", true, true});
    for (int64_t rows : {1, 4, 7, 10})
      check(rows);
  }
}

TEST_P(PackedLinearTest, Epilogue) {
  std::string out = Text::rows(50);
  Text kernel{50, 64, 32, "i4", "f16", "", false, true};
  kernel.arguments = ", %r: " + out;
  kernel.tail = "%1 = model.activation gelu %0 : " + out + "\n%2 = model.elementwise add %1, %r : (" + out + ", " +
                out + ") -> " + out;
  kernel.last = "%2";
  compile(kernel);
  for (int64_t n : {1, 3, 8, 20})
    check(n, {number({n, 50})});
}

/// Numbers beyond what f16 and small powers of two hold, and the largest integers.
TEST_P(PackedLinearTest, LargeAndSmallInputs) {
  if (llvm::StringRef(target()).starts_with("sm_"))
    GTEST_SKIP() << "GPUs multiply parts of f16, which such numbers are none of";
  compile({48, 64, 32, "ui4", "f32", "", true});
  for (float size : {1e-30f, 1e30f})
    for (int64_t n : {1, 12}) {
      std::vector<HostTensor> operands{number({n, 64}, -size, size)};
      llvm::append_range(operands, weight());
      harness->expectMatch(operands, 2e-5 * size, 1e-5);
    }
}

TEST_P(PackedLinearTest, NaNSpreads) {
  compile({48, 32, 32, "ui4", "f32"});
  for (int64_t n : {1, 12}) {
    HostTensor x = number({n, 32});
    reinterpret_cast<float *>(x.bytes.data())[3] = std::numeric_limits<float>::quiet_NaN();
    std::vector<HostTensor> operands{x};
    llvm::append_range(operands, weight());
    harness->expectMatch(operands, 1e-4, 1e-5);
  }
}

TEST_P(PackedLinearTest, RandomKernels) {
  const char *integers[] = {"i4", "ui4", "i8", "ui8"}, *unitTypes[] = {"f16", "f32"}, *zeros[] = {"", "each", "5"};
  std::uniform_int_distribution<int> depth(1, 200), width(1, 130), rows(0, 40), kind(0, 11);
  for (int round = 0; round < 4; ++round) {
    Text kernel{width(random),
                depth(random),
                int64_t(8) << kind(random) % 5,
                integers[kind(random) % 4],
                unitTypes[kind(random) % 2],
                zeros[kind(random) % 3]};
    kernel.minimum = kind(random) % 2;
    kernel.bias = kind(random) % 2;
    compile(kernel);
    for (int i = 0; i < 3; ++i)
      check(i == 0 ? rows(random) % 9 : rows(random));
  }
}

TEST_P(PackedLookupTest, Rows) {
  struct Case {
    int64_t K, group;
  };
  for (const char *integer : {"i4", "ui4", "i8", "ui8"})
    for (Case c : {Case{64, 32}, {37, 16}, {1, 1}}) {
      for (const char *index : {"i32", "i64"}) {
        text = {100, c.K, c.group, integer, "f16", std::string(integer) == "i4" ? "each" : "2", c.K == 37};
        ir = text.lookup(index);
        harness = KernelHarness::create(ir, target(), lookupMaker());
        ASSERT_TRUE(harness) << ir;
        SCOPED_TRACE(ir);
        Type type = IntegerType::get(harness->context(), index[1] == '3' ? 32 : 64);
        for (std::vector<double> ids : {std::vector<double>{}, {0}, {99, 48, 47, -1, -100, 3, 96, 95, 0, 7}}) {
          std::vector<HostTensor> operands = weight();
          operands.push_back(HostTensor::ofNumbers(type, {int64_t(ids.size())}, ids));
          harness->expectMatch(operands, 0, 0); // the same operations, rounded alike
        }
        for (double id : {100.0, -101.0, 1e9}) {
          std::vector<HostTensor> operands = weight();
          operands.push_back(HostTensor::ofNumbers(type, {2}, {1.0, id}));
          int32_t status = 0;
          harness->run(operands, &status);
          EXPECT_EQ(status, 1);
        }
      }
    }
}

INSTANTIATE_KERNEL_TEST(PackedLinearTest);
INSTANTIATE_KERNEL_TEST(PackedLookupTest);
