// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Selections by sums of softmax weights, over blocks and diagonals, and by weighted sums of heads, against the
// reference evaluator. No two numbers are equal where weights are no whole numbers.
#include "codegen/tile/Select.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/KernelHarness.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
using Sizes = std::vector<std::string>;

std::string number(int64_t value) {
  return std::to_string(value);
}

/// `floordiv(size + n - 1, n)`, canonical.
std::string ceilDiv(const std::string &size, int64_t n) {
  return sattn::ceilDiv(*DimExpr::parse(size), n).str();
}

std::string quoted(const Sizes &sizes) {
  std::string text;
  for (const std::string &size : sizes)
    text += (text.empty() ? "\"" : ", \"") + size + "\"";
  return text;
}

std::string tensor(const Sizes &sizes, const std::string &element = "f32") {
  std::string shape;
  for (const std::string &size : sizes) {
    auto constant = DimExpr::parse(size)->constant();
    shape += (constant ? number(*constant) : "?") + "x";
  }
  return "tensor<" + shape + element + ", #model.dims<" + quoted(sizes) + ">>";
}

/// What a kernel weighs. Queries are [b, q, heads D], keys [b, k, kvHeads D].
struct WeighText {
  std::string budget = "share 0.7123";
  int64_t heads = 2, kvHeads = 1, D = 8;
  int64_t stride = 2, cells = 2; ///< tokens of a cell, cells of a block
  bool causal = false, masked = false;
  int64_t sinks = 0, local = 0;
  std::string queries = "q";

  /// Blocks by antidiagonals.
  std::string blocks() const {
    std::string rows = ceilDiv(queries, stride), columns = ceilDiv("k", stride),
                q = tensor({"b", queries, number(heads * D)}), k = tensor({"b", "k", number(kvHeads * D)}),
                m = tensor({"b", "1", "1", "k"}, "i1"), qs = tensor({"b", number(heads), rows, number(stride * D)}),
                ks = tensor({"b", number(kvHeads), columns, number(stride * D)}),
                s = tensor({"b", number(heads), rows, columns});
    int64_t block = stride * cells;
    std::string items = ceilDiv("k", block), indexRows = ceilDiv(queries, block);
    std::string w = tensor({"b", number(heads), indexRows, items}), masking = masked ? " mask %m" : "",
                maskType = masked ? ", " + m : "", maskWord = masked ? " mask " + m : "";
    std::string sizes = " queries \"" + queries + "\" keys \"k\" " + (causal ? "causal " : "");
    std::string index = indexType(block, block, indexRows, items, items);
    bool same = queries == "k";
    return header(q, k, m) + tensor({"b", number(heads), indexRows, plusOne(items)}, "i32") + attributes() +
           "%qs = sattn.summarize stack_reversed %q" + (same ? masking : "") + " heads " + number(heads) + " width " +
           number(stride) + " : " + q + (same ? maskType : "") + " -> " + qs + "\n%ks = sattn.summarize stack %k" +
           masking + " heads " + number(kvHeads) + " width " + number(stride) + " : " + k + maskType + " -> " + ks +
           "\n%s = sattn.score %qs, %ks heads " + number(heads) + " kv_heads " + number(kvHeads) + " : " + qs + ", " +
           ks + " -> " + s + "\n%w = sattn.weigh blocks %s" + masking + " scale 0.5 width " + number(stride) +
           " rows " + number(cells) + " columns " + number(cells) + sizes + ": " + s + maskWord + " -> " + w +
           "\n%i = sattn.select #sattn.budget<" + budget + "> %w" + masking + " queries \"" + queries +
           "\" keys \"k\" " + (sinks ? "sinks " + number(sinks) + " " : "") +
           (local ? "local " + number(local) + " " : "") + (causal ? "causal " : "") + ": " + w + maskWord + " -> " +
           index + stored(index, indexRows, items);
  }

  /// Keys by what all queries weigh, or the blocks at distances by the same.
  std::string lines(bool diagonals, int64_t capacity, int64_t R, int64_t C) const {
    std::string q = tensor({"b", queries, number(heads * D)}), k = tensor({"b", "k", number(kvHeads * D)}),
                m = tensor({"b", "1", "1", "k"}, "i1"), s = tensor({"b", number(heads), queries, "k"}),
                w = tensor({"b", number(heads), "1", "k"});
    std::string masking = masked ? " mask %m" : "", maskWord = masked ? " mask " + m : "";
    std::string room = DimExpr::min(*DimExpr::parse("k"), capacity).str();
    std::string index = indexType(0, 1, "1", "k", room);
    std::string body = "%s = sattn.score %q, %k heads " + number(heads) + " kv_heads " + number(kvHeads) + " : " + q +
                       ", " + k + " -> " + s + "\n%w = sattn.weigh " + (diagonals ? "diagonals" : "blocks") + " %s" +
                       masking + " scale 0.5 width 1 rows 0 columns 1 queries \"" + queries +
                       "\" keys \"k\" causal : " + s + maskWord + " -> " + w + "\n%i = sattn.select #sattn.budget<" +
                       budget + "> %w" + (diagonals ? "" : masking) + " queries \"k\" keys \"k\" " +
                       (sinks ? "sinks " + number(sinks) + " " : "") + ": " + w + (diagonals ? "" : maskWord) + " -> " +
                       index;
    if (!diagonals)
      return header(q, k, m) + tensor({"b", number(heads), "1", plusOne(room)}, "i32") + attributes() + body +
             stored(index, "1", room);
    std::string rows = ceilDiv("k", R), items = ceilDiv("k", C), blocks = indexType(R, C, rows, items, items);
    return header(q, k, m) + tensor({"b", number(heads), rows, plusOne(items)}, "i32") + attributes() + body +
           "\n%d = sattn.diagonals %i queries \"k\" keys \"k\" : " + index + " -> " + blocks +
           stored(blocks, rows, items, "%d");
  }

  /// Tokens by the sum of heads.
  std::string summed() const {
    std::string q = tensor({"b", queries, number(heads * D)}), k = tensor({"b", "k", number(D)}),
                h = tensor({"b", queries, number(heads)}), m = tensor({"b", "1", "1", "k"}, "i1"),
                s = tensor({"b", "1", queries, "k"}), room = DimExpr::min(*DimExpr::parse("k"), 5).str();
    std::string index = "!sattn.index<1 x 1 token, shape [" + quoted({"b", "1", queries}) +
                        "], items \"k\", capacity \"" + room + "\">";
    return "func.func @select(%q: " + q + ", %k: " + k + (masked ? ", %m: " + m : "") + ", %h: " + h + ") -> " +
           tensor({"b", "1", queries, plusOne(room)}, "i32") + attributes() +
           "%s = sattn.score %q, %k weights %h heads " + number(heads) + " kv_heads 1 : " + q + ", " + k + " weights " +
           h + " -> " + s + "\n%i = sattn.select #sattn.budget<" + budget + "> %s" + (masked ? " mask %m" : "") +
           " queries \"" + queries + "\" keys \"k\" " + (causal ? "causal " : "") + ": " + s +
           (masked ? " mask " + m : "") + " -> " + index + "\n%t = sattn.store_index %i : " + index + " -> " +
           tensor({"b", "1", queries, plusOne(room)}, "i32") +
           "\nreturn %t : " + tensor({"b", "1", queries, plusOne(room)}, "i32") + "\n}";
  }

  /// Tokens by products, among those of which a column agrees with one of the query.
  std::string refined() const {
    std::string q = tensor({"b", queries, number(heads * D)}), k = tensor({"b", "k", number(kvHeads * D)}),
                cq = tensor({"b", queries, number(heads * 3)}), ck = tensor({"b", "k", number(kvHeads * 3)}),
                m = tensor({"b", "1", "1", "k"}, "i1"), s = tensor({"b", number(heads), queries, "k"}),
                room = DimExpr::min(*DimExpr::parse("k"), 5).str();
    std::string among = indexType(1, 1, queries, "k", "k"), index = indexType(1, 1, queries, "k", room);
    std::string heading = " heads " + number(heads) + " kv_heads " + number(kvHeads) + " : ";
    std::string rest = std::string(masked ? " mask %m" : "") + " queries \"" + queries + "\" keys \"k\" " +
                       (causal ? "causal " : "") + ": " + s,
                maskWord = masked ? " mask " + m : "";
    return "func.func @select(%q: " + q + ", %k: " + k + (masked ? ", %m: " + m : "") + ", %cq: " + cq +
           ", %ck: " + ck + ") -> " + tensor({"b", number(heads), queries, plusOne(room)}, "i32") + attributes() +
           "%a = sattn.score agreement %cq, %ck" + heading + cq + ", " + ck + " -> " + s +
           "\n%c = sattn.select #sattn.budget<threshold 1.0> %a" + rest + maskWord + " -> " + among +
           "\n%s = sattn.score %q, %k" + heading + q + ", " + k + " -> " + s + "\n%i = sattn.select #sattn.budget<" +
           budget + "> %s among %c" + rest + ", among " + among + maskWord + " -> " + index +
           stored(index, queries, room);
  }

private:
  static std::string plusOne(const std::string &size) { return (*DimExpr::parse(size) + 1).str(); }
  std::string indexType(int64_t R, int64_t C, const std::string &rows, const std::string &items,
                        const std::string &capacity) const {
    return "!sattn.index<" + number(R) + " x " + number(C) + (C == 1 ? " token" : " block") + ", shape [" +
           quoted({"b", number(heads), rows}) + "], items \"" + items + "\", capacity \"" + capacity + "\">";
  }
  std::string header(const std::string &q, const std::string &k, const std::string &m) const {
    return "func.func @select(%q: " + q + ", %k: " + k + (masked ? ", %m: " + m : "") + ") -> ";
  }
  std::string attributes() const {
    return " attributes {model.symbols = [#model.symbol<\"b\", 0, 99>, #model.symbol<\"k\", 0, 99999>" +
           std::string(queries == "k" ? "" : ", #model.symbol<\"q\", 0, 99999>") + "]} {\n";
  }
  std::string stored(const std::string &index, const std::string &rows, const std::string &capacity,
                     const std::string &name = "%i") const {
    std::string type = tensor({"b", number(heads), rows, plusOne(capacity)}, "i32");
    return "\n%t = sattn.store_index " + name + " : " + index + " -> " + type + "\nreturn %t : " + type + "\n}";
  }
};

class SelectEstimateTest : public KernelTest {
protected:
  void compile(const WeighText &select, const std::string &ir) {
    text = select;
    harness =
        KernelHarness::create(ir, target(),
                              {[](func::FuncOp kernel) { return selectLaunch(kernel); },
                               [](func::FuncOp kernel, const CpuTarget &cpu) { return tileSelect(kernel, cpu); }});
    EXPECT_TRUE(harness) << ir;
  }
  HostTensor floats(llvm::ArrayRef<int64_t> shape, llvm::function_ref<float()> value) {
    std::vector<float> numbers;
    for (int64_t i = 0; i < *reference::elementCount(shape); ++i)
      numbers.push_back(value());
    return HostTensor::of<float>(Float32Type::get(harness->context()), shape, numbers);
  }
  HostTensor mask(int64_t B, int64_t K) {
    std::vector<char> bytes; // the second batch item keeps none, the third the last alone
    for (int64_t i = 0; i < B * K; ++i)
      bytes.push_back(i / K == 1 ? false : i / K == 2 ? i % K + 1 == K : random() % 3 != 0);
    return HostTensor::of<char>(IntegerType::get(harness->context(), 1), {B, 1, 1, K}, bytes);
  }
  void check(int64_t B, int64_t Q, int64_t K) {
    SCOPED_TRACE("B " + number(B) + " Q " + number(Q) + " K " + number(K) + " budget " + text.budget);
    if (!harness)
      return;
    std::normal_distribution<float> normal;
    auto value = [&] { return normal(random); };
    std::vector<HostTensor> inputs{floats({B, Q, text.heads * text.D}, value),
                                   floats({B, K, text.kvHeads * text.D}, value)};
    if (text.masked)
      inputs.push_back(mask(B, K));
    harness->expectMatch(inputs, 0, 0);
  }

  WeighText text;
  std::unique_ptr<KernelHarness> harness;
};
} // namespace

TEST_P(SelectEstimateTest, BlocksByAntidiagonals) {
  int64_t round = 0;
  for (auto [D, stride, cells] :
       {std::tuple<int64_t, int64_t, int64_t>{8, 2, 2}, {5, 3, 4}, {24, 16, 8}, {16, 1, 1}, {4, 2, 20}})
    for (bool masked : {false, true})
      for (const char *budget : {"share 0.7123", "share 0.9517", "count 3.0"}) {
        SCOPED_TRACE(number(D) + " columns " + number(stride) + " x " + number(cells));
        WeighText select{budget};
        select.D = D;
        select.stride = stride;
        select.cells = cells;
        select.masked = masked;
        select.causal = ++round % 2;
        select.sinks = round % 3;
        select.local = round % 4 == 0;
        if (round % 5 == 0)
          select.queries = "k";
        compile(select, select.blocks());
        // Among many weights of single cells, some sum is as near to the share as f32 can tell.
        for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}, {0, 3}, {270, 270}})
          if (Q < 270 || stride > 1)
            check(3, select.queries == "k" ? K : Q, K);
      }
}

TEST_P(SelectEstimateTest, KeysByColumns) {
  for (bool masked : {false, true})
    for (int64_t sinks : {0, 3}) {
      WeighText select{"count 7.0"};
      select.kvHeads = 2;
      select.masked = masked;
      select.sinks = sinks;
      compile(select, select.lines(false, 7, 0, 1));
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}, {0, 3}, {3, 0}, {64, 700}})
        check(3, Q, K);
    }
}

TEST_P(SelectEstimateTest, BlocksByDiagonals) {
  for (auto [R, C] : {std::pair<int64_t, int64_t>{4, 4}, {1, 1}, {6, 4}, {64, 64}})
    for (bool masked : {false, true}) {
      SCOPED_TRACE(number(R) + " x " + number(C));
      WeighText select{"count 5.0"};
      select.masked = masked;
      select.sinks = masked ? 2 : 0;
      compile(select, select.lines(true, 5, R, C));
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}, {0, 3}, {64, 700}})
        check(3, Q, K);
    }
}

TEST_P(SelectEstimateTest, BestOfCandidates) {
  for (auto [kvHeads, D] : {std::pair<int64_t, int64_t>{1, 4}, {2, 33}})
    for (bool causal : {false, true})
      for (int64_t codes : {2, 30}) {
        WeighText select{"count 5.0"};
        select.kvHeads = kvHeads;
        select.D = D;
        select.causal = select.masked = causal;
        compile(select, select.refined());
        for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}, {0, 3}, {17, 300}}) {
          SCOPED_TRACE("Q " + number(Q) + " K " + number(K) + " codes " + number(codes));
          if (!harness)
            return;
          auto value = [&] { return float(int64_t(random() % 5) - 2); };
          auto code = [&] { return float(random() % codes); };
          std::vector<HostTensor> inputs{floats({3, Q, 2 * D}, value), floats({3, K, kvHeads * D}, value)};
          if (select.masked)
            inputs.push_back(mask(3, K));
          inputs.push_back(floats({3, Q, 2 * 3}, code));
          inputs.push_back(floats({3, K, kvHeads * 3}, code));
          harness->expectMatch(inputs, 0, 0);
        }
      }
}

TEST_P(SelectEstimateTest, SumsOfHeads) {
  for (auto [heads, D] : {std::pair<int64_t, int64_t>{1, 4}, {3, 8}, {4, 33}})
    for (bool causal : {false, true}) {
      WeighText select{"count 5.0"};
      select.heads = heads;
      select.D = D;
      select.causal = select.masked = causal;
      compile(select, select.summed());
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}, {0, 3}, {17, 300}}) {
        SCOPED_TRACE("Q " + number(Q) + " K " + number(K));
        if (!harness)
          return;
        auto value = [&] { return float(int64_t(random() % 5) - 2); };
        std::vector<HostTensor> inputs{floats({3, Q, heads * D}, value), floats({3, K, D}, value)};
        if (select.masked)
          inputs.push_back(mask(3, K));
        inputs.push_back(floats({3, Q, heads}, value));
        harness->expectMatch(inputs, 0, 0);
      }
    }
}

INSTANTIATE_KERNEL_TEST(SelectEstimateTest);
