// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Appends to pages, and attention over them, against the reference evaluator.
#include "codegen/tile/Cache.h"
#include "mlir/AsmParser/AsmParser.h"
#include "test/codegen/KernelHarness.h"
#include <numeric>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::string tensor(const std::vector<std::string> &sizes, const std::string &element) {
  std::string shape, dims;
  bool isStatic = true;
  for (const std::string &size : sizes) {
    bool isNumber = std::isdigit(size[0]);
    isStatic &= isNumber;
    shape += (isNumber ? size : "?") + "x";
    dims += (dims.empty() ? "\"" : ", \"") + size + "\"";
  }
  return "tensor<" + shape + element + (isStatic ? ">" : ", #model.dims<" + dims + ">>");
}

struct Shape {
  int64_t heads = 6, keyHeads = 2, width = 16, valueWidth = 16, page = 16;
  bool isByte = false, hasBounds = false;
};

/// Texts of a batch, by the tokens that each has and those of them that are new.
struct Text {
  int64_t past, added;
};

class CacheTest : public KernelTest {
protected:
  static std::string number(int64_t value) { return std::to_string(value); }

  std::vector<std::string> poolTypes(const Shape &s) {
    std::string element = s.isByte ? "i8" : "f32", heads = number(s.keyHeads), page = number(s.page);
    std::vector<std::string> types{tensor({"pages", heads, number(s.width), page}, element),
                                   tensor({"pages", heads, page, number(s.valueWidth)}, element)};
    if (s.isByte)
      types.resize(4, tensor({"pages", heads, page}, "f32"));
    if (s.hasBounds)
      types.push_back(tensor({"pages", heads, "2", number(s.width)}, "f32"));
    return types;
  }

  /// A kernel of the op that `write` gives of the text of pools and of places, their types, and the results' types.
  void compile(const std::string &arguments, const std::string &op, const std::string &results, unsigned inPlace,
               unsigned resultCount) {
    std::string names = "%r";
    if (resultCount > 1) {
      names = "%r0";
      for (unsigned i = 1; i < resultCount; ++i)
        names += ", %r" + number(i);
    }
    std::string ir = "func.func @kernel(" + arguments + ") -> (" + results + ") attributes {model.symbols = [" +
                     "#model.symbol<\"pages\", 0, 5000>, #model.symbol<\"tokens\", 0, 5000>, "
                     "#model.symbol<\"texts\", 0, 5000>, #model.symbol<\"places\", 0, 5000>]} {\n" +
                     names + " = " + op + "\nreturn " + names + " : " + results + "\n}";
    KernelMaker maker{[](func::FuncOp kernel) { return cacheLaunch(kernel); },
                      [](func::FuncOp kernel, const CpuTarget &target) { return tileCache(kernel, target); }};
    maker.inPlace = inPlace;
    harness = KernelHarness::create(ir, target(), maker);
    ASSERT_TRUE(harness) << ir;
  }

  std::string poolArguments(const Shape &s, std::string &names, std::string &types) {
    std::string arguments;
    for (auto [i, type] : llvm::enumerate(poolTypes(s))) {
      std::string name = "%p" + number(i);
      names += (i ? ", " : "") + name;
      types += (i ? ", " : "") + type;
      arguments += name + ": " + type + ", ";
    }
    return arguments;
  }
  std::string places() {
    return tensor({"texts", "places"}, "i32") + ", " + tensor({"tokens"}, "i32") + ", " + tensor({"tokens"}, "i32");
  }
  std::string placeArguments() {
    return "%table: " + tensor({"texts", "places"}, "i32") + ", %texts: " + tensor({"tokens"}, "i32") +
           ", %positions: " + tensor({"tokens"}, "i32");
  }

  void compileAppend(const Shape &s) {
    std::string names, types, arguments = poolArguments(s, names, types);
    std::string key = tensor({"tokens", number(s.keyHeads * s.width)}, "f32"),
                value = tensor({"tokens", number(s.keyHeads * s.valueWidth)}, "f32");
    compile(arguments + "%k: " + key + ", %v: " + value + ", " + placeArguments(),
            "cache.append pools(" + names + ") rows(%k, %v) at(%table, %texts, %positions) : (" + types + "), " + key +
                ", " + value + ", " + places() + " -> " + types,
            types, unsigned(poolTypes(s).size()), unsigned(poolTypes(s).size()));
  }

  void compileAttend(const Shape &s, const std::string &parts = "", int64_t listed = 0) {
    std::string names, types, arguments = poolArguments(s, names, types);
    std::string query = tensor({"tokens", number(s.heads * s.width)}, "f32");
    std::string result = parts.empty() ? tensor({"tokens", number(s.heads * s.valueWidth)}, "f32")
                                       : tensor({"tokens", parts, number(s.heads), number(s.valueWidth + 1)}, "f32");
    std::string index = tensor({"tokens", number(s.keyHeads), number(listed + 1)}, "i32");
    compile(arguments + "%q: " + query + ", " + placeArguments() + (listed ? ", %i: " + index : ""),
            "cache.attend %q pools(" + names + ") at(%table, %texts, %positions) " + (listed ? "index %i " : "") +
                "heads " + number(s.heads) + " scale 3.000000e-01 : " + query + ", (" + types + "), " + places() +
                (listed ? ", " + index : "") + " -> " + result,
            result, 0, 1);
  }

  HostTensor integers(const std::vector<int32_t> &values, std::vector<int64_t> shape) {
    return HostTensor::of<int32_t>(IntegerType::get(harness->context(), 32), shape, values);
  }
  HostTensor numbers(std::vector<int64_t> shape) { return uniform(harness->context(), shape, random); }

  /// Pools whose slots hold numbers, or NaN where no token is.
  std::vector<HostTensor> pools(const Shape &s, int64_t pages) {
    std::vector<HostTensor> result;
    std::vector<int64_t> lines{pages, s.keyHeads, s.page};
    if (s.isByte) {
      auto bytes = [&](std::vector<int64_t> shape) {
        std::vector<int8_t> values(size_t(*reference::elementCount(shape)));
        for (int8_t &value : values)
          value = int8_t(random() % 255) - 127;
        return HostTensor::of<int8_t>(IntegerType::get(harness->context(), 8), shape, values);
      };
      result = {bytes({pages, s.keyHeads, s.width, s.page}), bytes({pages, s.keyHeads, s.page, s.valueWidth}),
                uniform(harness->context(), lines, random, 0.001f, 0.01f),
                uniform(harness->context(), lines, random, 0.001f, 0.01f)};
    } else {
      result = {numbers({pages, s.keyHeads, s.width, s.page}), numbers({pages, s.keyHeads, s.page, s.valueWidth})};
    }
    if (s.hasBounds)
      result.push_back(numbers({pages, s.keyHeads, 2, s.width}));
    return result;
  }

  /// Table, texts and positions; pages in random order, as few as the texts need. `unused`: places of the table that no
  /// token uses, which may hold anything.
  std::vector<HostTensor> place(const Shape &s, const std::vector<Text> &batch, int64_t &pages, int64_t unused = 1) {
    int64_t most = 0;
    pages = 0;
    for (const Text &text : batch) {
      int64_t used = (text.past + text.added + s.page - 1) / s.page;
      most = std::max(most, used);
      pages += used;
    }
    std::vector<int32_t> order(static_cast<size_t>(pages)), table, texts, positions;
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    for (auto [number, text] : llvm::enumerate(batch)) {
      int64_t used = (text.past + text.added + s.page - 1) / s.page;
      for (int64_t i = 0; i < most + unused; ++i) {
        table.push_back(i < used ? order.back() : -7);
        if (i < used)
          order.pop_back();
      }
      for (int64_t i = 0; i < text.added; ++i) {
        texts.push_back(int32_t(number));
        positions.push_back(int32_t(text.past + i));
      }
    }
    auto tokens = int64_t(texts.size());
    return {integers(table, {int64_t(batch.size()), most + unused}), integers(texts, {tokens}),
            integers(positions, {tokens})};
  }

  void expectAttend(const Shape &s, const std::vector<Text> &batch, int64_t unused = 1) {
    int64_t pages;
    std::vector<HostTensor> at = place(s, batch, pages, unused), inputs = pools(s, pages);
    inputs.push_back(numbers({at[1].shape[0], s.heads * s.width}));
    inputs.insert(inputs.end(), at.begin(), at.end());
    harness->expectMatch(inputs, 1e-5, 1e-4);
  }

  std::unique_ptr<KernelHarness> harness;
};

const Shape kShapes[] = {{},
                         {9, 3, 64, 64, 64},
                         {4, 4, 8, 24, 32},
                         {8, 1, 20, 12, 16},
                         {7, 1, 33, 17, 48},
                         {6, 2, 16, 16, 16, true},
                         {9, 3, 64, 64, 64, true},
                         {5, 5, 12, 20, 32, true},
                         {8, 1, 33, 17, 48, true}};

/// One token a text; prompts; both; nothing; pages that are full, have one token or lack one.
std::vector<std::vector<Text>> batches(int64_t page) {
  return {{{0, 1}},
          {{3 * page - 1, 1}, {page, 1}, {0, 1}, {2 * page + 1, 1}},
          {{0, 2 * page}},
          {{page - 1, 2}, {5, 40}, {0, 1}},
          {{0, 0}, {7, 3}},
          {{0, 0}},
          {{page + 3, 77}, {0, page + 1}}};
}

TEST_P(CacheTest, Appends) {
  for (const Shape &shape : kShapes) {
    compileAppend(shape);
    for (const std::vector<Text> &batch : batches(shape.page)) {
      int64_t pages;
      std::vector<HostTensor> at = place(shape, batch, pages), inputs = pools(shape, pages);
      inputs.push_back(numbers({at[1].shape[0], shape.keyHeads * shape.width}));
      inputs.push_back(numbers({at[1].shape[0], shape.keyHeads * shape.valueWidth}));
      inputs.insert(inputs.end(), at.begin(), at.end());
      harness->expectMatch(inputs, 0, shape.isByte ? 1e-6 : 0);
    }
  }
}

TEST_P(CacheTest, AppendsToBounds) {
  for (const Shape &shape : {Shape{6, 2, 16, 16, 16, false, true}, Shape{3, 3, 21, 16, 32, true, true}}) {
    compileAppend(shape);
    for (const std::vector<Text> &batch : batches(shape.page)) {
      int64_t pages;
      std::vector<HostTensor> at = place(shape, batch, pages), inputs = pools(shape, pages);
      inputs.push_back(numbers({at[1].shape[0], shape.keyHeads * shape.width}));
      inputs.push_back(numbers({at[1].shape[0], shape.keyHeads * shape.valueWidth}));
      inputs.insert(inputs.end(), at.begin(), at.end());
      harness->expectMatch(inputs, 0, shape.isByte ? 1e-6 : 0);
    }
  }
}

/// Small integers: sums are exact, and many bounds are equal.
TEST_P(CacheTest, SelectsPages) {
  for (auto [shape, count] : {std::pair(Shape{6, 2, 16, 16, 16}, 4), std::pair(Shape{9, 3, 20, 16, 16}, 7),
                              std::pair(Shape{8, 1, 64, 64, 32}, 33)}) {
    std::string query = tensor({"tokens", number(shape.heads * shape.width)}, "f32"),
                bounds = tensor({"pages", number(shape.keyHeads), "2", number(shape.width)}, "f32"),
                result = tensor({"tokens", number(shape.keyHeads), number(count + 1)}, "i32");
    compile("%q: " + query + ", %b: " + bounds + ", " + placeArguments(),
            "cache.select %q bounds %b at(%table, %texts, %positions) heads " + number(shape.heads) + " count " +
                number(count) + " page " + number(shape.page) + " : " + query + ", " + bounds + ", " + places() +
                " -> " + result,
            result, 0, 1);
    int64_t page = shape.page;
    for (const std::vector<Text> &batch : std::vector<std::vector<Text>>{{{count * page, 1}},
                                                                         {{count * page - 1, 1}},
                                                                         {{40 * page, 1}, {3, 1}, {17 * page + 5, 1}},
                                                                         {{40 * page, 2}, {50 * page + 3, 1}, {0, 30}},
                                                                         {{0, 0}},
                                                                         {{127 * page, 1}}}) {
      int64_t pages;
      std::vector<HostTensor> at = place(shape, batch, pages);
      auto whole = [&](std::vector<int64_t> shape) {
        std::vector<double> values(size_t(*reference::elementCount(shape)));
        for (double &value : values)
          value = double(random() % 5) - 2;
        return HostTensor::ofNumbers(Float32Type::get(harness->context()), shape, values);
      };
      std::vector<HostTensor> inputs{whole({at[1].shape[0], shape.heads * shape.width}),
                                     whole({pages, shape.keyHeads, 2, shape.width})};
      inputs.insert(inputs.end(), at.begin(), at.end());
      // What is behind the pages of a row is unspecified.
      auto told = [&, count = count](const HostTensor &index) {
        std::vector<std::vector<int32_t>> rows;
        for (int64_t row = 0; row < index.size() / (count + 1); ++row) {
          auto *first = index.values<int32_t>().data() + row * (count + 1);
          rows.emplace_back(first, first + 1 + std::max(0, first[0]));
        }
        return rows;
      };
      EXPECT_EQ(told(harness->run(inputs)[0]), told(harness->evaluate(inputs)[0]));
    }
  }
}

/// Rows of the index that list pages, and rows that say all.
TEST_P(CacheTest, AttendsToSelectedPages) {
  for (Shape shape : {Shape{6, 2, 16, 16, 16}, Shape{9, 3, 64, 64, 16}, Shape{6, 2, 16, 16, 32, true}})
    for (std::string parts : {"", "3"}) {
      constexpr int64_t count = 5;
      compileAttend(shape, parts, count);
      int64_t pages, page = shape.page;
      std::vector<HostTensor> at = place(shape, {{9 * page, 1}, {3, 20}, {20 * page + 5, 1}, {2, 1}}, pages),
                              inputs = pools(shape, pages);
      int64_t tokens = at[1].shape[0];
      inputs.push_back(numbers({tokens, shape.heads * shape.width}));
      inputs.insert(inputs.end(), at.begin(), at.end());
      std::vector<int32_t> index;
      for (int64_t token = 0; token < tokens; ++token)
        for (int64_t head = 0; head < shape.keyHeads; ++head) {
          bool isLong = token == 0 || token == 21;
          std::vector<int32_t> row{isLong ? int32_t(count) : -1, 0, 2, 3, 7, token == 0 ? 9 : 20};
          if (token == 21 && head == 1)
            row = {2, 0, 20, 99, 99, 99};
          index.insert(index.end(), row.begin(), row.end());
        }
      inputs.push_back(integers(index, {tokens, shape.keyHeads, count + 1}));
      harness->expectMatch(inputs, 1e-5, 1e-4);
      int32_t status = 0;
      auto *first = reinterpret_cast<int32_t *>(inputs.back().bytes.data());
      for (int32_t wrong : {10, -2}) {
        first[3] = wrong;
        harness->run(inputs, &status);
        EXPECT_EQ(status, 1) << wrong;
      }
    }
}

TEST_P(CacheTest, AppendsRowsOfZeros) {
  Shape shape{6, 2, 16, 16, 16, true};
  compileAppend(shape);
  int64_t pages;
  std::vector<HostTensor> at = place(shape, {{3, 20}}, pages), inputs = pools(shape, pages);
  for (int i = 0; i < 2; ++i)
    inputs.push_back(HostTensor::zeros(Float32Type::get(harness->context()), {20, 32}));
  inputs.insert(inputs.end(), at.begin(), at.end());
  harness->expectMatch(inputs, 0, 0);
}

TEST_P(CacheTest, Attends) {
  for (const Shape &shape : kShapes) {
    compileAttend(shape);
    for (const std::vector<Text> &batch : batches(shape.page))
      expectAttend(shape, batch);
  }
}

TEST_P(CacheTest, AttendsInParts) {
  for (const Shape &shape : kShapes)
    for (std::string parts : {"1", "3"}) {
      compileAttend(shape, parts);
      for (const std::vector<Text> &batch : batches(shape.page))
        expectAttend(shape, batch, batch.size() % 3);
    }
}

TEST_P(CacheTest, Merges) {
  for (auto [parts, heads, width] : {std::tuple(1, 3, 16), std::tuple(4, 2, 17), std::tuple(8, 1, 64)}) {
    std::string from = tensor({"tokens", number(parts), number(heads), number(width + 1)}, "f32"),
                to = tensor({"tokens", number(heads * width)}, "f32");
    std::string ir =
        "func.func @kernel(%a: " + from + ") -> " + to +
        " attributes {model.symbols = [#model.symbol<\"tokens\", 0, 5000>]} {\n%r = cache.merge %a : " + from + " -> " +
        to + "\nreturn %r : " + to + "\n}";
    harness =
        KernelHarness::create(ir, target(),
                              {[](func::FuncOp kernel) { return cacheLaunch(kernel); },
                               [](func::FuncOp kernel, const CpuTarget &target) { return tileCache(kernel, target); }});
    ASSERT_TRUE(harness);
    for (int64_t tokens : {0, 1, 15, 16, 17}) {
      HostTensor input = numbers({tokens, parts, heads, width + 1});
      auto *values = reinterpret_cast<float *>(input.bytes.data());
      // Some parts have no keys, and some rows none at all.
      for (int64_t line = 0; line < tokens * parts * heads; ++line)
        if (random() % 3 == 0 || line / (parts * heads) == 2) {
          std::fill_n(values + line * (width + 1), width, 0.0f);
          values[line * (width + 1) + width] = -INFINITY;
        }
      harness->expectMatch({input}, 1e-6, 1e-5);
    }
  }
}

/// Texts, positions and pages that are none are told, and nothing is read or written for them.
TEST_P(CacheTest, RefusesPlacesThatAreNone) {
  Shape shape;
  for (bool isAppend : {true, false}) {
    isAppend ? compileAppend(shape) : compileAttend(shape);
    for (auto [table, text, position] :
         {std::tuple(std::vector<int32_t>{0, 1}, 1, 0), std::tuple(std::vector<int32_t>{0, 1}, -1, 0),
          std::tuple(std::vector<int32_t>{0, 1}, 0, 32), std::tuple(std::vector<int32_t>{0, 1}, 0, -1),
          std::tuple(std::vector<int32_t>{0, 2}, 0, 16), std::tuple(std::vector<int32_t>{0, -1}, 0, 31)}) {
      std::vector<HostTensor> inputs = pools(shape, 2);
      inputs.push_back(numbers({3, isAppend ? shape.keyHeads * shape.width : shape.heads * shape.width}));
      if (isAppend)
        inputs.push_back(numbers({3, shape.keyHeads * shape.valueWidth}));
      inputs.push_back(integers(table, {1, 2}));
      inputs.push_back(integers({0, text, 0}, {3}));
      inputs.push_back(integers({0, position, 1}, {3}));
      int32_t status = 0;
      harness->run(inputs, &status);
      EXPECT_EQ(status, 1) << text << " " << position;
    }
  }
}

INSTANTIATE_KERNEL_TEST(CacheTest);
} // namespace
