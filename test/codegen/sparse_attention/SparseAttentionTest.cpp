// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of attention over indices against the reference evaluator.
#include "test/codegen/sparse_attention/SparseAttentionTest.h"

#include "codegen/tile/Attention.h"
#include "codegen/tile/SparseAttention.h"
#include "lib/reference/EvaluateOps.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

sattn::KeyIndexType typeOf(const IndexText &index, MLIRContext *context, const DimExpr &queries, const DimExpr &keys) {
  DimExpr items = sattn::ceilDiv(keys, index.C), batch = index.perBatch ? DimExpr::symbol("b") : DimExpr(1);
  return sattn::KeyIndexType::get(context, index.R, index.C, index.C == 1 ? sattn::Unit::token : sattn::Unit::block,
                                  {batch, index.heads, sattn::rowCount(queries, index.R)}, items,
                                  index.capacity ? DimExpr(index.capacity) : items);
}
} // namespace

KernelMaker tamis::test::sparseAttentionMaker() {
  return {[](func::FuncOp kernel) { return sparseAttentionLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tileSparseAttention(kernel, target); }};
}

std::string AttendText::str(MLIRContext *context) const {
  DimExpr b = DimExpr::symbol("b"), q = DimExpr::symbol(packed ? "s" : "q"), k = DimExpr::symbol(packed ? "s" : "k");
  auto tensor = [&](const model::Dims &dims, Type element) { return textOf(model::tensorType(element, dims)); };
  Type f32 = Float32Type::get(context);
  int64_t width = heads * D + kvHeads * (D + valueWidth());
  std::string query = tensor({b, q, heads * D}, f32), key = tensor({b, k, kvHeads * D}, f32),
              value = tensor({b, k, kvHeads * valueWidth()}, f32), result = tensor({b, q, heads * valueWidth()}, f32),
              all = tensor({b, q, width}, f32), maskType;
  if (!mask.empty()) {
    model::Dims dims;
    for (const std::string &size : mask)
      dims.push_back(*DimExpr::parse(size));
    maskType = tensor(dims, maskElement == "i1" ? Type(IntegerType::get(context, 1)) : f32);
  }
  auto partialType = sattn::PartialType::get(context, {b, heads, q, valueWidth()});
  std::string given = partial ? textOf(partialType) : result;
  if (partial)
    result = textOf(partialType.storage());
  std::string arguments = packed ? "%x: " + all : "%q: " + query + ", %k: " + key + ", %v: " + value, body, names,
              types, full;
  if (!mask.empty())
    arguments += ", %m: " + maskType;
  auto slice = [&](const std::string &name, int64_t column, const std::string &type) {
    body += name + " = model.slice %x [\"0\", \"0\", \"" + std::to_string(column) + "\"] step [1, 1, 1] : " + all +
            " -> " + type + "\n";
  };
  if (packed) {
    slice("%q", 0, query);
    slice("%k", heads * D, key);
    slice("%v", (heads + kvHeads) * D, value);
  }
  for (auto [i, index] : llvm::enumerate(indices)) {
    std::string number = std::to_string(i);
    if (index.full)
      full += (full.empty() ? "" : ", ") + number;
    auto type = typeOf(index, context, q, k);
    names += (i ? ", %i" : "%i") + number;
    types += (i ? ", " : "") + textOf(type);
    if (index.isStored()) {
      arguments += ", %t" + number + ": " + textOf(type.storage());
      body += "%i" + number + " = sattn.load_index %t" + number + " : " + textOf(type.storage()) + " -> " +
              textOf(type) + "\n";
    } else {
      body += "%i" + number + " = sattn.bands before " + std::to_string(index.before) + " after " +
              std::to_string(index.after) + " sinks " + std::to_string(index.sinks) + " queries \"" + q.str() +
              "\" keys \"" + k.str() + "\" : " + textOf(type) + "\n";
    }
  }
  return "func.func @attend(" + arguments + ") -> " + result +
         " attributes {model.symbols = [#model.symbol<\"b\", 0, 64>, " +
         (packed ? "#model.symbol<\"s\", 0, 99999>"
                 : "#model.symbol<\"q\", 0, 99999>, #model.symbol<\"k\", 0, 99999>") +
         "]} {\n" + body + "%o = " + (dense ? "model.attention" : "sattn.attend") + " %q, %k, %v " +
         (dense ? "" : "over " + names + (full.empty() ? "" : " full [" + full + "]")) +
         (mask.empty() ? "" : " mask %m") + " heads " + std::to_string(heads) + " kv_heads " + std::to_string(kvHeads) +
         " scale 0.3 " + (causal ? "causal " : "") + ": " + query + ", " + key + ", " + value +
         (dense ? "" : ", over " + types) + (mask.empty() ? "" : (dense ? ", " : " mask ") + maskType) + " -> " +
         given +
         (partial ? "\n%t = sattn.store_partial %o : " + given + " -> " + result + "\nreturn %t : "
                  : "\nreturn %o : ") +
         result + "\n}";
}

void SparseAttentionTest::compile(const AttendText &attend) {
  text = attend;
  auto context = createContext();
  std::string ir = text.str(context.get());
  harness = KernelHarness::create(ir, target(), sparseAttentionMaker());
  EXPECT_TRUE(harness) << ir;
}

HostTensor SparseAttentionTest::contents(const IndexText &index, int64_t B, int64_t Q, int64_t K, Fill fill) {
  int64_t batch = index.perBatch ? B : 1, rows = index.R ? (Q + index.R - 1) / index.R : 1;
  int64_t items = (K + index.C - 1) / index.C, capacity = index.capacity ? index.capacity : items;
  std::vector<int32_t> numbers;
  for (int64_t row = 0; row < batch * index.heads * rows; ++row) {
    int64_t most = std::min(items, capacity), kind = random() % 8;
    int64_t count = fill == kAllItems || kind == 0 ? most : kind == 1 ? 0 : int64_t(random() % (most + 1));
    std::set<int32_t> kept;
    while (int64_t(kept.size()) < count)
      kept.insert(fill == kAllItems && count == items ? kept.size() : random() % items);
    numbers.push_back(count);
    numbers.insert(numbers.end(), kept.begin(), kept.end());
    for (int64_t i = count; i < capacity; ++i)
      numbers.push_back(i % 2 ? INT32_MAX : INT32_MIN);
  }
  return HostTensor::of<int32_t>(IntegerType::get(harness->context(), 32), {batch, index.heads, rows, capacity + 1},
                                 numbers);
}

std::vector<HostTensor> SparseAttentionTest::operands(int64_t B, int64_t Q, int64_t K, Fill fill) {
  auto any = [&](llvm::ArrayRef<int64_t> shape) { return uniform(harness->context(), shape, random, -2, 2); };
  std::vector<HostTensor> inputs;
  int64_t valueColumns = text.kvHeads * text.valueWidth();
  if (text.packed)
    inputs = {any({B, Q, (text.heads + text.kvHeads) * text.D + valueColumns})};
  else
    inputs = {any({B, Q, text.heads * text.D}), any({B, K, text.kvHeads * text.D}), any({B, K, valueColumns})};
  if (!text.mask.empty()) {
    std::vector<int64_t> shape;
    for (const std::string &size : text.mask)
      shape.push_back(size == "b" ? B : size == "q" ? Q : size == "k" ? K : std::stoll(size));
    std::vector<float> added(*reference::elementCount(shape));
    std::vector<char> kept(added.size());
    for (size_t i = 0; i < added.size(); ++i) {
      // Half of its blocks leave everything as it is, so that there are full items.
      int64_t k = i % shape[3], q = i / shape[3] % shape[2];
      bool isPlain = text.hasFull() && (q / 64 + k / 64) % 2 == 0;
      kept[i] = isPlain || random() % 4 != 0;
      added[i] = isPlain ? 0 : kept[i] ? float(random() % 100) / 20 : -INFINITY;
    }
    if (text.maskElement == "i1")
      inputs.push_back(HostTensor::of<char>(IntegerType::get(harness->context(), 1), shape, kept));
    else
      inputs.push_back(HostTensor::of<float>(Float32Type::get(harness->context()), shape, added));
  }
  for (const IndexText &index : text.indices)
    if (index.isStored())
      inputs.push_back(contents(index, B, Q, K, fill));
  keepFullItems(inputs, B, Q, K);
  return inputs;
}

void SparseAttentionTest::keepFullItems(std::vector<HostTensor> &inputs, int64_t B, int64_t Q, int64_t K) {
  const HostTensor *mask = text.mask.empty() ? nullptr : &inputs[text.packed ? 1 : 3];
  SmallVector<int64_t> scores{B, text.heads, Q, K}, strides;
  std::vector<double> added = mask ? mask->numbers() : std::vector<double>();
  if (mask)
    strides = reference::broadcastStrides(mask->shape, scores);
  auto isKept = [&](int64_t b, int64_t h, int64_t q, int64_t k) {
    if (text.causal && k > q + K - Q)
      return false;
    return !mask || added[b * strides[0] + h * strides[1] + q * strides[2] + k * strides[3]] ==
                        (text.maskElement == "i1" ? 1 : 0);
  };
  size_t next = (text.packed ? 1 : 3) + !text.mask.empty();
  for (const IndexText &index : text.indices) {
    if (!index.isStored())
      continue;
    HostTensor &stored = inputs[next++];
    if (!index.full)
      continue;
    auto *numbers = reinterpret_cast<int32_t *>(stored.bytes.data());
    int64_t rows = stored.shape[2], width = stored.shape[3], R = index.R ? index.R : Q;
    for (int64_t n = 0; n < stored.shape[0] * index.heads * rows; ++n, numbers += width) {
      int64_t b = n / rows / index.heads, h = n / rows % index.heads, row = n % rows, group = text.heads / index.heads;
      auto isFull = [&](int32_t item) {
        for (int64_t batch = index.perBatch ? b : 0; batch < (index.perBatch ? b + 1 : B); ++batch)
          for (int64_t head = h * group; head < (h + 1) * group; ++head)
            for (int64_t q = row * R; q < std::min(Q, (row + 1) * R); ++q)
              for (int64_t k = item * index.C; k < std::min(K, (item + 1) * index.C); ++k)
                if (!isKept(batch, head, q, k))
                  return false;
        return true;
      };
      numbers[0] = std::remove_if(numbers + 1, numbers + 1 + numbers[0], [&](int32_t item) { return !isFull(item); }) -
                   (numbers + 1);
    }
  }
}

void SparseAttentionTest::check(int64_t B, int64_t Q, int64_t K, Fill fill) {
  SCOPED_TRACE("B " + std::to_string(B) + " Q " + std::to_string(Q) + " K " + std::to_string(K));
  if (harness)
    harness->expectMatch(operands(B, Q, K, fill), 2e-5, 2e-5);
}

namespace {
/// Around blocks of 64 on both sides, more and fewer queries than keys, and nothing at all.
const std::vector<std::pair<int64_t, int64_t>> kSizes{{0, 5},    {5, 0},   {1, 1},   {2, 2},    {1, 130},
                                                      {63, 64},  {64, 64}, {65, 65}, {64, 63},  {130, 130},
                                                      {65, 257}, {130, 2}, {3, 65},  {257, 65}, {257, 257}};
} // namespace

TEST_P(SparseAttentionTest, Blocks) {
  for (bool causal : {false, true})
    for (IndexText index : {IndexText{64, 64}, IndexText{128, 64, 2, 2, true}, IndexText{64, 192}, IndexText{0, 64}}) {
      SCOPED_TRACE(std::to_string(index.R) + " x " + std::to_string(index.C) + (causal ? " causal" : ""));
      compile({{index}, 4, 2, 16, 0, causal});
      for (auto [Q, K] : kSizes)
        check(2, Q, K);
    }
}

TEST_P(SparseAttentionTest, Bands) {
  for (bool causal : {false, true})
    for (IndexText index : {bands(1, 1, 20, 20), bands(1, 1, 127, 0, 4), bands(1, 1, 3, 1, 70), bands(64, 64, 0, 0),
                            bands(64, 64, 1, 0, 1), bands(5, 7, 2, 1, 1), bands(100, 3, 0, 9)}) {
      SCOPED_TRACE(std::to_string(index.R) + " x " + std::to_string(index.C) + " before " +
                   std::to_string(index.before) + (causal ? " causal" : ""));
      compile({{index}, 2, 1, 16, 0, causal});
      for (auto [Q, K] : kSizes)
        check(1, Q, K);
    }
  compile({{bands(1, 1, 30, 5, 2), bands(64, 64, 0, 0)}});
  for (auto [Q, K] : kSizes)
    check(1, Q, K);
}

// Wider than any sequence.
TEST_P(SparseAttentionTest, WideBands) {
  compile({{bands(1, 1, INT32_MAX, INT32_MAX, INT32_MAX)}});
  check(1, 70, 130);
}

// The key tokens of a head: for all queries, or by block of them; a page is smaller than a tile.
TEST_P(SparseAttentionTest, Pools) {
  for (bool causal : {false, true})
    for (std::vector<IndexText> indices :
         std::vector<std::vector<IndexText>>{{{0, 1}},
                                             {{64, 1, 40, 2, true}},
                                             {{64, 16}},
                                             {{0, 1, 0, 2, true}, bands(64, 64, 0, 0)},
                                             {bands(1, 1, 20, 5, 3), {0, 1}},
                                             {{64, 64}, {0, 1}},
                                             {{64, 64}, bands(1, 1, 20, 5, 3), {128, 24}}}) {
      SCOPED_TRACE(std::to_string(indices.size()) + (causal ? " causal" : ""));
      compile({indices, 4, 2, 16, 0, causal});
      for (auto [Q, K] : kSizes)
        check(2, Q, K);
    }
}

TEST_P(SparseAttentionTest, Lists) {
  for (bool causal : {false, true})
    for (std::vector<IndexText> indices :
         std::vector<std::vector<IndexText>>{{{1, 1}},
                                             {{1, 1, 7, 4, true}},
                                             {{3, 5}},
                                             {{1, 1}, bands(1, 1, 20, 5, 3)},
                                             {{1, 1}, {64, 64}},
                                             {{1, 1}, {7, 3}, {0, 1}},
                                             {{1, 1}, {7, 64}, {64, 64}, bands(64, 64, 0, 0)}}) {
      SCOPED_TRACE(std::to_string(indices.size()) + (causal ? " causal" : ""));
      compile({indices, 4, 2, 16, 0, causal});
      for (auto [Q, K] : kSizes)
        check(2, Q, K);
    }
}

// Where a block of queries reads much of the same keys these are read in tiles, elsewhere one by one: blocks of one
// head may differ, and what one of them prepared must not harm the next.
TEST_P(SparseAttentionTest, ListsOfManyAndOfFew) {
  for (std::vector<IndexText> indices :
       std::vector<std::vector<IndexText>>{{{1, 1, 0, 2}}, {{1, 1}, bands(1, 1, 20, 5, 3), {64, 64, 1}}, {{1, 16}}}) {
    compile({indices, 2, 1, 16, 0, /*causal=*/indices.size() > 1});
    ASSERT_TRUE(harness);
    for (auto [Q, K] : std::vector<std::pair<int64_t, int64_t>>{{260, 260}, {70, 400}}) {
      auto inputs = operands(1, Q, K, kAllItems);
      auto *numbers = reinterpret_cast<int32_t *>(inputs[3].bytes.data());
      int64_t width = inputs[3].shape[3], rows = inputs[3].shape[1] * inputs[3].shape[2];
      for (int64_t row = 0; row < rows; ++row)
        if (row / 64 % 2) {
          numbers[row * width] = std::min<int64_t>(2, width - 1);
          for (int64_t i = 0; i < numbers[row * width]; ++i)
            numbers[row * width + 1 + i] = (row * 7 % (width / 2)) + i * (width / 2 - 1);
        }
      harness->expectMatch(inputs, 2e-5, 2e-5);
    }
  }
}

TEST_P(SparseAttentionTest, HeadSizes) {
  std::vector<IndexText> indices{{64, 64, 1}, {1, 1, 9}, bands(1, 1, 9, 0)};
  for (int64_t D : {1, 5, 24, 32, 33, 64, 80}) {
    SCOPED_TRACE(D);
    compile({indices, 2, 2, D});
    check(1, 70, 200);
  }
  compile({indices, 2, 2, 32, 48});
  check(1, 70, 200);
  compile({{{0, 1}}, 6, 2, 5, 7});
  check(2, 70, 200);
}

TEST_P(SparseAttentionTest, Masks) {
  using Kind = std::pair<const char *, std::vector<std::string>>;
  for (auto [element, sizes] : std::vector<Kind>{{"f32", {"b", "1", "1", "k"}},
                                                 {"i1", {"1", "2", "1", "k"}},
                                                 {"f32", {"b", "2", "q", "k"}},
                                                 {"i1", {"1", "1", "q", "k"}},
                                                 {"i1", {"b", "1", "q", "1"}}})
    for (std::vector<IndexText> indices : std::vector<std::vector<IndexText>>{
             {{64, 64}, bands(1, 1, 30, 9)}, {bands(64, 64, 0, 0), {0, 1}}, {{1, 1}, {2, 2}}}) {
      SCOPED_TRACE(std::string(element) + " " + sizes[0] + sizes[1] + sizes[2] + sizes[3]);
      compile({indices, 2, 1, 16, 0, false, sizes, element});
      check(2, 70, 140);
      check(3, 65, 33);
    }
  compile({{{64, 64}, {0, 1}}, 2, 1, 16, 0, /*causal=*/true, {"b", "1", "1", "k"}});
  check(2, 140, 140);
}

TEST_P(SparseAttentionTest, FullItems) {
  IndexText full{64, 64, 0, 2}, wide{128, 64}, small{64, 16}, fine{1, 1};
  full.full = wide.full = small.full = fine.full = true;
  struct Case {
    std::vector<IndexText> indices;
    std::vector<std::string> mask;
    bool causal;
  };
  for (const Case &c : std::vector<Case>{{{full}, {}, true},
                                         {{full, {64, 64}}, {"1", "1", "q", "k"}, false},
                                         {{full, {64, 64}}, {"b", "2", "q", "k"}, true},
                                         {{{64, 64, 1}, wide, {64, 24, 2}}, {"1", "1", "q", "k"}, true},
                                         {{full, bands(1, 1, 30, 0), fine}, {"1", "1", "q", "k"}, false},
                                         {{full, {64, 64}}, {"b", "1", "1", "k"}, true},
                                         {{small}, {"1", "1", "q", "1"}, false}}) {
    SCOPED_TRACE(std::to_string(c.indices.size()) + (c.causal ? " causal" : ""));
    compile({c.indices, 2, 1, 16, 0, c.causal, c.mask, c.mask.size() && c.mask[1] == "2" ? "f32" : "i1"});
    check(1, 257, 257);
    check(2, 70, 200);
  }
}

// What a pair that is left out has is not in the result, whatever it is.
TEST_P(SparseAttentionTest, SpecialValuesOfPairsThatAreLeftOut) {
  if (llvm::StringRef(target()).starts_with("sm_"))
    GTEST_SKIP() << "GPUs multiply what is left out of a block by zero";
  std::vector<AttendText> kernels{{{bands(1, 1, 3, 2)}},
                                  {{bands(1, 1, 90, 0, 2)}},
                                  {{IndexText{}}},
                                  {{IndexText{1, 1, 12}}},
                                  {{IndexText{1, 1}}},
                                  {{IndexText{64, 1, 60}}},
                                  {{IndexText{1, 1}, bands(4, 4, 1, 1)}}};
  for (auto [i, kernel] : llvm::enumerate(kernels)) {
    kernel.causal = i % 2;
    kernel.D = 40;
    compile(kernel);
    ASSERT_TRUE(harness);
    for (auto [Q, K] : {std::pair<int64_t, int64_t>{130, 200}, {64, 70}}) {
      SCOPED_TRACE("kernel " + std::to_string(i) + " Q " + std::to_string(Q) + " K " + std::to_string(K));
      auto inputs = operands(2, Q, K);
      auto *values = reinterpret_cast<float *>(inputs[2].bytes.data());
      for (int64_t j = 0; j < 2 * K * 40; ++j)
        if (random() % 997 == 0)
          values[j] = random() % 2 ? NAN : random() % 2 ? INFINITY : -INFINITY;
      harness->expectMatch(inputs, 2e-5, 1e-5);
    }
  }
}

// The logarithm of the sums: of rows without keys minus infinity, whatever the way the keys are read.
TEST_P(SparseAttentionTest, PartialResults) {
  for (bool causal : {false, true})
    for (std::vector<IndexText> indices : std::vector<std::vector<IndexText>>{
             {{64, 64}}, {bands(1, 1, 20, 5, 3)}, {{0, 1}}, {{1, 1, 7, 4, true}}, {{64, 64}, {1, 1}}}) {
      AttendText text{indices, 4, 2, 16, 5, causal, {"b", "1", "1", "k"}, causal ? "f32" : "i1"};
      text.partial = true;
      compile(text);
      for (auto [Q, K] : kSizes)
        check(2, Q, K);
    }
}

// Padding may be anything.
TEST_P(SparseAttentionTest, MaskedKeysMayHoldAnything) {
  for (std::vector<IndexText> indices :
       std::vector<std::vector<IndexText>>{{{64, 64}, bands(1, 1, 30, 9)}, {{0, 1}}, {{1, 1}}, {{1, 1, 9}}}) {
    compile({indices, 2, 1, 16, 0, false, {"b", "1", "1", "k"}, "i1"});
    ASSERT_TRUE(harness);
    auto inputs = operands(2, 70, 140);
    for (size_t which : {1, 2})
      for (int64_t i = 0; i < 2 * 140; ++i)
        if (!inputs[3].bytes[i])
          std::fill_n(reinterpret_cast<float *>(inputs[which].bytes.data()) + i * 16, 16, i % 2 ? NAN : INFINITY);
    harness->expectMatch(inputs, 2e-5, 2e-5);
  }
}

TEST_P(SparseAttentionTest, ColumnsOfOneBuffer) {
  AttendText packed{{{64, 64}, {1, 1}}, 4, 2, 32};
  packed.packed = true;
  compile(packed);
  for (int64_t S : {1, 17, 64, 100})
    check(2, S, S);
}

// Groups of one head follow each other or not: what is packed is right in both cases.
TEST_P(SparseAttentionTest, ManyGroups) {
  compile({{{64, 64, 3, 4, true}, bands(64, 64, 0, 0)}, 4, 2, 16, 0, /*causal=*/true});
  check(2, 1100, 1100);
  compile({{{0, 1, 0, 2}, bands(64, 64, 0, 0)}, 4, 2});
  check(2, 600, 600);
}

TEST_P(SparseAttentionTest, AllItemsAreDenseAttention) {
  for (bool causal : {false, true}) {
    AttendText all{{}, 2, 1, 32, 0, causal};
    all.dense = true;
    auto dense = KernelHarness::create(
        all.str(createContext().get()), target(),
        {[](func::FuncOp kernel) { return attentionLaunch(kernel); },
         [](func::FuncOp kernel, const CpuTarget &target) { return tileAttention(kernel, target); }});
    ASSERT_TRUE(dense);
    for (std::vector<IndexText> indices : std::vector<std::vector<IndexText>>{
             {{64, 64}}, {{0, 1}}, {{1, 1}}, {{64, 64}, {0, 1}, bands(1, 1, 9, 9)}, {bands(1, 1, 1000, 1000)}}) {
      compile({indices, 2, 1, 32, 0, causal});
      ASSERT_TRUE(harness);
      auto inputs = operands(2, 130, 200, kAllItems);
      int32_t status = 0;
      auto found = harness->run(inputs, &status);
      EXPECT_EQ(status, 0);
      inputs.resize(3);
      for (HostTensor &input : inputs)
        input.element = Float32Type::get(dense->context());
      expectNear(found[0], dense->run(inputs)[0], 2e-5, 2e-5);
    }
  }
}

INSTANTIATE_KERNEL_TEST(SparseAttentionTest);
