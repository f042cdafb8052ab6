// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes that have no importer of their own become the nodes of the function that the onnx project defines them by.
#include "lib/import/OnnxFile.h"

#include "lib/import/Importers.h"
#include "onnx/defs/function.h"
#include "onnx/defs/schema.h"
#include "onnx/inliner/inliner.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <exception>

using namespace mlir;
using namespace tamis;

namespace {
constexpr llvm::StringLiteral functionDomain = "tamis.function";

const onnx::OpSchema *schemaOf(const onnx::NodeProto &node) {
  const onnx::OpSchema *schema =
      node.domain().empty() ? onnx::OpSchemaRegistry::Schema(node.op_type(), importedOpset, "") : nullptr;
  return schema && (schema->HasFunction() || schema->HasContextDependentFunction()) ? schema : nullptr;
}

/// What is known of the types of a graph's values.
using Types = llvm::StringMap<onnx::TypeProto>;

onnx::TypeProto typeOf(const onnx::TensorProto &tensor) {
  onnx::TypeProto type;
  type.mutable_tensor_type()->set_elem_type(tensor.data_type());
  onnx::TensorShapeProto *shape = type.mutable_tensor_type()->mutable_shape();
  for (int64_t dim : tensor.dims())
    shape->add_dim()->set_dim_value(dim);
  return type;
}

void addTypes(const onnx::GraphProto &graph, Types &types) {
  for (auto *values : {&graph.input(), &graph.output(), &graph.value_info()})
    for (const onnx::ValueInfoProto &value : *values)
      types[value.name()] = value.type();
  for (const onnx::TensorProto &tensor : graph.initializer())
    types[tensor.name()] = typeOf(tensor);
}

/// The function that stands for `node`, with the node's name before those of its own nodes; null when there is none.
std::optional<onnx::FunctionProto> functionOf(onnx::NodeProto &node, const Types &types) {
  const onnx::OpSchema *schema = schemaOf(node);
  onnx::FunctionProto function;
  if (schema->HasFunction()) {
    const onnx::FunctionProto *found = schema->GetFunction(importedOpset);
    if (!found)
      return std::nullopt;
    function = *found;
  } else {
    std::vector<onnx::TypeProto> operands;
    for (const std::string &input : node.input())
      operands.push_back(types.lookup(input));
    onnx::FunctionBodyBuildContextImpl context(node, operands);
    if (!schema->BuildContextDependentFunction(context, function, importedOpset))
      return std::nullopt;
  }
  for (const auto &[name, attribute] : schema->attributes()) {
    bool given = llvm::any_of(node.attribute(), [&](const onnx::AttributeProto &own) { return own.name() == name; });
    if (given || !attribute.default_value.has_type() || attribute.default_value.type() == 0)
      continue;
    onnx::AttributeProto &added = *node.add_attribute();
    added = attribute.default_value;
    added.set_name(name);
  }
  for (auto [index, inner] : llvm::enumerate(*function.mutable_node()))
    inner.set_name(node.name() + "/" + inner.op_type() + "#" + std::to_string(index));
  return function;
}

/// Makes calls of the nodes that are to be expanded, and their functions; gives how many.
int addCalls(onnx::GraphProto &graph, const llvm::StringSet<> &names, Types types, onnx::ModelProto &model) {
  addTypes(graph, types);
  int calls = 0;
  for (onnx::NodeProto &node : *graph.mutable_node()) {
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        calls += addCalls(*attribute.mutable_g(), names, types, model);
    if (!names.contains(node.name()) || !schemaOf(node))
      continue;
    std::optional<onnx::FunctionProto> function = functionOf(node, types);
    if (!function)
      continue;
    std::string name = node.op_type() + "#" + std::to_string(model.functions_size());
    function->set_domain(functionDomain.str());
    function->set_name(name);
    *model.add_functions() = std::move(*function);
    node.set_domain(functionDomain.str());
    node.set_op_type(name);
    ++calls;
  }
  return calls;
}
} // namespace

/// The onnx library looks for types of operands of what it inlines among these alone.
static void addInitializerTypes(onnx::GraphProto &graph) {
  llvm::StringSet<> known;
  for (auto *values : {&graph.input(), &graph.value_info()})
    for (const onnx::ValueInfoProto &value : *values)
      known.insert(value.name());
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    if (!known.insert(tensor.name()).second)
      continue;
    onnx::ValueInfoProto *value = graph.add_value_info();
    value->set_name(tensor.name());
    *value->mutable_type() = typeOf(tensor);
  }
}

bool tamis::hasOnnxFunction(const onnx::NodeProto &node) {
  return schemaOf(node);
}

FailureOr<bool> tamis::expandOnnxNodes(onnx::ModelProto &model, const llvm::StringSet<> &names, Location loc) {
  try {
    if (!addCalls(*model.mutable_graph(), names, {}, model))
      return false;
    addInitializerTypes(*model.mutable_graph());
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain(functionDomain.str());
    import->set_version(1);
    onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
    for (int i = model.opset_import_size(); i-- > 0;)
      if (model.opset_import(i).domain() == functionDomain.str())
        model.mutable_opset_import()->DeleteSubrange(i, 1);
  } catch (const std::exception &error) {
    return emitError(loc) << "cannot expand ops to their functions: " << error.what();
  }
  inferOnnxShapes(model, loc);
  return true;
}
