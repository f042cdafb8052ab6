// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products with weights that are unpacked in registers, or into scratch for many rows.
#include "codegen/tile/PackedLinear.h"
#include "codegen/tile/ElementMath.h"
#include "codegen/tile/Linear.h"
#include "codegen/tile/LinearTiler.h"
#include "codegen/tile/PackWords.h"
#include "codegen/tile/PackedWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Rows of the input that are multiplied together.
constexpr unsigned kTileRows = 4;

/// Emits the loops of one kernel.
class PackedTiler {
public:
  PackedTiler(KernelBuilder &builder, const LinearKernel &kernel, const PackedWeight &weight, const CpuTarget &target)
      : b(builder), kernel(kernel), weight(weight), dense(builder, kernel, target, packedLinearRows(kernel.K)),
        math(builder, target), lanes(target.lanes), registers(target.registers), per(perWord(weight.bits)),
        words(llvm::divideCeil(weight.depth, per)) {
    DequantizeOp op = weight.op;
    integers = b.bufferOf(op.getInput());
    scales = b.bufferOf(op.getScale());
    zeros = weight.zeroPoints() ? b.bufferOf(weight.zeroPoints()) : Value();
    minima = op.getMinimum() ? b.bufferOf(op.getMinimum()) : Value();
    unitElement = cast<RankedTensorType>(op.getScale().getType()).getElementType();
    offset = double(weight.lift() + weight.uniformZero.value_or(0));
    hasOffset = zeros || offset != 0;
  }

  void emit() {
    Value few = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, b.size(kernel.rows), b.index(kUnpackedRows));
    b.branch(few, [&] { fewRows(); }, [&] { manyRows(); });
  }

private:
  /// Some rows and columns of the result, whose sums are held in registers.
  struct Tile {
    Value row;
    unsigned rows;
    Value panel, column; ///< column: the first, within the panel
    int64_t columns;     ///< that exist from there on
    unsigned vectors;
  };
  using Vectors = SmallVector<Value>;

  // In registers.
  void fewRows();
  void prepareRow(Value row);
  Value prepareGroup(Value row, Value first, int64_t count);
  void panelRows(Value panel, Value row, unsigned rows, int64_t columns);
  void registerTile(const Tile &tile);
  void addGroup(const Tile &tile, Value group, int64_t count, Vectors &sums);
  Vectors groupSums(const Tile &tile, Value firstWord, int64_t count);

  // In scratch.
  void manyRows();
  void unpackPanel(Value panel);
  void unpackGroup(Value panel, Value column, Value group, int64_t count);

  void forEachGroup(function_ref<void(Value group, int64_t count)> body);
  Value wordOffset(Value panel, Value index, Value column); ///< in bytes
  Value word(Value panel, Value index, Value column);
  Value bitsAt(Value words, int64_t position);
  double sizeAt(int64_t position) const;
  Value unit(Value buffer, Type element, Value panel, Value group, Value column);
  Value scaleOf(Value panel, Value group, Value column) { return unit(scales, unitElement, panel, group, column); }
  Value minimumOf(Value panel, Value group, Value column) { return unit(minima, unitElement, panel, group, column); }
  Value offsetOf(Value panel, Value group, Value column);

  Value splat(double value) { return b.splat(value, lanes); }
  Value multiply(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) { return vector::FMAOp::create(b, x, y, z); }
  Value negate(Value x) { return arith::NegFOp::create(b, x); }
  /// Where the sum of a row's group lies in scratch: behind all rows of inputs.
  Value sumOffset(Value row, Value group) {
    return b.add(b.add(b.mul(row, weight.groups), group), kUnpackedRows * weight.depth);
  }

  KernelBuilder &b;
  const LinearKernel &kernel;
  const PackedWeight &weight;
  LinearTiler dense;
  ElementMath math;
  unsigned lanes, registers;
  int64_t per, words;
  Value integers, scales, zeros, minima;
  Type unitElement;
  double offset; ///< what all stored integers are too large by
  bool hasOffset;
};
} // namespace

/// Whole groups in a loop, the last one, where it is shorter, behind it.
void PackedTiler::forEachGroup(function_ref<void(Value group, int64_t count)> body) {
  int64_t whole = weight.depth / weight.group, rest = weight.depth % weight.group;
  b.loop(b.index(0), b.index(whole), 1, [&](Value group) { body(group, weight.group); });
  if (rest)
    body(b.index(whole), rest);
}

Value PackedTiler::wordOffset(Value panel, Value index, Value column) {
  return b.mul(b.add(b.mul(b.add(b.mul(panel, words), index), kPanelColumns), column), 4);
}

Value PackedTiler::word(Value panel, Value index, Value column) {
  Value bytes = b.loadVector(integers, wordOffset(panel, index, column), lanes * 4);
  return vector::BitCastOp::create(b, b.vectorType(lanes, b.getI32Type()), bytes);
}

/// The integers at one place of words, as f32 and times sizeAt: a mask leaves them where they are. The highest are
/// shifted, since their sign would count.
Value PackedTiler::bitsAt(Value words, int64_t position) {
  Type type = words.getType();
  bool isLast = position + 1 == per;
  auto number = math.integer(type, isLast ? 32 - int64_t(weight.bits)
                                          : ((int64_t(1) << weight.bits) - 1) << (position * weight.bits));
  Value bits =
      isLast ? Value(arith::ShRUIOp::create(b, words, number)) : Value(arith::AndIOp::create(b, words, number));
  return arith::SIToFPOp::create(b, b.vectorType(lanes), bits);
}

double PackedTiler::sizeAt(int64_t position) const {
  return position + 1 == per ? 1 : std::ldexp(1.0, int(position * weight.bits));
}

Value PackedTiler::unit(Value buffer, Type element, Value panel, Value group, Value column) {
  Value at = b.add(b.mul(b.add(b.mul(panel, weight.groups), group), kPanelColumns), column);
  return math.fromStorage(b.loadVector(buffer, at, lanes), element);
}

/// What the stored integers of a group are too large by.
Value PackedTiler::offsetOf(Value panel, Value group, Value column) {
  if (!zeros)
    return splat(offset);
  Type element = cast<RankedTensorType>(weight.zeroPoints().getType()).getElementType();
  Value zero = unit(zeros, element, panel, group, column);
  Type wide = b.vectorType(lanes, b.getI32Type());
  zero = weight.isSigned ? Value(arith::ExtSIOp::create(b, wide, zero)) : Value(arith::ExtUIOp::create(b, wide, zero));
  zero = arith::SIToFPOp::create(b, b.vectorType(lanes), zero);
  return offset ? Value(arith::AddFOp::create(b, zero, splat(offset))) : zero;
}

// Few rows.

void PackedTiler::fewRows() {
  Value rows = b.size(kernel.rows);
  b.loop(b.index(0), rows, 1, [&](Value row) { prepareRow(row); });
  // As few tiles as possible, as even as possible. Converting weights once a tile costs nothing beside the products of
  // four rows.
  Value tiles = b.divFloor(b.add(rows, kTileRows - 1), b.index(kTileRows));
  dense.forGroups([&](Value panel, Value, Value, int64_t columns) {
    Value fewer = b.divFloor(rows, tiles), larger = b.rem(rows, tiles);
    b.loop(b.index(0), tiles, 1, [&](Value index) {
      Value row = b.add(b.mul(index, fewer), b.minimum(index, larger));
      Value isLarger = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, larger);
      Value count = arith::SelectOp::create(b, isLarger, b.add(fewer, 1), fewer);
      b.switchOver(count, llvm::to_vector(llvm::seq_inclusive(1u, kTileRows)),
                   [&](int64_t count) { panelRows(panel, row, count, columns); });
    });
  });
}

/// Into scratch: a row of the input, each number divided by the size that bitsAt leaves its weight, and the sum of each
/// group.
void PackedTiler::prepareRow(Value row) {
  forEachGroup([&](Value group, int64_t count) {
    Value sum = prepareGroup(row, b.mul(group, weight.group), count);
    b.store(sum, b.scratch(), sumOffset(row, group));
  });
}

Value PackedTiler::prepareGroup(Value row, Value first, int64_t count) {
  unsigned width = std::max<int64_t>(per, lanes);
  if (count % width)
    width = per;
  Value from = b.add(b.mul(row, weight.depth), first);
  SmallVector<float> factors;
  for (unsigned i = 0; i < width; ++i)
    factors.push_back(float(1 / sizeAt(i % per)));
  VectorType type = b.vectorType(width);
  Value factor = arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<float>(factors)));
  Value zero = b.splat(0, width);
  int64_t whole = count / width;
  Value sums = b.loop(b.index(0), b.index(whole), 1, {zero}, [&](Value i, ValueRange carried) -> Vectors {
    Value at = b.add(from, b.mul(i, width)), x = b.loadVector(dense.input, at, width);
    b.storeVector(multiply(x, factor), b.scratch(), at);
    return {arith::AddFOp::create(b, carried[0], x)};
  })[0];
  Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums, arith::FastMathFlags::reassoc);
  for (int64_t i = whole * width; i < count; ++i) {
    Value at = b.add(from, i), x = b.load(dense.input, at);
    b.store(multiply(x, math.constant(x.getType(), 1 / sizeAt(i % per))), b.scratch(), at);
    sum = arith::AddFOp::create(b, sum, x);
  }
  return sum;
}

void PackedTiler::panelRows(Value panel, Value row, unsigned rows, int64_t columns) {
  // Sums of the group and of all groups, a vector of weights and a number of the input each.
  unsigned chains = rows == 1 ? 3 : 2, vectors = 3;
  while (vectors > 1 && chains * rows * vectors + vectors + 1 > registers)
    --vectors;
  int64_t step = int64_t(vectors) * lanes, whole = columns / step;
  if (whole)
    b.loop(b.index(0), b.index(whole), 1,
           [&](Value i) { registerTile({row, rows, panel, b.mul(i, step), step, vectors}); });
  if (int64_t rest = columns - whole * step)
    registerTile({row, rows, panel, b.index(whole * step), rest, unsigned(llvm::divideCeil(rest, lanes))});
}

void PackedTiler::registerTile(const Tile &tile) {
  auto placeOf = [&](unsigned i, unsigned j) {
    Value column = b.add(b.add(b.mul(tile.panel, kPanelColumns), tile.column), j * lanes);
    return dense.place(b.add(tile.row, i), column, tile.columns - j * lanes);
  };
  Vectors sums; // [rows][vectors]
  for (unsigned i = 0; i < tile.rows; ++i)
    for (unsigned j = 0; j < tile.vectors; ++j)
      sums.push_back(dense.start(placeOf(0, j)));
  int64_t whole = weight.depth / weight.group, rest = weight.depth % weight.group;
  sums = b.loop(b.index(0), b.index(whole), 1, sums, [&](Value group, ValueRange carried) {
    Vectors next(carried);
    addGroup(tile, group, weight.group, next);
    return next;
  });
  if (rest)
    addGroup(tile, b.index(whole), rest, sums);
  for (unsigned i = 0; i < tile.rows; ++i)
    for (unsigned j = 0; j < tile.vectors; ++j)
      dense.finish(sums[i * tile.vectors + j], placeOf(i, j));
}

void PackedTiler::addGroup(const Tile &tile, Value group, int64_t count, Vectors &sums) {
  Vectors products = groupSums(tile, b.mul(group, llvm::divideCeil(weight.group, per)), count);
  Vectors inputs;
  for (unsigned i = 0; hasOffset + bool(minima) && i < tile.rows; ++i)
    inputs.push_back(b.broadcast(b.load(b.scratch(), sumOffset(b.add(tile.row, i), group)), lanes));
  for (unsigned j = 0; j < tile.vectors; ++j) {
    Value column = b.add(tile.column, j * lanes), scale = scaleOf(tile.panel, group, column);
    Value minimum = minima ? minimumOf(tile.panel, group, column) : Value();
    Value less = hasOffset ? negate(offsetOf(tile.panel, group, column)) : Value();
    for (unsigned i = 0; i < tile.rows; ++i) {
      Value product = products[i * tile.vectors + j], &sum = sums[i * tile.vectors + j];
      if (less)
        product = fma(less, inputs[i], product);
      sum = fma(scale, product, sum);
      if (minimum)
        sum = fma(minimum, inputs[i], sum);
    }
  }
}

/// Sums of inputs times stored integers, over the `count` columns of a group.
PackedTiler::Vectors PackedTiler::groupSums(const Tile &tile, Value firstWord, int64_t count) {
  // One row waits for its own sums, so it has two.
  unsigned chains = tile.rows == 1 ? 2 : 1, width = tile.rows * tile.vectors;
  Vectors sums(chains * width, splat(0));
  auto step = [&](Value index, int64_t count) {
    Vectors packed;
    for (unsigned j = 0; j < tile.vectors; ++j)
      packed.push_back(word(tile.panel, index, b.add(tile.column, j * lanes)));
    // The same words of the next panel: from memory the processor's own prefetcher fetches half as fast.
    for (unsigned j = 0; j < tile.vectors; j += std::max(1u, 16 / lanes))
      b.prefetch(integers, wordOffset(b.add(tile.panel, 1), index, b.add(tile.column, j * lanes)));
    Value from = b.add(b.mul(tile.row, weight.depth), b.mul(index, per));
    for (int64_t position = 0; position < count; ++position) {
      Vectors numbers;
      for (Value words : packed)
        numbers.push_back(bitsAt(words, position));
      for (unsigned i = 0; i < tile.rows; ++i) {
        Value x = b.broadcast(b.load(b.scratch(), b.add(from, i * weight.depth + position)), lanes);
        for (unsigned j = 0; j < tile.vectors; ++j) {
          Value &sum = sums[position % chains * width + i * tile.vectors + j];
          sum = fma(x, numbers[j], sum);
        }
      }
    }
  };
  sums = b.loop(b.index(0), b.index(count / per), 1, sums, [&](Value index, ValueRange carried) {
    sums = Vectors(carried);
    step(b.add(firstWord, index), per);
    return sums;
  });
  if (count % per)
    step(b.add(firstWord, count / per), count % per);
  for (unsigned i = 0; chains == 2 && i < width; ++i)
    sums[i] = arith::AddFOp::create(b, sums[i], sums[width + i]);
  sums.resize(width);
  return sums;
}

// Many rows.

void PackedTiler::manyRows() {
  dense.forGroups([&](Value panel, Value low, Value high, int64_t columns) {
    unpackPanel(panel);
    dense.multiply({panel, b.scratch(), b.index(0), Value(), columns}, low, high);
  });
}

void PackedTiler::unpackPanel(Value panel) {
  forEachGroup([&](Value group, int64_t count) {
    b.loop(b.index(0), b.index(kPanelColumns / lanes), 1,
           [&](Value j) { unpackGroup(panel, b.mul(j, lanes), group, count); });
  });
}

void PackedTiler::unpackGroup(Value panel, Value column, Value group, int64_t count) {
  Value scale = scaleOf(panel, group, column), add = minima ? minimumOf(panel, group, column) : Value();
  if (hasOffset) {
    Value less = negate(offsetOf(panel, group, column));
    add = add ? fma(less, scale, add) : multiply(less, scale);
  }
  Vectors factors;
  for (int64_t position = 0; position < per; ++position) {
    double size = sizeAt(position);
    factors.push_back(size == 1 ? scale : multiply(scale, splat(1 / size)));
  }
  Value firstWord = b.mul(group, llvm::divideCeil(weight.group, per));
  auto step = [&](Value index, int64_t count) {
    Value packed = word(panel, index, column);
    for (int64_t position = 0; position < count; ++position) {
      Value number = bitsAt(packed, position);
      number = add ? fma(number, factors[position], add) : multiply(number, factors[position]);
      Value row = b.add(b.mul(index, per), position);
      b.storeVector(number, b.scratch(), b.add(b.mul(row, kPanelColumns), column));
    }
  };
  b.loop(b.index(0), b.index(count / per), 1, [&](Value index) { step(b.add(firstWord, index), per); });
  if (count % per)
    step(b.add(firstWord, count / per), count % per);
}

LogicalResult tamis::tilePackedLinear(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LinearKernel::analyse(function);
  if (failed(kernel))
    return failure();
  auto weight = PackedWeight::of(kernel->linear.getWeight());
  if (!weight || !kernel->linear.getTransposed())
    return kernel->linear.emitOpError("has a weight that cannot be unpacked in registers");
  for (Value operand : weight->op->getOperands())
    if (!isa<BlockArgument>(operand) && !(operand == weight->op.getZeroPoint() && weight->uniformZero))
      return weight->op.emitOpError("has an operand that is no argument of its kernel");
  KernelBuilder builder(function);
  PackedTiler(builder, *kernel, *weight, target).emit();
  builder.finish();
  return success();
}

Launch tamis::packedLinearLaunch(func::FuncOp function) {
  Launch launch = linearLaunch(function);
  for (auto linear : function.getOps<LinearOp>()) { // one panel of f32; inputs and sums of few rows need less
    int64_t K = cast<RankedTensorType>(linear.getInput().getType()).getShape().back();
    launch.scratchBytes = DimExpr(K * kPanelColumns * int64_t(sizeof(float)));
  }
  return launch;
}
