// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The walk over an ONNX graph: inputs, nodes, outputs, and the report of what could not be imported.
#include "lib/import/OnnxGraph.h"

#include "lib/import/Importers.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace tamis;

OnnxGraph::OnnxGraph(const OnnxFile &file, StringRef path, SizeRules &rules, MLIRContext *context, WeightStore &weights,
                     OnnxExpansion &expansion)
    : file(file), graph(file.model.graph()), path(path), rules(rules), context(context), weights(weights),
      fileLoc(fileLocation(path, context)), expansion(expansion), builder(context) {
  addOnnxMathOps(table);
  addOnnxTensorOps(table);
  addOnnxShapeOps(table);
  addOnnxIndexOps(table);
  addOnnxTransformerOps(table);
  addOnnxQuantizeOps(table);
  addOnnxSparseOps(table);
  addOnnxContribOps(table);
  addOnnxContribAttentionOps(table);
  addOnnxGroupQueryOps(table);
  addOnnxPackedAttentionOps(table);
  addOnnxControlOps(table);
  addOnnxEinsumOps(table);
  addOnnxNormOps(table);
  addOnnxSequenceOps(table);
  addOnnxPositionOps(table);
  addOnnxResizeOps(table);
  addOnnxScatterOps(table);
  addOnnxWindowOps(table);
  noteTypes(graph);
}

/// What the onnx library inferred of values, and which of them are used; of graphs inside too.
void OnnxGraph::noteTypes(const onnx::GraphProto &graph) {
  for (const onnx::ValueInfoProto &info : graph.value_info())
    inferred[info.name()] = &info.type();
  for (const onnx::ValueInfoProto &info : graph.output()) {
    inferred[info.name()] = &info.type();
    used.insert(info.name());
  }
  for (const onnx::NodeProto &node : graph.node()) {
    used.insert_range(node.input());
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        noteTypes(attribute.g());
  }
}

FailureOr<OwningOpRef<ModuleOp>> OnnxGraph::run() {
  module = ModuleOp::create(fileLoc);
  if (failed(addInputs()) || failed(addInitializers(graph, "")))
    return failure();
  if (failed(addNodes(graph)))
    return OwningOpRef<ModuleOp>(); // with what was learnt, another attempt
  if (expansion.allowed)
    for (const Problem &problem : problems)
      if (hasOnnxFunction(*problem.node)) {
        functions.insert(problem.node->name());
        expansion.notes.try_emplace(problem.node->name(), noteOf(problem));
      }
  if (!functions.empty())
    return OwningOpRef<ModuleOp>();
  if (!problems.empty())
    return reportProblems();
  if (failed(addOutputs()))
    return failure();
  // What only dead nodes needed, and steps that others went past.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
  if (failed(verify(*module)))
    return failure();
  return std::move(module);
}

Location OnnxGraph::locationOf(const onnx::NodeProto &node) const {
  return NameLoc::get(StringAttr::get(context, node.name()), fileLoc);
}

/// Of a tensor, or of the one that an optional value or a sequence holds: OnnxOpsSequence.cpp.
static const onnx::TypeProto_Tensor *tensorTypeOf(const onnx::TypeProto &type) {
  if (type.has_optional_type())
    return tensorTypeOf(type.optional_type().elem_type());
  if (type.has_sequence_type())
    return tensorTypeOf(type.sequence_type().elem_type());
  return type.has_tensor_type() ? &type.tensor_type() : nullptr;
}

LogicalResult OnnxGraph::addInputs() {
  llvm::StringSet<> initialized;
  for (const onnx::TensorProto &tensor : graph.initializer())
    initialized.insert(tensor.name());
  llvm::StringSet<> sizes; // their names; others may be computed of them, such as "past + sequence"
  for (const onnx::ValueInfoProto &input : graph.input())
    if (const onnx::TypeProto_Tensor *type = tensorTypeOf(input.type()))
      for (const auto &dim : type->shape().dim())
        if (!initialized.contains(input.name()) && !dim.dim_param().empty())
          sizes.insert(dim.dim_param());
  auto sizeOf = [&](StringRef name) {
    auto computed = rules.computed(name, sizes);
    return computed ? *computed : rules.named(name);
  };
  SmallVector<Type> types;
  SmallVector<StringRef> names;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (initialized.contains(input.name())) // a default value: the model is compiled with it
      continue;
    const onnx::TypeProto_Tensor *held = tensorTypeOf(input.type());
    if (!held)
      return emitError(fileLoc) << "input '" << input.name() << "' is no tensor";
    const onnx::TypeProto_Tensor &type = *held;
    OnnxValue value;
    value.isHeld = !input.type().has_tensor_type();
    value.element = onnxElementType(type.elem_type(), context);
    if (!value.element)
      return emitError(fileLoc) << "input '" << input.name() << "' " << unsupportedElement(type.elem_type());
    if (type.shape().dim_size() > 64)
      return emitError(fileLoc) << "input '" << input.name() << "' has " << type.shape().dim_size() << " axes";
    for (auto [axis, dim] : llvm::enumerate(type.shape().dim())) {
      if (dim.has_dim_value() && dim.dim_value() < 0)
        return emitError(fileLoc) << "input '" << input.name() << "' has the size " << dim.dim_value();
      value.dims.push_back(dim.has_dim_value()       ? DimExpr(dim.dim_value())
                           : dim.dim_param().empty() ? rules.named(input.name() + "_" + std::to_string(axis))
                                                     : sizeOf(dim.dim_param()));
    }
    types.push_back(model::tensorType(value.element, value.dims));
    names.push_back(input.name());
    values[input.name()] = std::move(value);
  }
  if (std::string wrong = rules.checkOptions(); !wrong.empty())
    return emitError(fileLoc) << wrong;

  builder.setInsertionPointToEnd(module->getBody());
  function = func::FuncOp::create(builder, fileLoc, "main", builder.getFunctionType(types, {}));
  Block *body = function.addEntryBlock();
  for (auto [i, name] : llvm::enumerate(names)) {
    function.setArgAttr(i, "model.name", builder.getStringAttr(name));
    values[name].value = body->getArgument(i);
  }
  builder.setInsertionPointToEnd(body);
  return success();
}

/// `prefix`: of the keys of its weights.
LogicalResult OnnxGraph::addInitializers(const onnx::GraphProto &graph, StringRef prefix) {
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    std::string problem;
    auto value = readTensor(tensor, (prefix + tensor.name()).str(), problem);
    if (failed(value))
      return emitError(fileLoc) << problem;
    values[tensor.name()] = std::move(*value);
  }
  return success();
}

/// Fails when the attempt ends because of what it learnt.
LogicalResult OnnxGraph::addNodes(const onnx::GraphProto &graph) {
  for (const onnx::NodeProto &node : graph.node()) {
    bool known =
        llvm::all_of(node.input(), [&](const std::string &input) { return input.empty() || values[input].isKnown(); });
    auto import = table.find(node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type());
    reason.clear();
    if (import == table.end()) {
      reason = nearestSupport(node.domain(), node.op_type());
    } else if (!known) {
      ++unseen;
      giveInferred(node);
      continue;
    } else if (llvm::any_of(node.input(), [&](auto &input) { return !input.empty() && values[input].isHeld; }) &&
               !takesHeldTensors(node.op_type())) {
      reason = "an operand is an optional value or a sequence; supported for ops that take a tensor out of them";
    } else {
      OnnxNode view(*this, node, locationOf(node));
      if (succeeded(import->second(view)))
        continue;
      if (learnt)
        return failure();
    }
    problems.push_back({&node, reason});
    giveInferred(node);
  }
  return success();
}

void OnnxGraph::giveInferred(const onnx::NodeProto &node) {
  for (const std::string &output : node.output()) {
    if (output.empty())
      continue;
    OnnxValue &value = values[output];
    value = {};
    auto type = inferred.find(output);
    const onnx::TypeProto_Tensor *held = type == inferred.end() ? nullptr : tensorTypeOf(*type->second);
    if (!held || !held->has_shape())
      continue;
    bool complete = true;
    for (const onnx::TensorShapeProto_Dimension &dim : held->shape().dim()) {
      auto size = dim.has_dim_value() && dim.dim_value() >= 0 ? DimExpr(dim.dim_value()) : rules.find(dim.dim_param());
      complete &= size.has_value();
      value.dims.push_back(size.value_or(DimExpr(0)));
    }
    Type element = onnxElementType(held->elem_type(), context);
    if (!complete || !element)
      continue;
    value.element = element;
    // Stands in for the result in a function that will not be returned.
    value.value =
        UnrealizedConversionCastOp::create(builder, fileLoc, model::tensorType(element, value.dims), ValueRange())
            .getResult(0);
  }
}

std::string OnnxGraph::describe(StringRef name) const {
  if (name.empty())
    return "none";
  auto it = values.find(name);
  if (it == values.end() || !it->second.isKnown())
    return "unknown";
  std::string text;
  llvm::raw_string_ostream(text) << it->second.element;
  return text + model::str(it->second.dims);
}

std::string OnnxGraph::noteOf(const Problem &problem) const {
  const onnx::NodeProto &node = *problem.node;
  bool isUnknown = node.domain() == unknownDomain.str();
  std::string domain = node.domain().empty() || isUnknown ? "ai.onnx" : node.domain();
  auto opset = file.opsets.find(domain == "ai.onnx" ? "" : domain);
  SmallVector<std::string> operands;
  for (const std::string &input : node.input())
    operands.push_back(describe(input));
  return "node '" + node.name() + "' is " + node.op_type() + " of " + domain + " version " +
         std::to_string(opset == file.opsets.end() ? importedOpset : opset->second) + " with operands (" +
         llvm::join(operands, ", ") + "): " + problem.reason;
}

/// Nodes of the file: of one that was expanded, why it was, and the first of its parts that cannot be imported either.
LogicalResult OnnxGraph::reportProblems() {
  std::vector<std::pair<Location, std::string>> notes;
  llvm::StringSet<> told;
  for (const Problem &problem : problems) {
    StringRef name = problem.node->name();
    auto outer = llvm::find_if(expansion.notes, [&](auto &note) {
      return name == note.first || (name.starts_with(note.first) && name[note.first.size()] == '/');
    });
    if (outer == expansion.notes.end())
      notes.emplace_back(locationOf(*problem.node), noteOf(problem));
    else if (told.insert(outer->first).second)
      notes.emplace_back(NameLoc::get(StringAttr::get(context, outer->first), fileLoc),
                         name == outer->first ? outer->second
                                              : outer->second + "; nor can its function be imported, by its node " +
                                                    problem.node->op_type() + ": " + problem.reason);
  }
  InFlightDiagnostic report = emitError(fileLoc)
                              << "cannot import " << notes.size() << " of " << expansion.nodes << " nodes";
  for (auto &[loc, note] : notes)
    report.attachNote(loc) << note;
  if (unseen)
    report.attachNote(fileLoc) << unseen << " more nodes use results of these and were not looked at";
  return report;
}

LogicalResult OnnxGraph::addOutputs() {
  SmallVector<Value> results;
  SmallVector<Type> types;
  llvm::StringSet<> names;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    OnnxValue &value = values[output.name()];
    if (!names.insert(output.name()).second)
      return emitError(fileLoc) << "has two outputs '" << output.name() << "'";
    const onnx::TypeProto_Tensor *held = tensorTypeOf(output.type());
    const onnx::TypeProto_Tensor &declared = held ? *held : output.type().tensor_type();
    bool fits = onnxElementType(declared.elem_type(), context) == value.element;
    if (declared.has_shape()) {
      fits &= declared.shape().dim_size() == value.rank();
      for (auto [axis, dim] : llvm::enumerate(declared.shape().dim()))
        if (fits && dim.has_dim_value() && value.dims[axis].constant())
          fits &= value.dims[axis].isConstant(dim.dim_value());
    }
    if (!fits)
      return emitError(fileLoc) << "declares output '" << output.name() << "' as another type than "
                                << describe(output.name()) << ", which its node gives";
    results.push_back(emit(value, fileLoc));
    types.push_back(results.back().getType());
  }
  func::ReturnOp::create(builder, fileLoc, results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), types));
  for (auto [i, output] : llvm::enumerate(graph.output()))
    function.setResultAttr(i, "model.name", builder.getStringAttr(output.name()));
  model::setSymbols(function, rules.symbols());
  return success();
}

Value OnnxGraph::emit(OnnxValue &value, Location loc) {
  if (value.value)
    return value.value;
  RankedTensorType type = model::tensorType(value.element, value.dims);
  if (type.hasStaticShape() && type.getNumElements() == 0) {
    value.value = model::ConstantOp::create(builder, loc, type, DenseElementsAttr::get(type, ArrayRef<Attribute>()));
  } else if (value.contents) {
    value.value = emitContents(value, loc);
  } else if (value.number) {
    RankedTensorType scalar = RankedTensorType::get({}, value.element);
    llvm::APFloat number(*value.number);
    bool losesInfo;
    number.convert(cast<FloatType>(value.element).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    RankedTensorType held = type.hasStaticShape() ? type : scalar;
    value.value = model::ConstantOp::create(builder, loc, held, DenseElementsAttr::get(held, number));
    if (held != type)
      value.value = model::BroadcastOp::create(builder, loc, type, value.value);
  } else {
    // An earlier attempt may have added it.
    if (!weights.find(value.weight))
      if (llvm::Error error = weights.add(value.weight, type, value.bytes))
        emitError(loc) << llvm::toString(std::move(error)); // the size was checked: never here
    value.value = model::WeightOp::create(builder, loc, type, value.weight);
  }
  return value.value;
}

Value OnnxGraph::emitContents(const OnnxValue &value, Location loc) {
  RankedTensorType type = model::tensorType(value.element, value.dims);
  const Contents &contents = *value.contents;
  unsigned width = value.element.getIntOrFloatBitWidth();
  auto constant = [&](RankedTensorType of, ArrayRef<int64_t> numbers) -> Value {
    SmallVector<APInt> elements;
    for (int64_t number : numbers)
      elements.push_back(APInt(width, static_cast<uint64_t>(number), /*isSigned=*/false, /*implicitTrunc=*/true));
    return model::ConstantOp::create(builder, loc, of, DenseElementsAttr::get(of, elements));
  };
  auto number = contents.splat() ? contents.splat()->constant() : std::nullopt;
  if (number && type.hasStaticShape() && type.getNumElements() > 0)
    return constant(type, *number);
  if (auto numbers = contents.numbers())
    return constant(type, *numbers);
  if (number)
    return model::BroadcastOp::create(builder, loc, type, constant(RankedTensorType::get({}, value.element), *number));

  auto texts = [&](ArrayRef<DimExpr> exprs) {
    SmallVector<Attribute> list;
    for (const DimExpr &e : exprs)
      list.push_back(builder.getStringAttr(e.str()));
    return builder.getArrayAttr(list);
  };
  // The index arithmetic below is of 64 bits.
  auto finish = [&](Value computed) -> Value {
    model::Dims dims = model::dimsOf(computed.getType());
    if (dims != value.dims) {
      auto reached = model::tensorType(builder.getI64Type(), value.dims);
      computed = model::BroadcastOp::create(builder, loc, reached, computed);
    }
    return value.element.isSignlessInteger(64) ? computed : Value(model::CastOp::create(builder, loc, type, computed));
  };
  auto reshaped = [&](Value vector, ArrayRef<DimExpr> dims) -> Value {
    RankedTensorType wanted = model::tensorType(builder.getI64Type(), dims);
    return vector.getType() == wanted ? vector : Value(model::ReshapeOp::create(builder, loc, wanted, vector));
  };
  if (contents.list) {
    auto vector = RankedTensorType::get({static_cast<int64_t>(contents.list->size())}, builder.getI64Type());
    RankedTensorType held = value.dims.empty() ? RankedTensorType::get({}, builder.getI64Type()) : vector;
    return finish(reshaped(model::SizesOp::create(builder, loc, held, texts(*contents.list)), value.dims));
  }
  if (contents.affine) {
    const Affine &affine = *contents.affine;
    Value sum;
    model::Dims sumDims;
    DimExpr base = affine.base; // goes into the first progression
    for (auto [axis, step] : llvm::enumerate(affine.steps)) {
      if (step.isConstant(0))
        continue;
      RankedTensorType line = model::tensorType(builder.getI64Type(), value.dims[axis]);
      Value progression = model::IotaOp::create(builder, loc, line, base.str(), step.str());
      base = DimExpr(0);
      model::Dims dims(value.dims.size(), DimExpr(1));
      dims[axis] = value.dims[axis];
      progression = reshaped(progression, dims);
      if (sum) {
        dims = *model::broadcastDims(sumDims, dims);
        sum = model::ElementwiseOp::create(builder, loc, model::tensorType(builder.getI64Type(), dims),
                                           model::ElementwiseKind::add, ValueRange{sum, progression});
      } else {
        sum = progression;
      }
      sumDims = dims;
    }
    if (!sum)
      sum = model::SizesOp::create(builder, loc, RankedTensorType::get({}, builder.getI64Type()), texts(base));
    return finish(sum);
  }
  // Tuples: the components side by side.
  SmallVector<Value> components;
  OnnxValue part;
  part.element = value.element;
  part.dims = value.dims;
  part.dims.back() = DimExpr(1);
  for (const Affine &component : *contents.tuple) {
    Affine affine = component;
    affine.steps.push_back(DimExpr(0));
    part.contents = Contents::ofAffine(std::move(affine), part.dims);
    components.push_back(emitContents(part, loc));
  }
  return model::ConcatOp::create(builder, loc, type, components, value.dims.size() - 1);
}
