// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of merged partial results against the reference evaluator.
#include "codegen/tile/Merge.h"
#include "test/codegen/KernelHarness.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
class MergeTest : public KernelTest {
protected:
  void compile(int64_t inputs, int64_t heads, int64_t width, bool isPartial) {
    auto tensor = [](const std::vector<std::string> &sizes) {
      std::string shape, dims;
      for (const std::string &size : sizes) {
        shape += (std::isdigit(size[0]) ? size : "?") + "x";
        dims += (dims.empty() ? "\"" : ", \"") + size + "\"";
      }
      return "tensor<" + shape + "f32, #model.dims<" + dims + ">>";
    };
    std::string H = std::to_string(heads), W = std::to_string(width);
    std::string type = "!sattn.partial<[\"b\", \"" + H + "\", \"q\", \"" + W + "\"]>";
    std::string storage = tensor({"b", H, "q", std::to_string(width + 1)});
    std::string whole = tensor({"b", "q", std::to_string(heads * width)});
    std::string arguments, loads, names, types, result = isPartial ? storage : whole;
    for (int64_t i = 0; i < inputs; ++i) {
      std::string number = std::to_string(i);
      arguments += (i ? ", %a" : "%a") + number + ": " + storage;
      loads += "%p" + number + " = sattn.load_partial %a" + number + " : " + storage + " -> " + type + "\n";
      names += (i ? ", %p" : "%p") + number;
      types += (i ? ", " : "") + type;
    }
    std::string ir =
        "func.func @merge(" + arguments + ") -> " + result +
        " attributes {model.symbols = [#model.symbol<\"b\", 0, 64>, #model.symbol<\"q\", 0, 9999>]} {\n" + loads +
        "%m = sattn.merge " + names + " : " + types + " -> " + (isPartial ? type : whole) + "\n" +
        (isPartial ? "%s = sattn.store_partial %m : " + type + " -> " + storage + "\nreturn %s" : "return %m") + " : " +
        result + "\n}";
    harness =
        KernelHarness::create(ir, target(),
                              {[](func::FuncOp kernel) { return mergeLaunch(kernel); },
                               [](func::FuncOp kernel, const CpuTarget &target) { return tileMerge(kernel, target); }});
    EXPECT_TRUE(harness) << ir;
    shape = {0, heads, 0, width + 1};
    count = inputs;
  }

  /// Rows without keys among them, and logarithms far from each other.
  std::vector<HostTensor> operands(int64_t B, int64_t Q) {
    shape[0] = B;
    shape[2] = Q;
    std::vector<HostTensor> inputs;
    for (int64_t i = 0; i < count; ++i) {
      HostTensor input = uniform(harness->context(), shape, random, -2, 2);
      auto *values = reinterpret_cast<float *>(input.bytes.data());
      for (int64_t row = 0; row < B * shape[1] * Q; ++row) {
        float *of = values + row * shape[3];
        if (random() % 3 == 0 || row % 7 == 3) {
          std::fill_n(of, shape[3] - 1, 0.f);
          of[shape[3] - 1] = -INFINITY;
        } else {
          of[shape[3] - 1] *= random() % 3 == 0 ? 100 : 2;
        }
      }
      inputs.push_back(input);
    }
    return inputs;
  }

  std::vector<int64_t> shape;
  int64_t count = 0;
  std::unique_ptr<KernelHarness> harness;
};

TEST_P(MergeTest, Rows) {
  for (bool isPartial : {false, true})
    for (int64_t inputs : {1, 2, 3, 5}) {
      SCOPED_TRACE(std::to_string(inputs) + (isPartial ? " to a partial result" : ""));
      compile(inputs, 3, 16, isPartial);
      for (int64_t Q : {0, 1, 7, 127, 128, 129, 300})
        harness->expectMatch(operands(2, Q), 2e-6, 2e-6);
    }
}

TEST_P(MergeTest, Widths) {
  for (bool isPartial : {false, true})
    for (int64_t width : {1, 3, 4, 8, 17, 64, 80}) {
      SCOPED_TRACE(width);
      compile(2, 2, width, isPartial);
      harness->expectMatch(operands(1, 9), 2e-6, 2e-6);
    }
}

TEST_P(MergeTest, NotANumberSpreads) {
  compile(2, 1, 4, false);
  for (unsigned input : {0, 1}) {
    std::vector<HostTensor> inputs = operands(1, 3);
    reinterpret_cast<float *>(inputs[input].bytes.data())[1 * 5 + 4] = NAN;
    harness->expectMatch(inputs, 2e-6, 2e-6);
  }
}
} // namespace

INSTANTIATE_KERNEL_TEST(MergeTest);
