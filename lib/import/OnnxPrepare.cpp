// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A parsed ONNX model is checked and brought to one opset.
#include "lib/import/OnnxFile.h"

#include "lib/import/Importers.h"
#include "onnx/checker.h"
#include "onnx/defs/schema.h"
#include "onnx/inliner/inliner.h"
#include "onnx/shape_inference/implementation.h"
#include "onnx/version_converter/convert.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <exception>

using namespace mlir;
using namespace tamis;

namespace {
/// The onnx library's messages span lines.
std::string oneLine(StringRef text) {
  std::string line;
  for (StringRef part : llvm::split(text, '\n')) {
    part = part.trim();
    if (!part.empty())
      line += (line.empty() ? "" : " ") + part.str();
  }
  return line;
}

std::string nameOf(const onnx::NodeProto &node, int index) {
  return node.name().empty() ? node.op_type() + "#" + std::to_string(index) : node.name();
}

/// Runs `step` and turns what it throws into a diagnostic.
template <typename Step> LogicalResult guarded(Location loc, StringRef what, Step step) {
  try {
    step();
    return success();
  } catch (const std::exception &error) {
    return emitError(loc) << what << ": " << oneLine(error.what());
  } catch (...) {
    return emitError(loc) << what;
  }
}

/// The default domain has two spellings; only "" is left.
LogicalResult normalizeDomains(onnx::ModelProto &model, Location loc) {
  for (onnx::NodeProto &node : *model.mutable_graph()->mutable_node())
    if (node.domain() == "ai.onnx")
      node.clear_domain();
  llvm::StringSet<> seen;
  for (onnx::OperatorSetIdProto &import : *model.mutable_opset_import()) {
    if (import.domain() == "ai.onnx")
      import.clear_domain();
    if (!seen.insert(import.domain()).second)
      return emitError(loc) << "imports the opset of domain '" << import.domain() << "' twice";
    if (import.domain().empty() && (import.version() < 1 || import.version() > importedOpset))
      return emitError(loc) << "is of opset " << import.version() << " but 1 to " << importedOpset
                            << " are known; export it at one of these";
  }
  if (!seen.contains("")) {
    // A model of contrib ops alone; the default domain is still where the converter starts.
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain("");
    import->set_version(importedOpset);
  }
  return success();
}

/// Every name is defined once, everything read is defined, and nodes do not depend on themselves; then nodes are put in
/// order. Says more than the checker would.
LogicalResult sortNodes(onnx::GraphProto &graph, Location loc) {
  llvm::StringMap<int> producer; // -1: input or initializer
  for (const onnx::ValueInfoProto &input : graph.input())
    if (!producer.try_emplace(input.name(), -1).second)
      return emitError(loc) << "has two inputs '" << input.name() << "'";
  for (const onnx::TensorProto &tensor : graph.initializer())
    producer.try_emplace(tensor.name(), -1);
  for (auto [index, node] : llvm::enumerate(graph.node()))
    for (const std::string &output : node.output())
      if (!output.empty() && !producer.try_emplace(output, static_cast<int>(index)).second)
        return emitError(loc) << "defines '" << output << "' twice, the second time by node '" << nameOf(node, index)
                              << "'";
  int count = graph.node_size();
  std::vector<int> missing(count); // producers not yet in order
  std::vector<llvm::SmallVector<int, 2>> consumers(count);
  for (auto [index, node] : llvm::enumerate(graph.node()))
    for (const std::string &input : node.input()) {
      if (input.empty())
        continue;
      auto it = producer.find(input);
      if (it == producer.end())
        return emitError(loc) << "node '" << nameOf(node, index) << "' reads '" << input << "', which nothing defines";
      if (it->second >= 0) {
        consumers[it->second].push_back(index);
        ++missing[index];
      }
    }
  for (const onnx::ValueInfoProto &output : graph.output())
    if (!producer.count(output.name()))
      return emitError(loc) << "has an output '" << output.name() << "', which nothing defines";

  std::vector<int> order;
  for (int i = 0; i < count; ++i)
    if (missing[i] == 0)
      order.push_back(i);
  for (size_t next = 0; next < order.size(); ++next)
    for (int consumer : consumers[order[next]])
      if (--missing[consumer] == 0)
        order.push_back(consumer);
  if (static_cast<int>(order.size()) < count) {
    int index = std::find_if(missing.begin(), missing.end(), [](int n) { return n > 0; }) - missing.begin();
    // Going back from any blocked node along blocked producers ends in the cycle.
    llvm::SmallVector<int> path;
    std::vector<bool> visited(count);
    while (!visited[index]) {
      visited[index] = true;
      path.push_back(index);
      for (const std::string &input : graph.node(index).input())
        if (auto it = producer.find(input); it != producer.end() && it->second >= 0 && missing[it->second] > 0) {
          index = it->second;
          break;
        }
    }
    std::string cycle;
    for (auto it = llvm::find(path, index); it != path.end() && cycle.size() < 400; ++it)
      cycle += "'" + nameOf(graph.node(*it), *it) + "' needs ";
    return emitError(loc) << "has a cycle: " << cycle << "'" << nameOf(graph.node(index), index) << "'";
  }
  // Stable: a sorted file keeps its order.
  bool sorted = true;
  for (auto [index, node] : llvm::enumerate(graph.node()))
    for (const std::string &input : node.input())
      if (!input.empty())
        sorted &= producer[input] < static_cast<int>(index);
  if (!sorted) {
    google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
    for (int index : order)
      nodes.Add(std::move(*graph.mutable_node(index)));
    graph.mutable_node()->Swap(&nodes);
  }
  return success();
}

/// Counts that the onnx library divides by without a look.
template <typename Nodes> LogicalResult checkCounts(const Nodes &nodes, Location loc) {
  static const llvm::StringSet<> counts{"q_num_heads", "kv_num_heads", "num_outputs",
                                        "blocksize",   "group",        "num_groups"};
  for (auto [index, node] : llvm::enumerate(nodes))
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      // One without a number counts as 0 there; one of a function is known once it is inlined.
      if (counts.contains(attribute.name()) && attribute.ref_attr_name().empty() && attribute.i() < 1)
        return emitError(loc) << "node '" << nameOf(node, index) << "' has " << attribute.name() << " " << attribute.i()
                              << " but at least 1 is wanted";
      if (failed(checkCounts(attribute.g().node(), loc)))
        return failure();
    }
  return success();
}

/// Inputs and outputs say of what type they are, and of how many axes; the checker would not tell which does not.
LogicalResult checkDeclared(const onnx::GraphProto &graph, Location loc) {
  for (auto [what, values] : {std::pair("input", &graph.input()), std::pair("output", &graph.output())})
    for (const onnx::ValueInfoProto &value : *values) {
      const onnx::TypeProto &type = value.type();
      StringRef missing = type.value_case() == onnx::TypeProto::VALUE_NOT_SET         ? "type"
                          : type.has_tensor_type() && !type.tensor_type().has_shape() ? "shape"
                                                                                      : "";
      if (!missing.empty())
        return emitError(loc) << what << " '" << value.name() << "' has no " << missing
                              << "; sizes that are not known may be names, or be left empty, but their count is wanted";
    }
  return success();
}

/// Nodes keep their names through the conversion; those without get theirs while positions are those of the file.
void nameNodes(onnx::GraphProto &graph, const std::string &prefix = "") {
  for (auto [index, node] : llvm::enumerate(*graph.mutable_node())) {
    if (node.name().empty())
      node.set_name(prefix + nameOf(node, index));
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        nameNodes(*attribute.mutable_g(), node.name() + "/" + attribute.name() + "/");
  }
}

void setUnknownAside(onnx::ModelProto &model) {
  int64_t version = importedOpset;
  llvm::StringSet<> functions;
  for (const onnx::OperatorSetIdProto &import : model.opset_import())
    if (import.domain().empty())
      version = import.version();
  for (const onnx::FunctionProto &function : model.functions())
    if (function.domain().empty())
      functions.insert(function.name());
  bool any = false;
  for (onnx::NodeProto &node : *model.mutable_graph()->mutable_node()) {
    if (!node.domain().empty() || functions.contains(node.op_type()))
      continue;
    const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version), "");
    if (schema && !schema->Deprecated())
      continue;
    node.set_domain(unknownDomain.str());
    any = true;
  }
  // The checker wants every domain of a node imported.
  llvm::StringSet<> imported;
  for (const onnx::OperatorSetIdProto &import : model.opset_import())
    imported.insert(import.domain());
  if (any && imported.insert(unknownDomain).second) {
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain(unknownDomain.str());
    import->set_version(version);
  }
}
} // namespace

LogicalResult tamis::raiseOnnxOpset(onnx::ModelProto &model, int opset, Location loc) {
  int version = opset;
  for (const onnx::OperatorSetIdProto &import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx")
      version = static_cast<int>(import.version());
  if (version >= opset)
    return success();
  auto convert = [&] { model = onnx::version_conversion::ConvertVersion(model, opset); };
  std::string what = "cannot convert it from opset " + std::to_string(version) + " to " + std::to_string(opset);
  return guarded(loc, what, convert);
}

LogicalResult tamis::prepareOnnxModel(onnx::ModelProto &model, Location loc) {
  onnx::GraphProto &graph = *model.mutable_graph();
  if (graph.sparse_initializer_size())
    return emitError(loc) << "has " << graph.sparse_initializer_size()
                          << " sparse initializers but only dense ones are supported";
  if (graph.name().empty())
    graph.set_name("main");
  if (failed(normalizeDomains(model, loc)) || failed(sortNodes(graph, loc)))
    return failure();
  if (failed(checkDeclared(graph, loc)) || failed(checkCounts(graph.node(), loc)))
    return failure();
  for (const onnx::FunctionProto &function : model.functions())
    if (failed(checkCounts(function.node(), loc)))
      return failure();
  nameNodes(graph);
  if (failed(guarded(loc, "cannot look up its ops", [&] { setUnknownAside(model); })) ||
      failed(guarded(loc, "is no valid ONNX model", [&] { onnx::checker::check_model(model); })))
    return failure();
  if (model.functions_size()) {
    auto inlineAll = [&] { onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true); };
    if (failed(guarded(loc, "cannot inline its functions", inlineAll)))
      return failure();
    nameNodes(graph);
    if (failed(checkCounts(graph.node(), loc)) ||
        failed(guarded(loc, "cannot look up its ops", [&] { setUnknownAside(model); })))
      return failure();
  }
  if (failed(raiseOnnxOpset(model, importedOpset, loc)))
    return failure();
  nameNodes(*model.mutable_graph());
  inferOnnxShapes(model, loc);
  return success();
}

void tamis::inferOnnxShapes(onnx::ModelProto &model, Location loc) {
  // Shapes that cannot be inferred here are found by the import, or reported by it with the node's name.
  try {
    // Without propagation of data: the import has its own, with a bound, and a hostile chain of Concat doubles a shape
    // at each step.
    onnx::ShapeInferenceOptions options(/*check_type=*/true, /*strict_mode=*/0, /*data_prop=*/false);
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
  } catch (const std::exception &error) {
    emitWarning(loc) << "shape inference of the onnx library failed: " << oneLine(error.what());
  }
}
