// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Register-tiled products of bytes with their epilogue.
#include "codegen/tile/IntegerLinear.h"
#include "codegen/tile/Linear.h"
#include "codegen/tile/LinearEpilogue.h"
#include "codegen/tile/PackPanels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Products of four that one instruction sums up.
constexpr int64_t kGroup = 4;

/// A kernel in model form, taken apart.
struct ByteKernel {
  IntegerLinearOp linear;
  SmallVector<Operation *> epilogue;
  DimExpr rows; ///< product of all sizes but the last
  int64_t K = 0, N = 0;
};

IntegerLinearOp findLinear(func::FuncOp kernel) {
  auto linears = kernel.getOps<IntegerLinearOp>();
  return linears.empty() ? IntegerLinearOp() : *linears.begin();
}

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

DimExpr rowsOf(IntegerLinearOp linear) {
  return product(ArrayRef<DimExpr>(dimsOf(linear.getInput().getType())).drop_back());
}

FailureOr<ByteKernel> analyse(func::FuncOp kernel) {
  ByteKernel result;
  result.linear = findLinear(kernel);
  if (!result.linear || !llvm::hasSingleElement(kernel.getBody()))
    return kernel.emitOpError("has no model.integer_linear to tile");
  IntegerLinearOp linear = result.linear;
  if (linear.getTransposed())
    return linear.emitOpError("has a transposed weight");
  for (Value operand : linear->getOperands())
    if (!isa<BlockArgument>(operand))
      return linear.emitOpError("has an operand that is no argument of its kernel");
  auto epilogue = epilogueOf(kernel, linear);
  if (failed(epilogue))
    return failure();
  result.epilogue = std::move(*epilogue);
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  result.K = weight.getDimSize(0);
  result.N = weight.getDimSize(1);
  result.rows = rowsOf(linear);
  return result;
}

/// Emits the loops of one kernel. The bytes of the input are taken as unsigned, x' = x + 128 where they are signed,
/// those of the weight lie packed as signed, w' = w - 128 where they were not. With a = zx + (x' - x) and c = zw - (w -
/// w'):
///     sum (x - zx) (w - zw) = sum x' w' - a sum w' - c (sum x' - K a)
/// The sums over w' lie with the packed weight; those over x' are made where c is not known to be 0.
class ByteTiler {
public:
  ByteTiler(KernelBuilder &builder, ByteKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), tile(linearTile(target)), lanes(target.lanes),
        hasDot(llvm::is_contained(target.features, lanes == 16 ? "avx512vnni" : "avxvnni") && lanes >= 8),
        groups(llvm::divideCeil(kernel.K, kGroup)), panelBytes(packedBytePanelBytes(kernel.K, 1)),
        epilogue(builder, kernel.linear.getResult(), kernel.epilogue) {
    i32 = b.getI32Type();
    input = b.bufferOf(kernel.linear.getInput());
    weight = b.bufferOf(kernel.linear.getWeight());
    output = b.result(0);
    isSigned = !elementOf(kernel.linear.getInput()).isUnsignedInteger();
    fromUnsigned = elementOf(kernel.linear.getWeight()).isUnsignedInteger();
  }

  void emit();

private:
  void panelColumns(Value panel, Value low, Value high, int64_t columns);
  void rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns);
  void registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns);
  Value inputGroup(Value offset, int64_t count);
  Value dot(Value sum, Value x, Value w);
  Value pairs(Value sum, Value x, Value w);
  Value zeroPoint(Value modelValue, const EpiloguePlace &place, bool ofRow);
  Value rowSum(Value row);
  Value number(int64_t value, Type type);
  VectorType vectorOf(unsigned count, Type element) { return b.vectorType(count, element); }

  KernelBuilder &b;
  ByteKernel &kernel;
  RegisterTile tile;
  unsigned lanes;
  bool hasDot; ///< the target sums four products of bytes in one instruction
  int64_t groups, panelBytes;
  LinearEpilogue epilogue;
  Type i32;
  Value input, weight, output;
  bool isSigned, fromUnsigned;
};
} // namespace

Value ByteTiler::number(int64_t value, Type type) {
  TypedAttr attribute = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, attribute);
  return arith::ConstantOp::create(b, attribute);
}

void ByteTiler::emit() {
  int64_t panels = llvm::divideCeil(kernel.N, kPanelColumns), narrow = kernel.N % kPanelColumns;
  int64_t blockRows = linearRows(kernel.K);
  Value rows = b.size(kernel.rows);
  b.loop(b.begin(), b.end(), 1, [&](Value group) {
    Value panel = b.rem(group, b.index(panels));
    Value low = b.mul(b.divFloor(group, b.index(panels)), blockRows);
    Value high = b.minimum(rows, b.add(low, blockRows));
    if (!narrow)
      return panelColumns(panel, low, high, kPanelColumns);
    if (panels == 1)
      return panelColumns(panel, low, high, narrow);
    Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, panel, b.index(panels - 1));
    b.branch(
        isLast, [&] { panelColumns(panel, low, high, narrow); },
        [&] { panelColumns(panel, low, high, kPanelColumns); });
  });
}

void ByteTiler::panelColumns(Value panel, Value low, Value high, int64_t columns) {
  int64_t step = int64_t(tile.vectors) * lanes;
  for (int64_t first = 0; first < columns; first += step)
    rowTiles(panel, low, high, first, std::min(step, columns - first));
}

/// As few tiles as possible, as even as possible, as those of tileLinear.
void ByteTiler::rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns) {
  Value rows = b.sub(high, low);
  Value tiles = b.divFloor(b.add(rows, tile.rows - 1), b.index(tile.rows));
  Value fewer = b.divFloor(rows, tiles), larger = b.rem(rows, tiles);
  b.loop(b.index(0), tiles, 1, [&](Value index) {
    Value row = b.add(low, b.add(b.mul(index, fewer), b.minimum(index, larger)));
    Value isLarger = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, larger);
    Value count = arith::SelectOp::create(b, isLarger, b.add(fewer, 1), fewer);
    b.switchOver(count, llvm::to_vector(llvm::seq_inclusive(1u, tile.rows)),
                 [&](int64_t rows) { registerTile(rows, row, panel, firstColumn, columns); });
  });
}

/// `count` consecutive bytes of the input in every lane, as unsigned; zeros above them.
Value ByteTiler::inputGroup(Value offset, int64_t count) {
  Value word;
  if (count == kGroup) {
    Value bytes = b.loadVector(input, offset, kGroup);
    word = vector::ExtractOp::create(b, vector::BitCastOp::create(b, vectorOf(1, i32), bytes), int64_t(0));
  } else { // behind the last row nothing may be read
    for (int64_t i = 0; i < count; ++i) {
      Value byte = arith::ExtUIOp::create(b, i32, b.load(input, b.add(offset, i)));
      byte = arith::ShLIOp::create(b, byte, number(8 * i, i32));
      word = word ? Value(arith::OrIOp::create(b, word, byte)) : byte;
    }
  }
  if (isSigned) {
    uint32_t flip = count == kGroup ? 0x80808080u : 0x80808080u & ((1u << (8 * count)) - 1);
    word = arith::XOrIOp::create(b, word, number(int32_t(flip), i32));
  }
  return b.broadcast(word, lanes);
}

/// sum + the products of four unsigned and four signed bytes in each lane.
Value ByteTiler::dot(Value sum, Value x, Value w) {
  if (!hasDot)
    return pairs(sum, x, w);
  auto bytes = vectorOf(lanes * kGroup, b.getI8Type());
  Value operand = vector::BitCastOp::create(b, bytes, x);
  StringRef name = lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256";
  return LLVM::CallIntrinsicOp::create(b, TypeRange(sum.getType()), b.getStringAttr(name), ValueRange{sum, operand, w},
                                       LLVM::FastmathFlagsAttr{})
      .getResults();
}

/// The same by products of 16 bits, which are summed in pairs of 32: the bytes of even place, then those of odd place.
/// (An instruction that multiplies bytes in pairs exists everywhere, but saturates their sum at 16 bits.)
Value ByteTiler::pairs(Value sum, Value x, Value w) {
  auto words = vectorOf(lanes * 2, b.getI16Type());
  Value xs = vector::BitCastOp::create(b, words, x), ws = vector::BitCastOp::create(b, words, w);
  Value eight = number(8, words);
  Value xEven = arith::AndIOp::create(b, xs, number(0xff, words)), xOdd = arith::ShRUIOp::create(b, xs, eight);
  Value wEven = arith::ShRSIOp::create(b, arith::ShLIOp::create(b, ws, eight), eight);
  Value wOdd = arith::ShRSIOp::create(b, ws, eight);
  StringRef name = lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                   : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                : "llvm.x86.sse2.pmadd.wd";
  for (auto [left, right] : {std::pair(xEven, wEven), std::pair(xOdd, wOdd)}) {
    Value product = LLVM::CallIntrinsicOp::create(b, TypeRange(sum.getType()), b.getStringAttr(name),
                                                  ValueRange{left, right}, LLVM::FastmathFlagsAttr{})
                        .getResults();
    sum = arith::AddIOp::create(b, sum, product);
  }
  return sum;
}

/// A zero point at a place, i32: of its row, a scalar, or of its columns, a vector. Null for 0.
Value ByteTiler::zeroPoint(Value modelValue, const EpiloguePlace &place, bool ofRow) {
  if (!modelValue)
    return {};
  bool isUnsigned = elementOf(modelValue).isUnsignedInteger();
  auto wide = [&](Value byte, Type type) -> Value {
    return isUnsigned ? Value(arith::ExtUIOp::create(b, type, byte)) : Value(arith::ExtSIOp::create(b, type, byte));
  };
  bool isSingle = product(dimsOf(modelValue.getType())).isConstant(1);
  if (isSingle || ofRow) {
    Value scalar = wide(b.load(b.bufferOf(modelValue), isSingle ? b.index(0) : place.row), i32);
    return ofRow ? scalar : b.broadcast(scalar, lanes);
  }
  return wide(epilogue.load(b.bufferOf(modelValue), place.column, place), vectorOf(lanes, i32));
}

/// The sum of a row of the input, as unsigned.
Value ByteTiler::rowSum(Value row) {
  unsigned width = 4 * lanes;
  int64_t whole = kernel.K / width * width;
  Value base = b.mul(row, kernel.K);
  auto unsignedBytes = [&](Value bytes) -> Value {
    return isSigned ? Value(arith::XOrIOp::create(b, bytes, number(-128, bytes.getType()))) : bytes;
  };
  Value sums = b.loop(b.index(0), b.index(whole), width, ValueRange{number(0, vectorOf(width, i32))},
                      [&](Value k, ValueRange carried) {
                        Value bytes = unsignedBytes(b.loadVector(input, b.add(base, k), width));
                        Value wide = arith::ExtUIOp::create(b, vectorOf(width, i32), bytes);
                        return SmallVector<Value>{arith::AddIOp::create(b, carried[0], wide)};
                      })[0];
  Value sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums);
  return b.loop(b.index(whole), b.index(kernel.K), 1, ValueRange{sum}, [&](Value k, ValueRange carried) {
    Value wide = arith::ExtUIOp::create(b, i32, unsignedBytes(b.load(input, b.add(base, k))));
    return SmallVector<Value>{arith::AddIOp::create(b, carried[0], wide)};
  })[0];
}

void ByteTiler::registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns) {
  unsigned vectors = llvm::divideCeil(columns, lanes);
  Value column = b.add(b.mul(panel, kPanelColumns), firstColumn);
  auto place = [&](unsigned i, unsigned j) {
    EpiloguePlace place;
    place.row = b.add(row, i);
    place.column = b.add(column, j * lanes);
    place.offset = b.add(b.mul(place.row, kernel.N), place.column);
    place.lanes = lanes;
    place.valid = std::min<int64_t>(lanes, columns - j * lanes);
    return place;
  };
  SmallVector<Value> sums(rows * vectors, number(0, vectorOf(lanes, i32)));
  Value inputBase = b.mul(row, kernel.K), panelBase = b.mul(panel, panelBytes);
  Value weightBase = b.add(panelBase, firstColumn * kGroup);
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      b.prefetchForWrite(output, place(i, j).offset);
  auto step = [&](Value group, int64_t count) {
    SmallVector<Value> weights;
    Value weightRow = b.add(weightBase, b.mul(group, kPanelColumns * kGroup));
    for (unsigned j = 0; j < vectors; ++j)
      weights.push_back(b.loadVector(weight, b.add(weightRow, j * lanes * kGroup), lanes * kGroup));
    Value inputColumn = b.add(inputBase, b.mul(group, kGroup));
    for (unsigned i = 0; i < rows; ++i) {
      Value x = inputGroup(b.add(inputColumn, i * kernel.K), count);
      for (unsigned j = 0; j < vectors; ++j)
        sums[i * vectors + j] = dot(sums[i * vectors + j], x, weights[j]);
    }
  };
  sums = b.loop(b.index(0), b.index(kernel.K / kGroup), 1, sums, [&](Value group, ValueRange carried) {
    sums = SmallVector<Value>(carried);
    step(group, kGroup);
    return sums;
  });
  if (kernel.K % kGroup)
    step(b.index(groups - 1), kernel.K % kGroup);

  // What the zero points and the changed signs add.
  auto vectorType = vectorOf(lanes, i32);
  Value inputZero = kernel.linear.getInputZeroPoint(), weightZero = kernel.linear.getWeightZeroPoint();
  SmallVector<Value> columnSums(vectors), columnZeros(vectors);
  for (unsigned j = 0; j < vectors; ++j) {
    EpiloguePlace first = place(0, j);
    if (inputZero || isSigned) {
      Value at = b.add(b.add(panelBase, groups * kPanelColumns * kGroup), (firstColumn + j * lanes) * kGroup);
      Value bytes = b.loadVector(weight, at, lanes * kGroup);
      columnSums[j] = vector::BitCastOp::create(b, vectorType, bytes);
    }
    columnZeros[j] = zeroPoint(weightZero, first, /*ofRow=*/false);
    if (fromUnsigned) {
      Value shift = number(-128, vectorType);
      columnZeros[j] = columnZeros[j] ? Value(arith::AddIOp::create(b, columnZeros[j], shift)) : shift;
    }
  }
  for (unsigned i = 0; i < rows; ++i) {
    Value zero = zeroPoint(inputZero, place(i, 0), /*ofRow=*/true), rest;
    if (isSigned) {
      Value shift = number(128, i32);
      zero = zero ? Value(arith::AddIOp::create(b, zero, shift)) : shift;
    }
    if (columnZeros.front()) {
      rest = rowSum(b.add(row, i));
      if (zero)
        rest = arith::SubIOp::create(b, rest, arith::MulIOp::create(b, zero, number(kernel.K, i32)));
    }
    for (unsigned j = 0; j < vectors; ++j) {
      Value sum = sums[i * vectors + j];
      auto less = [&](Value scalar, Value vector) {
        sum = arith::SubIOp::create(b, sum, arith::MulIOp::create(b, b.broadcast(scalar, lanes), vector));
      };
      if (zero)
        less(zero, columnSums[j]);
      if (rest)
        less(rest, columnZeros[j]);
      EpiloguePlace at = place(i, j);
      epilogue.store(epilogue.apply(sum, at), output, at);
    }
  }
}

LogicalResult tamis::tileIntegerLinear(func::FuncOp function, const CpuTarget &target) {
  auto kernel = analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  ByteTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

Launch tamis::integerLinearLaunch(func::FuncOp function) {
  IntegerLinearOp linear = findLinear(function);
  if (!linear)
    return {0, 0};
  int64_t N = cast<RankedTensorType>(linear.getType()).getShape().back();
  int64_t blockRows = linearRows(cast<RankedTensorType>(linear.getInput().getType()).getShape().back());
  DimExpr blocks = DimExpr::floorDiv(rowsOf(linear) + (blockRows - 1), blockRows);
  return {blocks * int64_t(llvm::divideCeil(N, kPanelColumns)), 0};
}
