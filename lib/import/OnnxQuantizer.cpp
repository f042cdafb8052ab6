// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX graph whose weights become integers.
#include "lib/import/OnnxQuantizer.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace tamis;
using llvm::ArrayRef;
using onnx::NodeProto;
using onnx::TensorProto;
using Names = std::vector<std::string>;

namespace {
/// All names that nodes read, those of graphs inside of nodes, too.
void collectReads(const onnx::GraphProto &graph, llvm::StringSet<> &reads) {
  for (const NodeProto &node : graph.node()) {
    for (const std::string &input : node.input())
      reads.insert(input);
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectReads(attribute.g(), reads);
      for (const onnx::GraphProto &inner : attribute.graphs())
        collectReads(inner, reads);
    }
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    reads.insert(output.name());
}

int64_t integerOf(const NodeProto &node, llvm::StringRef name, int64_t missing) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.i();
  return missing;
}

bool swapsTwoAxes(const NodeProto &node) {
  if (node.op_type() != "Transpose" || !node.domain().empty())
    return false;
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == "perm")
      return attribute.ints_size() == 2 && attribute.ints(0) == 1;
  return true; // of two axes; the weight's rank is known elsewhere
}

bool hasPlainFactors(const NodeProto &node) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if ((attribute.name() == "alpha" || attribute.name() == "beta") && attribute.f() != 1)
      return false;
  return integerOf(node, "transA", 0) == 0;
}

class OnnxQuantizer {
public:
  OnnxQuantizer(onnx::ModelProto &model, const IntegerWeights &weights)
      : graph(*model.mutable_graph()), weights(weights) {}

  size_t run() {
    for (const TensorProto &tensor : graph.initializer())
      if (tensor.dims_size() == 2 && tensor.data_type() == TensorProto::FLOAT)
        sources[tensor.name()] = {tensor.name(), false};
    for (const TensorProto &tensor : graph.initializer())
      taken.insert(tensor.name());
    for (const NodeProto &node : graph.node()) {
      taken.insert(node.name());
      for (const std::string &output : node.output())
        taken.insert(output);
      if (swapsTwoAxes(node) && sources.count(node.input(0)))
        sources[node.output(0)] = {sources[node.input(0)].first, !sources[node.input(0)].second};
    }
    for (const onnx::ValueInfoProto &input : graph.input())
      taken.insert(input.name());
    auto nodes = std::move(*graph.mutable_node());
    graph.clear_node();
    for (NodeProto &node : nodes)
      rewrite(node);
    removeUnread();
    return quantized.size();
  }

private:
  void rewrite(NodeProto &node) {
    bool isMatMul = node.op_type() == "MatMul", isGemm = node.op_type() == "Gemm" && hasPlainFactors(node);
    bool isGather = node.op_type() == "Gather" && integerOf(node, "axis", 0) == 0;
    size_t operand = isGather ? 0 : 1;
    auto source = node.domain().empty() && (isMatMul || isGemm || isGather) && size_t(node.input_size()) > operand
                      ? sources.find(node.input(int(operand)))
                      : sources.end();
    auto found = source == sources.end() ? weights.end() : weights.find({source->second.first, isGather});
    bool isTransposed = source != sources.end() && source->second.second;
    if (found == weights.end() || (isGather && isTransposed)) {
      *graph.add_node() = std::move(node);
      return;
    }
    // How integers lie in the new initializer: as what the node wants, K x N, or N x K.
    bool outputsFirst = isGather || (isGemm && integerOf(node, "transB", 0) != 0);
    const IntegerWeight &weight = found->second;
    if (!isGather && (!weight.smoothing.empty() || weight.quantizesRows))
      node.set_input(0, roundedInput(node.input(0), weight));
    node.set_input(int(operand), dequantized(found->first, weight, outputsFirst));
    if (weight.change.empty()) {
      *graph.add_node() = std::move(node);
      return;
    }
    std::string output = node.output(0), sum = unique(output + "_rounded");
    node.set_output(0, sum);
    *graph.add_node() = std::move(node);
    std::vector<float> back(weight.change.size());
    llvm::transform(weight.change, back.begin(), [](float change) { return -change; });
    addNode("Add", {sum, floats(found->first.first + "_mean", {int64_t(back.size())}, back)}, output);
  }

  /// Divided column by column, and quantized row by row where integers are multiplied.
  std::string roundedInput(const std::string &input, const IntegerWeight &weight) {
    for (const auto &[name, like, result] : rounded)
      if (name == input && like->smoothing == weight.smoothing)
        return result;
    std::string x = input;
    if (!weight.smoothing.empty()) {
      std::vector<float> factors(weight.smoothing.size());
      llvm::transform(weight.smoothing, factors.begin(), [](float divisor) { return 1 / divisor; });
      x = append("Mul", {x, floats(input + "_smoothing", {int64_t(factors.size())}, factors)}, input + "_smooth");
    }
    if (weight.quantizesRows) {
      std::string zero = number("zero", 0), top = number("top", 255);
      if (lastAxis.empty())
        lastAxis = tensor("tamis_last_axis", TensorProto::INT64, {1}, std::string(8, '\xff'));
      std::string high = append("Max", {append("ReduceMax", {x, lastAxis}, input + "_highest"), zero}, input + "_high");
      std::string low = append("Min", {append("ReduceMin", {x, lastAxis}, input + "_lowest"), zero}, input + "_low");
      std::string range = append("Sub", {high, low}, input + "_range");
      std::string step = append("Div", {range, top}, input + "_step");
      std::string scale = append("Where", {append("Equal", {range, zero}, input + "_is_flat"), number("one", 1), step},
                                 input + "_scale");
      auto steps = [&](const std::string &value, const char *what) {
        return append("Round", {append("Div", {value, scale}, input + "_" + what + "_steps")}, input + "_" + what);
      };
      std::string zeroPoint = steps(append("Neg", {low}, input + "_below"), "zero_point");
      std::string integers = append("Add", {steps(x, "integers"), zeroPoint}, input + "_unsigned");
      std::string held = append("Min", {integers, top}, input + "_held");
      x = append("Mul", {append("Sub", {held, zeroPoint}, input + "_signed"), scale}, input + "_quantized");
    }
    rounded.push_back({input, &weight, x});
    return x;
  }

  std::string dequantized(const std::pair<std::string, bool> &use, const IntegerWeight &weight, bool outputsFirst) {
    const std::string &key = use.first;
    std::string &known = quantized[key][{use.second, outputsFirst}];
    if (!known.empty())
      return known;
    int64_t groups = weight.groups(), axis = outputsFirst ? 0 : 1;
    bool isSigned = weight.isSigned, isBlocked = groups > 1;
    int type = weight.bits == 8 ? (isSigned ? TensorProto::INT8 : TensorProto::UINT8)
                                : (isSigned ? TensorProto::INT4 : TensorProto::UINT4);
    auto dims = [&](int64_t columns) {
      return outputsFirst ? std::vector<int64_t>{weight.rows, columns} : std::vector<int64_t>{columns, weight.rows};
    };
    std::vector<int64_t> units = isBlocked ? dims(groups) : std::vector<int64_t>{weight.rows};
    Names inputs{tensor(key + "_quantized", type, dims(weight.columns),
                        packed(ordered(ArrayRef(weight.integers), weight.columns, outputsFirst), weight.bits)),
                 floats(key + "_scale", units, ordered(ArrayRef(weight.scales), groups, outputsFirst))};
    if (!isSigned)
      inputs.push_back(tensor(key + "_zero_point", type, units,
                              packed(ordered(ArrayRef(weight.zeroPoints), groups, outputsFirst), weight.bits)));
    known = append("DequantizeLinear", inputs, key + "_dequantized");
    NodeProto &node = *graph.mutable_node(graph.node_size() - 1);
    setInteger(node, "axis", isBlocked ? 1 - axis : axis);
    if (isBlocked)
      setInteger(node, "block_size", weight.group);
    return known;
  }

  /// Of rows of `columns`, as they are or transposed.
  template <typename T> static std::vector<T> ordered(ArrayRef<T> numbers, int64_t columns, bool asTheyAre) {
    if (asTheyAre)
      return numbers.vec();
    int64_t rows = columns ? int64_t(numbers.size()) / columns : 0;
    std::vector<T> turned(numbers.size());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        turned[c * rows + r] = numbers[r * columns + c];
    return turned;
  }

  /// Two of 4 bits lie in a byte, the first in its low half.
  static std::string packed(const std::vector<char> &integers, int64_t bits) {
    if (bits == 8)
      return {integers.begin(), integers.end()};
    std::string bytes((integers.size() + 1) / 2, 0);
    for (size_t i = 0; i < integers.size(); ++i)
      bytes[i / 2] = char(bytes[i / 2] | (integers[i] & 15) << (i % 2 ? 4 : 0));
    return bytes;
  }

  static void setInteger(NodeProto &node, const char *name, int64_t value) {
    onnx::AttributeProto &attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }

  std::string unique(const std::string &wanted) {
    std::string name = wanted;
    for (int i = 1; !taken.insert(name).second; ++i)
      name = wanted + "_" + std::to_string(i);
    return name;
  }

  void addNode(const char *op, const Names &inputs, const std::string &output) {
    NodeProto &node = *graph.add_node();
    node.set_op_type(op);
    node.set_name(unique(output + "/" + op));
    for (const std::string &input : inputs)
      node.add_input(input);
    node.add_output(output);
  }
  /// A node of a new result, which is called `output` where that name is free.
  std::string append(const char *op, const Names &inputs, const std::string &output) {
    std::string result = unique(output);
    addNode(op, inputs, result);
    return result;
  }

  std::string tensor(const std::string &name, int type, const std::vector<int64_t> &dims, std::string bytes) {
    TensorProto &tensor = *graph.add_initializer();
    tensor.set_name(unique(name));
    tensor.set_data_type(type);
    for (int64_t dim : dims)
      tensor.add_dims(dim);
    tensor.set_raw_data(std::move(bytes));
    return tensor.name();
  }
  std::string floats(const std::string &name, const std::vector<int64_t> &dims, const std::vector<float> &numbers) {
    return tensor(name, TensorProto::FLOAT, dims,
                  {reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(float)});
  }
  std::string number(const std::string &name, float value) {
    std::string &known = numbers[name];
    return known.empty() ? known = floats("tamis_" + name, {}, {value}) : known;
  }

  /// Transposes of weights, and floats of them, that were read by layers alone.
  void removeUnread() {
    llvm::StringSet<> reads;
    collectReads(graph, reads);
    auto nodes = std::move(*graph.mutable_node());
    graph.clear_node();
    for (NodeProto &node : nodes)
      if (reads.contains(node.output(0)) || !swapsTwoAxes(node) || !sources.count(node.input(0)))
        *graph.add_node() = std::move(node);
    reads.clear();
    collectReads(graph, reads);
    auto isGone = [&](const std::string &name) { return quantized.count(name) && !reads.contains(name); };
    auto tensors = std::move(*graph.mutable_initializer());
    graph.clear_initializer();
    for (TensorProto &tensor : tensors)
      if (!isGone(tensor.name()))
        *graph.add_initializer() = std::move(tensor);
    auto inputs = std::move(*graph.mutable_input()); // before version 4 of the format initializers are inputs, too
    graph.clear_input();
    for (onnx::ValueInfoProto &input : inputs)
      if (!isGone(input.name()))
        *graph.add_input() = std::move(input);
  }

  struct RoundedInput {
    std::string input;
    const IntegerWeight *like; ///< one that wants it so
    std::string result;
  };

  onnx::GraphProto &graph;
  const IntegerWeights &weights;
  std::map<std::string, std::pair<std::string, bool>>
      sources; ///< matrices by name: initializer, and whether transposed
  /// By initializer, whether it is a table, and whether outputs come first: what is read in its place.
  std::map<std::string, std::map<std::pair<bool, bool>, std::string>> quantized;
  std::vector<RoundedInput> rounded;
  llvm::StringMap<std::string> numbers;
  llvm::StringSet<> taken;
  std::string lastAxis;
};
} // namespace

size_t tamis::quantizeOnnxGraph(onnx::ModelProto &model, const IntegerWeights &weights) {
  return OnnxQuantizer(model, weights).run();
}
