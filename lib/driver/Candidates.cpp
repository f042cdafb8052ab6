// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What patterns would do to the attentions of a model, measured.
#include "lib/driver/Candidates.h"

#include "dialects/model/ModelDialect.h"
#include "lib/driver/HostPlan.h"
#include "lib/driver/Pipeline.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "passes/sparsify/Policy.h"
#include <chrono>
#include <cmath>
#include <map>

using namespace mlir;
using namespace tamis;

/// Pairs of a query and a key that are computed for one candidate at most, over all heads, layers and passages, beside
/// those of the first passage: some seconds of dense attention.
static constexpr int64_t kMostPairs = int64_t(1) << 31;
/// Pairs of all heads and layers that are looked at to tell what share of them is kept, some seconds a candidate.
static constexpr int64_t kCountedPairs = int64_t(1) << 26;
/// Runs of a layer on a passage; the quickest counts.
static constexpr int kRepetitions = 3;
/// Shorter passages are not tried.
static constexpr int64_t kShortest = 16;

/// Splits at commas outside of parentheses.
static SmallVector<StringRef> splitList(StringRef list) {
  SmallVector<StringRef> parts;
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i <= list.size(); ++i) {
    if (i == list.size() || (list[i] == ',' && depth == 0)) {
      parts.push_back(list.slice(start, i).trim());
      start = i + 1;
      continue;
    }
    depth += list[i] == '(' ? 1 : list[i] == ')' ? -1 : 0;
  }
  return parts;
}

/// Each is a plan to compile and run, a second or more: the sizes halve or quarter what is kept.
static std::string ladder(int64_t keys) {
  std::string list;
  auto add = [&](const Twine &text) { list += (list.empty() ? "" : ", ") + text.str(); };
  for (int64_t share : {4, 8, 16})
    if (keys / share >= 8)
      add("window(size=" + Twine(llvm::PowerOf2Ceil(keys) / share) + ", sinks=4)");
  for (int64_t block : {64, 32})
    if (2 * block <= keys) {
      add("local_global(block=" + Twine(block) + ", key_tokens=" + Twine(block / 8) + ")");
      for (int64_t k = llvm::PowerOf2Ceil(keys / block) / 2; k >= 2 && k * block * 8 >= keys; k /= 2)
        add("block_top_k(block=" + Twine(block) + ", k=" + Twine(k) + ")");
    }
  for (int64_t k : {64, 16})
    if (4 * k <= keys)
      add("top_k(k=" + Twine(k) + ")");
  add("fraction(share=0.3)");
  return list;
}

FailureOr<std::vector<Candidate>> tamis::makeCandidates(StringRef list, int64_t keys, Location loc) {
  std::vector<Candidate> candidates{{"dense", {}}};
  std::string own = ladder(keys);
  for (StringRef text : splitList(list.trim().empty() ? StringRef(own) : list)) {
    if (text == "dense")
      continue;
    auto pattern = sparsify::parsePattern(text, loc);
    if (!pattern)
      return failure();
    if (llvm::none_of(candidates, [&](const Candidate &known) { return known.pattern == pattern; }))
      candidates.push_back({text.str(), pattern});
  }
  return candidates;
}

namespace {
/// The sizes of an attention's tensors under names of their own, with which it is a model by itself.
class LayerModel {
public:
  explicit LayerModel(Operation *layer) : layer(layer) {}

  /// `main(query, key, value, mask if any, weights if any)`; the pattern is null for dense attention.
  OwningOpRef<ModuleOp> make(sattn::PatternAttrInterface pattern) {
    Location loc = layer->getLoc();
    OpBuilder builder(layer->getContext());
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
    builder.setInsertionPointToStart(module->getBody());
    SmallVector<Type> types;
    for (Value operand : layer->getOperands())
      types.push_back(renamed(operand.getType()));
    unsigned given = types.size();
    Type result = renamed(layer->getResult(0).getType());
    if (pattern)
      for (const sattn::PatternWeight &weight : pattern.weights(sizes(types, result)))
        types.push_back(RankedTensorType::get(weight.shape, builder.getF32Type()));
    auto main = func::FuncOp::create(builder, loc, "main", builder.getFunctionType(types, result));
    model::setSymbols(main, symbols);
    for (unsigned i = 0; i < types.size(); ++i)
      main.setArgAttr(i, "model.name", builder.getStringAttr("operand " + Twine(i)));
    main.setResultAttr(0, "model.name", builder.getStringAttr("result"));
    builder.setInsertionPointToEnd(main.addEntryBlock());
    auto op = cast<model::AttentionOp>(layer);
    Value mask = given == 4 ? main.getArgument(3) : Value();
    ValueRange weights = main.getArguments().drop_front(given);
    Value attention;
    if (pattern)
      attention = sattn::AttentionOp::create(builder, loc, result, pattern, main.getArgument(0), main.getArgument(1),
                                             main.getArgument(2), mask, weights, op.getHeadsAttr(), op.getKvHeadsAttr(),
                                             op.getScaleAttr(), op.getCausalAttr());
    else
      attention = model::AttentionOp::create(builder, loc, result, main.getArgument(0), main.getArgument(1),
                                             main.getArgument(2), mask, op.getHeadsAttr(), op.getKvHeadsAttr(),
                                             op.getScaleAttr(), op.getCausalAttr());
    func::ReturnOp::create(builder, loc, attention);
    return module;
  }

private:
  Type renamed(Type type) {
    model::Dims dims = model::dimsOf(type);
    for (auto [axis, dim] : llvm::enumerate(dims)) {
      if (dim.constant())
        continue;
      auto known = llvm::find_if(names, [&](const auto &name) { return name.first == dim; });
      if (known == names.end()) {
        names.push_back({dim, "size" + std::to_string(names.size())});
        symbols.push_back({names.back().second, defaultMinSize, defaultMaxSize});
        known = std::prev(names.end());
      }
      dim = DimExpr::symbol(known->second);
    }
    return model::tensorType(cast<RankedTensorType>(type).getElementType(), dims);
  }

  sattn::AttentionSizes sizes(ArrayRef<Type> types, Type result) {
    auto op = cast<model::AttentionOp>(layer);
    model::Dims query = model::dimsOf(types[0]), key = model::dimsOf(types[1]);
    int64_t heads = op.getHeads();
    return {query[1],
            key[1],
            heads,
            int64_t(op.getKvHeads()),
            *query[2].constant() / heads,
            *model::dimsOf(result)[2].constant() / heads,
            op.getCausal()};
  }

  Operation *layer;
  std::vector<std::pair<DimExpr, std::string>> names;
  SmallVector<model::Symbol> symbols;
};

/// Layers of the same sizes and attributes, which one plan serves.
struct Alike {
  SmallVector<unsigned> layers;
};

npy::Array arrayOf(ArrayRef<double> numbers, ArrayRef<int64_t> shape) {
  std::vector<float> floats(numbers.begin(), numbers.end());
  npy::Array array{TAMIS_F32, {shape.begin(), shape.end()}, {}};
  auto *bytes = reinterpret_cast<const uint8_t *>(floats.data());
  array.bytes.assign(bytes, bytes + floats.size() * sizeof(float));
  return array;
}

class Measurement {
public:
  Measurement(ArrayRef<Operation *> layers, ArrayRef<ModelRun> runs, const Activity &activity)
      : layers(layers), runs(runs), activity(activity) {
    for (auto [number, layer] : llvm::enumerate(layers)) {
      auto group = llvm::find_if(groups, [&, layer = layer](const Alike &alike) {
        Operation *other = layers[alike.layers.front()];
        return other->getAttrDictionary() == layer->getAttrDictionary() &&
               other->getOperandTypes() == layer->getOperandTypes() &&
               other->getResultTypes() == layer->getResultTypes();
      });
      if (group == groups.end())
        group = groups.insert(groups.end(), Alike());
      group->layers.push_back(number);
    }
    this->runs = runs.take_front(passageCount());
  }

  LogicalResult run(Candidate &candidate) {
    activity("trying " + candidate.text + " ...");
    candidate.seconds.resize(layers.size());
    candidate.pairs.resize(layers.size());
    candidate.errors.resize(layers.size());
    if (!candidate.pattern)
      dense.resize(layers.size()), counted.resize(layers.size());
    for (const Alike &alike : groups)
      if (failed(run(candidate, alike)))
        return failure();
    return success();
  }

private:
  /// As many of the first passages as `kMostPairs` allows.
  size_t passageCount() {
    int64_t pairs = 0;
    for (size_t p = 0; p < runs.size(); ++p) {
      for (auto [layer, operands] : llvm::zip_equal(layers, runs[p].attentions))
        pairs += operands.query.dims[0] * operands.query.dims[1] * operands.key.dims[1] *
                 int64_t(cast<model::AttentionOp>(layer).getHeads());
      if (p && pairs > kMostPairs)
        return p;
    }
    return runs.size();
  }

  LogicalResult run(Candidate &candidate, const Alike &alike) {
    Operation *like = layers[alike.layers.front()];
    OwningOpRef<ModuleOp> module = LayerModel(like).make(candidate.pattern);
    // What a candidate cannot do is an answer here, and no error.
    std::string reason;
    std::optional<Plan> plan;
    {
      ScopedDiagnosticHandler handler(like->getContext(), [&](Diagnostic &diagnostic) {
        if (reason.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
          reason = diagnostic.str();
        return success();
      });
      PassManager manager(like->getContext());
      addSelectionPasses(manager);
      if (succeeded(mlir::verify(*module)) && succeeded(manager.run(*module)))
        if (auto made = planForHost(*module, {}); succeeded(made))
          plan = std::move(*made);
    }
    if (!plan && !candidate.pattern)
      return like->emitError(reason);
    if (!plan) {
      candidate.refused = reason.empty() ? "no code" : reason;
      return success();
    }
    auto context = plan->context(1);
    if (!context)
      return like->emitError(context.error().message());
    for (unsigned layer : alike.layers)
      if (failed(run(candidate, layer, *context)))
        return failure();
    return candidate.refused.empty() ? shorten(candidate, alike.layers.front(), *context) : success();
  }

  /// Runs halves, quarters, ... of the first passage.
  LogicalResult shorten(Candidate &candidate, unsigned number, Context &context) {
    auto layer = cast<model::AttentionOp>(layers[number]);
    const AttentionOperands &operands = runs.front().attentions[number];
    model::Dims query = model::dimsOf(layer.getQuery().getType()), key = model::dimsOf(layer.getKey().getType());
    int64_t keys = operands.key.dims[1];
    if (query[1] != key[1] || key[1].constant())
      return success();
    int64_t below = keys;
    for (int64_t length = keys / 2; length >= kShortest; length /= 2) {
      Passage passage{"passage 0", {}};
      for (const npy::Array *array : {&operands.query, &operands.key, &operands.value})
        passage.inputs.push_back(cut(*array, 1, length));
      if (operands.mask) {
        npy::Array mask = cut(*operands.mask, 3, length);
        passage.inputs.push_back(mask.dims[2] == keys ? cut(mask, 2, length) : mask);
      }
      llvm::append_range(passage.inputs, weights);
      double best = INFINITY;
      if (failed(time(context, passage, layer.getLoc(), best)))
        return failure();
      if (!candidate.pattern)
        shortSeconds[{number, length}] = best;
      else if (best < shortSeconds[{number, length}])
        below = length;
      else
        break;
    }
    candidate.denseBelow = std::max(candidate.denseBelow, below);
    return success();
  }

  /// The first `size` along an axis.
  static npy::Array cut(const npy::Array &array, size_t axis, int64_t size) {
    npy::Array part{array.type, array.dims, {}};
    part.dims[axis] = size;
    size_t outer = 1, inner = tamis_element_size(array.type);
    for (size_t i = 0; i < array.dims.size(); ++i)
      (i < axis ? outer : inner) *= i == axis ? 1 : array.dims[i];
    for (size_t i = 0; i < outer; ++i) {
      auto first = array.bytes.begin() + i * array.dims[axis] * inner;
      part.bytes.insert(part.bytes.end(), first, first + size * inner);
    }
    return part;
  }

  /// The quickest of some runs, and what the last one gives.
  FailureOr<std::vector<npy::Array>> time(Context &context, const Passage &passage, Location loc, double &best) {
    FailureOr<std::vector<npy::Array>> outputs;
    for (int i = 0; i < kRepetitions; ++i) {
      auto start = std::chrono::steady_clock::now();
      outputs = runPlan(context, passage, loc);
      if (failed(outputs))
        return failure();
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return outputs;
  }

  LogicalResult run(Candidate &candidate, unsigned number, Context &context) {
    auto layer = cast<model::AttentionOp>(layers[number]);
    weights.clear();
    fitted.clear();
    fit(candidate, number);
    if (!candidate.refused.empty())
      return success();
    int64_t heads = layer.getHeads();
    std::vector<double> apart(heads), whole(heads), squares(heads);
    double allSquares = 0, bound = 0, all = 0;
    for (auto [p, run] : llvm::enumerate(runs)) {
      const AttentionOperands &operands = run.attentions[number];
      Passage inputs{"passage " + std::to_string(p), {operands.query, operands.key, operands.value}};
      if (operands.mask)
        inputs.inputs.push_back(*operands.mask);
      llvm::append_range(inputs.inputs, weights);
      double best = INFINITY;
      auto result = time(context, inputs, layer.getLoc(), best);
      if (failed(result))
        return failure();
      candidate.seconds[number] += best / double(runs.size());
      auto queries = operands.query.dims[1], keys = operands.key.dims[1];
      int64_t allowed = 0;
      for (int64_t q = 0; q < queries; ++q)
        allowed += layer.getCausal() ? std::clamp<int64_t>(q + keys - queries + 1, 0, keys) : keys;
      all += double(allowed);
      bound +=
          double(candidate.pattern ? std::min(allowed, candidate.pattern.pairBound(queries, keys, layer.getCausal()))
                                   : allowed);
      if (!candidate.pattern) {
        dense[number].push_back(std::move(result->front()));
        counted[number].push_back(countedQueries(layer, operands));
        continue;
      }
      compare(result->front(), dense[number][p], heads, counted[number][p], apart, whole, squares, allSquares);
    }
    candidate.pairs[number] = all ? bound / all : 1;
    for (int64_t h = 0; h < heads; ++h)
      candidate.errors[number].push_back(
          {whole[h] > 0 ? apart[h] / whole[h] : 0, allSquares > 0 ? squares[h] / allSquares : 0});
    if (candidate.pattern)
      count(candidate, number);
    return success();
  }

  /// What is kept of dense attention on the first passage.
  void count(Candidate &candidate, unsigned number) {
    std::vector<sattn::AttentionInputs> items = itemsOf(layers[number], runs.front().attentions[number]);
    if (items.empty())
      return;
    sattn::AttentionInputs &item = items.front();
    if (item.heads * item.queries * item.keys * int64_t(layers.size()) > kCountedPairs)
      return;
    item.weights = fitted;
    for (int64_t h = 0; h < item.heads; ++h) {
      sattn::HeadInputs head(item, h);
      sattn::KeptPairs pairs(head.queries, head.keys);
      candidate.pattern.keep(head, pairs);
      countHead(head, pairs, candidate.errors[number][h]);
    }
  }

  static void countHead(const sattn::HeadInputs &head, const sattn::KeptPairs &pairs, HeadError &figures) {
    double kept = 0, readable = 0, mass = 0, rows = 0;
    std::vector<double> weights(head.keys);
    sattn::KeptPairs all(head.queries, head.keys, true);
    for (int64_t q = 0; q < head.queries; ++q) {
      if (head.sameTokens && !head.isKept(q))
        continue;
      double ofRow = 0;
      bool any = sattn::weigh(head, all, q, weights) > -INFINITY;
      for (int64_t k = 0; k < head.keys; ++k)
        if (head.mayPick(q, k)) {
          ++readable;
          kept += pairs(q, k);
          ofRow += pairs(q, k) ? weights[k] : 0;
        }
      mass += any ? ofRow : 0;
      rows += any;
    }
    figures.kept = readable > 0 ? kept / readable : 1;
    figures.mass = rows > 0 ? mass / rows : 1;
  }

  /// What a padded query reads is nobody's loss.
  static std::vector<bool> countedQueries(model::AttentionOp layer, const AttentionOperands &operands) {
    std::vector<bool> counts;
    int64_t queries = operands.query.dims[1];
    for (const sattn::AttentionInputs &item : itemsOf(layer, operands))
      for (int64_t q = 0; q < queries; ++q)
        counts.push_back(!item.sameTokens || item.keyKept.empty() || item.keyKept[q]);
    return counts;
  }

  static void compare(const npy::Array &found, const npy::Array &right, int64_t heads, const std::vector<bool> &counts,
                      std::vector<double> &apart, std::vector<double> &whole, std::vector<double> &squares,
                      double &allSquares) {
    auto *a = reinterpret_cast<const float *>(found.bytes.data()),
         *b = reinterpret_cast<const float *>(right.bytes.data());
    int64_t width = right.dims[2] / heads;
    for (size_t row = 0; row < counts.size(); ++row)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t d = 0; counts[row] && d < width; ++d) {
          size_t at = (row * heads + h) * width + d;
          double difference = double(a[at]) - double(b[at]);
          apart[h] += std::abs(difference);
          whole[h] += std::abs(double(b[at]));
          squares[h] += difference * difference;
          allSquares += double(b[at]) * double(b[at]);
        }
  }

  /// Weights of the candidate's own, fitted to all passages.
  void fit(Candidate &candidate, unsigned number) {
    auto layer = cast<model::AttentionOp>(layers[number]);
    if (!candidate.pattern)
      return;
    std::vector<sattn::AttentionInputs> samples;
    SmallVector<sattn::PatternWeight> wanted = candidate.pattern.weights(sizesOf(layer));
    if (wanted.empty())
      return;
    for (const ModelRun &run : runs)
      llvm::append_range(samples, itemsOf(layer, run.attentions[number]));
    fitted = candidate.pattern.fit(samples);
    if (fitted.size() != wanted.size()) {
      candidate.refused = "its weights cannot be fitted";
      return;
    }
    for (auto [weight, numbers] : llvm::zip_equal(wanted, fitted))
      weights.push_back(arrayOf(numbers, weight.shape));
  }

  ArrayRef<Operation *> layers;
  ArrayRef<ModelRun> runs;
  const Activity &activity;
  std::vector<Alike> groups;
  std::vector<npy::Array> weights;                             ///< of the candidate and layer at hand
  std::vector<std::vector<double>> fitted;                     ///< the same as numbers
  std::map<std::pair<unsigned, int64_t>, double> shortSeconds; ///< of dense attention, by layer and length
  std::vector<std::vector<npy::Array>> dense;                  ///< outputs by layer and passage
  std::vector<std::vector<std::vector<bool>>> counted;         ///< queries that count, by layer and passage
};
} // namespace

LogicalResult tamis::measure(std::vector<Candidate> &candidates, ArrayRef<Operation *> layers, ArrayRef<ModelRun> runs,
                             const Activity &activity) {
  Measurement measurement(layers, runs, activity);
  for (Candidate &candidate : candidates)
    if (failed(measurement.run(candidate)))
      return failure();
  return success();
}

std::optional<double> tamis::meanOf(ArrayRef<HeadError> heads, std::optional<double> HeadError::*figure, int64_t first,
                                    int64_t count) {
  double sum = 0;
  for (int64_t h = first; h < first + count; ++h) {
    if (h >= int64_t(heads.size()) || !(heads[h].*figure))
      return std::nullopt;
    sum += *(heads[h].*figure);
  }
  return count ? std::optional(sum / double(count)) : std::nullopt;
}

double tamis::overlapOf(sattn::PatternAttrInterface pattern, const sattn::AttentionInputs &item,
                        const sattn::AttentionInputs &other) {
  double both = 0, kept = 0;
  for (int64_t h = 0; h < item.heads; ++h) {
    sattn::HeadInputs head(item, h), otherHead(other, h);
    sattn::KeptPairs own(head.queries, head.keys), others(head.queries, head.keys);
    pattern.keep(head, own);
    pattern.keep(otherHead, others);
    for (int64_t q = 0; q < head.queries; ++q)
      for (int64_t k = 0; k < head.keys; ++k) {
        kept += own(q, k);
        both += own(q, k) && others(q, k);
      }
  }
  return kept > 0 ? both / kept : 1;
}

sattn::AttentionSizes tamis::sizesOf(Operation *layer) {
  auto op = cast<model::AttentionOp>(layer);
  model::Dims query = model::dimsOf(op.getQuery().getType()), result = model::dimsOf(op.getType());
  int64_t heads = op.getHeads();
  return {query[1],
          model::dimsOf(op.getKey().getType())[1],
          heads,
          int64_t(op.getKvHeads()),
          *query[2].constant() / heads,
          *result[2].constant() / heads,
          op.getCausal()};
}
