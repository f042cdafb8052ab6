// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices of blocks that are known at compile time.
#include "passes/sparsify/StoredIndex.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace tamis::sparsify {

BlockTable BlockTable::of(const MaskTable &table, int64_t rows, int64_t columns) {
  BlockTable blocks{rows, columns, {}};
  for (int64_t head = 0; head < table.heads; ++head) {
    auto &ofHead = blocks.items.emplace_back();
    for (int64_t first = 0; first < table.queries; first += rows) {
      llvm::BitVector held((table.keys + columns - 1) / columns);
      for (int64_t q = first; q < std::min(table.queries, first + rows); ++q) {
        int64_t begin = (head * table.queries + q) * table.keys, end = begin + table.keys;
        for (int64_t at = begin; at < end;) {
          int next = table.kept.find_first_in(at, end);
          if (next < 0)
            break;
          int64_t item = (next - begin) / columns;
          held.set(item);
          at = begin + (item + 1) * columns; // the rest of the item says nothing new
        }
      }
      auto &row = ofHead.emplace_back();
      for (unsigned item : held.set_bits())
        row.push_back(int32_t(item));
    }
  }
  return blocks;
}

std::optional<BlockTable> BlockTable::of(Value index) {
  auto load = index.getDefiningOp<sattn::LoadIndexOp>();
  if (!load)
    return std::nullopt;
  Value stored = load.getInput();
  sattn::KeyIndexType type = load.getType();
  if (auto slice = stored.getDefiningOp<SliceOp>()) {
    Dims from = dimsOf(slice.getInput().getType()), to = dimsOf(stored.getType());
    for (size_t axis = 0; axis < from.size(); ++axis) {
      auto start = cast<StringAttr>(slice.getStarts()[axis]).getValue();
      if (start != "0" || slice.getSteps()[axis] != 1 || (axis != 2 && from[axis] != to[axis]))
        return std::nullopt;
    }
    stored = slice.getInput();
  }
  auto constant = stored.getDefiningOp<ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  auto shape = cast<RankedTensorType>(stored.getType()).getShape();
  if (!elements || type.getRows() == 0 || shape[0] != 1)
    return std::nullopt;
  SmallVector<int32_t> numbers(elements.getValues<int32_t>());
  BlockTable blocks{type.getRows(), type.getColumns(), {}};
  for (int64_t head = 0; head < shape[1]; ++head) {
    auto &ofHead = blocks.items.emplace_back();
    for (int64_t row = 0; row < shape[2]; ++row) {
      ArrayRef<int32_t> of = ArrayRef(numbers).slice((head * shape[2] + row) * shape[3], shape[3]);
      if (of[0] < 0 || of[0] >= shape[3])
        return std::nullopt;
      ofHead.emplace_back(of.begin() + 1, of.begin() + 1 + of[0]);
    }
  }
  return blocks;
}

void BlockTable::shareHeads(int64_t heads) {
  int64_t count = items.size();
  for (int64_t groups = 1; groups < count; ++groups) {
    if (heads % groups || count % groups)
      continue;
    bool equal = true;
    for (int64_t head = 0; head < count; ++head)
      equal &= items[head] == items[head / (count / groups) * (count / groups)];
    if (!equal)
      continue;
    for (int64_t group = 0; group < groups; ++group)
      items[group] = items[group * (count / groups)];
    items.resize(groups);
    return;
  }
}

int64_t BlockTable::pairs(int64_t queries, int64_t keys) const {
  int64_t sum = 0;
  for (const auto &ofHead : items)
    for (auto [row, ofRow] : llvm::enumerate(ofHead))
      for (int64_t item : ofRow)
        sum += (std::min(queries, int64_t(row + 1) * rows) - int64_t(row) * rows) *
               (std::min(keys, (item + 1) * columns) - item * columns);
  return sum;
}

int64_t BlockTable::capacity() const {
  size_t most = 1;
  for (const auto &ofHead : items)
    for (const auto &row : ofHead)
      most = std::max(most, row.size());
  return int64_t(most);
}

bool BlockTable::isEmpty() const {
  return llvm::all_of(items, [](const auto &ofHead) {
    return llvm::all_of(ofHead, [](const std::vector<int32_t> &row) { return row.empty(); });
  });
}

Value BlockTable::store(OpBuilder &builder, Location loc) const {
  std::vector<int32_t> numbers;
  for (const auto &ofHead : items)
    for (const std::vector<int32_t> &row : ofHead) {
      numbers.push_back(int32_t(row.size()));
      numbers.insert(numbers.end(), row.begin(), row.end());
      numbers.resize(numbers.size() + capacity() - row.size());
    }
  auto type = RankedTensorType::get({1, int64_t(items.size()), int64_t(items.front().size()), capacity() + 1},
                                    builder.getI32Type());
  return ConstantOp::create(builder, loc, type, DenseElementsAttr::get(type, ArrayRef(numbers)));
}

Value BlockTable::load(OpBuilder &builder, Location loc, const DimExpr &queries, const DimExpr &keys) const {
  Value stored = store(builder, loc);
  DimExpr count = sattn::rowCount(queries, rows);
  auto type = sattn::KeyIndexType::get(builder.getContext(), rows, columns,
                                       columns == 1 ? sattn::Unit::token : sattn::Unit::block,
                                       {1, int64_t(items.size()), count}, sattn::ceilDiv(keys, columns), capacity());
  if (type.storage() != stored.getType()) {
    auto zeros = builder.getStrArrayAttr({"0", "0", "0", "0"});
    stored = SliceOp::create(builder, loc, type.storage(), stored, zeros, SmallVector<int64_t>(4, 1));
  }
  return sattn::LoadIndexOp::create(builder, loc, type, stored);
}

} // namespace tamis::sparsify
