// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that are known at compile time mean the same after they are recognised and their indices split.
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/sparsify/Passes.h"
#include "test/reference/EvaluatorFixture.h"
#include <random>

using namespace tamis;
using namespace tamis::reference;

namespace {
class Masks : public EvaluatorFixture {
protected:
  Masks() { context.loadDialect<sattn::SattnDialect>(); }

  int64_t below(int64_t end) { return generator() % end; }
  template <typename T> T oneOf(std::initializer_list<T> values) { return values.begin()[below(values.size())]; }

  /// One attention over [1, Q, 2 heads] and [1, K, 2], and its mask as a constant.
  struct Case {
    int64_t queries, keys, heads = 1, maskHeads = 1;
    bool causal = false;
    std::string element = "i1"; ///< of the mask; f32 where a pair is left out by `low`
    double low = -INFINITY;
    std::function<bool(int64_t h, int64_t q, int64_t k)> isKept;
  };

  std::string textOf(const Case &c) {
    std::string q = "tensor<1x" + std::to_string(c.queries) + "x" + std::to_string(2 * c.heads) + "xf32>",
                k = "tensor<1x" + std::to_string(c.keys) + "x2xf32>",
                m = "tensor<1x" + std::to_string(c.maskHeads) + "x" + std::to_string(c.queries) + "x" +
                    std::to_string(c.keys) + "x" + c.element + ">";
    return "func.func @main(%q: " + q + ", %k: " + k + ", %v: " + k + ") -> " + q + " {\n%m = model.constant dense<0" +
           (c.element == "i1" ? "" : ".0") + "> : " + m + "\n%r = model.attention %q, %k, %v mask %m heads " +
           std::to_string(c.heads) + " kv_heads 1 scale 0.5 " + (c.causal ? "causal " : "") + ": " + q + ", " + k +
           ", " + k + ", " + m + " -> " + q + "\nreturn %r : " + q + "\n}";
  }

  /// The module, with the mask's numbers.
  void parse(const Case &c) {
    module = mlir::parseSourceString<mlir::ModuleOp>(textOf(c), &context);
    ASSERT_TRUE(module) << textOf(c);
    module->walk([&](model::ConstantOp op) {
      auto type = llvm::cast<mlir::RankedTensorType>(op.getType());
      std::vector<mlir::Attribute> elements;
      mlir::Builder builder(&context);
      for (int64_t h = 0; h < c.maskHeads; ++h)
        for (int64_t q = 0; q < c.queries; ++q)
          for (int64_t k = 0; k < c.keys; ++k) {
            bool isKept = c.isKept(h, q, k);
            elements.push_back(c.element == "i1" ? mlir::Attribute(builder.getBoolAttr(isKept))
                                                 : builder.getF32FloatAttr(isKept ? 0 : c.low));
          }
      op.setValueAttr(mlir::DenseElementsAttr::get(type, elements));
    });
  }

  /// Evaluates the mask as it is and as the passes leave it; gives the op that took the attention's place.
  std::string expectTheSame(const Case &c) {
    parse(c);
    auto values = [&](int64_t count) {
      std::vector<double> numbers(count);
      for (double &number : numbers)
        number = std::normal_distribution<>()(generator);
      return numbers;
    };
    std::vector<HostTensor> inputs{tensor("f32", {1, c.queries, 2 * c.heads}, values(c.queries * 2 * c.heads)),
                                   tensor("f32", {1, c.keys, 2}, values(c.keys * 2)),
                                   tensor("f32", {1, c.keys, 2}, values(c.keys * 2))};
    auto evaluated = [&] {
      auto results = evaluate(module->lookupSymbol<mlir::func::FuncOp>("main"), inputs, weights, options);
      if (results)
        return results->front().numbers();
      ADD_FAILURE() << llvm::toString(results.takeError());
      return std::vector<double>();
    };
    std::vector<double> wanted = evaluated();
    mlir::PassManager manager(&context);
    sparsify::buildSparsifyPipeline(manager, "");
    EXPECT_TRUE(succeeded(manager.run(*module)));
    std::vector<double> found = evaluated();
    EXPECT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < std::min(found.size(), wanted.size()); ++i)
      EXPECT_NEAR(found[i], wanted[i], 1e-6) << "number " << i;
    std::string form;
    module->walk([&](mlir::Operation *op) {
      if (auto attend = llvm::dyn_cast<sattn::AttendOp>(op)) {
        bool isBand = attend.getIndices()[0].getDefiningOp<sattn::BandsOp>() != nullptr;
        form = isBand ? "bands" : "blocks";
        if (attend.getFull())
          form += " and full ones";
        if (!attend.getMask())
          form += " without mask";
      } else if (auto dense = llvm::dyn_cast<model::AttentionOp>(op)) {
        form = std::string("dense") + (dense.getMask() ? " with mask" : "") + (dense.getCausal() ? " causal" : "");
      }
    });
    return form;
  }

  std::mt19937 generator{5};
};

TEST_F(Masks, Rules) {
  for (auto [queries, keys] : std::vector<std::pair<int64_t, int64_t>>{{9, 9}, {130, 130}, {40, 70}, {1, 20}})
    for (const char *element : {"i1", "f32"}) {
      int64_t offset = keys - queries;
      Case c{queries, keys, 2};
      c.element = element;
      SCOPED_TRACE(testing::Message() << queries << " " << keys << " " << element);
      c.isKept = [](int64_t, int64_t, int64_t) { return true; };
      EXPECT_EQ(expectTheSame(c), "dense");
      c.isKept = [=](int64_t, int64_t q, int64_t k) { return k <= q + offset; };
      if (queries > 1)
        EXPECT_EQ(expectTheSame(c), "dense causal");
      if (queries < 9 || keys < 20)
        continue;
      for (int64_t sinks : {0, 1, 3}) {
        c.isKept = [=](int64_t, int64_t q, int64_t k) { return std::abs(q + offset - k) < 4 || k < sinks; };
        EXPECT_EQ(expectTheSame(c), "bands without mask") << sinks;
        c.isKept = [=](int64_t, int64_t q, int64_t k) { return k <= q + offset && (q + offset - k < 6 || k < sinks); };
        EXPECT_EQ(expectTheSame(c), "bands without mask") << sinks;
        c.causal = true;
        c.isKept = [=](int64_t, int64_t q, int64_t k) { return q + offset - k < 6 || k < sinks; };
        EXPECT_EQ(expectTheSame(c), "bands without mask") << sinks;
        c.causal = false;
        c.isKept = [=](int64_t, int64_t q, int64_t k) {
          return (k >= q + offset - 2 && k <= q + offset + 5) || k < sinks;
        };
        EXPECT_EQ(expectTheSame(c), "bands without mask") << sinks;
      }
      if (queries != keys)
        continue;
      c.isKept = [](int64_t, int64_t q, int64_t k) { return q / 16 == k / 16; };
      EXPECT_EQ(expectTheSame(c), "bands without mask");
      c.isKept = [](int64_t, int64_t q, int64_t k) { return q / 16 == k / 16 && k <= q; };
      EXPECT_EQ(expectTheSame(c), "bands without mask");
    }
}

// One pair more or less is no rule any more.
TEST_F(Masks, NearlyRules) {
  for (int round = 0; round < 40; ++round) {
    int64_t Q = oneOf<int64_t>({20, 33}), K = oneOf<int64_t>({20, 33, 50}), wrongQ = below(Q), wrongK = below(K);
    int64_t before = below(8), after = below(8), sinks = below(3), block = oneOf<int64_t>({0, 0, 7});
    Case c{Q, K};
    c.causal = below(2);
    c.isKept = [=](int64_t, int64_t q, int64_t k) {
      int64_t p = q + K - Q;
      bool isKept = block && Q == K ? q / block == k / block : (k >= p - before && k <= p + after) || k < sinks;
      return isKept != (q == wrongQ && k == wrongK);
    };
    expectTheSame(c);
  }
}

TEST_F(Masks, Blocks) {
  std::map<std::string, int> forms;
  for (int round = 0; round < 40; ++round) {
    Case c{oneOf<int64_t>({64, 130, 256, 300}), oneOf<int64_t>({64, 130, 256, 300})};
    c.heads = 4;
    c.maskHeads = oneOf<int64_t>({1, 4});
    c.causal = below(2);
    c.element = below(2) ? "f32" : "i1";
    if (c.element == "f32" && below(2))
      c.low = -3.4e38;
    int64_t size = oneOf<int64_t>({16, 32, 64, 64}), kind = below(3), copies = oneOf<int64_t>({1, 2, 4});
    unsigned seed = generator();
    bool hasDiagonal = below(4) != 0;
    c.isKept = [=](int64_t h, int64_t q, int64_t k) {
      int64_t row = q / size, column = k / size;
      if (hasDiagonal && column == std::min(row, (c.keys - 1) / size) && k <= std::max<int64_t>(q, 0))
        return true;
      unsigned hash = (seed ^ unsigned(row * 131 + column * 31 + h / copies * 7)) * 2654435761u >> 16;
      return hash % 3 == 0 && (kind == 0 || (q * 7 + k * 3) % 5 < 4);
    };
    ++forms[expectTheSame(c)];
  }
  EXPECT_GT(forms["blocks"] + forms["blocks and full ones"], 5);
  EXPECT_GT(forms["blocks and full ones"], 2);
  EXPECT_GT(forms["dense with mask"] + forms["dense with mask causal"], 2);
}

TEST_F(Masks, WholeBlocksNeedNoMask) {
  Case c{256, 256, 2};
  c.isKept = [](int64_t, int64_t q, int64_t k) { return (q / 64 + k / 64) % 3 == 0; };
  EXPECT_EQ(expectTheSame(c), "blocks without mask");
  c.causal = true; // blocks on the diagonal are cut by it
  EXPECT_EQ(expectTheSame(c), "blocks and full ones");
}

// The mean of all values is no matter of a rule.
TEST_F(Masks, NumbersThatLeaveARowNothing) {
  Case c{400, 400};
  c.element = "f32";
  c.low = -3.4e38;
  c.isKept = [](int64_t, int64_t q, int64_t k) { return q != 5 && std::abs(q - k) < 3; };
  EXPECT_EQ(expectTheSame(c), "dense with mask");
  c.low = -INFINITY;
  EXPECT_NE(expectTheSame(c), "dense with mask");
}

// A bias is no mask.
TEST_F(Masks, OtherNumbers) {
  Case c{70, 70};
  c.element = "f32";
  c.low = -8;
  c.isKept = [](int64_t, int64_t q, int64_t k) { return std::abs(q - k) < 3; };
  EXPECT_EQ(expectTheSame(c), "dense with mask");
}
} // namespace
