// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops from index to index, and to and from memory.
#include "lib/reference/EvaluateIndex.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;
using namespace tamis::sattn;

namespace {
/// Writes the rows of the result one by one: batch item, head, row.
llvm::Error writeRows(Operation *op, HostTensor &result,
                      llvm::function_ref<std::set<int64_t>(int64_t, int64_t, int64_t)> itemsOf) {
  IndexWriter writer(result);
  for (int64_t b = 0; b < result.shape[0]; ++b)
    for (int64_t h = 0; h < result.shape[1]; ++h)
      for (int64_t row = 0; row < result.shape[2]; ++row)
        if (auto error = writer.row(op, b, h, row, itemsOf(b, h, row)))
          return error;
  return writer.finish();
}

llvm::Error copyBytes(Value value, const Scope &scope, HostTensor &result) {
  TensorView view = scope.view(value);
  result.bytes.assign(view.bytes.begin(), view.bytes.end());
  return llvm::Error::success();
}
} // namespace

llvm::Error tamis::reference::evaluateOp(UnionOp op, const Scope &scope, HostTensor &result) {
  return writeRows(op, result, [&](int64_t b, int64_t h, int64_t row) {
    std::set<int64_t> kept;
    for (Value input : op.getInputs())
      kept.merge(IndexReader(input, scope).items(b, h, row));
    return kept;
  });
}

llvm::Error tamis::reference::evaluateOp(IntersectOp op, const Scope &scope, HostTensor &result) {
  return writeRows(op, result, [&](int64_t b, int64_t h, int64_t row) {
    std::set<int64_t> kept = IndexReader(op.getInputs().front(), scope).items(b, h, row);
    for (Value input : op.getInputs().drop_front()) {
      std::set<int64_t> other = IndexReader(input, scope).items(b, h, row);
      std::erase_if(kept, [&](int64_t item) { return !other.count(item); });
    }
    return kept;
  });
}

llvm::Error tamis::reference::evaluateOp(RefineOp op, const Scope &scope, HostTensor &result) {
  IndexReader input(op.getInput(), scope);
  int64_t pieces = op.getInput().getType().getColumns() / op.getType().getColumns();
  auto items = scope.evaluate(op.getType().itemCount());
  if (!items)
    return fail(op, "has sizes that the inputs do not determine");
  return writeRows(op, result, [&](int64_t b, int64_t h, int64_t row) {
    std::set<int64_t> kept;
    for (int64_t item : input.items(b, h, row))
      for (int64_t piece = item * pieces; piece < std::min(*items, (item + 1) * pieces); ++piece)
        kept.insert(piece);
    return kept;
  });
}

llvm::Error tamis::reference::evaluateOp(CoarsenOp op, const Scope &scope, HostTensor &result) {
  IndexReader input(op.getInput(), scope);
  int64_t from = op.getInput().getType().getRows(), to = op.getType().getRows();
  int64_t pieces = op.getType().getColumns() / op.getInput().getType().getColumns();
  return writeRows(op, result, [&](int64_t b, int64_t h, int64_t row) {
    int64_t joined = from ? to / from : 1, begin = to ? row * joined : 0,
            end = to ? std::min(input.rows(), (row + 1) * joined) : input.rows();
    std::set<int64_t> kept;
    for (int64_t i = begin; i < end; ++i)
      for (int64_t item : input.items(b, h, i))
        kept.insert(item / pieces);
    return kept;
  });
}

llvm::Error tamis::reference::evaluateOp(TransposeOp op, const Scope &scope, HostTensor &result) {
  IndexReader input(op.getInput(), scope);
  return writeRows(op, result, [&](int64_t b, int64_t h, int64_t row) {
    std::set<int64_t> kept;
    for (int64_t i = 0; i < input.rows(); ++i)
      if (input.items(b, h, i).count(row))
        kept.insert(i);
    return kept;
  });
}

llvm::Error tamis::reference::evaluateOp(ShareOp op, const Scope &scope, HostTensor &result) {
  IndexReader input(op.getInput(), scope);
  bool isOne = scope.view(op.getInput()).shape[0] == 1;
  return writeRows(
      op, result, [&](int64_t b, int64_t h, int64_t row) { return input.items(isOne ? 0 : b, op.getHeads()[h], row); });
}

llvm::Error tamis::reference::evaluateOp(StorePartialOp op, const Scope &scope, HostTensor &result) {
  return copyBytes(op.getInput(), scope, result);
}

llvm::Error tamis::reference::evaluateOp(LoadPartialOp op, const Scope &scope, HostTensor &result) {
  return copyBytes(op.getInput(), scope, result);
}

llvm::Error tamis::reference::evaluateOp(StoreIndexOp op, const Scope &scope, HostTensor &result) {
  TensorView index = scope.view(op.getInput());
  result.bytes.assign(index.bytes.begin(), index.bytes.end());
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(LoadIndexOp op, const Scope &scope, HostTensor &result) {
  TensorView stored = scope.view(op.getInput());
  int64_t width = stored.shape[3];
  std::vector<int64_t> numbers = readIntegers(stored);
  auto items = scope.evaluate(op.getType().itemCount());
  for (size_t i = 0; i < numbers.size(); i += width) {
    if (numbers[i] < 0 || numbers[i] >= width)
      return fail(op, "found " + std::to_string(numbers[i]) + " items in a row of an index with a capacity of " +
                          std::to_string(width - 1));
    for (int64_t j = 1; j <= numbers[i]; ++j)
      if (numbers[i + j] < 0 || (items && numbers[i + j] >= *items))
        return fail(op, "found the item " + std::to_string(numbers[i + j]) + " in an index of " +
                            std::to_string(items.value_or(0)) + " items");
  }
  result.bytes.assign(stored.bytes.begin(), stored.bytes.end());
  return llvm::Error::success();
}
