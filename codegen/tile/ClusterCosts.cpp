// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What ops that are computed together cost: their arithmetic, and the bytes that go to and from memory.
#include "codegen/tile/ClusterOps.h"

#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tamis;

namespace {
/// Pairs of a query and a key that all heads read at most.
DimExpr pairsOf(sattn::AttendOp attend) {
  auto query = model::dimsOf(attend.getQuery().getType());
  DimExpr keys = 0;
  for (Type type : attend.getIndices().getTypes()) {
    auto index = cast<sattn::KeyIndexType>(type);
    keys = keys + index.capacityExpr() * index.getColumns();
  }
  return query[0] * query[1] * int64_t(attend.getHeads()) *
         DimExpr::min(keys, model::dimsOf(attend.getKey().getType())[1]);
}

DimExpr elements(Value value) {
  return product(model::dimsOf(value.getType()));
}

DimExpr flopsOf(Operation *op) {
  // Two products of every query with every key, over the widths of keys and of values.
  auto ofAttention = [](auto attention) {
    auto query = model::dimsOf(attention.getQuery().getType()), out = model::dimsOf(attention.getType());
    return query[0] * query[1] * model::dimsOf(attention.getKey().getType())[1] * 2 * (query[2] + out[2]);
  };
  return llvm::TypeSwitch<Operation *, DimExpr>(op)
      .Case<model::LinearOp, model::IntegerLinearOp>([](auto linear) {
        auto weight = cast<RankedTensorType>(linear.getWeight().getType());
        return elements(linear.getInput()) * 2 * weight.getDimSize(linear.getTransposed() ? 0 : 1);
      })
      .Case(
          [](model::MatmulOp matmul) { return elements(matmul) * 2 * model::dimsOf(matmul.getLhs().getType()).back(); })
      .Case<model::AttentionOp, sattn::AttendAtOp>(ofAttention)
      .Case([](sattn::AttendOp attend) {
        int64_t heads = attend.getHeads(), keyHeads = attend.getKvHeads();
        int64_t width = *model::dimsOf(attend.getQuery().getType())[2].constant() / heads;
        return pairsOf(attend) * (2 * (width + *model::dimsOf(attend.getValue().getType())[2].constant() / keyHeads));
      })
      .Case([](cache::AttendOp attend) {
        // Whatever texts are longest: how long each is, is known to the kernel alone.
        auto sizes = *cache::PoolSizes::of(attend, attend.getPools());
        DimExpr keys = model::dimsOf(attend.getTable().getType())[1] * sizes.page;
        return model::dimsOf(attend.getTexts().getType())[0] * keys *
               (2 * int64_t(attend.getHeads()) * (sizes.keyWidth + sizes.valueWidth));
      })
      .Case([](sattn::MergeOp merge) {
        return product(cast<sattn::PartialType>(merge.getInputs().front().getType()).shapeDims()) *
               (2 * int64_t(merge.getInputs().size()));
      })
      .Case([](sattn::LinearAttendOp attend) {
        // Keys times values into the state, queries times the state.
        auto query = model::dimsOf(attend.getQuery().getType()), out = model::dimsOf(attend.getType());
        DimExpr tokens = query[1] + model::dimsOf(attend.getKey().getType())[1];
        return query[0] * tokens * (2 * *query[2].constant() * (*out[2].constant() / int64_t(attend.getHeads())));
      })
      .Case([](sattn::ScoreOp score) {
        auto keys = model::dimsOf(score.getKeys().getType());
        DimExpr products = elements(score) * (score.getWeights() ? int64_t(score.getHeads()) : 1);
        return products * (2 * *keys.back().constant() / (keys.size() == 4 ? 1 : int64_t(score.getKvHeads())));
      })
      .Case([](sattn::WeighOp weigh) { return elements(weigh.getScores()) * 4; })
      .Case([](sattn::SummarizeOp summarize) { return elements(summarize.getInput()); })
      .Case([](model::NormOp norm) { return elements(norm) * 8; })
      .Case([](model::QuantizeRowsOp quantize) { return elements(quantize.getInput()) * 4; })
      .Case([](model::SoftmaxOp softmax) { return elements(softmax) * 4; })
      .Case([](model::ReduceOp reduce) { return elements(reduce.getInput()); })
      .Case([](model::CumulativeOp cumulative) { return elements(cumulative); })
      .Case<model::ElementwiseOp, model::ActivationOp>([](Operation *op) { return elements(op->getResult(0)); })
      .Default([](Operation *) { return DimExpr(0); });
}

/// Bytes of a packed weight that its reader reads: all of it, or the rows that it looks up.
DimExpr packedBytes(Operation *dequantize, Operation *reader) {
  auto bits = [](Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.getNumElements() * int64_t(type.getElementTypeBitWidth());
  };
  int64_t total = 0;
  for (Value operand : dequantize->getOperands())
    total += bits(operand);
  if (!isa<model::EmbeddingOp>(reader))
    return DimExpr(total / 8);
  int64_t rows = cast<RankedTensorType>(dequantize->getResult(0).getType()).getDimSize(0);
  return product(model::dimsOf(reader->getOperand(1).getType())) * (total / 8 / rows);
}

/// Bytes of what an op of the cache reads and writes: of pools the tokens of its texts.
DimExpr cacheBytes(Operation *op) {
  DimExpr bytes = 0;
  auto bytesOf = [](Value value) {
    return elements(value) * elementBytes(cast<RankedTensorType>(value.getType()).getElementType());
  };
  auto tokens = [](auto concrete, const DimExpr &count) {
    auto sizes = *cache::PoolSizes::of(concrete, concrete.getPools());
    return count * (sizes.heads * (sizes.keyWidth + sizes.valueWidth) * (sizes.isByte ? 1 : 4) +
                    (sizes.isByte ? 8 * sizes.heads : 0));
  };
  if (auto append = dyn_cast<cache::AppendOp>(op))
    return bytesOf(append.getKey()) + bytesOf(append.getValue()) +
           tokens(append, model::dimsOf(append.getTexts().getType())[0]);
  if (auto select = dyn_cast<cache::SelectOp>(op)) {
    model::Dims bounds = model::dimsOf(select.getBounds().getType());
    return bytesOf(select.getQuery()) + bytesOf(select.getResult()) +
           elements(select.getTable()) * (8 * *bounds[1].constant() * *bounds[3].constant());
  }
  auto attend = cast<cache::AttendOp>(op);
  int64_t page = (*cache::PoolSizes::of(attend, attend.getPools())).page;
  return bytesOf(attend.getQuery()) + bytesOf(attend.getResult()) + tokens(attend, elements(attend.getTable()) * page);
}
} // namespace

Cost tamis::costOf(const Cluster &cluster) {
  Cost cost;
  llvm::SetVector<Value> read;
  llvm::DenseSet<Operation *> inside(cluster.ops.begin(), cluster.ops.end());
  auto bytes = [](Value value) {
    return elements(value) * elementBytes(cast<RankedTensorType>(value.getType()).getElementType());
  };
  for (Operation *op : cluster.ops) {
    cost.flops = cost.flops + flopsOf(op);
    if (isa<cache::AppendOp, cache::AttendOp, cache::SelectOp>(op))
      return {cost.flops, cacheBytes(op)};
    if (isa<model::DequantizeOp>(op)) {
      cost.bytes = cost.bytes + packedBytes(op, cluster.ops.back());
      continue;
    }
    for (Value operand : op->getOperands()) {
      bool table = isa<model::EmbeddingOp, model::GatherOp>(op) && operand == op->getOperand(0);
      bool computed = operand.getDefiningOp() && inside.contains(operand.getDefiningOp());
      if (!computed && !table)
        read.insert(operand);
      else if (!computed)
        cost.bytes = cost.bytes + bytes(op->getResult(0)); // the rows that are looked up, not the table
    }
  }
  for (Value value : read)
    cost.bytes = cost.bytes + bytes(value);
  for (Value value : cluster.results())
    cost.bytes = cost.bytes + bytes(value);
  return cost;
}
