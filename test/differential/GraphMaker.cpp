// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: inputs, and which op comes next.
#include "test/differential/GraphMaker.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLExtras.h"

using namespace tamis;
using namespace tamis::test;

/// Sizes around those of vectors and tiles of some target.
static const std::vector<int64_t> kSizes{1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65};
static constexpr int64_t kMostElements = 1 << 18;

void GraphMaker::makeInputs() {
  // One shape, and parts of it, so that operands find each other.
  Dims shape;
  for (const GraphSymbol &symbol : graph.symbols) // each is an axis of an input
    shape.push_back(DimExpr::symbol(symbol.name));
  for (int64_t i = random.between(0, 2); i > 0; --i)
    shape.push_back(random.of(kSizes));
  auto part = [&] {
    Dims dims(shape.begin() + random.below(int64_t(shape.size()) + 1), shape.end());
    for (DimExpr &dim : dims)
      if (random.oneIn(8))
        dim = 1;
    return dims;
  };
  auto give = [&](const std::string &element, const Dims &dims, double most, int64_t indexes) {
    GraphValue value{.element = element, .dims = dims, .most = most, .indexes = indexes};
    graph.addInput(std::move(value));
  };
  give("f32", shape, 2, 0);
  for (int64_t i = random.between(0, 2); i > 0; --i)
    give(random.oneIn(8) ? "f16" : random.oneIn(12) ? "f64" : "f32", part(), 2, 0);
  if (random.oneIn(2)) // indices of some axis
    give(random.oneIn(4) ? "i32" : "i64", part(), 0, random.of(kSizes));
  if (random.oneIn(3))
    give(random.of<std::string>({"i64", "i32", "i8", "ui8", "i1"}), part(), 0, 0);
}

void GraphMaker::make(int64_t ops) {
  using Step = bool (GraphMaker::*)();
  static const std::vector<Step> kSteps{
      &GraphMaker::unary,       &GraphMaker::unary,           &GraphMaker::function,   &GraphMaker::function,
      &GraphMaker::binary,      &GraphMaker::binary,          &GraphMaker::binary,     &GraphMaker::quotient,
      &GraphMaker::integers,    &GraphMaker::comparison,      &GraphMaker::select,     &GraphMaker::cast,
      &GraphMaker::reshape,     &GraphMaker::reshape,         &GraphMaker::transpose,  &GraphMaker::transpose,
      &GraphMaker::broadcast,   &GraphMaker::slice,           &GraphMaker::concat,     &GraphMaker::gather,
      &GraphMaker::gatherNd,    &GraphMaker::scatter,         &GraphMaker::iota,       &GraphMaker::reduce,
      &GraphMaker::reduce,      &GraphMaker::softmax,         &GraphMaker::cumulative, &GraphMaker::topK,
      &GraphMaker::matmul,      &GraphMaker::matmul,          &GraphMaker::linear,     &GraphMaker::linear,
      &GraphMaker::norm,        &GraphMaker::embedding,       &GraphMaker::attention,  &GraphMaker::writtenActivation,
      &GraphMaker::writtenNorm, &GraphMaker::writtenAttention};
  makeInputs();
  int64_t made = 0;
  for (int64_t tries = 0; made < ops && tries < 20 * ops; ++tries)
    made += (this->*random.of(kSteps))();
}

std::optional<size_t> GraphMaker::pick(llvm::function_ref<bool(const GraphValue &)> fits) {
  std::vector<size_t> found;
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (!graph.values[i].isLast && fits(graph.values[i]))
      found.push_back(i);
  if (found.empty())
    return std::nullopt;
  return random.oneIn(2) ? found.back() : random.of(found);
}

std::optional<size_t> GraphMaker::pickFloat(size_t leastRank) {
  return pick([&](const GraphValue &value) { return value.isFloat() && value.rank() >= leastRank; });
}

bool GraphMaker::add(const std::string &text, GraphValue value) {
  graph.add(text, std::move(value));
  return true;
}

bool GraphMaker::elementwise(const std::string &function, const std::vector<size_t> &operands, GraphValue result) {
  if (!isJudged(result))
    return false;
  std::string text = "model.elementwise " + function + " " + graph.operands(operands) + " : (" + graph.types(operands) +
                     ") -> " + result.type();
  return add(text, std::move(result));
}

bool GraphMaker::isJudged(const GraphValue &result) const {
  double most = result.element == "f16" ? 100 : 1000;
  return graph.largestCount(result.dims) <= kMostElements &&
         (!result.isFloat() || (result.most <= most && result.error <= 1e-2 * std::max(result.most, 0.1)));
}

size_t GraphMaker::constant(double number, const std::string &element) {
  GraphValue value{.element = element, .most = std::abs(number)};
  bool isFloat = value.isFloat();
  std::string digits = isFloat ? std::to_string(number) : std::to_string(int64_t(number));
  size_t added = graph.add("model.constant dense<" + digits + "> : " + value.type(), value);
  graph.use(added); // no output
  return added;
}

size_t GraphMaker::weight(const Dims &dims) {
  std::string key = "weight" + std::to_string(weights.size());
  llvm::SmallVector<int64_t> shape;
  for (const DimExpr &dim : dims)
    shape.push_back(*dim.constant());
  auto type = mlir::RankedTensorType::get(shape, mlir::Float32Type::get(context));
  llvm::MutableArrayRef<char> bytes = weights.allocate(size_t(type.getNumElements()) * sizeof(float));
  auto *numbers = reinterpret_cast<float *>(bytes.data());
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    numbers[i] = float(random.between(-1000, 1000)) / 1000;
  llvm::cantFail(weights.add(key, type, bytes));
  size_t added = graph.add("model.weight \"" + key + "\" : " + tensorType("f32", dims),
                           {.element = "f32", .dims = dims, .most = 1});
  graph.use(added); // no output
  return added;
}

double GraphMaker::rounding(const std::string &element, double most) {
  // A few units in the last place: functions are approximations (VectorMath.h), sums have another order.
  double unit = element == "f16" ? 1e-3 : element == "bf16" ? 8e-3 : 5e-7;
  return unit * most + (element == "f16" ? 1e-7 : 1e-30);
}
