// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of tiled linears against the reference evaluator.
#include "codegen/tile/Linear.h"
#include "codegen/tile/PackPanels.h"
#include "dialects/model/ModelDialect.h"
#include "test/codegen/KernelHarness.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// The packed form of the weight, other operands as they are.
std::vector<char> packWeight(func::FuncOp kernel, unsigned argument, const HostTensor &tensor) {
  auto linear = *kernel.getOps<model::LinearOp>().begin();
  if (linear.getWeight() != kernel.getArgument(argument))
    return tensor.bytes;
  const float *data = tensor.values<float>().data();
  int64_t rows = tensor.shape[0], columns = tensor.shape[1];
  bool transposed = linear.getTransposed();
  int64_t K = transposed ? columns : rows, N = transposed ? rows : columns;
  std::vector<char> packed(packedPanelBytes(K, N));
  packPanels(transposed ? StridedMatrix{data, 1, columns} : StridedMatrix{data, columns, 1}, K, N, packed.data());
  return packed;
}

KernelMaker linearMaker() {
  return {[](func::FuncOp kernel) { return linearLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tileLinear(kernel, target); }, packWeight};
}

/// A kernel's text. In `arguments` and `tail`, OUT stands for the type of the result; `tail` continues from %0.
struct LinearText {
  int64_t K, N;
  bool bias = true, transposed = true;
  std::string arguments = "", tail = "", last = "%0";

  std::string str() const {
    auto matrix = [](int64_t width) {
      std::string w = std::to_string(width);
      return "tensor<?x?x" + w + "xf32, #model.dims<\"b\", \"s\", \"" + w + "\">>";
    };
    std::string in = matrix(K), out = matrix(N);
    std::string weight =
        "tensor<" + std::to_string(transposed ? N : K) + "x" + std::to_string(transposed ? K : N) + "xf32>";
    std::string biasType = "tensor<" + std::to_string(N) + "xf32>";
    std::string text =
        "func.func @linear(%x: " + in + ", %w: " + weight + (bias ? ", %b: " + biasType : "") + arguments +
        ") -> OUT attributes {model.symbols = [#model.symbol<\"b\", 0, 64>, #model.symbol<\"s\", 0, 4096>]} {\n" +
        "%0 = model.linear %x, %w" + (bias ? " bias %b" : "") + (transposed ? " transposed" : "") + " : " + in + ", " +
        weight + (bias ? ", " + biasType : "") + " -> OUT\n" + tail + "\nreturn " + last + " : OUT\n}";
    std::string replaced;
    for (llvm::StringRef rest = text; !rest.empty();) {
      auto [head, more] = rest.split("OUT");
      replaced += head.str() + (more.empty() && !rest.ends_with("OUT") ? "" : out);
      rest = more;
    }
    return replaced;
  }
};

const char *const kActivations[] = {"relu", "relu2", "gelu", "gelu_tanh", "quick_gelu", "silu"};

/// Operands by element, by column, of one element, and a constant.
LinearText everyOperand() {
  return {19,
          50,
          true,
          true,
          ", %v: tensor<50xf32>, %u: tensor<1x1x50xf32>, %s: tensor<f32>, %t: tensor<1x1xf32>, %r: OUT",
          R"(%c = model.constant dense<0.5> : tensor<f32>
             %1 = model.elementwise mul %v, %0 : (tensor<50xf32>, OUT) -> OUT
             %2 = model.elementwise sub %1, %u : (OUT, tensor<1x1x50xf32>) -> OUT
             %3 = model.elementwise maximum %2, %s : (OUT, tensor<f32>) -> OUT
             %4 = model.elementwise minimum %t, %3 : (tensor<1x1xf32>, OUT) -> OUT
             %5 = model.elementwise mul %4, %4 : (OUT, OUT) -> OUT
             %6 = model.elementwise div %5, %c : (OUT, tensor<f32>) -> OUT
             %7 = model.elementwise sub %r, %6 : (OUT, OUT) -> OUT
             %8 = model.elementwise add %7, %1 : (OUT, OUT) -> OUT)",
          "%8"};
}

class LinearTest : public KernelTest {
protected:
  void compile(const LinearText &linear) {
    text = linear;
    harness = KernelHarness::create(linear.str(), target(), linearMaker());
    EXPECT_TRUE(harness) << linear.str();
  }
  HostTensor any(llvm::ArrayRef<int64_t> shape, float low = -1, float high = 1) {
    return uniform(harness->context(), shape, random, low, high);
  }
  std::vector<HostTensor> operandsOfEveryShape(int64_t B, int64_t S) {
    return {any({50}), any({1, 1, 50}), any({}, -2, -1), any({1, 1}, 1, 2), any({B, S, 50})};
  }
  /// Runs on B x S rows of random numbers; `more`: operands of the tail.
  void check(int64_t B, int64_t S, std::vector<HostTensor> more = {}, double absolute = 1e-5) {
    if (!harness)
      return;
    SCOPED_TRACE("B " + std::to_string(B) + " S " + std::to_string(S) + " K " + std::to_string(text.K) + " N " +
                 std::to_string(text.N));
    std::vector<HostTensor> operands{any({B, S, text.K})};
    operands.push_back(text.transposed ? any({text.N, text.K}) : any({text.K, text.N}));
    if (text.bias)
      operands.push_back(any({text.N}));
    llvm::append_range(operands, more);
    harness->expectMatch(operands, absolute, 1e-5);
  }

  LinearText text;
  std::unique_ptr<KernelHarness> harness;
};
} // namespace

TEST_P(LinearTest, RowCounts) {
  compile({17, 96});
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 23, 47, 94, 95, 96, 97, 104, 193})
    check(1, rows);
  check(3, 41);
}

TEST_P(LinearTest, Depths) {
  for (int64_t K : {0, 1, 2, 3, 31, 384}) {
    compile({K, 48});
    check(1, 13, {}, K == 384 ? 1e-4 : 1e-5);
  }
}

TEST_P(LinearTest, Widths) {
  for (int64_t N : {1, 3, 15, 16, 17, 23, 24, 25, 33, 47, 48, 49, 72, 100, 384}) {
    compile({20, N});
    check(1, 5);
    check(2, 50);
  }
}

TEST_P(LinearTest, WeightOrders) {
  for (bool transposed : {false, true})
    for (bool bias : {false, true}) {
      compile({33, 50, bias, transposed});
      check(1, 19);
    }
}

TEST_P(LinearTest, Activations) {
  for (const char *kind : kActivations) {
    SCOPED_TRACE(kind);
    compile({21, 60, true, true, "", std::string("%1 = model.activation ") + kind + " %0 : OUT", "%1"});
    check(1, 27);
  }
}

TEST_P(LinearTest, Functions) {
  for (const char *kind :
       {"neg", "abs", "exp", "erf", "tanh", "sigmoid", "sin", "cos", "floor", "ceil", "round", "sign"}) {
    SCOPED_TRACE(kind);
    compile({5, 30, false, true, "", std::string("%1 = model.elementwise ") + kind + " %0 : (OUT) -> OUT", "%1"});
    // Sums within rounding of an integer may step to either side.
    bool steps = llvm::is_contained({"floor", "ceil", "round", "sign"}, llvm::StringRef(kind));
    check(1, 9, {}, steps ? 1e-5 : 2e-5);
  }
}

TEST_P(LinearTest, ResidualOfTheSameSize) {
  compile({19, 70, true, true, ", %r: OUT", "%1 = model.elementwise add %0, %r : (OUT, OUT) -> OUT", "%1"});
  for (int64_t rows : {1, 8, 100})
    check(1, rows, {any({1, rows, 70})});
}

TEST_P(LinearTest, OperandsOfEveryShape) {
  compile(everyOperand());
  check(2, 11, operandsOfEveryShape(2, 11));
}

// Around blocks of 512 rows, each of two panels where columns cost little to compile.
TEST_P(LinearTest, RowBlocks) {
  std::vector<LinearText> kernels{{5, 50, false}, {5, 50}};
  for (const char *kind : kActivations)
    kernels.push_back({5, 20, true, true, "", std::string("%1 = model.activation ") + kind + " %0 : OUT", "%1"});
  for (const LinearText &kernel : kernels) {
    SCOPED_TRACE(kernel.tail);
    compile(kernel);
    for (int64_t rows : {511, 512, 513, 1025})
      check(1, rows);
    check(5, 205);
  }
  compile({5, 50, true, true, ", %r: OUT", "%1 = model.elementwise add %0, %r : (OUT, OUT) -> OUT", "%1"});
  for (int64_t rows : {511, 512, 513, 1025})
    check(1, rows, {any({1, rows, 50})});
  compile(everyOperand());
  for (int64_t rows : {511, 512, 513, 1025})
    check(1, rows, operandsOfEveryShape(1, rows));
}

// Of long rows a block has fewer.
TEST_P(LinearTest, RowBlocksOfLongRows) {
  compile({1400, 3});
  for (int64_t rows : {95, 96, 97, 193})
    check(1, rows, {}, 2e-4);
}

TEST_P(LinearTest, InfinityAndNaN) {
  compile({2, 20, false, true, "", "%1 = model.activation relu %0 : OUT", "%1"});
  auto type = Float32Type::get(harness->context());
  std::vector<float> rows{INFINITY, 0, -INFINITY, 0, NAN, 1, 1, 2};
  HostTensor x = HostTensor::of<float>(type, {1, 4, 2}, rows);
  HostTensor w = HostTensor::of<float>(type, {20, 2}, std::vector<float>(40, 1.0f));
  harness->expectMatch({x, w}, 0, 0);
}

INSTANTIATE_KERNEL_TEST(LinearTest);
