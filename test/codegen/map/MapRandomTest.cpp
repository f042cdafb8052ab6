// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs of ops that are exact, so that every bit must agree with the evaluator; and graphs that would explode.
#include "test/codegen/map/MapTest.h"

#include "dialects/model/ModelShapes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// Values of "n" and "m" that graphs are run with; the largest bounds what is generated.
constexpr std::pair<int64_t, int64_t> kSizes[] = {{17, 5}, {1, 1}, {3, 16}};
constexpr int64_t kMaxElements = 20000;

int64_t valueOf(const DimExpr &dim, std::pair<int64_t, int64_t> sizes) {
  return *dim.evaluate(
      [&](llvm::StringRef name) -> std::optional<int64_t> { return name == "n" ? sizes.first : sizes.second; });
}

/// Writes the text of a graph op by op.
class RandomGraph {
public:
  explicit RandomGraph(unsigned seed) : random(seed) {
    // The first argument names both symbols.
    addArgument("f32", {DimExpr::symbol("n"), DimExpr::symbol("m")});
    for (unsigned i = 0, count = 1 + pick(3); i < count; ++i)
      addArgument(anyElement(), anyDims());
    for (unsigned i = 0, count = 4 + pick(14); i < count; ++i)
      addOp();
  }

  std::string text() const {
    const Value &last = values.back();
    std::vector<std::pair<std::string, std::string>> results = {{last.name, type(last)}};
    // A second result of as many elements, if there is one.
    for (const Value &value : values)
      if (value.name != last.name && product(value.dims) == product(last.dims)) {
        results.push_back({value.name, type(value)});
        break;
      }
    return kernelText(arguments, body, results);
  }

  std::vector<HostTensor> inputs(MLIRContext *context, std::pair<int64_t, int64_t> sizes) {
    std::vector<HostTensor> tensors;
    for (size_t i = 0; i < arguments.size(); ++i) {
      std::vector<int64_t> shape;
      for (const DimExpr &dim : values[i].dims)
        shape.push_back(valueOf(dim, sizes));
      tensors.push_back(randomTensor(elementType(context, values[i].element), shape, random));
    }
    return tensors;
  }

private:
  struct Value {
    std::string name, element;
    model::Dims dims;
  };

  unsigned pick(unsigned count) { return random() % count; }
  std::string anyElement() {
    const char *const kElements[] = {"f32", "f32", "i64", "i32", "i1", "f16", "i8"};
    return kElements[pick(std::size(kElements))];
  }
  model::Dims anyDims() {
    const DimExpr kDims[] = {DimExpr::symbol("n"), DimExpr::symbol("m"), 1, 2, 6, 12};
    model::Dims dims;
    for (unsigned rank = pick(4); rank > 0; --rank)
      dims.push_back(kDims[pick(std::size(kDims))]);
    return dims;
  }
  const Value &anyValue() {
    return values[pick(2) ? values.size() - 1 - pick(std::min<size_t>(values.size(), 3)) : pick(values.size())];
  }

  static std::string type(const std::string &element, llvm::ArrayRef<DimExpr> dims) {
    std::vector<std::string> texts;
    for (const DimExpr &dim : dims)
      texts.push_back(dim.str());
    return typeText(texts, element);
  }
  static std::string type(const Value &value) { return type(value.element, value.dims); }

  void addArgument(const std::string &element, const model::Dims &dims) {
    values.push_back({"%a" + std::to_string(arguments.size()), element, dims});
    arguments.push_back(type(values.back()));
  }

  /// Appends `%x = text`; refuses results that are too large.
  const Value *add(const std::string &text, const std::string &element, const model::Dims &dims) {
    for (auto sizes : kSizes)
      if (valueOf(product(dims), sizes) > kMaxElements)
        return nullptr;
    std::string name = "%x" + std::to_string(count++);
    body += "  " + name + " = " + text + "\n";
    values.push_back({name, element, dims});
    return &values.back();
  }

  Value cast(const Value &value, const std::string &element) {
    if (value.element == element)
      return value;
    return *add("model.cast " + value.name + " : " + type(value) + " -> " + type(element, value.dims), element,
                value.dims);
  }

  void addOp() {
    Value x = anyValue();
    bool isFloat = x.element[0] == 'f', isBool = x.element == "i1";
    switch (pick(14)) {
    case 0: { // one operand
      if (isBool)
        return (void)add("model.elementwise logical_not " + x.name + " : (" + type(x) + ") -> " + type(x), "i1",
                         x.dims);
      const char *const kKinds[] = {"neg", "abs", "sign", "floor"};
      return (void)add(std::string("model.elementwise ") + kKinds[pick(4)] + " " + x.name + " : (" + type(x) + ") -> " +
                           type(x),
                       x.element, x.dims);
    }
    case 1:
    case 2:
    case 3: { // two operands
      Value y = anyValue();
      auto dims = model::broadcastDims(x.dims, y.dims);
      if (!dims || !fits(*dims))
        return;
      y = cast(y, x.element);
      const char *const kNumbers[] = {"add", "sub", "mul", "minimum", "maximum", "less", "equal", "div", "fmod"};
      const char *const kBools[] = {"logical_and", "logical_or", "logical_xor", "not_equal"};
      std::string kind = isBool ? kBools[pick(4)] : kNumbers[pick(9)];
      std::string element = kind == "less" || kind == "equal" ? "i1" : x.element;
      return (void)add("model.elementwise " + kind + " " + x.name + ", " + y.name + " : (" + type(x) + ", " + type(y) +
                           ") -> " + type(element, *dims),
                       element, *dims);
    }
    case 4: { // select
      Value y = anyValue(), z = anyValue();
      auto two = model::broadcastDims(x.dims, y.dims);
      auto dims = two ? model::broadcastDims(*two, z.dims) : std::nullopt;
      if (!dims || !fits(*dims))
        return;
      x = cast(x, "i1");
      z = cast(z, y.element);
      return (void)add("model.elementwise select " + x.name + ", " + y.name + ", " + z.name + " : (" + type(x) + ", " +
                           type(y) + ", " + type(z) + ") -> " + type(y.element, *dims),
                       y.element, *dims);
    }
    case 5:
      return (void)cast(x, anyElement());
    case 6: { // broadcast
      model::Dims dims = x.dims;
      for (DimExpr &dim : dims)
        if (dim.isConstant(1) && pick(2))
          dim = anyDims().empty() ? DimExpr(2) : DimExpr::symbol("m");
      if (pick(2))
        dims.insert(dims.begin(), pick(2) ? DimExpr(3) : DimExpr::symbol("n"));
      return (void)add("model.broadcast " + x.name + " : " + type(x) + " -> " + type(x.element, dims), x.element, dims);
    }
    case 7: { // reshape: join or split an axis, or everything at once
      model::Dims dims = x.dims;
      size_t axis = dims.empty() ? 0 : pick(dims.size());
      if (dims.size() > 1 && pick(3) == 0) {
        std::reverse(dims.begin(), dims.end());
      } else if (axis + 1 < dims.size() && pick(2)) {
        dims[axis] = dims[axis] * dims[axis + 1];
        dims.erase(dims.begin() + axis + 1);
      } else if (!dims.empty() && dims[axis].exactDiv(2) && pick(2)) {
        dims[axis] = *dims[axis].exactDiv(2);
        dims.insert(dims.begin() + axis + pick(2), DimExpr(2));
      } else {
        dims.insert(dims.begin() + axis, DimExpr(1));
      }
      return (void)add("model.reshape " + x.name + " : " + type(x) + " -> " + type(x.element, dims), x.element, dims);
    }
    case 8: { // transpose
      std::vector<std::string> order;
      for (size_t axis = 0; axis < x.dims.size(); ++axis)
        order.push_back(std::to_string(axis));
      std::shuffle(order.begin(), order.end(), random);
      model::Dims dims;
      for (const std::string &axis : order)
        dims.push_back(x.dims[std::stoi(axis)]);
      return (void)add("model.transpose " + x.name + " [" + llvm::join(order, ", ") + "] : " + type(x) + " -> " +
                           type(x.element, dims),
                       x.element, dims);
    }
    case 9: { // slice: reversed, shortened from the front, or every other element
      std::string starts, steps;
      model::Dims dims = x.dims;
      for (DimExpr &dim : dims) {
        DimExpr start;
        int64_t step = 1;
        switch (pick(4)) {
        case 0:
          start = dim - 1, step = -1;
          break;
        case 1:
          if (dim.constant() && *dim.constant() > 2)
            start = 1, step = 2, dim = *dim.constant() / 2;
          break;
        case 2:
          start = dim - 1, dim = 1;
          break;
        }
        starts += (starts.empty() ? "\"" : ", \"") + start.str() + "\"";
        steps += (steps.empty() ? "" : ", ") + std::to_string(step);
      }
      return (void)add("model.slice " + x.name + " [" + starts + "] step [" + steps + "] : " + type(x) + " -> " +
                           type(x.element, dims),
                       x.element, dims);
    }
    case 10: { // concat of operands that agree but along one axis
      if (x.dims.empty())
        return;
      size_t axis = pick(x.dims.size());
      model::Dims dims = x.dims;
      std::string names = x.name, types = type(x);
      for (const Value &other : values) {
        bool agrees = other.dims.size() == dims.size() && other.element == x.element;
        for (size_t i = 0; agrees && i < dims.size(); ++i)
          agrees = i == axis || other.dims[i] == dims[i];
        if (!agrees || pick(3) == 0)
          continue;
        dims[axis] = dims[axis] + other.dims[axis];
        names += ", " + other.name;
        types += ", " + type(other);
      }
      return (void)add("model.concat " + names + " axis " + std::to_string(axis) + " : (" + types + ") -> " +
                           type(x.element, dims),
                       x.element, dims);
    }
    case 11: { // gather by an integer taken into range
      Value data = anyValue();
      if (data.dims.empty() || !fits(x.dims) || x.dims.size() + data.dims.size() > 5)
        return;
      size_t axis = pick(data.dims.size());
      model::Dims dims(data.dims.begin(), data.dims.begin() + axis);
      dims.append(x.dims);
      dims.append(data.dims.begin() + axis + 1, data.dims.end());
      if (!fits(dims))
        return;
      Value raw = cast(x, pick(2) ? "i64" : "i32"), wide = cast(raw, "i64");
      std::string size = "%size" + std::to_string(count);
      body += "  " + size + " = model.sizes [\"" + data.dims[axis].str() + "\"] : tensor<i64>\n";
      const Value *at = add("model.elementwise " + std::string(pick(2) ? "mod " : "fmod ") + wide.name + ", " + size +
                                " : (" + type(wide) + ", tensor<i64>) -> " + type(wide),
                            "i64", wide.dims);
      Value indices = *at;
      return (void)add("model.gather " + data.name + ", " + indices.name + " axis " + std::to_string(axis) + " : " +
                           type(data) + ", " + type(indices) + " -> " + type(data.element, dims),
                       data.element, dims);
    }
    case 12: { // reduce; sums only of integers, whose order does not matter
      if (isBool || x.dims.empty())
        return;
      std::string axes;
      model::Dims dims = x.dims;
      for (size_t axis = 0; axis < dims.size(); ++axis)
        if (pick(2)) {
          axes += (axes.empty() ? "" : ", ") + std::to_string(axis);
          dims[axis] = 1;
        }
      const char *const kKinds[] = {"max", "min", "sum", "mean", "prod"};
      return (void)add(std::string("model.reduce ") + kKinds[pick(isFloat ? 2 : 5)] + " " + x.name + " axes [" + axes +
                           "] : " + type(x) + " -> " + type(x.element, dims),
                       x.element, dims);
    }
    case 13: { // generators
      if (pick(2))
        return (void)add("model.iota \"m - 1\" step \"2*n - 3\" : " + type("i64", {DimExpr::symbol("m")}), "i64",
                         {DimExpr::symbol("m")});
      return (void)add("model.constant dense<[1.5, -2.0, 0.25, 1.0e3, -0.0, 7.0]> : tensor<6xf32>", "f32",
                       {DimExpr(6)});
    }
    }
  }

  static bool fits(const model::Dims &dims) {
    return llvm::all_of(kSizes, [&](auto sizes) { return valueOf(product(dims), sizes) <= kMaxElements; });
  }

  std::mt19937 random;
  std::vector<std::string> arguments;
  std::vector<Value> values;
  std::string body;
  unsigned count = 0;
};
} // namespace

TEST_P(MapTest, RandomGraphs) {
  for (unsigned seed = 0; seed < 250; ++seed) {
    RandomGraph graph(seed);
    std::string text = graph.text();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    auto kernel = mapKernel(text, target());
    ASSERT_TRUE(kernel);
    for (auto sizes : kSizes)
      expectExact(*kernel, graph.inputs(kernel->context(), sizes));
    if (HasFailure())
      return;
  }
}
