// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Register-tiled matrix products with their epilogue.
#include "codegen/tile/Linear.h"
#include "codegen/tile/LinearEpilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Steps of K in one turn of the innermost loop: 1 takes 41 instructions for 24 multiply-adds, 4 takes 36. Beside a busy
/// hyperthread, which halves the instructions a cycle, that is 70.5 % of the peak against 73.5 %.
constexpr int64_t kUnroll = 4;

/// A kernel in model form, taken apart.
struct LinearKernel {
  LinearOp linear;
  SmallVector<Operation *> epilogue;
  DimExpr rows; ///< product of all sizes but the last
  int64_t K = 0, N = 0;
};

LinearOp findLinear(func::FuncOp kernel) {
  auto linears = kernel.getOps<LinearOp>();
  return linears.empty() ? LinearOp() : *linears.begin();
}

DimExpr rowsOf(LinearOp linear) { return product(ArrayRef<DimExpr>(dimsOf(linear.getInput().getType())).drop_back()); }

int64_t panelsOf(int64_t N) { return llvm::divideCeil(N, kPanelColumns); }

FailureOr<LinearKernel> analyse(func::FuncOp kernel) {
  LinearKernel result;
  result.linear = findLinear(kernel);
  if (!result.linear || !llvm::hasSingleElement(kernel.getBody()))
    return kernel.emitOpError("has no model.linear to tile");
  LinearOp linear = result.linear;
  if (!cast<RankedTensorType>(linear.getInput().getType()).getElementType().isF32())
    return linear.emitOpError() << "has operands of type " << linear.getInput().getType() << " but f32 is wanted";
  for (Value operand : linear->getOperands())
    if (!isa<BlockArgument>(operand))
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

/// Emits the loops of one kernel.
class LinearTiler {
public:
  LinearTiler(KernelBuilder &builder, LinearKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), tile(linearTile(target)), lanes(target.lanes),
        epilogue(builder, kernel.linear.getResult(), kernel.epilogue) {
    input = b.bufferOf(kernel.linear.getInput());
    weight = b.bufferOf(kernel.linear.getWeight());
    bias = kernel.linear.getBias() ? b.bufferOf(kernel.linear.getBias()) : Value();
    output = b.result(0);
  }

  void emit();

private:
  void panelColumns(Value panel, Value low, Value high, int64_t columns);
  void rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns);
  void registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns, Value prefetch,
                    Value stride);

  KernelBuilder &b;
  LinearKernel &kernel;
  RegisterTile tile;
  unsigned lanes;
  LinearEpilogue epilogue;
  Value input, weight, bias, output;
};
} // namespace

void LinearTiler::emit() {
  int64_t panels = panelsOf(kernel.N), narrow = kernel.N % kPanelColumns;
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
    b.branch(isLast, [&] { panelColumns(panel, low, high, narrow); },
             [&] { panelColumns(panel, low, high, kPanelColumns); });
  });
}

void LinearTiler::panelColumns(Value panel, Value low, Value high, int64_t columns) {
  int64_t step = int64_t(tile.vectors) * lanes;
  for (int64_t first = 0; first < columns; first += step)
    rowTiles(panel, low, high, first, std::min(step, columns - first));
}

/// Rows [low, high) in as few tiles as possible and as even as possible: 9 rows are 5 and 4, not 8 and 1, because a tile
/// of one row waits for its own sums.
void LinearTiler::rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns) {
  Value rows = b.sub(high, low);
  Value tiles = b.divFloor(b.add(rows, tile.rows - 1), b.index(tile.rows));
  Value fewer = b.divFloor(rows, tiles), larger = b.rem(rows, tiles);
  // Each tile asks for its share of the next panel, so that this comes from further away while it is not needed yet: a
  // line every kUnroll steps at most. Of few tiles the last ones leave the rest to the processor's own prefetcher.
  int64_t panelElements = kernel.K * kPanelColumns, line = 64 / int64_t(sizeof(float));
  Value share = b.divFloor(b.index(kUnroll * kPanelColumns), tiles), stride = b.minimum(share, b.index(line));
  b.loop(b.index(0), tiles, 1, [&](Value index) {
    Value prefetch = b.add(b.mul(b.add(panel, 1), panelElements), b.mul(index, b.mul(stride, kernel.K / kUnroll)));
    Value row = b.add(low, b.add(b.mul(index, fewer), b.minimum(index, larger)));
    Value isLarger = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, larger);
    Value count = arith::SelectOp::create(b, isLarger, b.add(fewer, 1), fewer);
    b.switchOver(count, llvm::to_vector(llvm::seq_inclusive(1u, tile.rows)),
                 [&](int64_t rows) { registerTile(rows, row, panel, firstColumn, columns, prefetch, stride); });
  });
}

void LinearTiler::registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns,
                               Value prefetch, Value stride) {
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
  SmallVector<Value> start;
  for (unsigned j = 0; j < vectors; ++j) {
    EpiloguePlace first = place(0, j);
    start.push_back(bias ? epilogue.load(bias, first.column, first) : b.splat(0, lanes));
  }
  SmallVector<Value> sums; // [rows][vectors]
  for (unsigned i = 0; i < rows; ++i)
    llvm::append_range(sums, start);
  Value inputBase = b.mul(row, kernel.K);
  Value weightBase = b.add(b.mul(panel, kernel.K * kPanelColumns), firstColumn);
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      b.prefetchForWrite(output, place(i, j).offset);
  auto step = [&](Value k) {
    SmallVector<Value> columnsOfK;
    Value weightRow = b.add(weightBase, b.mul(k, kPanelColumns));
    for (unsigned j = 0; j < vectors; ++j)
      columnsOfK.push_back(b.loadVector(weight, b.add(weightRow, j * lanes), lanes));
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
    b.prefetch(weight, b.add(prefetch, b.mul(index, stride)));
    Value k = b.mul(index, kUnroll);
    for (int64_t u = 0; u < kUnroll; ++u)
      step(b.add(k, u));
    return sums;
  });
  for (int64_t k = kernel.K / kUnroll * kUnroll; k < kernel.K; ++k)
    step(b.index(k));
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j) {
      EpiloguePlace at = place(i, j);
      epilogue.store(epilogue.apply(sums[i * vectors + j], at), output, at);
    }
}

LogicalResult tamis::tileLinear(func::FuncOp function, const CpuTarget &target) {
  auto kernel = analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  LinearTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

Launch tamis::linearLaunch(func::FuncOp function) {
  LinearOp linear = findLinear(function);
  if (!linear)
    return {0, 0};
  int64_t N = cast<RankedTensorType>(linear.getType()).getShape().back();
  int64_t blockRows = linearRows(cast<RankedTensorType>(linear.getInput().getType()).getShape().back());
  DimExpr blocks = DimExpr::floorDiv(rowsOf(linear) + (blockRows - 1), blockRows);
  return {blocks * panelsOf(N), 0};
}
