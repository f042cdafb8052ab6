// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Register-tiled matrix products with their epilogue.
#include "codegen/tile/Linear.h"
#include "codegen/tile/LinearTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Steps of K in one turn of the innermost loop: 1 takes 41 instructions for 24 multiply-adds, 4 takes 36. Beside a
/// busy hyperthread, which halves the instructions a cycle, that is 70.5 % of the peak against 73.5 %.
constexpr int64_t kUnroll = 4;

LinearOp findLinear(func::FuncOp kernel) {
  auto linears = kernel.getOps<LinearOp>();
  return linears.empty() ? LinearOp() : *linears.begin();
}

DimExpr rowsOf(LinearOp linear) {
  return product(ArrayRef<DimExpr>(dimsOf(linear.getInput().getType())).drop_back());
}

int64_t panelsOf(int64_t N) {
  return llvm::divideCeil(N, kPanelColumns);
}

} // namespace

FailureOr<LinearKernel> LinearKernel::analyse(func::FuncOp kernel) {
  LinearKernel result;
  result.linear = findLinear(kernel);
  if (!result.linear || !llvm::hasSingleElement(kernel.getBody()))
    return kernel.emitOpError("has no model.linear to tile");
  LinearOp linear = result.linear;
  Type element = cast<RankedTensorType>(linear.getInput().getType()).getElementType();
  if (!cast<RankedTensorType>(linear.getType()).getElementType().isF32() || !(element.isF32() || element.isBF16()))
    return linear.emitOpError() << "has operands of type " << linear.getInput().getType()
                                << " but f32, or bf16 summed in f32, is wanted";
  for (Value operand : linear->getOperands())
    if (!isa<BlockArgument>(operand) && !(operand == linear.getWeight() && operand.getDefiningOp<DequantizeOp>()))
      return linear.emitOpError("has an operand that is no argument of its kernel");
  auto epilogue = epilogueOf(kernel, linear);
  if (failed(epilogue))
    return failure();
  result.epilogue = std::move(*epilogue);
  Dims weight = dimsOf(linear.getWeight().getType());
  if (linear.getTransposed())
    std::swap(weight[0], weight[1]);
  result.K = *weight[0].constant();
  result.N = *weight[1].constant();
  result.rows = rowsOf(linear);
  return result;
}

LinearTiler::LinearTiler(KernelBuilder &builder, const LinearKernel &kernel, const CpuTarget &target, int64_t blockRows)
    : b(builder), kernel(kernel), tile(linearTile(target)), lanes(target.lanes), blockRows(blockRows),
      epilogue(builder, LinearOp(kernel.linear).getResult(), kernel.epilogue) {
  LinearOp linear = kernel.linear;
  input = b.bufferOf(linear.getInput());
  bias = linear.getBias() ? b.bufferOf(linear.getBias()) : Value();
  output = b.result(0);
}

void LinearTiler::forGroups(function_ref<void(Value panel, Value low, Value high, int64_t columns)> body) {
  int64_t panels = panelsOf(kernel.N), narrow = kernel.N % kPanelColumns;
  Value rows = b.size(kernel.rows);
  b.loop(b.begin(), b.end(), 1, [&](Value group) {
    Value panel = b.rem(group, b.index(panels));
    Value low = b.mul(b.divFloor(group, b.index(panels)), blockRows);
    Value high = b.minimum(rows, b.add(low, blockRows));
    if (!narrow)
      return body(panel, low, high, kPanelColumns);
    if (panels == 1)
      return body(panel, low, high, narrow);
    Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, panel, b.index(panels - 1));
    b.branch(isLast, [&] { body(panel, low, high, narrow); }, [&] { body(panel, low, high, kPanelColumns); });
  });
}

void LinearTiler::multiply(const Panel &panel, Value low, Value high) {
  int64_t step = int64_t(tile.vectors) * lanes;
  for (int64_t first = 0; first < panel.columns; first += step)
    rowTiles(panel, low, high, first, std::min(step, panel.columns - first));
}

EpiloguePlace LinearTiler::place(Value row, Value column, int64_t valid) {
  EpiloguePlace place;
  place.row = row;
  place.column = column;
  place.offset = b.add(b.mul(row, kernel.N), column);
  place.lanes = lanes;
  place.valid = std::min<int64_t>(lanes, valid);
  return place;
}

Value LinearTiler::start(const EpiloguePlace &place) {
  return bias ? epilogue.load(bias, place.column, place) : b.splat(0, lanes);
}

void LinearTiler::finish(Value sums, const EpiloguePlace &place) {
  epilogue.store(epilogue.apply(sums, place), output, place);
}

/// Rows [low, high) in as few tiles as possible and as even as possible: 9 rows are 5 and 4, not 8 and 1, because a
/// tile of one row waits for its own sums.
void LinearTiler::rowTiles(const Panel &panel, Value low, Value high, int64_t firstColumn, int64_t columns) {
  Value rows = b.sub(high, low);
  Value tiles = b.divFloor(b.add(rows, tile.rows - 1), b.index(tile.rows));
  Value fewer = b.divFloor(rows, tiles), larger = b.rem(rows, tiles);
  // Each tile asks for its share of the next panel, so that this comes from further away while it is not needed yet: a
  // line every kUnroll steps at most. Of few tiles the last ones leave the rest to the processor's own prefetcher.
  int64_t line = 64 / int64_t(sizeof(float));
  Value share = b.divFloor(b.index(kUnroll * kPanelColumns), tiles), stride = b.minimum(share, b.index(line));
  b.loop(b.index(0), tiles, 1, [&](Value index) {
    Value prefetch = panel.next ? b.add(panel.next, b.mul(index, b.mul(stride, kernel.K / kUnroll))) : Value();
    Value row = b.add(low, b.add(b.mul(index, fewer), b.minimum(index, larger)));
    Value isLarger = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, larger);
    Value count = arith::SelectOp::create(b, isLarger, b.add(fewer, 1), fewer);
    b.switchOver(count, llvm::to_vector(llvm::seq_inclusive(1u, tile.rows)),
                 [&](int64_t rows) { registerTile(rows, row, panel, firstColumn, columns, prefetch, stride); });
  });
}

void LinearTiler::registerTile(unsigned rows, Value row, const Panel &panel, int64_t firstColumn, int64_t columns,
                               Value prefetch, Value stride) {
  unsigned vectors = llvm::divideCeil(columns, lanes);
  Value column = b.add(b.mul(panel.index, kPanelColumns), firstColumn);
  auto placeOf = [&](unsigned i, unsigned j) {
    return place(b.add(row, i), b.add(column, j * lanes), columns - j * lanes);
  };
  SmallVector<Value> first;
  for (unsigned j = 0; j < vectors; ++j)
    first.push_back(start(placeOf(0, j)));
  SmallVector<Value> sums; // [rows][vectors]
  for (unsigned i = 0; i < rows; ++i)
    llvm::append_range(sums, first);
  Value inputBase = b.mul(row, kernel.K), weightBase = b.add(panel.base, firstColumn);
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      b.prefetchForWrite(output, placeOf(i, j).offset);
  auto step = [&](Value k) {
    SmallVector<Value> columnsOfK;
    Value weightRow = b.add(weightBase, b.mul(k, kPanelColumns));
    for (unsigned j = 0; j < vectors; ++j)
      columnsOfK.push_back(b.loadVector(panel.weights, b.add(weightRow, j * lanes), lanes));
    Value inputColumn = b.add(inputBase, k);
    for (unsigned i = 0; i < rows; ++i) {
      Value x = b.broadcast(b.load(input, b.add(inputColumn, i * kernel.K)), lanes);
      for (unsigned j = 0; j < vectors; ++j) {
        Value &sum = sums[i * vectors + j];
        sum = vector::FMAOp::create(b, x, columnsOfK[j], sum);
      }
    }
  };
  sums = b.loop(b.index(0), b.index(kernel.K / kUnroll), 1, sums, [&](Value index, ValueRange carried) {
    sums = SmallVector<Value>(carried);
    if (prefetch)
      b.prefetch(panel.weights, b.add(prefetch, b.mul(index, stride)));
    Value k = b.mul(index, kUnroll);
    for (int64_t u = 0; u < kUnroll; ++u)
      step(b.add(k, u));
    return sums;
  });
  for (int64_t k = kernel.K / kUnroll * kUnroll; k < kernel.K; ++k)
    step(b.index(k));
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      finish(sums[i * vectors + j], placeOf(i, j));
}

LogicalResult tamis::tileLinear(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LinearKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  LinearTiler tiler(builder, *kernel, target, linearRows(kernel->K));
  Value weights = builder.bufferOf(kernel->linear.getWeight());
  int64_t elements = kernel->K * kPanelColumns;
  tiler.forGroups([&](Value panel, Value low, Value high, int64_t columns) {
    Value next = builder.mul(builder.add(panel, 1), elements);
    tiler.multiply({panel, weights, builder.mul(panel, elements), next, columns}, low, high);
  });
  builder.finish();
  return success();
}

Launch tamis::linearLaunch(func::FuncOp function) {
  LinearOp linear = findLinear(function);
  if (!linear)
    return {0, 0};
  int64_t N = cast<RankedTensorType>(linear.getType()).getShape().back();
  int64_t K = cast<RankedTensorType>(linear.getInput().getType()).getShape().back();
  bool isPacked = linear.getWeight().getDefiningOp<DequantizeOp>() != nullptr;
  int64_t blockRows = isPacked ? packedLinearRows(K) : linearRows(K);
  DimExpr blocks = DimExpr::floorDiv(rowsOf(linear) + (blockRows - 1), blockRows);
  return {blocks * panelsOf(N), 0};
}
