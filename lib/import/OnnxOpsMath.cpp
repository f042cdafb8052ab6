// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that compute element by element or over axes.
#include "lib/import/OnnxEmit.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
double roundTo(double value, Type element) {
  llvm::APFloat number(value);
  bool losesInfo;
  number.convert(cast<FloatType>(element).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return number.convertToDouble();
}

/// Exactly rounded functions of floats; exporters compute the scale of attention so. From double to a float of half the
/// digits or fewer the second rounding does no harm to the basic operations.
std::optional<double> foldFloats(K kind, ArrayRef<double> x) {
  switch (kind) {
  case K::neg:
    return -x[0];
  case K::abs:
    return std::fabs(x[0]);
  case K::sqrt:
    return std::sqrt(x[0]);
  case K::reciprocal:
    return 1.0 / x[0];
  case K::add:
    return x[0] + x[1];
  case K::sub:
    return x[0] - x[1];
  case K::mul:
    return x[0] * x[1];
  case K::div:
    return x[0] / x[1];
  default:
    return std::nullopt;
  }
}

/// Wide enough that shape arithmetic does not wrap.
bool foldsExactly(Type element) {
  return element.isSignlessInteger(1) || element.isSignlessInteger(32) || element.isSignlessInteger(64);
}

/// Gives `kind` of the operands: known when they are, else as an op.
LogicalResult giveElementwise(OnnxNode &node, K kind, ArrayRef<size_t> operands) {
  model::Dims dims;
  for (size_t i : operands) {
    auto both = node.broadcastDims(dims, node.in(i).dims);
    if (failed(both))
      return failure();
    dims = *both;
  }
  if (failed(node.checkDims(dims)))
    return failure();
  Type element = node.in(operands.back()).element;
  for (size_t i : operands.drop_front(kind == K::select))
    if (node.in(i).element != element)
      return node.fail("operands have different element types");

  bool numbers = isa<FloatType>(element) && llvm::all_of(operands, [&](size_t i) { return node.in(i).number; });
  if (numbers) {
    SmallVector<double> x;
    for (size_t i : operands)
      x.push_back(*node.in(i).number);
    if (auto value = foldFloats(kind, x)) {
      OnnxValue result;
      result.element = element;
      result.dims = dims;
      result.number = roundTo(*value, element);
      return node.give(std::move(result));
    }
  }
  bool known =
      llvm::all_of(operands, [&](size_t i) { return node.in(i).contents && foldsExactly(node.in(i).element); });
  if (known) {
    SmallVector<KnownTensor> tensors;
    for (size_t i : operands)
      tensors.push_back({&*node.in(i).contents, node.in(i).dims});
    bool givesBool = kind >= K::equal && kind <= K::greater_equal;
    auto folded = foldElementwise(kind, tensors, dims, node.rules());
    // What would wrap in 32 bits is left to the op.
    if (folded && !givesBool && element.isInteger(32) &&
        !liesWithin({&*folded, dims}, INT32_MIN, INT32_MAX, node.rules()))
      folded.reset();
    if (folded)
      return node.give(givesBool ? Type(node.builder().getI1Type()) : element, dims, std::move(*folded));
  }
  // Computing comes before repeating: a mask that was expanded to every query is computed once.
  SmallVector<Value> values;
  model::Dims narrow;
  for (size_t i : operands) {
    Value value = node.emit(i);
    while (auto repeated = value.getDefiningOp<model::BroadcastOp>())
      value = repeated.getInput();
    values.push_back(value);
    auto both = node.broadcastDims(narrow, model::dimsOf(value.getType()));
    if (failed(both))
      return failure();
    narrow = *both;
  }
  return node.give(node.broadcast(node.elementwise(kind, values, narrow), dims));
}

/// The operand, repeated to `dims`.
LogicalResult giveOperand(OnnxNode &node, size_t i, ArrayRef<DimExpr> dims) {
  return ArrayRef<DimExpr>(node.in(i).dims) == dims ? node.give(OnnxValue(node.in(i)))
                                                    : node.give(node.emitBroadcast(i, dims));
}

/// Of integers, bit by bit.
template <K kind> LogicalResult importBitwise(OnnxNode &node) {
  auto dims = node.broadcastDims(node.in(0).dims, node.in(1).dims);
  if (failed(dims))
    return failure();
  if (!isa<IntegerType>(node.in(0).element) || node.in(1).element != node.in(0).element)
    return node.fail("operands are not integers of one type");
  return node.give(node.elementwise(kind, {node.emit(0), node.emit(1)}, *dims));
}

LogicalResult importBitwiseNot(OnnxNode &node) {
  if (!isa<IntegerType>(node.in(0).element) || node.in(0).isBool())
    return node.fail("operand is of no integers");
  Value all = node.splat(node.in(0).element, -1); // bits
  return node.give(node.elementwise(K::sub, {all, node.emit(0)}, node.in(0).dims));
}

/// By as many bits as the second operand says: times or divided by a power of two, which wraps to 0.
LogicalResult importBitShift(OnnxNode &node) {
  auto dims = node.broadcastDims(node.in(0).dims, node.in(1).dims);
  if (failed(dims))
    return failure();
  Type element = node.in(0).element;
  if (!element.isUnsignedInteger() || node.in(1).element != element)
    return node.fail("operands are not of one type of integers without a sign");
  Value factor = node.elementwise(K::pow, {node.splat(element, 2), node.emit(1)}, node.in(1).dims);
  K kind = node.text("direction", "") == "RIGHT" ? K::div : K::mul;
  return node.give(node.elementwise(kind, {node.emit(0), factor}, *dims));
}

LogicalResult importBitCast(OnnxNode &node) {
  int64_t wanted = node.integer("to", 0);
  Type from = node.in(0).element, to = onnxElementType(wanted, node.context());
  if (!to)
    return node.fail("its result " + unsupportedElement(wanted));
  bool isInteger = isa<IntegerType>(from) && isa<IntegerType>(to) && !from.isInteger(1) && !to.isInteger(1);
  if (from != to && (!isInteger || from.getIntOrFloatBitWidth() != to.getIntOrFloatBitWidth()))
    return node.fail("is not between integers of one width, which is supported");
  return node.give(emitCast(node, node.emit(0), to));
}

template <K kind> LogicalResult importUnary(OnnxNode &node) {
  return giveElementwise(node, kind, {0});
}

template <K kind> LogicalResult importBinary(OnnxNode &node) {
  return giveElementwise(node, kind, {0, 1});
}

/// `and` with all true and `or` with all false leave the other operand: mask parts that decide nothing.
template <K kind> LogicalResult importLogical(OnnxNode &node) {
  for (size_t i : {0, 1}) {
    auto splat = node.in(i).contents ? node.in(i).contents->splat() : std::nullopt;
    if (!splat || !splat->isConstant(kind == K::logical_and ? 1 : 0))
      continue;
    auto dims = node.broadcastDims(node.in(0).dims, node.in(1).dims);
    return failed(dims) ? failure() : giveOperand(node, 1 - i, *dims);
  }
  return giveElementwise(node, kind, {0, 1});
}

/// Any number of operands, folded from the left.
template <K kind> LogicalResult importVariadic(OnnxNode &node) {
  if (!node.hasAll())
    return node.fail("an operand is left out");
  if (node.size() == 1)
    return node.give(OnnxValue(node.in(0)));
  if (node.size() == 2)
    return giveElementwise(node, kind, {0, 1});
  Value sum = node.emit(0);
  model::Dims dims = node.in(0).dims;
  for (size_t i = 1; i < node.size(); ++i) {
    auto both = node.broadcastDims(dims, node.in(i).dims);
    if (failed(both))
      return failure();
    dims = *both;
    sum = node.elementwise(kind, {sum, node.emit(i)}, dims);
  }
  return node.give(sum);
}

LogicalResult importMean(OnnxNode &node) {
  if (failed(importVariadic<K::add>(node)))
    return failure();
  if (!node.in(0).isFloat())
    return node.fail("operands are no floats");
  Value sum = node.emit(node.named(node.node().output(0)));
  return node.give(emitElementwise(node, K::div, {sum, node.splat(node.in(0).element, double(node.size()))}));
}

LogicalResult importIsInf(OnnxNode &node) {
  bool negative = node.integer("detect_negative", 1), positive = node.integer("detect_positive", 1);
  if (negative && positive)
    return giveElementwise(node, K::isinf, {0});
  Value zero = node.splat(node.in(0).element, 0), isInf = emitElementwise(node, K::isinf, node.emit(0));
  Value isAsked = emitElementwise(node, negative ? K::less : K::greater, {node.emit(0), zero});
  if (!negative && !positive)
    isAsked = emitElementwise(node, K::logical_and, {isAsked, emitElementwise(node, K::logical_not, isAsked)});
  return node.give(emitElementwise(node, K::logical_and, {isInf, isAsked}));
}

LogicalResult importMod(OnnxNode &node) {
  return giveElementwise(node, node.integer("fmod", 0) ? K::fmod : K::mod, {0, 1});
}

LogicalResult importPow(OnnxNode &node) {
  auto dims = node.broadcastDims(node.in(0).dims, node.in(1).dims);
  if (failed(dims))
    return failure();
  // A root of sizes, from which sizes follow: the side of a square grid of positions.
  auto base = node.in(0).number, power = node.in(1).number;
  if (base && power && *base >= 0 && (*power == 0.5 || *power == 1 || *power == 2)) {
    OnnxValue result;
    result.element = node.in(0).element;
    result.dims = *dims;
    double exact = *power == 0.5 ? std::sqrt(*base) : *power == 1 ? *base : *base * *base;
    result.number = roundTo(exact, result.element);
    return node.give(std::move(result));
  }
  Value exponent = node.emit(1);
  if (node.in(0).element != node.in(1).element)
    exponent = node.create<model::CastOp>(model::tensorType(node.in(0).element, node.in(1).dims), exponent);
  return node.give(node.elementwise(K::pow, {node.emit(0), exponent}, *dims));
}

LogicalResult importWhere(OnnxNode &node) {
  auto condition = node.in(0).contents ? node.in(0).contents->splat() : std::nullopt;
  auto holds = condition ? condition->constant() : std::nullopt;
  if (!holds)
    return giveElementwise(node, K::select, {0, 1, 2});
  auto dims = node.broadcastDims(node.in(1).dims, node.in(2).dims);
  if (succeeded(dims))
    dims = node.broadcastDims(*dims, node.in(0).dims);
  return failed(dims) ? failure() : giveOperand(node, *holds ? 1 : 2, *dims);
}

/// Bounds that may be left out. NaN stays NaN.
LogicalResult importClip(OnnxNode &node) {
  Value value = node.emit(0);
  for (size_t i : {1, 2}) {
    if (!node.has(i))
      continue;
    if (node.in(i).rank() != 0 && !product(node.in(i).dims).isConstant(1))
      return node.fail("bounds are tensors; supported where they are scalars");
    Value bound = node.reshape(node.emit(i), {});
    value = node.elementwise(i == 1 ? K::maximum : K::minimum, {value, bound}, node.in(0).dims);
  }
  return node.give(value);
}

LogicalResult giveActivation(OnnxNode &node, model::ActivationKind kind) {
  if (!node.in(0).isFloat())
    return node.fail("operand is no float tensor");
  Value input = node.emit(0);
  return node.give(node.create<model::ActivationOp>(input.getType(), kind, input));
}

LogicalResult importRelu(OnnxNode &node) {
  if (node.in(0).isFloat())
    return giveActivation(node, model::ActivationKind::relu);
  return node.give(node.elementwise(K::maximum, {node.emit(0), node.splat(node.in(0).element, 0)}, node.in(0).dims));
}

LogicalResult importGelu(OnnxNode &node) {
  bool approximate = node.text("approximate", "none") == "tanh";
  return giveActivation(node, approximate ? model::ActivationKind::gelu_tanh : model::ActivationKind::gelu);
}

LogicalResult importSwish(OnnxNode &node) {
  double alpha = node.real("alpha", 1.0);
  if (alpha == 1.0)
    return giveActivation(node, model::ActivationKind::silu);
  if (alpha == double(1.702f))
    return giveActivation(node, model::ActivationKind::quick_gelu);
  return node.fail("alpha is " + Twine(std::to_string(alpha)) + "; supported for 1 and 1.702");
}

LogicalResult importSoftmax(OnnxNode &node) {
  auto axis = node.axis(node.integer("axis", -1), node.in(0).rank());
  if (failed(axis))
    return failure();
  Value input = node.emit(0);
  return node.give(node.create<model::SoftmaxOp>(input.getType(), input, static_cast<uint64_t>(*axis)));
}

/// Reductions of shapes that are known stay known.
std::optional<DimExpr> foldReduce(model::ReduceKind kind, ArrayRef<DimExpr> elements, const SizeRules &rules) {
  if (elements.empty())
    return std::nullopt;
  DimExpr result = elements[0];
  for (const DimExpr &element : elements.drop_front()) {
    switch (kind) {
    case model::ReduceKind::sum:
      result = result + element;
      break;
    case model::ReduceKind::prod:
      result = result * element;
      break;
    case model::ReduceKind::max:
      result = rules.max(result, element);
      break;
    case model::ReduceKind::min:
      result = rules.min(result, element);
      break;
    default:
      return std::nullopt;
    }
    if (isTooLarge(result))
      return std::nullopt;
  }
  return result;
}

/// Reduces and drops the axes unless they are kept.
template <typename Prepare, typename Finish>
LogicalResult reduce(OnnxNode &node, model::ReduceKind kind, Prepare prepare, Finish finish) {
  const OnnxValue &input = node.in(0);
  SmallVector<int64_t> wanted;
  if (node.has(1)) {
    auto numbers = node.numbers(1, "axes");
    if (failed(numbers))
      return failure();
    wanted = *numbers;
  }
  if (wanted.empty()) {
    if (node.integer("noop_with_empty_axes", 0))
      return node.give(OnnxValue(input));
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      wanted.push_back(axis);
  }
  auto axes = node.axes(wanted, input.rank());
  if (failed(axes))
    return failure();
  bool keep = node.integer("keepdims", 1);
  model::Dims kept, left;
  for (int64_t axis = 0; axis < input.rank(); ++axis) {
    bool reduced = llvm::is_contained(*axes, axis);
    kept.push_back(reduced ? DimExpr(1) : input.dims[axis]);
    if (!reduced || keep)
      left.push_back(kept.back());
  }
  if (input.contents && input.contents->list && static_cast<int64_t>(axes->size()) == input.rank())
    if (auto value = foldReduce(kind, *input.contents->list, node.rules()))
      if (auto contents = Contents::ofList({*value}, left))
        return node.give(input.element, left, std::move(*contents));
  // Numbers without a sign have their extremes as others in their order, and sums with the same low bits.
  bool isExtreme = kind == model::ReduceKind::max || kind == model::ReduceKind::min;
  bool isUnsigned = input.element.isUnsignedInteger();
  if ((input.isBool() && !isExtreme) || (isUnsigned && kind == model::ReduceKind::mean))
    return node.fail("operand is of bool or unsigned; supported for signed integers and floats");
  Value operand = node.emit(0);
  if (isUnsigned && !isExtreme)
    operand = emitCast(node, operand, node.builder().getIntegerType(input.element.getIntOrFloatBitWidth()));
  else
    operand = emitSigned(node, operand);
  operand = prepare(operand);
  Value reduced = node.create<model::ReduceOp>(model::tensorType(elementOf(operand), kept), kind, operand, *axes);
  reduced = finish(reduced, kept);
  reduced = isExtreme ? emitUnsigned(node, reduced, input.element) : emitCast(node, reduced, input.element);
  return node.give(node.reshape(reduced, left));
}

template <model::ReduceKind kind> LogicalResult importReduce(OnnxNode &node) {
  auto same = [](Value value, auto &&...) { return value; };
  return reduce(node, kind, same, same);
}

LogicalResult importReduceL1(OnnxNode &node) {
  auto prepare = [&](Value x) {
    return node.in(0).element.isUnsignedInteger() ? x : node.elementwise(K::abs, {x}, node.in(0).dims);
  };
  return reduce(node, model::ReduceKind::sum, prepare, [](Value x, auto &) { return x; });
}

template <bool root> LogicalResult importReduceSquares(OnnxNode &node) {
  if (root && !node.in(0).isFloat())
    return node.fail("operand is of integers; supported for floats");
  auto prepare = [&](Value x) { return node.elementwise(K::mul, {x, x}, node.in(0).dims); };
  auto finish = [&](Value x, const model::Dims &dims) { return root ? node.elementwise(K::sqrt, {x}, dims) : x; };
  return reduce(node, model::ReduceKind::sum, prepare, finish);
}
} // namespace

void tamis::addOnnxMathOps(OnnxOpTable &table) {
  table["Neg"] = importUnary<K::neg>;
  table["Abs"] = importUnary<K::abs>;
  table["Exp"] = importUnary<K::exp>;
  table["Log"] = importUnary<K::log>;
  table["Sqrt"] = importUnary<K::sqrt>;
  table["Reciprocal"] = importUnary<K::reciprocal>;
  table["Erf"] = importUnary<K::erf>;
  table["Tanh"] = importUnary<K::tanh>;
  table["Sigmoid"] = importUnary<K::sigmoid>;
  table["Sin"] = importUnary<K::sin>;
  table["Cos"] = importUnary<K::cos>;
  table["Floor"] = importUnary<K::floor>;
  table["Ceil"] = importUnary<K::ceil>;
  table["Round"] = importUnary<K::round>;
  table["Sign"] = importUnary<K::sign>;
  table["IsNaN"] = importUnary<K::isnan>;
  table["IsInf"] = importIsInf;
  table["Not"] = importUnary<K::logical_not>;
  table["Add"] = importBinary<K::add>;
  table["Sub"] = importBinary<K::sub>;
  table["Mul"] = importBinary<K::mul>;
  table["Div"] = importBinary<K::div>;
  table["Mod"] = importMod;
  table["Pow"] = importPow;
  table["Min"] = importVariadic<K::minimum>;
  table["Max"] = importVariadic<K::maximum>;
  table["Sum"] = importVariadic<K::add>;
  table["Mean"] = importMean;
  table["And"] = importLogical<K::logical_and>;
  table["Or"] = importLogical<K::logical_or>;
  table["Xor"] = importBinary<K::logical_xor>;
  table["BitwiseAnd"] = importBitwise<K::logical_and>;
  table["BitwiseOr"] = importBitwise<K::logical_or>;
  table["BitwiseXor"] = importBitwise<K::logical_xor>;
  table["BitwiseNot"] = importBitwiseNot;
  table["BitShift"] = importBitShift;
  table["BitCast"] = importBitCast;
  table["Equal"] = importBinary<K::equal>;
  table["Less"] = importBinary<K::less>;
  table["LessOrEqual"] = importBinary<K::less_equal>;
  table["Greater"] = importBinary<K::greater>;
  table["GreaterOrEqual"] = importBinary<K::greater_equal>;
  table["Where"] = importWhere;
  table["Clip"] = importClip;
  table["Relu"] = importRelu;
  table["Gelu"] = importGelu;
  table["Swish"] = importSwish;
  table["Softmax"] = importSoftmax;
  table["ReduceSum"] = importReduce<model::ReduceKind::sum>;
  table["ReduceMean"] = importReduce<model::ReduceKind::mean>;
  table["ReduceMax"] = importReduce<model::ReduceKind::max>;
  table["ReduceMin"] = importReduce<model::ReduceKind::min>;
  table["ReduceProd"] = importReduce<model::ReduceKind::prod>;
  table["ReduceL1"] = importReduceL1;
  table["ReduceL2"] = importReduceSquares<true>;
  table["ReduceSumSquare"] = importReduceSquares<false>;
}
