// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns mean the same twice: evaluated directly, through keep(), and as the ops that the sparsify phase writes.
#include "dialects/sattn/SattnDialect.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/sparsify/Passes.h"
#include "test/reference/EvaluatorFixture.h"
#include <random>

using namespace tamis;
using namespace tamis::reference;

namespace {
/// One attention, its sizes and operands. Numbers are small and whole: sums are exact, and many are equal.
struct Case {
  int64_t batch = 1, queries, keys, heads = 1, kvHeads = 1, width = 3;
  bool causal = false;
  enum { none, boolean, number } mask = none;
  int64_t meansOf = 0; ///< width of the blocks whose means the pattern takes
  std::string pattern;
  bool isContinuous = false;                      ///< numbers are not whole: of weights of a softmax, none are equal
  std::vector<std::vector<int64_t>> weights = {}; ///< sizes of those that the pattern has of its own

  /// Queries and keys are the same tokens by their types, and not just as many.
  bool sameTokens = false;

  std::string str() const {
    return pattern + " B " + std::to_string(batch) + " Q " + std::to_string(queries) + " K " + std::to_string(keys) +
           " heads " + std::to_string(heads) + " over " + std::to_string(kvHeads) + (causal ? " causal" : "") +
           (mask == boolean  ? " bool mask"
            : mask == number ? " float mask"
                             : "") +
           (sameTokens ? " same tokens" : "");
  }
  /// The model, with `op` as its attention.
  std::string module(const std::string &op) const {
    std::string s = sameTokens ? "k" : "q";
    auto tokens = [](const std::string &name, int64_t features) {
      return "tensor<?x?x" + std::to_string(features) + "xf32, #model.dims<\"b\", \"" + name + "\", \"" +
             std::to_string(features) + "\">>";
    };
    std::string q = tokens(s, heads * width), k = tokens("k", kvHeads * width), r = tokens(s, heads * 2),
                v = tokens("k", kvHeads * 2);
    std::string m =
        std::string("tensor<?x1x1x?x") + (mask == number ? "f32" : "i1") + ", #model.dims<\"b\", \"1\", \"1\", \"k\">>";
    std::string arguments, names, types;
    for (size_t i = 0; op != "model.attention" && i < weights.size(); ++i) {
      std::string name = "%w" + std::to_string(i), type = "tensor<";
      for (int64_t size : weights[i])
        type += std::to_string(size) + "x";
      type += "f32>";
      arguments += ", " + name + ": " + type;
      names += (i ? ", " : "weights ") + name;
      types += (i ? ", " : " weights ") + type;
    }
    return "func.func @main(%q: " + q + ", %k: " + k + ", %v: " + v + (mask ? ", %m: " + m : "") + arguments + ") -> " +
           r + " {\n%r = " + op + " %q, %k, %v " + (mask ? "mask %m " : "") + names + " heads " +
           std::to_string(heads) + " kv_heads " + std::to_string(kvHeads) + " scale 0.5 " + (causal ? "causal " : "") +
           ": " + q + ", " + k + ", " + v + (mask ? ", " + m : "") + types + " -> " + r + "\nreturn %r : " + r + "\n}";
  }
};

class Patterns : public EvaluatorFixture {
protected:
  Patterns() { context.loadDialect<sattn::SattnDialect>(); }

  int64_t below(int64_t end) { return generator() % end; }
  template <typename T> T oneOf(std::initializer_list<T> values) { return values.begin()[below(values.size())]; }

  Case sizes(bool square) {
    Case c;
    c.batch = 1 + below(2);
    c.keys = oneOf<int64_t>({0, 1, 2, 5, 63, 64, 65, 130});
    c.queries = square || below(2) ? c.keys : oneOf<int64_t>({0, 1, 2, 5, 63, 64, 65, 130});
    c.sameTokens = square || (c.queries == c.keys && below(2));
    std::tie(c.heads, c.kvHeads) = oneOf<std::pair<int64_t, int64_t>>({{1, 1}, {2, 2}, {2, 1}, {4, 2}, {3, 1}});
    c.causal = below(2);
    c.mask = oneOf({Case::none, Case::boolean, Case::number});
    return c;
  }

  /// Whether a token is kept, by batch item. Now and then a batch item keeps none, or its first half.
  std::vector<bool> masks(const Case &c, bool keepsFirst) {
    std::vector<bool> kept;
    for (int64_t b = 0; b < c.batch; ++b) {
      int64_t kind = below(5);
      for (int64_t k = 0; k < c.keys; ++k)
        kept.push_back((keepsFirst && k == 0) || c.mask == Case::none ||
                       (kind == 0   ? false
                        : kind == 1 ? k < c.keys / 2
                                    : below(3) > 0));
    }
    return kept;
  }

  /// Whole numbers from -2 to 2; then those of each block are lowered one by one until the mean of what is kept is
  /// whole.
  std::vector<double> tokens(const Case &c, int64_t count, int64_t features, llvm::function_ref<bool(int64_t)> isKept) {
    std::vector<double> values(c.batch * count * features);
    for (double &value : values)
      value = c.isContinuous ? float(std::normal_distribution<>()(generator)) : below(5) - 2;
    for (int64_t b = 0; c.meansOf && b < c.batch; ++b)
      for (int64_t first = 0; first < count; first += c.meansOf)
        for (int64_t f = 0; f < features; ++f) {
          std::vector<double *> kept;
          int64_t sum = 0;
          for (int64_t t = first; t < std::min(count, first + c.meansOf); ++t)
            if (isKept(b * count + t)) {
              kept.push_back(&values[(b * count + t) * features + f]);
              sum += *kept.back();
            }
          int64_t size = kept.size();
          for (int64_t i = 0; size && i < (sum % size + size) % size; ++i)
            --*kept[i];
        }
    return values;
  }

  /// Queries, keys, values, and a mask if there is one.
  std::vector<HostTensor> operands(const Case &c, const std::vector<bool> &kept) {
    auto isKept = [&](int64_t token) { return kept[token]; };
    auto all = [](int64_t) { return true; };
    std::vector<double> q =
        c.sameTokens ? tokens(c, c.queries, c.heads * c.width, isKept) : tokens(c, c.queries, c.heads * c.width, all);
    std::vector<double> k = tokens(c, c.keys, c.kvHeads * c.width, isKept), v(c.batch * c.keys * c.kvHeads * 2);
    for (double &value : v)
      value = std::normal_distribution<>()(generator);
    std::vector<HostTensor> inputs{tensor("f32", {c.batch, c.queries, c.heads * c.width}, q),
                                   tensor("f32", {c.batch, c.keys, c.kvHeads * c.width}, k),
                                   tensor("f32", {c.batch, c.keys, c.kvHeads * 2}, v)};
    std::vector<double> mask;
    for (size_t token = 0; token < kept.size(); ++token) {
      // Around the limit of what counts as left out; the first key is always of some weight.
      double left = oneOf({-3.4e38, -1e30, -kInf}), added = token % c.keys ? oneOf({0.0, -1.5, -9e29}) : 0;
      mask.push_back(c.mask == Case::boolean ? kept[token] : kept[token] ? added : left);
    }
    if (c.mask)
      inputs.push_back(tensor(c.mask == Case::boolean ? "i1" : "f32", {c.batch, 1, 1, c.keys}, mask));
    return inputs;
  }

  sattn::PatternAttrInterface patternOf(const Case &c) {
    return llvm::cast<sattn::PatternAttrInterface>(mlir::parseAttribute(c.pattern, &context));
  }
  Case withWeights(Case c) {
    sattn::AttentionSizes sizes{c.queries, c.keys, c.heads, c.kvHeads, c.width, 2, c.causal};
    for (const sattn::PatternWeight &weight : patternOf(c).weights(sizes))
      c.weights.emplace_back(weight.shape.begin(), weight.shape.end());
    return c;
  }
  void addWeights(const Case &c, std::vector<HostTensor> &inputs) {
    for (const std::vector<int64_t> &shape : c.weights) {
      std::vector<double> numbers(*elementCount(shape));
      for (double &number : numbers)
        number = below(5) - 2;
      inputs.push_back(tensor("f32", shape, numbers));
    }
  }

  HostTensor evaluated(const std::string &text, llvm::ArrayRef<HostTensor> inputs) {
    auto results = evaluateText(text, inputs);
    if (results)
      return std::move(results->front());
    ADD_FAILURE() << llvm::toString(results.takeError()) << "\nin\n" << text;
    return HostTensor::zeros(type("f32"), {0});
  }

  /// Evaluates the lowered form of `text`; `indices` are those that attend reads, as they are stored.
  HostTensor lowered(const std::string &text, llvm::ArrayRef<HostTensor> inputs,
                     std::vector<std::pair<sattn::KeyIndexType, HostTensor>> &indices) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    mlir::PassManager manager(&context);
    mlir::OpPassManager &functions = manager.nest<mlir::func::FuncOp>();
    functions.addPass(sparsify::createLowerSelection());
    functions.addPass(sparsify::createStoreIndices());
    if (!module || failed(manager.run(*module))) {
      ADD_FAILURE() << "cannot lower\n" << text;
      return HostTensor::zeros(type("f32"), {0});
    }
    llvm::DenseMap<mlir::Value, HostTensor> seen;
    options.observer = [&](mlir::Operation *op, const HostTensor &result) {
      if (auto attend = llvm::dyn_cast<sattn::AttendOp>(op))
        for (mlir::Value index : attend.getIndices())
          indices.emplace_back(llvm::cast<sattn::KeyIndexType>(index.getType()), seen[index]);
      seen[op->getResult(0)] = result;
    };
    auto results = evaluate(module->lookupSymbol<mlir::func::FuncOp>("main"), inputs, weights, options);
    options.observer = {};
    if (results)
      return std::move(results->front());
    ADD_FAILURE() << llvm::toString(results.takeError()) << "\nin\n" << text;
    return HostTensor::zeros(type("f32"), {0});
  }

  /// What a pattern keeps of head h of batch item b.
  sattn::KeptPairs keptBy(sattn::PatternAttrInterface pattern, const Case &c, llvm::ArrayRef<HostTensor> inputs,
                          const std::vector<bool> &kept, int64_t b, int64_t h) {
    auto itemOf = [&](const HostTensor &tokens) {
      std::vector<double> all = tokens.numbers();
      int64_t size = tokens.shape[1] * tokens.shape[2];
      return std::vector<double>(all.begin() + b * size, all.begin() + (b + 1) * size);
    };
    sattn::AttentionInputs item{c.queries,         c.keys,           c.heads, c.kvHeads, c.width, 2, itemOf(inputs[0]),
                                itemOf(inputs[1]), itemOf(inputs[2])};
    item.scale = 0.5;
    item.causal = c.causal;
    item.sameTokens = c.sameTokens;
    for (size_t i = 0; i < c.weights.size(); ++i)
      item.weights.push_back(inputs[inputs.size() - c.weights.size() + i].numbers());
    if (c.mask && pattern.readsNumbers())
      item.keyKept.assign(kept.begin() + b * c.keys, kept.begin() + (b + 1) * c.keys);
    sattn::HeadInputs head(item, h);
    sattn::KeptPairs pairs(c.queries, c.keys);
    pattern.keep(head, pairs);
    return pairs;
  }

  /// The pairs that indices hold for head h of batch item b, in causal order where that is asked for.
  sattn::KeptPairs heldBy(const std::vector<std::pair<sattn::KeyIndexType, HostTensor>> &indices, const Case &c,
                          int64_t b, int64_t h) {
    sattn::KeptPairs pairs(c.queries, c.keys);
    for (const auto &[type, stored] : indices) {
      std::vector<int64_t> numbers = readIntegers(stored);
      int64_t heads = stored.shape[1], rows = stored.shape[2], width = stored.shape[3];
      int64_t item = stored.shape[0] == 1 ? 0 : b, head = h / (c.heads / heads);
      for (int64_t q = 0; q < c.queries; ++q) {
        const int64_t *row =
            &numbers[((item * heads + head) * rows + (type.getRows() ? q / type.getRows() : 0)) * width];
        for (int64_t n = 1; n <= row[0]; ++n)
          for (int64_t k = row[n] * type.getColumns(); k < std::min(c.keys, (row[n] + 1) * type.getColumns()); ++k)
            if (!c.causal || k <= q + c.keys - c.queries)
              pairs.keep(q, k);
      }
    }
    return pairs;
  }

  /// Of patterns that mean something else than the softmax over the items of indices.
  void expectTheSameNumbers(const Case &c) {
    SCOPED_TRACE(c.str());
    std::vector<HostTensor> inputs = operands(c, masks(c, false));
    std::vector<std::pair<sattn::KeyIndexType, HostTensor>> indices;
    std::string text = c.module("sattn.attention " + c.pattern);
    HostTensor direct = evaluated(text, inputs);
    expectNumbers(lowered(text, inputs, indices), direct.numbers(), 1e-6);
  }

  /// Pairs are compared where `attend` reads them from indices.
  void expectTheSameMeaning(Case c) {
    SCOPED_TRACE(c.str());
    c = withWeights(c);
    sattn::PatternAttrInterface pattern = patternOf(c);
    std::vector<bool> kept = masks(c, false);
    std::vector<HostTensor> inputs = operands(c, kept);
    addWeights(c, inputs);
    std::vector<std::pair<sattn::KeyIndexType, HostTensor>> indices;
    std::string text = c.module("sattn.attention " + c.pattern);
    HostTensor direct = evaluated(text, inputs);
    expectNumbers(lowered(text, inputs, indices), direct.numbers(), 1e-6);
    for (int64_t b = 0; b < c.batch; ++b)
      for (int64_t h = 0; h < c.heads; ++h) {
        sattn::KeptPairs wanted = keptBy(pattern, c, inputs, kept, b, h), found = heldBy(indices, c, b, h);
        EXPECT_LE(wanted.count(), pattern.pairBound(c.queries, c.keys, c.causal));
        for (int64_t q = 0; !indices.empty() && q < c.queries; ++q)
          for (int64_t k = 0; k < c.keys; ++k)
            ASSERT_EQ(found(q, k), wanted(q, k))
                << "batch item " << b << " head " << h << " query " << q << " key " << k;
      }
  }

  /// Keeps a key for every query that has one before it, so that a float mask that leaves out all keys is none of this.
  void expectDense(Case c) {
    SCOPED_TRACE(c.str());
    c = withWeights(c);
    std::vector<HostTensor> inputs = operands(c, masks(c, true));
    std::vector<std::pair<sattn::KeyIndexType, HostTensor>> indices;
    std::vector<double> dense = evaluated(c.module("model.attention"), inputs).numbers();
    std::string text = c.module("sattn.attention " + c.pattern);
    addWeights(c, inputs);
    expectNumbers(evaluated(text, inputs), dense, 1e-6);
    expectNumbers(lowered(text, inputs, indices), dense, 1e-6);
  }

  std::string number(const char *name, int64_t value) { return std::string(name) + " = " + std::to_string(value); }

  std::mt19937 generator{11};
  static constexpr int kRounds = 60; // of random sizes, operands and parameters
};

TEST_F(Patterns, Window) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = "#sattn.window<" + number("size", oneOf({1, 2, 7, 64, 200})) + ", " +
                number("sinks", oneOf({0, 1, 4, 70})) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, LocalGlobal) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(true);
    c.meansOf = oneOf({1, 2, 5, 16, 64});
    c.pattern = "#sattn.local_global<" + number("block", c.meansOf) + ", " +
                number("key_tokens", 1 + below(std::min<int64_t>(c.meansOf, 4))) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, TopK) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = "#sattn.top_k<" + number("k", oneOf({1, 2, 5, 64, 200})) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, Fraction) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = std::string("#sattn.fraction<share = ") +
                oneOf({"0.001", "0.1", "0.3", "0.3333", "0.5", "0.9999", "1.0"}) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, BlockTopK) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.meansOf = oneOf({1, 3, 16, 64});
    int64_t k = 1 + below(5), sinks = below(k + 1);
    c.pattern = "#sattn.block_top_k<" + number("block", c.meansOf) + ", " + number("k", k) + ", " +
                number("sinks", sinks) + ", " + number("local", below(k - sinks + 1)) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, PageBounds) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.meansOf = oneOf({1, 3, 16});
    int64_t k = 1 + below(5);
    c.pattern = "#sattn.page_bounds<" + number("page", oneOf({1, 2, 16, 64})) + ", " + number("k", k) + ", " +
                number("block", c.meansOf) + ", " + number("local", below(k + 1)) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, Antidiagonal) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.isContinuous = true; // but rows of queries that the mask leaves out, whose cells are equal
    int64_t stride = oneOf({1, 2, 8, 16});
    c.pattern = "#sattn.antidiagonal<" + number("block", stride * oneOf({1, 2, 4})) + ", " + number("stride", stride) +
                ", mass = " + oneOf({"0.0513", "0.5171", "0.9137"}) + ", " + number("sinks", below(3)) + ", " +
                number("local", below(3)) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, VerticalSlash) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.isContinuous = true;
    c.causal = true;
    int64_t vertical = oneOf({1, 3, 20, 200}), slash = oneOf({1, 3, 20, 200});
    c.pattern = "#sattn.vertical_slash<" + number("vertical", vertical) + ", " + number("slash", slash) + ", " +
                number("sinks", below(vertical + 1)) + ", " + number("local", below(slash + 1)) + ", " +
                number("last", oneOf({1, 4, 64, 99})) + ", " + number("block", oneOf({1, 3, 16, 64})) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, Indexer) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    int64_t heads = oneOf({1, 2, 3}), width = oneOf({1, 4});
    c.pattern = "#sattn.indexer<" + number("k", oneOf({1, 2, 5, 64, 200})) + ", " + number("heads", heads) + ", " +
                number("width", width) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, BlockTopKByMass) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.isContinuous = true;
    c.pattern = "#sattn.block_top_k<" + number("block", oneOf({1, 3, 16, 64})) +
                ", mass = " + oneOf({"0.0513", "0.5171", "0.9137"}) + ", " + number("sinks", below(3)) + ", " +
                number("local", below(3)) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, GateQuantile) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = std::string("#sattn.gate_quantile<quantile = ") + oneOf({"0.0", "0.3", "0.7", "0.7777", "0.999"}) +
                ", per_head = " + oneOf({"true", "false"}) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, DynamicGate) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.pattern =
        std::string("#sattn.dynamic_gate<") +
        oneOf({"mass = 0.9, ", "mass = 0.031, ", "mass = 1.0, ", "threshold = 0.0, ", "threshold = 3.5, ", ""}) +
        "per_head = " + oneOf({"true", "false"}) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, TokenActivation) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(true);
    c.pattern =
        std::string("#sattn.token_activation<share = ") + oneOf({"0.001", "0.15", "0.5", "0.9999", "1.0"}) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, FocusAware) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(true);
    c.pattern = std::string("#sattn.focus_aware<") +
                oneOf({"", "skip = 0.0", "skip = 0.5", "skip = 0.99", "threshold = 0.5", "threshold = 0.9"}) + ">";
    expectTheSameMeaning(c);
  }
}

// A text gives the same alone and beside a longer one.
TEST_F(Patterns, PaddingChangesNothing) {
  for (const char *pattern : {"#sattn.gate_quantile<>", "#sattn.dynamic_gate<>", "#sattn.dynamic_gate<threshold = 1.0>",
                              "#sattn.focus_aware<threshold = 0.5>"})
    for (int i = 0; i < 10; ++i) {
      Case c = sizes(true);
      c.mask = Case::boolean;
      c.batch = 1;
      c.keys = c.queries = 1 + below(40);
      c.pattern = pattern;
      c = withWeights(c);
      SCOPED_TRACE(c.str());
      int64_t length = 1 + below(c.keys);
      std::vector<bool> kept(c.keys);
      std::fill_n(kept.begin(), length, true);
      std::vector<HostTensor> inputs = operands(c, kept), alone;
      for (HostTensor &input : inputs) { // the mask has its tokens along the last axis
        std::vector<double> numbers = input.numbers();
        llvm::SmallVector<int64_t> shape = input.shape;
        numbers.resize(numbers.size() / c.keys * length);
        shape[shape.size() == 4 ? 3 : 1] = length;
        alone.push_back(HostTensor::ofNumbers(input.element, shape, numbers));
      }
      addWeights(c, inputs);
      alone.insert(alone.end(), inputs.end() - c.weights.size(), inputs.end());
      std::string text = c.module("sattn.attention " + c.pattern);
      std::vector<double> found = evaluated(text, inputs).numbers(), wanted = evaluated(text, alone).numbers();
      found.resize(wanted.size());
      for (size_t n = 0; n < wanted.size(); ++n)
        ASSERT_NEAR(found[n], wanted[n], 1e-6) << "at " << n;
    }
}

// All tokens are active where none is left out.
TEST_F(Patterns, AllTokensActiveIsDense) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(true);
    c.mask = Case::none;
    c.pattern = "#sattn.token_activation<share = 1.0>";
    expectDense(c);
  }
}

TEST_F(Patterns, Linear) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = std::string("#sattn.linear<feature = ") + oneOf({"elu1", "relu"}) + ">";
    expectTheSameNumbers(c);
  }
}

TEST_F(Patterns, Ann) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    c.pattern = "#sattn.ann<" + number("k", oneOf({1, 2, 5, 64})) + ", " + number("tables", oneOf({1, 2, 5})) + ", " +
                number("bits", oneOf({1, 2, 6})) + ", " + number("seed", below(9)) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, AnnByCodewords) {
  for (int i = 0; i < kRounds; ++i) {
    Case c = sizes(false);
    c.width = 4;
    c.pattern = "#sattn.ann<" + number("k", oneOf({1, 2, 5, 64})) + ", method = pq, " +
                number("parts", oneOf({1, 2, 4})) + ", " + number("centroids", oneOf({1, 2, 7})) + ", " +
                number("candidates", oneOf({64, 70, 200})) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, BlockTopKBySimilarity) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(false);
    bool byMass = below(2);
    c.isContinuous = byMass;
    int64_t block = oneOf({1, 3, 16, 64}), k = 1 + below(5), sinks = below(k + 1);
    c.meansOf = byMass ? 0 : block;
    c.pattern = "#sattn.block_top_k<" + number("block", block) + ", " +
                (byMass ? std::string("mass = ") + oneOf({"0.0513", "0.5171", "0.9137"}) : number("k", k)) + ", " +
                number("sinks", sinks) + ", " + number("local", below(k - sinks + 1)) +
                ", similarity = " + oneOf({"0.0317", "0.2717", "0.6713", "0.9913"}) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, CompressedSelectedWindow) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    Case c = sizes(true);
    c.isContinuous = true;
    int64_t compress = oneOf({1, 2, 8}), k = 1 + below(5), sinks = below(k + 1);
    c.pattern = "#sattn.compressed_selected_window<" + number("block", compress * oneOf({1, 2, 4})) + ", " +
                number("k", k) + ", " + number("sinks", sinks) + ", " + number("local", below(k - sinks + 1)) + ", " +
                number("compress", compress) + ", " + number("window", oneOf({1, 5, 64, 200})) + ">";
    expectTheSameMeaning(c);
  }
}

TEST_F(Patterns, WhatKeepsEverythingIsDense) {
  for (int i = 0; i < 2 * kRounds; ++i) {
    const char *everything[] = {"#sattn.window<size = 131>",
                                "#sattn.window<size = 1, sinks = 130>",
                                "#sattn.local_global<block = 16, key_tokens = 16>",
                                "#sattn.local_global<block = 200, key_tokens = 1>",
                                "#sattn.top_k<k = 130>",
                                "#sattn.fraction<share = 1.0>",
                                "#sattn.block_top_k<block = 16, k = 9>",
                                "#sattn.block_top_k<block = 200, k = 1, local = 0>",
                                "#sattn.page_bounds<page = 2, k = 65>",
                                "#sattn.page_bounds<k = 9, block = 7, local = 0>",
                                "#sattn.antidiagonal<block = 16, stride = 4, sinks = 9>",
                                "#sattn.block_top_k<block = 16, mass = 0.001, sinks = 9>",
                                "#sattn.vertical_slash<vertical = 130, slash = 1, local = 0>",
                                "#sattn.vertical_slash<vertical = 1, slash = 130, sinks = 0, block = 4>",
                                "#sattn.ann<k = 130, method = pq, parts = 1, candidates = 130>",
                                "#sattn.dynamic_gate<threshold = -1000.0>"};
    constexpr int count = std::size(everything);
    Case c = sizes(i % count == 2 || i % count == 3);
    c.pattern = everything[i % count];
    c.causal |= c.pattern.find("slash") != std::string::npos;
    expectDense(c);
  }
}
} // namespace
