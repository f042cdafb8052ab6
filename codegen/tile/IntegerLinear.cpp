// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Register-tiled products of bytes with their epilogue.
#include "codegen/tile/IntegerLinear.h"
#include "codegen/tile/IntegerLinearKernel.h"
#include "codegen/tile/Linear.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
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
  for (auto quantize : kernel.getOps<QuantizeRowsOp>())
    result.quantize = quantize;
  auto epilogue = epilogueOf(kernel, linear, result.quantize);
  if (failed(epilogue))
    return failure();
  result.epilogue = std::move(*epilogue);
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  result.K = weight.getDimSize(0);
  result.N = weight.getDimSize(1);
  result.rows = rowsOf(linear);
  if (result.quantize && !wholeRows(result.N))
    return result.quantize.emitOpError() << "takes rows of " << result.N << " numbers, which no work group computes";
  return result;
}

} // namespace

ByteTiler::ByteTiler(KernelBuilder &builder, const ByteKernel &kernel, const CpuTarget &target)
    : b(builder), kernel(kernel), tile(linearTile(target)), lanes(target.lanes),
      groups(llvm::divideCeil(kernel.K, kByteGroup)), panelBytes(packedBytePanelBytes(kernel.K, 1)),
      epilogue(builder, kernel.linear.getResult(), kernel.epilogue), registers(builder),
      waiting(fitsTiles(kernel.K) ? kTileScratch / int64_t(sizeof(float)) : 0), target(target) {
  auto has = [&](StringRef feature) { return llvm::is_contained(target.features, feature); };
  hasDot = target.isArm() ? has("dotprod") || has("i8mm") : lanes >= 8 && has(lanes == 16 ? "avx512vnni" : "avxvnni");
  dotsSigned = target.isArm() && hasDot && !has("i8mm");
  hasTiles = lanes == 16 && has("amx-int8") && has("amx-tile") && fitsTiles(kernel.K);
  i32 = b.getI32Type();
  input = b.bufferOf(kernel.linear.getInput());
  weight = b.bufferOf(kernel.linear.getWeight());
  output = b.result(0);
  isSigned = !elementOf(kernel.linear.getInput()).isUnsignedInteger();
  fromUnsigned = elementOf(kernel.linear.getWeight()).isUnsignedInteger();
}

Value ByteTiler::number(int64_t value, Type type) {
  TypedAttr attribute = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, attribute);
  return arith::ConstantOp::create(b, attribute);
}

/// Work groups of whole rows, which become bytes once all of their columns are there.
void ByteTiler::emitWholeRows() {
  int64_t whole = kernel.N / kPanelColumns, narrow = kernel.N % kPanelColumns, groupRows = wholeRows(kernel.N);
  Value rows = b.size(kernel.rows);
  b.loop(b.begin(), b.end(), 1, [&](Value group) {
    firstRow = b.mul(group, groupRows);
    Value high = b.minimum(rows, b.add(firstRow, groupRows));
    b.loop(b.index(0), b.index(whole), 1, [&](Value panel) { panelColumns(panel, firstRow, high, kPanelColumns); });
    if (narrow)
      panelColumns(b.index(whole), firstRow, high, narrow);
    b.loop(firstRow, high, 1, [&](Value row) { quantizeRow(row); });
  });
}

void ByteTiler::quantizeRow(Value row) {
  int64_t vectors = kernel.N / lanes, chains = vectors % 4 == 0 ? 4 : vectors % 2 == 0 ? 2 : 1;
  RowBytes bytes(b, target, kernel.quantize);
  Value from = b.add(b.mul(b.sub(row, firstRow), kernel.N), waiting), zero = b.splat(0, lanes);
  auto number = [&](Value column, int64_t chain) {
    return b.loadVector(b.scratch(), b.add(b.add(from, column), chain * lanes), lanes);
  };
  SmallVector<Value> extremes(2 * chains, zero); // highest and, with its sign changed, lowest
  extremes = b.loop(b.index(0), b.index(kernel.N), chains * lanes, extremes, [&](Value column, ValueRange before) {
    SmallVector<Value> after(before);
    for (int64_t chain = 0; chain < chains; ++chain) {
      Value x = number(column, chain);
      after[2 * chain] = bytes.larger(after[2 * chain], x);
      after[2 * chain + 1] = bytes.larger(after[2 * chain + 1], arith::NegFOp::create(b, x));
    }
    return after;
  });
  for (int64_t chain = 1; chain < chains; ++chain)
    for (int64_t i = 0; i < 2; ++i)
      extremes[i] = bytes.larger(extremes[i], extremes[2 * chain + i]);
  auto most = [&](Value vector) -> Value {
    return vector::ReductionOp::create(b, vector::CombiningKind::MAXIMUMF, vector, arith::FastMathFlags::nsz);
  };
  bytes.setUnit(most(extremes[0]), most(extremes[1]), row);
  bytes.write([&](function_ref<Value(Value)> bytesOf) {
    Value to = b.mul(row, kernel.N), buffer = b.bufferOf(kernel.quantize.getResult());
    b.loop(b.index(0), b.index(kernel.N), chains * lanes, [&](Value column) {
      for (int64_t chain = 0; chain < chains; ++chain)
        b.storeVector(bytesOf(number(column, chain)), buffer, b.add(b.add(to, column), chain * lanes));
    });
  });
}

void ByteTiler::emit() {
  if (hasTiles)
    registers.configure();
  if (kernel.quantize)
    emitWholeRows();
  else
    emitPanels();
  if (hasTiles)
    registers.release();
}

/// Work groups of some rows of one panel.
void ByteTiler::emitPanels() {
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
  if (hasTiles) {
    low = tileRows(panel, low, high, columns);
    Value isLeft = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, low, high);
    return b.branch(isLeft, [&] { rowTiles(panel, low, high, 0, columns); });
  }
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

/// `count` consecutive bytes of the input in every lane, as dot() takes them; zeros above them.
Value ByteTiler::inputGroup(Value offset, int64_t count) {
  Value word;
  if (count == kByteGroup) {
    Value bytes = b.loadVector(input, offset, kByteGroup);
    word = vector::ExtractOp::create(b, vector::BitCastOp::create(b, vectorOf(1, i32), bytes), int64_t(0));
  } else { // behind the last row nothing may be read
    for (int64_t i = 0; i < count; ++i) {
      Value byte = arith::ExtUIOp::create(b, i32, b.load(input, b.add(offset, i)));
      byte = arith::ShLIOp::create(b, byte, number(8 * i, i32));
      word = word ? Value(arith::OrIOp::create(b, word, byte)) : byte;
    }
  }
  if (isSigned != dotsSigned) {
    uint32_t flip = count == kByteGroup ? 0x80808080u : 0x80808080u & ((1u << (8 * count)) - 1);
    word = arith::XOrIOp::create(b, word, number(int32_t(flip), i32));
  }
  return b.broadcast(word, lanes);
}

/// sum + the products of four bytes of the input, unsigned but with dotsSigned, and four signed bytes in each lane.
Value ByteTiler::dot(Value sum, Value x, Value w) {
  if (!hasDot)
    return pairs(sum, x, w);
  auto bytes = vectorOf(lanes * kByteGroup, b.getI8Type());
  Value operand = vector::BitCastOp::create(b, bytes, x);
  StringRef name = dotsSigned       ? "llvm.aarch64.neon.sdot.v4i32.v16i8"
                   : target.isArm() ? "llvm.aarch64.neon.usdot.v4i32.v16i8"
                   : lanes == 16    ? "llvm.x86.avx512.vpdpbusd.512"
                                    : "llvm.x86.avx512.vpdpbusd.256";
  return LLVM::CallIntrinsicOp::create(b, TypeRange(sum.getType()), b.getStringAttr(name), ValueRange{sum, operand, w},
                                       LLVM::FastmathFlagsAttr{})
      .getResults();
}

/// The same by products of 16 bits, which are summed in pairs of 32: the bytes of even place, then those of odd place.
/// (An instruction that multiplies bytes in pairs exists everywhere, but saturates their sum at 16 bits.)
Value ByteTiler::pairs(Value sum, Value x, Value w) {
  auto words = vectorOf(lanes * 2, b.getI16Type());
  Value xs = vector::BitCastOp::create(b, words, x), ws = vector::BitCastOp::create(b, words, w);
  if (target.isArm()) { // byte by byte, in 32 bits
    Type quads = sum.getType();
    Value left = vector::BitCastOp::create(b, cast<VectorType>(quads), x);
    Value right = vector::BitCastOp::create(b, cast<VectorType>(quads), w);
    for (int64_t i = 0; i < kByteGroup; ++i) {
      Value up = number(8 * (kByteGroup - 1 - i), quads), down = number(8 * (kByteGroup - 1), quads);
      Value byte = arith::ShRUIOp::create(b, arith::ShLIOp::create(b, left, up), down);
      Value factor = arith::ShRSIOp::create(b, arith::ShLIOp::create(b, right, up), down);
      sum = arith::AddIOp::create(b, sum, arith::MulIOp::create(b, byte, factor));
    }
    return sum;
  }
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

EpiloguePlace ByteTiler::place(Value row, Value panel, int64_t firstColumn, int64_t columns, unsigned vector) {
  EpiloguePlace place;
  place.row = row;
  place.column = b.add(b.mul(panel, kPanelColumns), firstColumn + vector * lanes);
  place.offset = b.add(b.mul(row, kernel.N), place.column);
  place.lanes = lanes;
  place.valid = std::min<int64_t>(lanes, columns - vector * lanes);
  return place;
}

void ByteTiler::registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns) {
  unsigned vectors = llvm::divideCeil(columns, lanes);
  SmallVector<Value> sums(rows * vectors, number(0, vectorOf(lanes, i32)));
  Value inputBase = b.mul(row, kernel.K), panelBase = b.mul(panel, panelBytes);
  Value weightBase = b.add(panelBase, firstColumn * kByteGroup);
  for (unsigned i = 0; i < rows && !kernel.quantize; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      b.prefetchForWrite(output, place(b.add(row, i), panel, firstColumn, columns, j).offset);
  auto step = [&](Value group, int64_t count) {
    SmallVector<Value> weights;
    Value weightRow = b.add(weightBase, b.mul(group, kPanelColumns * kByteGroup));
    for (unsigned j = 0; j < vectors; ++j)
      weights.push_back(b.loadVector(weight, b.add(weightRow, j * lanes * kByteGroup), lanes * kByteGroup));
    Value inputColumn = b.add(inputBase, b.mul(group, kByteGroup));
    for (unsigned i = 0; i < rows; ++i) {
      Value x = inputGroup(b.add(inputColumn, i * kernel.K), count);
      for (unsigned j = 0; j < vectors; ++j)
        sums[i * vectors + j] = dot(sums[i * vectors + j], x, weights[j]);
    }
  };
  sums = b.loop(b.index(0), b.index(kernel.K / kByteGroup), 1, sums, [&](Value group, ValueRange carried) {
    sums = SmallVector<Value>(carried);
    step(group, kByteGroup);
    return sums;
  });
  if (kernel.K % kByteGroup)
    step(b.index(groups - 1), kernel.K % kByteGroup);

  Corrections less = corrections(panel, firstColumn, columns);
  int64_t shift = isSigned ? 128 : -128;
  if (isSigned == dotsSigned)
    shift = 0;
  for (unsigned i = 0; i < rows; ++i)
    writeRow(b.add(row, i), panel, firstColumn, columns, ArrayRef(sums).slice(i * vectors, vectors), less, shift);
}

ByteTiler::Corrections ByteTiler::corrections(Value panel, int64_t firstColumn, int64_t columns) {
  unsigned vectors = llvm::divideCeil(columns, lanes);
  auto vectorType = vectorOf(lanes, i32);
  Value weightZero = kernel.linear.getWeightZeroPoint();
  Corrections less{SmallVector<Value>(vectors), SmallVector<Value>(vectors)};
  for (unsigned j = 0; j < vectors; ++j) {
    if (kernel.linear.getInputZeroPoint() || isSigned || dotsSigned) {
      Value at = b.add(b.add(b.mul(panel, panelBytes), groups * kPanelColumns * kByteGroup),
                       (firstColumn + j * lanes) * kByteGroup);
      less.columnSums[j] = vector::BitCastOp::create(b, vectorType, b.loadVector(weight, at, lanes * kByteGroup));
    }
    Value &zeros = less.columnZeros[j];
    zeros = zeroPoint(weightZero, place(b.index(0), panel, firstColumn, columns, j), /*ofRow=*/false);
    if (fromUnsigned) {
      Value shift = number(-128, vectorType);
      zeros = zeros ? Value(arith::AddIOp::create(b, zeros, shift)) : shift;
    }
  }
  return less;
}

void ByteTiler::writeRow(Value row, Value panel, int64_t firstColumn, int64_t columns, ArrayRef<Value> sums,
                         const Corrections &less, int64_t shift) {
  auto at = [&](unsigned vector) { return place(row, panel, firstColumn, columns, vector); };
  Value inputZero = zeroPoint(kernel.linear.getInputZeroPoint(), at(0), /*ofRow=*/true), rest;
  auto shifted = [&](int64_t by) -> Value {
    Value constant = by ? number(by, i32) : Value();
    return inputZero && constant ? Value(arith::AddIOp::create(b, inputZero, constant)) : by ? constant : inputZero;
  };
  // What is to be taken from each number of the row, beside the sums over w' and in the sums over x'.
  Value zero = shifted(shift), unsignedZero = shifted(isSigned ? 128 : 0);
  if (less.columnZeros.front()) {
    rest = rowSum(row);
    if (unsignedZero)
      rest = arith::SubIOp::create(b, rest, arith::MulIOp::create(b, unsignedZero, number(kernel.K, i32)));
  }
  for (auto [j, vector] : llvm::enumerate(sums)) {
    Value sum = vector;
    auto take = [&](Value scalar, Value vector) {
      sum = arith::SubIOp::create(b, sum, arith::MulIOp::create(b, b.broadcast(scalar, lanes), vector));
    };
    if (zero)
      take(zero, less.columnSums[j]);
    if (rest)
      take(rest, less.columnZeros[j]);
    EpiloguePlace to = at(j);
    Value result = epilogue.apply(sum, to);
    if (kernel.quantize)
      to.offset = b.add(b.add(b.mul(b.sub(row, firstRow), kernel.N), waiting), to.column);
    epilogue.store(result, kernel.quantize ? b.scratch() : output, to);
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

bool tamis::canQuantizeRows(int64_t N) {
  return wholeRows(N) > 0;
}

Launch tamis::integerLinearLaunch(func::FuncOp function) {
  IntegerLinearOp linear = findLinear(function);
  if (!linear)
    return {0, 0};
  int64_t N = cast<RankedTensorType>(linear.getType()).getShape().back();
  bool usesTiles = fitsTiles(cast<RankedTensorType>(linear.getInput().getType()).getShape().back());
  int64_t scratch = usesTiles ? kTileScratch : 0, whole = wholeRows(N);
  if (whole && !function.getOps<QuantizeRowsOp>().empty())
    return {DimExpr::floorDiv(rowsOf(linear) + (whole - 1), whole), scratch + whole * N * int64_t(sizeof(float))};
  int64_t blockRows = linearRows(cast<RankedTensorType>(linear.getInput().getType()).getShape().back());
  DimExpr blocks = DimExpr::floorDiv(rowsOf(linear) + (blockRows - 1), blockRows);
  return {blocks * int64_t(llvm::divideCeil(N, kPanelColumns)), scratch};
}
