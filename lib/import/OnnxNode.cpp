// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an importer of one ONNX op sees of its node.
#include "lib/import/OnnxGraph.h"

using namespace mlir;
using namespace tamis;

const OnnxValue &OnnxNode::in(size_t i) const {
  return graph.values[proto.input(i)];
}

Value OnnxNode::emit(size_t i) {
  return emit(graph.values[proto.input(i)]);
}

Value OnnxNode::emit(OnnxValue &value) {
  return graph.emit(value, location);
}

Value OnnxNode::emitBroadcast(size_t i, ArrayRef<DimExpr> dims) {
  return broadcast(emit(i), dims);
}

FailureOr<SmallVector<int64_t>> OnnxNode::numbers(size_t i, StringRef what) {
  if (has(i) && in(i).contents)
    if (auto numbers = in(i).contents->numbers())
      return *numbers;
  return fail("operand '" + what + "' is computed at run time; supported where it is a constant");
}

FailureOr<model::Dims> OnnxNode::sizes(size_t i, StringRef what) {
  if (has(i) && in(i).contents && in(i).contents->list)
    return *in(i).contents->list;
  return fail("operand '" + what +
              "' is computed at run time; supported where it follows from the sizes of the inputs");
}

const onnx::AttributeProto *OnnxNode::find(StringRef name) const {
  for (const onnx::AttributeProto &attribute : proto.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t OnnxNode::integer(StringRef name, int64_t missing) const {
  const onnx::AttributeProto *attribute = find(name);
  return attribute ? attribute->i() : missing;
}

double OnnxNode::real(StringRef name, double missing) const {
  const onnx::AttributeProto *attribute = find(name);
  return attribute ? attribute->f() : missing;
}

StringRef OnnxNode::text(StringRef name, StringRef missing) const {
  const onnx::AttributeProto *attribute = find(name);
  return attribute ? StringRef(attribute->s()) : missing;
}

std::optional<SmallVector<int64_t>> OnnxNode::integers(StringRef name) const {
  const onnx::AttributeProto *attribute = find(name);
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute->ints().begin(), attribute->ints().end());
}

FailureOr<int64_t> OnnxNode::axis(int64_t value, int64_t rank) {
  if (value < -rank || value >= rank)
    return fail("axis " + Twine(value) + " is not one of the operand's " + Twine(rank));
  return value < 0 ? value + rank : value;
}

FailureOr<SmallVector<int64_t>> OnnxNode::axes(ArrayRef<int64_t> values, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t value : values) {
    auto one = axis(value, rank);
    if (failed(one))
      return failure();
    if (llvm::is_contained(result, *one))
      return fail("axis " + Twine(value) + " comes twice");
    result.push_back(*one);
  }
  llvm::sort(result);
  return result;
}

bool OnnxNode::wants(size_t i) const {
  return i < results() && !proto.output(i).empty() && graph.used.contains(proto.output(i));
}

LogicalResult OnnxNode::give(Value value, size_t i) {
  OnnxValue result;
  result.element = cast<RankedTensorType>(value.getType()).getElementType();
  result.dims = model::dimsOf(value.getType());
  result.value = value;
  return give(std::move(result), i);
}

LogicalResult OnnxNode::give(OnnxValue value, size_t i) {
  if (i >= results() || proto.output(i).empty())
    return success();
  if (failed(checkDims(value.dims)))
    return failure();
  graph.values[proto.output(i)] = std::move(value);
  return success();
}

LogicalResult OnnxNode::give(Type element, ArrayRef<DimExpr> dims, Contents contents, size_t i) {
  OnnxValue result;
  result.element = element;
  result.dims.assign(dims.begin(), dims.end());
  result.contents = std::move(contents);
  return give(std::move(result), i);
}

OnnxValue &OnnxNode::named(StringRef name) {
  return graph.values[name];
}

LogicalResult OnnxNode::importGraph(const onnx::GraphProto &inner) {
  size_t before = graph.problems.size();
  if (failed(graph.addInitializers(inner, proto.name() + "/" + inner.name() + "/")) || failed(graph.addNodes(inner)))
    return failure();
  if (graph.problems.size() > before)
    return fail("a node inside of it cannot be imported");
  for (const onnx::ValueInfoProto &output : inner.output())
    if (!graph.values[output.name()].isKnown())
      return fail("a graph inside does not give '" + output.name() + "'");
  return success();
}

OpBuilder &OnnxNode::builder() {
  return graph.builder;
}

Value OnnxNode::splat(Type element, double value, ArrayRef<DimExpr> dims) {
  OnnxValue constant;
  constant.element = element;
  constant.dims.assign(dims.begin(), dims.end());
  if (constant.isFloat())
    constant.number = value;
  else
    constant.contents = Contents::ofAffine({DimExpr(static_cast<int64_t>(value)), model::Dims(dims.size())}, dims);
  return emit(constant);
}

Value OnnxNode::elementwise(model::ElementwiseKind kind, ValueRange operands, ArrayRef<DimExpr> dims) {
  using K = model::ElementwiseKind;
  bool givesBool = kind == K::isnan || kind == K::isinf || (kind >= K::equal && kind <= K::greater_equal);
  Type element = givesBool ? builder().getI1Type() : cast<RankedTensorType>(operands.back().getType()).getElementType();
  return create<model::ElementwiseOp>(model::tensorType(element, dims), kind, operands);
}

Value OnnxNode::reshape(Value value, ArrayRef<DimExpr> dims) {
  while (auto inner = value.getDefiningOp<model::ReshapeOp>()) // exporters reshape in many small steps
    value = inner.getInput();
  auto type = model::tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
  return type == value.getType() ? value : create<model::ReshapeOp>(type, value);
}

Value OnnxNode::broadcast(Value value, ArrayRef<DimExpr> dims) {
  auto type = model::tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
  return type == value.getType() ? value : create<model::BroadcastOp>(type, value);
}

Value OnnxNode::transpose(Value value, ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> both(permutation);
  if (auto inner = value.getDefiningOp<model::TransposeOp>()) { // heads move forth and back
    for (int64_t &axis : both)
      axis = inner.getPermutation()[axis];
    value = inner.getInput();
  }
  model::Dims from = model::dimsOf(value.getType()), to;
  for (int64_t axis : both)
    to.push_back(from[axis]);
  auto type = model::tensorType(cast<RankedTensorType>(value.getType()).getElementType(), to);
  return llvm::is_sorted(both) ? value : create<model::TransposeOp>(type, value, both);
}

SizeRules &OnnxNode::rules() {
  return graph.rules;
}

LogicalResult OnnxNode::meet(const DimExpr &a, const DimExpr &b) {
  switch (graph.rules.meet(a, b)) {
  case SizeRules::Meeting::equal:
    return success();
  case SizeRules::Meeting::learnt:
    graph.learnt = true;
    return failure();
  case SizeRules::Meeting::different:
    break;
  }
  bool known = a.constant() && b.constant();
  return fail("sizes '" + a.str() + "' and '" + b.str() + "' meet and " +
              (known ? "differ" : "cannot be shown to be equal; supported where --dim ranges make them so"));
}

FailureOr<model::Dims> OnnxNode::broadcastDims(ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  model::Dims result(a.begin(), a.end());
  for (size_t i = 0; i < b.size(); ++i) {
    DimExpr &dim = result[a.size() - b.size() + i];
    if (b[i].isConstant(1))
      continue;
    if (dim.isConstant(1))
      dim = b[i];
    else if (failed(meet(dim, b[i])))
      return failure();
  }
  return result;
}

LogicalResult OnnxNode::checkDims(ArrayRef<DimExpr> dims) {
  constexpr int64_t maxElements = int64_t(1) << 40;
  int64_t known = 1;
  if (dims.size() > 64)
    return fail("gives " + Twine(dims.size()) + " axes");
  for (const DimExpr &dim : dims) {
    if (rules().bounds(dim).max < 0)
      return fail("gives the negative size '" + dim.str() + "'");
    if (isTooLarge(dim))
      return fail("gives a size whose expression is too long to follow");
    if (auto number = dim.constant();
        number && *number > 1 && (llvm::MulOverflow(known, *number, known) || known > maxElements))
      return fail("gives the sizes " + model::str(dims) + ", more than 2^40 elements");
  }
  return success();
}

LogicalResult OnnxNode::fail(const Twine &why) {
  graph.reason = why.str();
  return failure();
}

Value OnnxNode::derived(size_t i, StringRef suffix, Type element, ArrayRef<DimExpr> dims,
                        llvm::function_ref<void(MutableArrayRef<char>)> fill) {
  std::string key = (proto.input(i) + "." + suffix).str();
  RankedTensorType type = model::tensorType(element, dims);
  if (!graph.weights.find(key)) { // an earlier attempt, or another node, may have added it
    std::vector<char> bytes(type.getNumElements() * elementBytes(element));
    fill(bytes);
    if (llvm::Error error = graph.weights.add(key, type, graph.weights.keep(bytes)))
      emitError(location) << llvm::toString(std::move(error)); // the size is the type's: never here
  }
  return create<model::WeightOp>(type, key);
}

FailureOr<OnnxValue> OnnxNode::tensor(const onnx::TensorProto &tensor) {
  std::string problem;
  auto value = graph.readTensor(tensor, proto.output(0), problem);
  return succeeded(value) ? value : FailureOr<OnnxValue>(fail(problem));
}
