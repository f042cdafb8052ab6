// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits an index into items of which everything is read, and items that need a look at order and mask.
#include "passes/sparsify/Passes.h"
#include "passes/sparsify/StoredIndex.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::sparsify {
#define GEN_PASS_DEF_SPLITFULLPARTIAL
#include "passes/sparsify/Passes.h.inc"

namespace {
/// Below so many queries and keys an item costs less to look at than a second index does.
constexpr int64_t kLeastItem = 64;

struct SplitFullPartial : impl::SplitFullPartialBase<SplitFullPartial> {
  SplitFullPartial() = default;
  explicit SplitFullPartial(const WeightStore *weights) : weights(weights) {}

  void runOnOperation() override {
    SmallVector<sattn::AttendOp> attends(getOperation().getOps<sattn::AttendOp>());
    for (sattn::AttendOp op : attends)
      if (op.getMask() || op.getCausal())
        split(op);
  }

private:
  void split(sattn::AttendOp op) {
    DimExpr queries = dimsOf(op.getQuery().getType())[1], keys = dimsOf(op.getKey().getType())[1];
    auto offset = (keys - queries).constant();
    std::optional<MaskTable> table;
    if (op.getMask() && queries.constant() && keys.constant())
      table = maskTableOf(op.getMask(), *queries.constant(), *keys.constant(), weights);
    if ((op.getMask() && !table) || (op.getCausal() && !offset))
      return;
    OpBuilder builder(op);
    SmallVector<Value> indices;
    SmallVector<int64_t> full;
    bool changed = false;
    for (auto [number, index] : llvm::enumerate(op.getIndices())) {
      auto blocks = BlockTable::of(index);
      bool isSplit = blocks && !op.isFull(number) && blocks->rows >= kLeastItem && blocks->columns >= kLeastItem;
      if (!isSplit) {
        if (op.isFull(number))
          full.push_back(indices.size());
        indices.push_back(index);
        continue;
      }
      BlockTable whole = *blocks, rest = *blocks;
      auto isFull = [&](int64_t head, int64_t row, int64_t item) {
        int64_t firstQuery = row * blocks->rows, firstKey = item * blocks->columns;
        // The last key of the item and the first query of the row are the ones that order tells apart first.
        if (op.getCausal() && firstKey + blocks->columns - 1 > firstQuery + *offset)
          return false;
        return !table || allKept(*table, op.getHeads(), blocks->items.size(), head, {firstQuery, blocks->rows},
                                 {firstKey, blocks->columns});
      };
      for (size_t head = 0; head < blocks->items.size(); ++head)
        for (size_t row = 0; row < blocks->items[head].size(); ++row) {
          llvm::erase_if(whole.items[head][row], [&](int32_t item) { return !isFull(head, row, item); });
          llvm::erase_if(rest.items[head][row], [&](int32_t item) { return isFull(head, row, item); });
        }
      if (whole.isEmpty()) {
        indices.push_back(index);
        continue;
      }
      changed = true;
      ++numSplit;
      if (!rest.isEmpty())
        indices.push_back(rest.load(builder, op.getLoc(), queries, keys));
      full.push_back(indices.size());
      indices.push_back(whole.load(builder, op.getLoc(), queries, keys));
    }
    if (!changed)
      return;
    // Where all is full there is nothing that asks for order and mask.
    bool allFull = full.size() == indices.size();
    Value result = sattn::AttendOp::create(
        builder, op.getLoc(), op.getType(), op.getQuery(), op.getKey(), op.getValue(), indices,
        allFull ? Value() : op.getMask(), op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(),
        allFull ? UnitAttr() : op.getCausalAttr(), allFull ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(full));
    op.replaceAllUsesWith(result);
    op.erase();
  }

  struct Range {
    int64_t first, count;
  };
  /// Of all heads that read head `head` of an index of `indexHeads`.
  static bool allKept(const MaskTable &table, int64_t heads, int64_t indexHeads, int64_t head, Range queries,
                      Range keys) {
    int64_t group = heads / indexHeads, endKey = std::min(table.keys, keys.first + keys.count);
    for (int64_t h = head * group; h < (head + 1) * group; ++h) {
      int64_t own = table.heads == 1 ? 0 : h;
      for (int64_t q = queries.first; q < std::min(table.queries, queries.first + queries.count); ++q) {
        int64_t begin = (own * table.queries + q) * table.keys;
        if (table.kept.find_first_unset_in(begin + keys.first, begin + endKey) >= 0)
          return false;
      }
      if (table.heads == 1)
        break;
    }
    return true;
  }

  const WeightStore *weights = nullptr;
};
} // namespace

std::unique_ptr<Pass> createSplitFullPartial(const WeightStore *weights) {
  return std::make_unique<SplitFullPartial>(weights);
}
} // namespace tamis::sparsify
