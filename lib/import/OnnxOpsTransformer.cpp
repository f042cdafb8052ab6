// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that are parts of a transformer: dense layers, norms, attention. And what is near to those that are missing.
#include "lib/import/OnnxGraph.h"

#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// The parameter of a dense layer when operand `i` is one: a matrix that comes from the file, as it is or transposed.
Value parameterMatrix(OnnxNode &node, size_t i, bool &transposed) {
  const OnnxValue &value = node.in(i);
  if (value.rank() != 2 || !value.dims[0].constant() || !value.dims[1].constant() || !value.isFloat())
    return {};
  if (value.isWeight())
    return node.emit(i);
  if (auto quantized = value.value ? value.value.getDefiningOp<model::DequantizeOp>() : model::DequantizeOp();
      quantized && isa_and_nonnull<model::WeightOp, model::ConstantOp>(quantized.getInput().getDefiningOp()))
    return value.value;
  auto transpose = value.value ? value.value.getDefiningOp<model::TransposeOp>() : model::TransposeOp();
  if (!transpose || !transpose.getInput().getDefiningOp<model::WeightOp>())
    return {};
  transposed = !transposed;
  return transpose.getInput();
}

LogicalResult importMatMul(OnnxNode &node) {
  const OnnxValue &lhs = node.in(0), &rhs = node.in(1);
  if (!lhs.isFloat() || lhs.element != rhs.element)
    return node.fail("operands are not floats of one type");
  if (lhs.rank() == 0 || rhs.rank() == 0)
    return node.fail("an operand is a scalar");
  model::Dims left = lhs.dims, right = rhs.dims;
  if (left.size() == 1) // a row
    left.insert(left.begin(), DimExpr(1));
  if (right.size() == 1) // a column
    right.push_back(DimExpr(1));
  if (failed(node.meet(left.back(), right[right.size() - 2])))
    return failure();
  auto dims = node.broadcastDims(ArrayRef(left).drop_back(2), ArrayRef(right).drop_back(2));
  if (failed(dims))
    return failure();
  dims->push_back(left[left.size() - 2]);
  dims->push_back(right.back());
  if (failed(node.checkDims(*dims)))
    return failure();
  RankedTensorType type = model::tensorType(lhs.element, *dims);
  bool transposed = false;
  Value matrix = parameterMatrix(node, 1, transposed), result;
  if (matrix && right[0].constant())
    result = node.create<model::LinearOp>(type, node.reshape(node.emit(0), left), matrix, Value(), transposed);
  else
    result = node.create<model::MatmulOp>(type, node.reshape(node.emit(0), left), node.reshape(node.emit(1), right));
  if (rhs.rank() == 1)
    dims->pop_back();
  if (lhs.rank() == 1)
    dims->erase(dims->end() - (rhs.rank() == 1 ? 1 : 2));
  return node.give(node.reshape(result, *dims));
}

LogicalResult importGemm(OnnxNode &node) {
  const OnnxValue &a = node.in(0), &b = node.in(1);
  if (a.rank() != 2 || b.rank() != 2 || !a.isFloat() || a.element != b.element)
    return node.fail("operands are not two float matrices of one type");
  bool transA = node.integer("transA", 0), transB = node.integer("transB", 0);
  double alpha = node.real("alpha", 1.0), beta = node.real("beta", 1.0);
  if (failed(node.meet(a.dims[transA ? 0 : 1], b.dims[transB ? 1 : 0])))
    return failure();
  model::Dims dims{a.dims[transA ? 1 : 0], b.dims[transB ? 0 : 1]};
  RankedTensorType type = model::tensorType(a.element, dims);
  bool hasBias = node.has(2) && beta != 0.0;
  if (hasBias) {
    auto both = node.broadcastDims(dims, node.in(2).dims);
    if (failed(both))
      return failure();
    if (*both != dims || node.in(2).element != a.element)
      return node.fail("C of " + model::str(node.in(2).dims) + " is not added to " + model::str(dims) +
                       "; supported where it is broadcast to that");
  }
  Value left = node.emit(0);
  if (transA)
    left = node.transpose(left, {1, 0});
  bool transposed = transB;
  Value result;
  if (Value matrix = parameterMatrix(node, 1, transposed)) {
    Value bias;
    if (hasBias && alpha == 1.0 && beta == 1.0 && node.in(2).dims == model::Dims{dims[1]}) {
      bias = node.emit(2);
      hasBias = false;
    }
    result = node.create<model::LinearOp>(type, left, matrix, bias, transposed);
  } else {
    Value right = node.emit(1);
    result = node.create<model::MatmulOp>(type, left, transB ? node.transpose(right, {1, 0}) : right);
  }
  if (alpha != 1.0)
    result = node.elementwise(K::mul, {result, node.splat(a.element, alpha)}, dims);
  if (hasBias) {
    Value c = node.emit(2);
    if (beta != 1.0)
      c = node.elementwise(K::mul, {c, node.splat(a.element, beta)}, node.in(2).dims);
    result = node.elementwise(K::add, {result, c}, dims);
  }
  return node.give(result);
}

template <model::NormKind kind> LogicalResult importNorm(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  if (node.wants(1) || node.wants(2))
    return node.fail("its mean or deviation is used; supported with the normalised result alone");
  // The type in which statistics are computed: f32, f16, f64, bf16. Ours is at least as wide.
  int64_t stash = node.integer("stash_type", 1);
  if (!llvm::is_contained({1, 10, 11, 16}, stash))
    return node.fail("'stash_type' is " + std::to_string(stash) + ", which is no float type");
  auto axis = node.axis(node.integer("axis", -1), input.rank());
  if (failed(axis))
    return failure();
  if (!input.isFloat())
    return node.fail("operand is no float tensor");
  ArrayRef<DimExpr> inner = ArrayRef(input.dims).drop_front(*axis);
  for (const DimExpr &dim : inner)
    if (!dim.constant())
      return node.fail("normalises over the dynamic sizes " + model::str(inner) + "; supported where they are static");
  double epsilon = node.real("epsilon", 1e-5f);
  // Parameters of the sizes of a slice belong to the op; others, broadcast along, follow it.
  Value parameters[2];
  bool apart = false;
  for (size_t i : {1, 2}) {
    if (!node.has(i))
      continue;
    if (node.in(i).element != input.element)
      return node.fail("operand and parameters differ in element type");
    apart |= ArrayRef<DimExpr>(node.in(i).dims) != inner;
    parameters[i - 1] = node.emit(i);
  }
  Value scale = apart ? Value() : parameters[0], bias = apart ? Value() : parameters[1];
  Value x = node.emit(0);
  Value result = node.create<model::NormOp>(x.getType(), kind, x, scale, bias, static_cast<uint64_t>(*axis),
                                            llvm::APFloat(epsilon));
  for (size_t i : {1, 2}) {
    if (!apart || !parameters[i - 1])
      continue;
    auto dims = node.broadcastDims(input.dims, node.in(i).dims);
    if (failed(dims))
      return failure();
    if (*dims != input.dims)
      return node.fail("parameter of " + model::str(node.in(i).dims) + " is larger than the operand");
    result = node.elementwise(i == 1 ? K::mul : K::add, {result, parameters[i - 1]}, input.dims);
  }
  return node.give(result);
}

/// [batch, heads, tokens, width] as [batch, tokens, heads * width].
Value sideBySide(OnnxNode &node, Value value) {
  value = node.transpose(value, {0, 2, 1, 3});
  model::Dims dims = model::dimsOf(value.getType());
  return node.reshape(value, {dims[0], dims[1], dims[2] * dims[3]});
}

LogicalResult importAttention(OnnxNode &node) {
  for (auto [i, what] : {std::pair(4, "past_key"), std::pair(5, "past_value"), std::pair(6, "nonpad_kv_seqlen")})
    if (node.has(i))
      return node.fail(Twine("has ") + what + "; supported without a cache");
  if (node.wants(1) || node.wants(2) || node.wants(3))
    return node.fail("its cache or scores are used; supported with the first result alone");
  if (node.real("softcap", 0.0) != 0.0)
    return node.fail("softcap is given; supported without");
  SmallVector<Value> operands;
  const OnnxValue &query = node.in(0), &key = node.in(1), &value = node.in(2);
  int64_t rank = query.rank();
  if ((rank != 3 && rank != 4) || key.rank() != rank || value.rank() != rank)
    return node.fail("operands have ranks " + Twine(rank) + ", " + Twine(key.rank()) + " and " + Twine(value.rank()) +
                     "; supported where all have 3 or all have 4");
  if (!query.isFloat() || key.element != query.element || value.element != query.element)
    return node.fail("operands are not floats of one type");
  if (query.element.isF64())
    return node.fail("operands are of f64; supported up to f32");
  auto heads = rank == 4 ? query.dims[1].constant() : std::optional(node.integer("q_num_heads", 0));
  auto kvHeads = rank == 4 ? key.dims[1].constant() : std::optional(node.integer("kv_num_heads", 0));
  auto valueHeads = rank == 4 ? value.dims[1].constant() : kvHeads;
  auto width = query.dims.back().constant(), keyWidth = key.dims.back().constant(),
       valueWidth = value.dims.back().constant();
  if (rank == 4 && heads && kvHeads && valueHeads && width && keyWidth && valueWidth) {
    *width *= *heads;
    *keyWidth *= *kvHeads;
    *valueWidth *= *valueHeads;
  }
  if (!heads || !kvHeads || !width || !keyWidth || !valueWidth || valueHeads != kvHeads || *heads < 1 || *kvHeads < 1 ||
      *heads % *kvHeads || *width % *heads || *keyWidth % *kvHeads || *valueWidth % *kvHeads || *width == 0 ||
      *width / *heads != *keyWidth / *kvHeads)
    return node.fail("heads and widths do not fit each other; supported where they are static, and query heads are a "
                     "multiple of key heads");
  int64_t tokens = rank == 4 ? 2 : 1;
  for (auto [a, b] : {std::pair(&query.dims[0], &key.dims[0]), std::pair(&key.dims[0], &value.dims[0]),
                      std::pair(&key.dims[tokens], &value.dims[tokens])})
    if (failed(node.meet(*a, *b)))
      return failure();
  bool causal = node.integer("is_causal", 0);
  // ONNX counts from the first token, the dialect from the last: the same where both sides are as long.
  if (causal && query.dims[tokens] != key.dims[tokens])
    return node.fail("is_causal with " + Twine(query.dims[tokens].str()) + " queries and " + key.dims[tokens].str() +
                     " keys; supported where there are as many");
  Value mask;
  if (node.has(3)) {
    const OnnxValue &given = node.in(3);
    if (given.rank() > 4)
      return node.fail("mask has " + Twine(given.rank()) + " axes");
    model::Dims scores{query.dims[0], DimExpr(*heads), query.dims[tokens], key.dims[tokens]};
    auto both = node.broadcastDims(scores, given.dims);
    if (failed(both))
      return failure();
    if (*both != scores || (!given.isBool() && given.element != query.element))
      return node.fail("mask of " + model::str(given.dims) + " does not fit scores of " + model::str(scores));
    mask = node.emit(3);
    while (auto repeated = mask.getDefiningOp<model::BroadcastOp>()) // the op repeats it itself
      mask = repeated.getInput();
    model::Dims own = model::dimsOf(mask.getType()), wide(4 - own.size(), DimExpr(1));
    wide.append(own);
    mask = node.reshape(mask, wide);
  }
  double scale = node.real("scale", 0.0);
  if (!node.find("scale"))
    scale = 1.0 / std::sqrt(static_cast<double>(*width / *heads));
  for (size_t i : {0, 1, 2})
    operands.push_back(rank == 4 ? sideBySide(node, node.emit(i)) : node.emit(i));
  int64_t resultWidth = *valueWidth / *kvHeads;
  model::Dims dims{query.dims[0], query.dims[tokens], DimExpr(*heads * resultWidth)};
  Value result = node.create<model::AttentionOp>(model::tensorType(query.element, dims), operands[0], operands[1],
                                                 operands[2], mask, static_cast<uint64_t>(*heads),
                                                 static_cast<uint64_t>(*kvHeads), llvm::APFloat(scale), causal);
  if (rank == 4)
    result =
        node.transpose(node.reshape(result, {dims[0], dims[1], DimExpr(*heads), DimExpr(resultWidth)}), {0, 2, 1, 3});
  return node.give(result);
}
} // namespace

void tamis::addOnnxTransformerOps(OnnxOpTable &table) {
  table["MatMul"] = importMatMul;
  table["Gemm"] = importGemm;
  table["LayerNormalization"] = importNorm<model::NormKind::layer>;
  table["RMSNormalization"] = importNorm<model::NormKind::rms>;
  table["Attention"] = importAttention;
}

StringRef tamis::nearestSupport(StringRef domain, StringRef op) {
  if (domain == "com.microsoft")
    return llvm::StringSwitch<StringRef>(op)
        .Cases(
            {"DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention", "PagedAttention", "LongformerAttention"},
            "ONNX Runtime's own op; supported are its Attention, MultiHeadAttention, GroupQueryAttention, "
            "SparseAttention, PackedAttention and PackedMultiHeadAttention, and Attention of ai.onnx (opset 23)")
        .Default("only ops of ai.onnx and the commonest of com.microsoft are supported; export the model without ONNX "
                 "Runtime's optimizer");
  if (domain == unknownDomain)
    return "not an op of ONNX at this opset";
  if (!domain.empty())
    return "only ops of ai.onnx are supported";
  return llvm::StringSwitch<StringRef>(op)
      .Case("ConvInteger", "supported is Conv of floats")
      .Cases({"RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Bernoulli", "Multinomial"},
             "random numbers are not supported")
      .Cases({"RNN", "GRU", "LSTM"}, "supported as Scan of its step, over a sequence of static length")
      .Default("the op is not supported");
}
