// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of com.microsoft that ONNX Runtime's transformers optimizer writes: activations, norms, embeddings, products,
// rotary positions. Source: docs/ContribOperators.md of the onnxruntime project.
#include "lib/import/OnnxEmit.h"
#include "lib/import/OnnxQuantize.h"

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
LogicalResult checkFloat(OnnxNode &node) {
  return node.in(0).isFloat() ? success() : node.fail("operand is no float tensor");
}

/// x, or x + bias where there is one.
FailureOr<Value> biased(OnnxNode &node, size_t i) {
  Value x = node.emit(0);
  if (!node.has(i))
    return x;
  auto dims = node.broadcastDims(node.in(0).dims, node.in(i).dims);
  if (failed(dims))
    return failure();
  if (*dims != node.in(0).dims || node.in(i).element != node.in(0).element)
    return node.fail("bias " + model::str(node.in(i).dims) + " does not fit " + model::str(node.in(0).dims));
  return node.elementwise(K::add, {x, node.emit(i)}, *dims);
}

template <model::ActivationKind kind> LogicalResult importActivation(OnnxNode &node) {
  if (failed(checkFloat(node)))
    return failure();
  auto x = biased(node, 1);
  return failed(x) ? failure() : node.give(node.create<model::ActivationOp>(x->getType(), kind, *x));
}

LogicalResult importQuickGelu(OnnxNode &node) {
  if (failed(checkFloat(node)))
    return failure();
  Value x = node.emit(0);
  double alpha = node.real("alpha", 1.702f);
  if (alpha == double(1.702f))
    return node.give(node.create<model::ActivationOp>(x.getType(), model::ActivationKind::quick_gelu, x));
  Value gate = emitElementwise(node, K::mul, {x, node.splat(elementOf(x), alpha)});
  return node.give(emitElementwise(node, K::mul, {x, emitElementwise(node, K::sigmoid, gate)}));
}

/// The first half of the channels times the GELU of the second.
LogicalResult importBiasSplitGelu(OnnxNode &node) {
  if (failed(checkFloat(node)))
    return failure();
  auto x = biased(node, 1);
  if (failed(x))
    return failure();
  int64_t axis = node.in(0).rank() - 1;
  auto half = node.in(0).rank() ? node.in(0).dims[axis].exactDiv(DimExpr(2)) : std::nullopt;
  if (!half)
    return node.fail("'" + model::str(node.in(0).dims) + "' has no channels that can be halved");
  Value first = emitSlice(node, *x, axis, DimExpr(0), *half), second = emitSlice(node, *x, axis, *half, *half);
  Value gate = node.create<model::ActivationOp>(second.getType(), model::ActivationKind::gelu, second);
  return node.give(emitElementwise(node, K::mul, {first, gate}));
}

/// The norm of `x` over its last axes; operands `scale` and `bias` where they are given.
FailureOr<Value> normOf(OnnxNode &node, model::NormKind kind, Value x, size_t scale, size_t bias, int64_t axis,
                        double epsilon) {
  model::Dims dims = dimsOf(x), inner(dims.begin() + axis, dims.end());
  Value parameters[2];
  size_t places[] = {scale, bias};
  for (auto [parameter, i] : llvm::zip(parameters, places)) {
    if (!i || !node.has(i))
      continue;
    if (node.in(i).dims != inner || node.in(i).element != elementOf(x))
      return node.fail("parameter " + model::str(node.in(i).dims) + " does not fit " + model::str(inner));
    parameter = node.emit(i);
  }
  for (const DimExpr &dim : inner)
    if (!dim.constant())
      return node.fail("normalises over the dynamic sizes " + model::str(inner) + "; supported where they are static");
  return node.create<model::NormOp>(x.getType(), kind, x, parameters[0], parameters[1], static_cast<uint64_t>(axis),
                                    llvm::APFloat(epsilon));
}

template <model::NormKind kind> LogicalResult importSkipNorm(OnnxNode &node) {
  if (failed(checkFloat(node)))
    return failure();
  if (node.wants(1) || node.wants(2))
    return node.fail("its mean or deviation is used; supported with the normalised result and the sum");
  bool isLayer = kind == model::NormKind::layer;
  size_t biasIndex = isLayer ? 4 : 3;
  auto sum = biased(node, biasIndex);
  if (failed(sum))
    return failure();
  auto dims = node.broadcastDims(node.in(0).dims, node.in(1).dims);
  if (failed(dims))
    return failure();
  if (*dims != node.in(0).dims)
    return node.fail("skip " + model::str(node.in(1).dims) + " does not fit " + model::str(node.in(0).dims));
  Value added = node.elementwise(K::add, {*sum, node.emit(1)}, *dims);
  auto norm = normOf(node, kind, added, 2, isLayer ? 3 : 0, node.in(0).rank() - 1, node.real("epsilon", 1e-12f));
  return failure(failed(norm) || failed(node.give(*norm)) || failed(node.give(added, 3)));
}

LogicalResult importSimplifiedNorm(OnnxNode &node) {
  if (failed(checkFloat(node)))
    return failure();
  if (node.wants(1))
    return node.fail("its deviation is used; supported with the normalised result alone");
  auto axis = node.axis(node.integer("axis", -1), node.in(0).rank());
  if (failed(axis))
    return failure();
  auto norm = normOf(node, model::NormKind::rms, node.emit(0), 1, 0, *axis, node.real("epsilon", 1e-5f));
  return failed(norm) ? failure() : node.give(*norm);
}

/// Rows of the table `i` at `ids`.
FailureOr<Value> lookUp(OnnxNode &node, size_t i, Value ids) {
  const OnnxValue &table = node.in(i);
  if (table.rank() != 2 || !table.isFloat())
    return node.fail("a table is " + model::str(table.dims) + " but two axes are wanted");
  model::Dims dims = dimsOf(ids);
  dims.push_back(table.dims[1]);
  return node.create<model::GatherOp>(model::tensorType(table.element, dims), node.emit(i), ids, uint64_t(0));
}

/// Checks the ids of a node that embeds them, and gives its second result.
LogicalResult giveTokenCounts(OnnxNode &node) {
  const OnnxValue &ids = node.in(0);
  if (ids.rank() != 2)
    return node.fail("input_ids are " + model::str(ids.dims) + " but [batch, sequence] is wanted");
  if (node.wants(1)) { // how many tokens the mask keeps
    Type i32 = node.builder().getI32Type();
    Value count = node.splat(i32, 0, {ids.dims[0]});
    if (node.has(7)) {
      if (node.in(7).dims != ids.dims || !isa<IntegerType>(node.in(7).element))
        return node.fail("mask " + model::str(node.in(7).dims) + " does not fit " + model::str(ids.dims));
      Value one = node.splat(node.in(7).element, 1);
      Value keeps = emitCast(node, emitElementwise(node, K::equal, {node.emit(7), one}), i32);
      count = emitSqueeze(node, emitReduce(node, model::ReduceKind::sum, keeps, int64_t(1)), 1);
    }
    return node.give(count, 1);
  }
  return success();
}

LogicalResult importEmbedNorm(OnnxNode &node) {
  if (failed(giveTokenCounts(node)))
    return failure();
  const OnnxValue &ids = node.in(0);
  Value positions = node.has(8) ? node.emit(8) : emitIota(node, node.i64(), ids.dims[1], 1, 2);
  auto words = lookUp(node, 2, node.emit(0)), places = failed(words) ? words : lookUp(node, 3, positions);
  if (failed(places))
    return failure();
  Value sum = emitElementwise(node, K::add, {*words, *places});
  if (node.has(1) && node.has(4)) {
    auto segments = lookUp(node, 4, node.emit(1));
    if (failed(segments))
      return failure();
    sum = emitElementwise(node, K::add, {sum, *segments});
  }
  auto norm = normOf(node, model::NormKind::layer, sum, 5, 6, 2, node.real("epsilon", 1e-12f));
  return failure(failed(norm) || failed(node.give(*norm)) || failed(node.give(sum, 2)));
}

/// The same of tables and parameters of 8-bit integers, each with one scale and one zero point.
LogicalResult importQuantizedEmbedNorm(OnnxNode &node) {
  enum { ids, segments, words, places, segmentTable, gamma, beta, mask, firstScale, firstZero = firstScale + 5 };
  if (failed(giveTokenCounts(node)))
    return failure();
  Type f32 = node.builder().getF32Type();
  // Integers of operand `i` as numbers, looked up first where `at` says where.
  auto numbers = [&](size_t i, int64_t rank, Value at = Value()) -> FailureOr<Value> {
    size_t scale = firstScale + (i - words), zero = firstZero + (i - words);
    if (!node.has(i) || !node.has(scale) || !node.has(zero))
      return node.fail("operand " + Twine(i) + ", its scale or its zero point is missing");
    const OnnxValue &given = node.in(i);
    if (!given.element.isInteger(8) || given.rank() != rank || !product(node.in(scale).dims).isConstant(1) ||
        !node.in(scale).element.isF32())
      return node.fail("operand " + Twine(i) + ", " + model::str(given.dims) + ", is not of " + Twine(rank) +
                       " axes of 8-bit integers with one scale of f32");
    Quantization quantization;
    if (failed(quantization.read(node, i, scale, zero, 0, 0)))
      return failure();
    if (quantization.zeroElement != given.element)
      return node.fail("the zero point of operand " + Twine(i) + " has another element type than it");
    Value integers = node.emit(i);
    if (at) {
      model::Dims dims = dimsOf(at);
      dims.push_back(given.dims[1]);
      integers = node.create<model::GatherOp>(model::tensorType(given.element, dims), integers, at, uint64_t(0));
    }
    return quantization.dequantize(node, integers, f32);
  };
  auto word = numbers(words, 2, node.emit(ids));
  if (failed(word))
    return failure();
  auto place = numbers(places, 2, emitIota(node, node.i64(), node.in(ids).dims[1], 1, 2));
  if (failed(place))
    return failure();
  model::Dims width{dimsOf(*word)[2]};
  auto add = [&](Value a, Value b) -> FailureOr<Value> {
    if (dimsOf(b).back() != width[0])
      return node.fail("tables have rows of " + width[0].str() + " and of " + dimsOf(b).back().str());
    return emitElementwise(node, K::add, {a, b});
  };
  auto sum = add(*word, *place);
  if (succeeded(sum) && node.has(segments) && node.has(segmentTable)) {
    auto segment = numbers(segmentTable, 2, node.emit(segments));
    sum = failed(segment) ? segment : add(*sum, *segment);
  }
  if (failed(sum))
    return failure();
  auto scale = numbers(gamma, 1), bias = failed(scale) ? scale : numbers(beta, 1);
  if (failed(bias))
    return failure();
  if (dimsOf(*scale) != width || dimsOf(*bias) != width || !width[0].constant())
    return node.fail("parameters of " + model::str(dimsOf(*scale)) + " and " + model::str(dimsOf(*bias)) +
                     " do not fit " + model::str(width));
  return node.give(node.create<model::NormOp>(sum->getType(), model::NormKind::layer, *sum, *scale, *bias, uint64_t(2),
                                              llvm::APFloat(double(node.real("epsilon", 1e-12f)))));
}

LogicalResult importFusedMatMul(OnnxNode &node) {
  const OnnxValue &a = node.in(0), &b = node.in(1);
  if (!a.isFloat() || a.element != b.element || a.rank() < 2 || b.rank() < 2)
    return node.fail("operands " + model::str(a.dims) + " and " + model::str(b.dims) + " are not float matrices");
  if (node.integer("transBatchA", 0) || node.integer("transBatchB", 0))
    return node.fail("moves the batch axis; supported by Transpose");
  auto turned = [&](size_t i, bool turns) {
    Value value = node.emit(i);
    int64_t rank = node.in(i).rank();
    return turns ? node.transpose(value, moveAxis(rank, rank - 1, rank - 2)) : value;
  };
  Value left = turned(0, node.integer("transA", 0)), right = turned(1, node.integer("transB", 0));
  model::Dims leftDims = dimsOf(left), rightDims = dimsOf(right);
  if (failed(node.meet(leftDims.back(), rightDims[rightDims.size() - 2])))
    return failure();
  auto dims = node.broadcastDims(ArrayRef(leftDims).drop_back(2), ArrayRef(rightDims).drop_back(2));
  if (failed(dims))
    return failure();
  dims->push_back(leftDims[leftDims.size() - 2]);
  dims->push_back(rightDims.back());
  Value product = node.create<model::MatmulOp>(model::tensorType(a.element, *dims), left, right);
  double alpha = node.real("alpha", 1);
  return node.give(alpha == 1 ? product : emitElementwise(node, K::mul, {product, node.splat(a.element, alpha)}));
}

/// Turns pairs of channels by the angle of their position. Pairs are halves of a head, or neighbours.
LogicalResult importRotary(OnnxNode &node) {
  const OnnxValue &input = node.in(0), &cosines = node.in(2);
  if (failed(checkFloat(node)))
    return failure();
  int64_t rank = input.rank();
  if (rank != 3 && rank != 4)
    return node.fail("operand has " + Twine(rank) + " axes but 3 or 4 are wanted");
  auto tableWidth = cosines.rank() == 2 ? cosines.dims[1].constant() : std::nullopt;
  int64_t rotated = node.integer("rotary_embedding_dim", 0), heads = node.integer("num_heads", 0);
  auto width = input.dims.back().constant();
  if (!tableWidth || !width || node.in(3).dims != cosines.dims)
    return node.fail("tables " + model::str(cosines.dims) + " are no two matrices of static width");
  if (!rotated)
    rotated = 2 * *tableWidth;
  int64_t headWidth = rank == 4 ? *width : heads ? *width / heads : rotated;
  if (rotated != 2 * *tableWidth || headWidth < rotated || *width % headWidth)
    return node.fail("rotates " + Twine(rotated) + " of heads of " + Twine(headWidth) + " with tables of " +
                     Twine(*tableWidth));
  // [batch, tokens, heads, width]
  Value x = node.emit(0);
  if (rank == 4)
    x = node.transpose(x, {0, 2, 1, 3});
  else
    x = node.reshape(x, {input.dims[0], input.dims[1], DimExpr(*width / headWidth), DimExpr(headWidth)});
  model::Dims dims = dimsOf(x);
  Value ids = emitCast(node, node.emit(1), node.i64());
  if (node.in(1).rank() == 1) // where the first token stands
    ids = emitElementwise(node, K::add,
                          {node.reshape(ids, {DimExpr(1), DimExpr(1)}), emitIota(node, node.i64(), dims[1], 1, 2)});
  auto anglesOf = [&](size_t i) {
    model::Dims rows = dimsOf(ids), wide = rows;
    rows.push_back(DimExpr(*tableWidth));
    Value picked = node.create<model::GatherOp>(model::tensorType(input.element, rows), node.emit(i), ids, uint64_t(0));
    return emitUnsqueeze(node, picked, 2); // the same for all heads
  };
  Value cosine = anglesOf(2), sine = anglesOf(3);
  Value result = emitRotary(node, x, cosine, sine, node.integer("interleaved", 0));
  return node.give(rank == 4 ? node.transpose(result, {0, 2, 1, 3}) : node.reshape(result, input.dims));
}
} // namespace

void tamis::addOnnxContribOps(OnnxOpTable &table) {
  auto add = [&](const char *op, OnnxImportFunction import) { table[("com.microsoft." + Twine(op)).str()] = import; };
  add("Gelu", importActivation<model::ActivationKind::gelu>);
  add("BiasGelu", importActivation<model::ActivationKind::gelu>);
  add("FastGelu", importActivation<model::ActivationKind::gelu_tanh>);
  add("QuickGelu", importQuickGelu);
  add("BiasSplitGelu", importBiasSplitGelu);
  add("SkipLayerNormalization", importSkipNorm<model::NormKind::layer>);
  add("SkipSimplifiedLayerNormalization", importSkipNorm<model::NormKind::rms>);
  add("EmbedLayerNormalization", importEmbedNorm);
  add("QEmbedLayerNormalization", importQuantizedEmbedNorm);
  add("FusedMatMul", importFusedMatMul);
  add("RotaryEmbedding", importRotary);
  // ONNX Runtime writes this one into the domain of ai.onnx, which does not know it.
  add("SimplifiedLayerNormalization", importSimplifiedNorm);
  table[(unknownDomain + ".SimplifiedLayerNormalization").str()] = importSimplifiedNorm;
}
