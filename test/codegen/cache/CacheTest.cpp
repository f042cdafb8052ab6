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
  bool isByte = false;
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
            types, s.isByte ? 4 : 2, s.isByte ? 4 : 2);
  }

  void compileAttend(const Shape &s, const std::string &parts = "") {
    std::string names, types, arguments = poolArguments(s, names, types);
    std::string query = tensor({"tokens", number(s.heads * s.width)}, "f32");
    std::string result = parts.empty() ? tensor({"tokens", number(s.heads * s.valueWidth)}, "f32")
                                       : tensor({"tokens", parts, number(s.heads), number(s.valueWidth + 1)}, "f32");
    compile(arguments + "%q: " + query + ", " + placeArguments(),
            "cache.attend %q pools(" + names + ") at(%table, %texts, %positions) heads " + number(s.heads) +
                " scale 3.000000e-01 : " + query + ", (" + types + "), " + places() + " -> " + result,
            result, 0, 1);
  }

  HostTensor integers(const std::vector<int32_t> &values, std::vector<int64_t> shape) {
    return HostTensor::of<int32_t>(IntegerType::get(harness->context(), 32), shape, values);
  }
  HostTensor numbers(std::vector<int64_t> shape) { return uniform(harness->context(), shape, random); }

  /// Pools whose slots hold numbers, or NaN where no token is.
  std::vector<HostTensor> pools(const Shape &s, int64_t pages) {
    if (!s.isByte)
      return {numbers({pages, s.keyHeads, s.width, s.page}), numbers({pages, s.keyHeads, s.page, s.valueWidth})};
    auto bytes = [&](std::vector<int64_t> shape) {
      std::vector<int8_t> values(size_t(*reference::elementCount(shape)));
      for (int8_t &value : values)
        value = int8_t(random() % 255) - 127;
      return HostTensor::of<int8_t>(IntegerType::get(harness->context(), 8), shape, values);
    };
    std::vector<int64_t> lines{pages, s.keyHeads, s.page};
    return {bytes({pages, s.keyHeads, s.width, s.page}), bytes({pages, s.keyHeads, s.page, s.valueWidth}),
            uniform(harness->context(), lines, random, 0.001f, 0.01f),
            uniform(harness->context(), lines, random, 0.001f, 0.01f)};
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
