// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices that are made of others against the reference evaluator: the same numbers, one by one.
#include "codegen/tile/Index.h"
#include "dialects/sattn/SattnDialect.h"
#include "test/codegen/KernelHarness.h"
#include "llvm/Support/raw_ostream.h"
#include <set>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// An index over q queries and k keys, stored, or bands where `before` is given.
struct IndexText {
  int64_t R = 4, C = 4, heads = 1;
  std::string batch = "1";
  std::string capacity = ""; ///< none: the number of items
  int64_t before = -1, after = 0, sinks = 0;
  std::string rows = ""; ///< where they are not as many as queries fill
  std::string items = "";

  sattn::KeyIndexType type(MLIRContext *context) const {
    DimExpr q = DimExpr::symbol("q"), k = DimExpr::symbol("k");
    DimExpr ofItems = items.empty() ? sattn::ceilDiv(k, C) : *DimExpr::parse(items);
    return sattn::KeyIndexType::get(
        context, R, C, C == 1 ? sattn::Unit::token : sattn::Unit::block,
        {*DimExpr::parse(batch), heads, rows.empty() ? sattn::rowCount(q, R) : *DimExpr::parse(rows)}, ofItems,
        capacity.empty() ? ofItems : *DimExpr::parse(capacity));
  }
};

std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

class IndexTest : public KernelTest {
protected:
  /// `op`: with its options; they come behind the operands.
  void compile(const std::string &op, const std::string &options, const std::vector<IndexText> &operands,
               const IndexText &result) {
    SCOPED_TRACE(op);
    auto context = createContext();
    // Sizes come with tokens, which kernels of the compiler need not have: their symbols are arguments.
    std::string tokens = "tensor<?x?x?x1xf32, #model.dims<\"b\", \"q\", \"k\", \"1\">>";
    std::string arguments = "%sizes: " + tokens, body, names, types;
    given.clear();
    for (auto [i, operand] : llvm::enumerate(operands)) {
      std::string number = std::to_string(i), type = textOf(operand.type(context.get()));
      names += (i ? ", %i" : "%i") + number;
      types += (i ? ", " : "") + type;
      if (operand.before >= 0) {
        body += "%i" + number + " = sattn.bands before " + std::to_string(operand.before) + " after " +
                std::to_string(operand.after) + " sinks " + std::to_string(operand.sinks) +
                " queries \"q\" keys \"k\" : " + type + "\n";
        continue;
      }
      given.push_back(operand);
      std::string storage = textOf(operand.type(context.get()).storage());
      arguments += ", %t" + number + ": " + storage;
      body += "%i" + number + " = sattn.load_index %t" + number + " : " + storage + " -> " + type + "\n";
    }
    auto to = result.type(context.get());
    std::string storage = textOf(to.storage());
    ir = "func.func @index(" + arguments + ") -> " + storage +
         " attributes {model.symbols = [#model.symbol<\"b\", 0, 64>, #model.symbol<\"q\", 0, 9999>, "
         "#model.symbol<\"k\", "
         "0, 9999>]} {\n" +
         body + "%r = sattn." + op + " " + names + " " + options + " : " + types + " -> " + textOf(to) +
         "\n%t = sattn.store_index %r : " + textOf(to) + " -> " + storage + "\nreturn %t : " + storage + "\n}";
    harness = KernelHarness::create(ir, target(),
                                    {[](func::FuncOp kernel) { return indexLaunch(kernel); },
                                     [](func::FuncOp kernel, const CpuTarget &) { return tileIndex(kernel); }});
    EXPECT_TRUE(harness) << ir;
  }

  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K) {
    std::vector<HostTensor> inputs{HostTensor::zeros(Float32Type::get(harness->context()), {B, Q, K, 1})};
    auto value = [&](const DimExpr &size) {
      return *size.evaluate([&](StringRef name) -> std::optional<int64_t> {
        return name == "b" ? B : name == "q" ? Q : K;
      });
    };
    for (const IndexText &index : given) {
      auto type = index.type(harness->context());
      std::vector<int64_t> shape;
      for (const DimExpr &size : model::dimsOf(type.storage()))
        shape.push_back(value(size));
      int64_t items = value(type.itemCount()), capacity = shape[3] - 1;
      std::vector<int32_t> numbers;
      for (int64_t row = 0; row < shape[0] * shape[1] * shape[2]; ++row) {
        int64_t most = std::min(items, capacity), kind = random() % 6;
        int64_t count = kind == 0 ? most : kind == 1 ? 0 : int64_t(random() % (most + 1));
        std::set<int32_t> kept;
        while (int64_t(kept.size()) < count)
          kept.insert(random() % items);
        numbers.push_back(count);
        numbers.insert(numbers.end(), kept.begin(), kept.end());
        for (int64_t i = count; i < capacity; ++i)
          numbers.push_back(i % 2 ? INT32_MAX : INT32_MIN);
      }
      inputs.push_back(HostTensor::of<int32_t>(IntegerType::get(harness->context(), 32), shape, numbers));
    }
    return inputs;
  }

  void check() {
    for (auto [Q, K] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {0, 5}, {5, 0}, {4, 4}, {5, 5}, {7, 30}, {30, 7}, {16, 17}, {300, 65}, {65, 300}}) {
      SCOPED_TRACE("Q " + std::to_string(Q) + " K " + std::to_string(K) + "\n" + ir);
      if (harness)
        harness->expectMatch(operands(2, Q, K), 0, 0);
    }
  }

  std::string ir;
  std::vector<IndexText> given;
  std::unique_ptr<KernelHarness> harness;
};

IndexText banded(int64_t R, int64_t C, int64_t before, int64_t after, int64_t sinks) {
  return {R, C, 1, "1", "", before, after, sinks};
}

TEST_P(IndexTest, UnionAndIntersection) {
  for (const char *op : {"union", "intersect"}) {
    IndexText all{4, 4, 2, "b"}, few{4, 4, 2, "b", "3"};
    compile(op, "", {all, all}, all);
    check();
    compile(op, "", {all, few, all}, all);
    check();
    compile(op, "", {few}, few);
    check();
    compile(op, "", {{1, 1}, banded(1, 1, 3, 2, 4)}, {1, 1});
    check();
    compile(op, "", {banded(4, 3, 0, 0, 1), banded(4, 3, 2, 1, 0), {4, 3}}, {4, 3});
    check();
  }
}

TEST_P(IndexTest, Refine) {
  compile("refine", "keys \"k\"", {{4, 16, 2, "b"}}, {4, 4, 2, "b"});
  check();
  compile("refine", "keys \"k\"", {{1, 5, 1, "1", "2"}}, {1, 1, 1, "1", "10"});
  check();
  compile("refine", "keys \"k\"", {banded(4, 8, 1, 0, 1)}, {4, 8});
  check();
}

TEST_P(IndexTest, Coarsen) {
  compile("coarsen", "", {{2, 4, 2, "b"}}, {6, 4, 2, "b"});
  check();
  compile("coarsen", "", {{2, 1, 2, "b"}}, {0, 1, 2, "b"});
  check();
  compile("coarsen", "keys \"k\"", {{3, 1, 2, "b"}}, {3, 4, 2, "b"});
  check();
  compile("coarsen", "keys \"k\"", {banded(1, 2, 1, 1, 1)}, {8, 6});
  check();
  compile("coarsen", "keys \"k\"", {{0, 2, 1, "b"}}, {0, 4, 1, "b"});
  check();
}

TEST_P(IndexTest, Transpose) {
  IndexText to{4, 2, 2, "b"};
  to.rows = sattn::ceilDiv(DimExpr::symbol("k"), 4).str();
  to.items = sattn::ceilDiv(DimExpr::symbol("q"), 2).str();
  compile("transpose", "", {{2, 4, 2, "b"}}, to);
  check();
  IndexText tokens{1, 1};
  tokens.rows = "k";
  tokens.items = "q";
  compile("transpose", "", {banded(1, 1, 2, 1, 1)}, tokens);
  check();
}

TEST_P(IndexTest, Share) {
  compile("share", "heads [0, 0, 1, 1]", {{4, 4, 2, "b"}}, {4, 4, 4, "b"});
  check();
  compile("share", "heads [2, 0, 2]", {{4, 4, 3}}, {4, 4, 3, "b"});
  check();
  compile("share", "heads [0, 0]", {banded(4, 4, 1, 0, 1)}, {4, 4, 2, "b"});
  check();
}

// More items than the result has room for, and stored rows that cannot be.
TEST_P(IndexTest, Faults) {
  auto statusOf = [&](std::vector<int32_t> first, std::vector<int32_t> second) {
    std::vector<HostTensor> inputs = operands(1, 1, 20);
    Type i32 = IntegerType::get(harness->context(), 32);
    inputs[1] = HostTensor::of<int32_t>(i32, {1, 1, 1, 4}, first);
    inputs[2] = HostTensor::of<int32_t>(i32, {1, 1, 1, 4}, second);
    int32_t status = 0;
    harness->run(inputs, &status);
    return status;
  };
  compile("union", "", {{4, 4, 1, "1", "3"}, {4, 4, 1, "1", "3"}}, {4, 4, 1, "1", "4"});
  EXPECT_EQ(statusOf({3, 0, 1, 2}, {2, 2, 3, -1}), 0);
  EXPECT_EQ(statusOf({3, 0, 1, 2}, {2, 3, 4, -1}), 1); // five items
  EXPECT_EQ(statusOf({4, 0, 1, 2}, {0, 0, 0, 0}), 1);
  EXPECT_EQ(statusOf({-1, 0, 1, 2}, {0, 0, 0, 0}), 1);
  EXPECT_EQ(statusOf({0, 0, 0, 0}, {2, 0, 5, 0}), 1); // items are 0 to 4
  EXPECT_EQ(statusOf({0, 0, 0, 0}, {1, -1, 0, 0}), 1);
}
} // namespace

INSTANTIATE_KERNEL_TEST(IndexTest);
