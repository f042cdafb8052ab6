// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Brings dequantized weights into the form that kernels unpack.
#include "codegen/tile/ConstantExpression.h"
#include "codegen/tile/PackedWeight.h"
#include "codegen/tile/Passes.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "codegen/tile/Passes.h.inc"
} // namespace tamis

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

DenseElementsAttr splatOf(Value value) {
  auto constant = value.getDefiningOp<model::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  return elements && elements.isSplat() ? elements : DenseElementsAttr();
}

/// The operands of a dequantize with an output a row and blocks along axis 1.
struct Parts {
  Value integers, scale, zeroPoint, minimum; ///< the last two may be null
  int64_t block;
};

class Packer {
public:
  explicit Packer(Operation *reader) : builder(reader), loc(reader->getLoc()) {}

  /// The packed form of a matrix, its outputs along axis 1 where it is `turned`; null where it has none.
  Value pack(Value matrix, bool turned) {
    auto parts = partsOf(matrix, turned);
    if (!parts)
      return {};
    auto shape = typeOf(parts->integers).getShape();
    auto op = DequantizeOp::create(builder, matrix.getLoc(), RankedTensorType::get(shape, builder.getF32Type()),
                                   parts->integers, parts->scale, parts->zeroPoint, parts->minimum,
                                   builder.getI64IntegerAttr(parts->block), builder.getI64IntegerAttr(1));
    auto weight = PackedWeight::of(op);
    Value zeros = weight ? weight->zeroPoints() : Value();
    for (Value operand : {parts->integers, parts->scale, zeros, parts->minimum})
      if (!weight || (operand && !constantExpression(operand)))
        return {};
    return op;
  }

private:
  Type withShape(Value value, ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, typeOf(value).getElementType());
  }

  /// Constants that are the same everywhere stay such.
  Value uniform(DenseElementsAttr splat, ArrayRef<int64_t> shape) {
    return model::ConstantOp::create(builder, loc,
                                     splat.resizeSplat(RankedTensorType::get(shape, splat.getElementType())));
  }

  Value turn(Value value) {
    auto shape = typeOf(value).getShape();
    SmallVector<int64_t> turned{shape[1], shape[0]};
    if (DenseElementsAttr splat = splatOf(value))
      return uniform(splat, turned);
    return TransposeOp::create(builder, loc, withShape(value, turned), value, builder.getDenseI64ArrayAttr({1, 0}));
  }

  Value reshape(Value value, ArrayRef<int64_t> shape) {
    if (typeOf(value).getShape() == shape)
      return value;
    if (DenseElementsAttr splat = splatOf(value))
      return uniform(splat, shape);
    return ReshapeOp::create(builder, loc, withShape(value, shape), value);
  }

  /// The f16 that a value of f32 was widened from, behind changes of its shape; null for others.
  Value narrowed(Value value) {
    if (auto cast = value.getDefiningOp<CastOp>())
      return typeOf(cast.getInput()).getElementType().isF16() ? cast.getInput() : Value();
    if (auto reshape = value.getDefiningOp<ReshapeOp>())
      if (Value narrow = narrowed(reshape.getInput()); narrow && typeOf(value).hasStaticShape())
        return this->reshape(narrow, typeOf(value).getShape());
    return {};
  }

  std::optional<Parts> partsOf(Value matrix, bool turned) {
    Operation *op = matrix.getDefiningOp();
    if (auto transpose = dyn_cast_or_null<TransposeOp>(op))
      return transpose.getPermutation() == ArrayRef<int64_t>{1, 0} ? partsOf(transpose.getInput(), !turned)
                                                                   : std::nullopt;
    if (auto concat = dyn_cast_or_null<ConcatOp>(op))
      return int64_t(concat.getAxis()) == int64_t(turned) ? join(concat, turned) : std::nullopt;
    auto dequantize = dyn_cast_or_null<DequantizeOp>(op);
    return dequantize ? ownParts(dequantize, turned) : std::nullopt;
  }

  std::optional<Parts> ownParts(DequantizeOp op, bool turned) {
    RankedTensorType type = typeOf(op.getInput());
    if (type.getRank() != 2 || !type.hasStaticShape() || type.getNumElements() == 0 ||
        (op.getAxis() && int64_t(*op.getAxis()) == int64_t(turned)))
      return std::nullopt;
    Parts parts{op.getInput(), op.getScale(), op.getZeroPoint(), op.getMinimum(), 0};
    int64_t outputs = type.getDimSize(turned ? 1 : 0), depth = type.getDimSize(turned ? 0 : 1);
    if (op.getBlock()) {
      parts.block = int64_t(*op.getBlock());
    } else { // one scale an output, along its axis
      RankedTensorType scale = typeOf(parts.scale);
      SmallVector<int64_t> shape(2 - scale.getRank(), 1);
      llvm::append_range(shape, scale.getShape());
      if (scale.getRank() > 2 || shape[turned ? 1 : 0] != outputs || shape[turned ? 0 : 1] != 1)
        return std::nullopt;
      parts.block = depth;
    }
    Value scale = narrowed(parts.scale), minimum = parts.minimum ? narrowed(parts.minimum) : Value();
    if (scale && bool(minimum) == bool(parts.minimum))
      parts.scale = scale, parts.minimum = minimum;
    if (turned)
      parts.integers = turn(parts.integers);
    for (Value *units : {&parts.scale, &parts.zeroPoint, &parts.minimum}) {
      if (!*units)
        continue;
      if (!op.getBlock())
        *units = reshape(*units, {outputs, 1});
      else if (turned)
        *units = turn(*units);
    }
    return parts;
  }

  /// The parts of matrices one after the other; nothing where they are stored in different ways.
  std::optional<Parts> join(ConcatOp concat, bool turned) {
    SmallVector<Parts> all;
    for (Value input : concat.getInputs()) {
      auto parts = partsOf(input, turned);
      if (!parts || (!all.empty() && !isAlike(*parts, all.front())))
        return std::nullopt;
      all.push_back(*parts);
    }
    if (all.empty())
      return std::nullopt;
    auto joined = [&](Value Parts::*member) -> Value {
      if (!(all.front().*member))
        return {};
      SmallVector<Value> values;
      int64_t rows = 0;
      for (const Parts &parts : all) {
        values.push_back(parts.*member);
        rows += typeOf(values.back()).getDimSize(0);
      }
      SmallVector<int64_t> shape{rows, typeOf(values.front()).getDimSize(1)};
      DenseElementsAttr splat = splatOf(values.front());
      if (splat && llvm::all_of(values, [&](Value value) {
            DenseElementsAttr other = splatOf(value);
            return other && other.getSplatValue<Attribute>() == splat.getSplatValue<Attribute>();
          }))
        return uniform(splat, shape);
      return ConcatOp::create(builder, loc, withShape(values.front(), shape), values, uint64_t(0));
    };
    return Parts{joined(&Parts::integers), joined(&Parts::scale), joined(&Parts::zeroPoint), joined(&Parts::minimum),
                 all.front().block};
  }

  static bool isAlike(const Parts &a, const Parts &b) {
    auto elementOf = [](Value value) { return value ? typeOf(value).getElementType() : Type(); };
    return a.block == b.block && elementOf(a.integers) == elementOf(b.integers) &&
           elementOf(a.scale) == elementOf(b.scale) && elementOf(a.zeroPoint) == elementOf(b.zeroPoint) &&
           elementOf(a.minimum) == elementOf(b.minimum);
  }

  OpBuilder builder;
  Location loc;
};

struct PackWeights : tamis::impl::PackWeightsBase<PackWeights> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main || !main.getBody().hasOneBlock())
      return;
    SmallVector<Operation *> readers;
    for (Operation &op : main.front())
      if (isa<LinearOp, EmbeddingOp>(op) && typeOf(op.getResult(0)).getElementType().isF32())
        readers.push_back(&op);
    for (Operation *op : readers) {
      if (auto linear = dyn_cast<LinearOp>(op)) {
        if (Value packed = Packer(op).pack(linear.getWeight(), /*turned=*/!linear.getTransposed())) {
          linear.getWeightMutable().assign(packed);
          linear.setTransposed(true);
          ++numPacked;
        }
      } else if (auto embedding = cast<EmbeddingOp>(op)) {
        if (Value packed = Packer(op).pack(embedding.getTable(), /*turned=*/false)) {
          embedding.getTableMutable().assign(packed);
          ++numPacked;
        }
      }
    }
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(main.front())))
      if (isa<DequantizeOp, ConcatOp, TransposeOp, ReshapeOp, CastOp, model::ConstantOp, WeightOp>(op) &&
          op.use_empty())
        op.erase();
  }
};
} // namespace
