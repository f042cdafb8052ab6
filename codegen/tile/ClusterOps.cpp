// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which ops of a model are computed together.
#include "codegen/tile/ClusterOps.h"

#include "codegen/tile/ConstantExpression.h"
#include "codegen/tile/IntegerLinear.h"
#include "codegen/tile/Linear.h"
#include "codegen/tile/PackedWeight.h"
#include "codegen/tile/Rows.h"
#include "codegen/tile/RowsForm.h"
#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tamis;
using plan::KernelKind;

namespace {

/// Ops that only say where an element comes from.
bool isView(Operation *op) {
  return isa<model::ReshapeOp, model::TransposeOp, model::BroadcastOp, model::SliceOp>(op);
}

/// Ops that are cheaper to repeat than to store.
bool isGenerator(Operation *op) {
  return isa<model::IotaOp, model::SizesOp>(op);
}

/// Each element of the result reads one element of each operand, or few.
bool isPointwise(Operation *op) {
  return isView(op) || isGenerator(op) ||
         isa<model::ElementwiseOp, model::ActivationOp, model::CastOp, model::ConcatOp, model::GatherOp,
             model::GatherNdOp, model::EmbeddingOp>(op);
}

/// Cheap enough to compute once for every element of a larger result.
bool isCheap(Operation *op) {
  if (isa<model::ActivationOp>(op))
    return false;
  auto elementwise = dyn_cast<model::ElementwiseOp>(op);
  if (!elementwise)
    return isPointwise(op);
  using K = model::ElementwiseKind;
  switch (elementwise.getKind()) {
  case K::exp:
  case K::log:
  case K::erf:
  case K::tanh:
  case K::sigmoid:
  case K::sin:
  case K::cos:
  case K::pow:
    return false;
  default:
    return true;
  }
}

/// Rounds numbers to bf16 for linears that multiply those.
bool isRoundingForLinears(Operation *op) {
  auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  return isa<model::CastOp>(op) && elementOf(op->getOperand(0)).isF32() && elementOf(op->getResult(0)).isBF16() &&
         llvm::all_of(op->getUsers(), [](Operation *user) { return isa<model::LinearOp>(user); });
}

/// Columns of the last axis: a slice that attention reads in place.
bool isColumnRange(Operation *op) {
  auto slice = dyn_cast_or_null<model::SliceOp>(op);
  if (!slice)
    return false;
  auto from = model::dimsOf(slice.getInput().getType()), to = model::dimsOf(slice.getType());
  for (size_t axis = 0; axis < from.size(); ++axis) {
    auto start = DimExpr::parse(cast<StringAttr>(slice.getStarts()[axis]).getValue());
    bool last = axis + 1 == from.size();
    if (!start || !start->constant() || slice.getSteps()[axis] != 1 || (!last && from[axis] != to[axis]))
      return false;
  }
  return true;
}

class Clusterer {
public:
  Clusterer(func::FuncOp function, bool rowsApart) : function(function), rowsApart(rowsApart) {}

  std::vector<Cluster> run() {
    repeatGenerators();
    repeatColumnRanges();
    repeatPackedWeights();
    for (Operation &op : function.front())
      if (isa<model::LinearOp, model::IntegerLinearOp>(op))
        startLinear(&op);
    for (auto embedding : function.front().getOps<model::EmbeddingOp>())
      if (auto table = embedding.getTable().getDefiningOp<model::DequantizeOp>())
        add(start(KernelKind::lookup, table), embedding);
    for (Operation &op : function.front()) {
      if (isa<model::AttentionOp, sattn::AttendAtOp>(op))
        startReader(KernelKind::attention, &op);
      else if (isa<sattn::AttendOp>(op))
        startReader(KernelKind::sparse_attention, &op);
      else if (isa<sattn::LinearAttendOp>(op))
        startReader(KernelKind::linear_attention, &op);
      else if (isa<sattn::CompactOp, sattn::ExpandOp>(op))
        startReader(KernelKind::compaction, &op);
      else if (isa<model::CumulativeOp, model::TopKOp, model::ScatterOp>(op))
        start(KernelKind::lines, &op);
      else if (isa<sattn::MergeOp>(op))
        startMerge(&op);
      else if (isa<cache::AppendOp, cache::AttendOp, cache::SelectOp, cache::MergeOp>(op))
        startReader(KernelKind::cache, &op);
      else if (auto stored = dyn_cast<sattn::StoreIndexOp>(op))
        startIndex(stored);
    }
    for (Operation &op : function.front())
      if (isRowOp(&op))
        startRows(&op);
    for (Operation &op : llvm::reverse(function.front()))
      joinMap(&op);
    return ordered();
  }

private:
  /// Generators get one copy a user, so that each can be fused.
  void repeatGenerators() {
    SmallVector<Operation *> generators;
    for (Operation &op : function.front())
      if (isGenerator(&op))
        generators.push_back(&op);
    OpBuilder builder(function.getContext());
    for (Operation *op : generators)
      while (!op->use_empty() && !op->hasOneUse()) {
        builder.setInsertionPointAfter(op);
        op->use_begin()->set(builder.clone(*op)->getResult(0));
      }
  }

  /// Ops that read columns of a buffer in place get a range each, since several kernels may read one.
  void repeatColumnRanges() {
    SmallVector<OpOperand *> reads;
    for (Operation &op : function.front())
      if (isa<model::AttentionOp, sattn::AttendOp, sattn::AttendAtOp, sattn::LinearAttendOp, sattn::CompactOp,
              sattn::SummarizeOp, sattn::ScoreOp, cache::AppendOp, cache::AttendOp, cache::SelectOp>(op))
        for (OpOperand &operand : op.getOpOperands())
          if (isColumnRange(operand.get().getDefiningOp()) && !operand.get().hasOneUse())
            reads.push_back(&operand);
    OpBuilder builder(function.getContext());
    for (OpOperand *read : reads) {
      if (read->get().hasOneUse())
        continue;
      builder.setInsertionPoint(read->getOwner());
      read->set(builder.clone(*read->get().getDefiningOp())->getResult(0));
    }
  }

  /// Packed weights are unpacked by each kernel that reads them.
  void repeatPackedWeights() {
    SmallVector<model::DequantizeOp> packed(function.front().getOps<model::DequantizeOp>());
    OpBuilder builder(function.getContext());
    for (model::DequantizeOp op : packed)
      while (!op->use_empty() && !op->hasOneUse()) {
        OpOperand &use = *op->use_begin();
        builder.setInsertionPoint(use.getOwner());
        use.set(builder.clone(*op)->getResult(0));
      }
  }

  void add(unsigned cluster, Operation *op) {
    clusterOf[op] = cluster;
    clusters[cluster].ops.push_back(op);
  }
  unsigned start(KernelKind kind, Operation *op) {
    clusters.push_back({kind, {}});
    add(clusters.size() - 1, op);
    return clusters.size() - 1;
  }
  bool isFree(Operation *op) {
    return op && isa<model::ModelDialect, sattn::SattnDialect, cache::CacheDialect>(op->getDialect()) &&
           !clusterOf.count(op) && !constantExpression(op->getResult(0));
  }

  void startLinear(Operation *linear) {
    unsigned cluster = start(KernelKind::linear, linear);
    if (auto packed = linear->getOperand(1).getDefiningOp<model::DequantizeOp>())
      add(cluster, packed);
    for (Operation *last = linear; last->hasOneUse(); last = *last->user_begin()) {
      Operation *user = *last->user_begin();
      if (!isFree(user) || !canFuseIntoLinear(user, last->getResult(0), linear)) {
        addByteRows(cluster, last, user);
        break;
      }
      add(cluster, user);
    }
  }

  /// Adds the quantization of what a linear of integers gives, its only user.
  void addByteRows(unsigned cluster, Operation *last, Operation *user) {
    auto quantize = dyn_cast<model::QuantizeRowsOp>(user);
    auto linear = dyn_cast<model::IntegerLinearOp>(clusters[cluster].ops.front());
    if (rowsApart || !quantize || !linear || !isFree(quantize) || last == linear.getOperation())
      return;
    auto type = cast<RankedTensorType>(last->getResult(0).getType());
    if (model::dimsOf(type) == model::dimsOf(linear.getType()) && canQuantizeRows(type.getShape().back()))
      add(cluster, quantize);
  }

  /// Adds the column ranges that `op` alone reads.
  void addColumnRanges(unsigned cluster, Operation *op) {
    for (Value operand : op->getOperands()) {
      Operation *slice = operand.getDefiningOp();
      bool ours = slice && llvm::all_of(slice->getUsers(), [&](Operation *user) { return user == op; });
      if (isColumnRange(slice) && ours && isFree(slice))
        add(cluster, slice);
    }
  }

  /// An op that reads columns of buffers in place, and indices.
  void startReader(KernelKind kind, Operation *op) {
    unsigned cluster = start(kind, op);
    addColumnRanges(cluster, op);
    for (Value operand : op->getOperands()) // an index is loaded or computed where it is read
      if (isa<sattn::KeyIndexType>(operand.getType()) && isFree(operand.getDefiningOp()))
        add(cluster, operand.getDefiningOp());
    addStore(cluster, op);
    if (isa<model::AttentionOp>(op) && op->hasOneUse() && isRoundingForLinears(*op->user_begin()))
      add(cluster, *op->user_begin());
  }

  /// Partial results are loaded where they are merged.
  void startMerge(Operation *merge) {
    unsigned cluster = start(KernelKind::merge, merge);
    for (Value operand : merge->getOperands())
      if (isFree(operand.getDefiningOp()))
        add(cluster, operand.getDefiningOp());
    addStore(cluster, merge);
  }

  /// What writes a partial result to memory.
  void addStore(unsigned cluster, Operation *op) {
    if (!op->hasOneUse())
      return;
    if (auto store = dyn_cast<sattn::StorePartialOp>(*op->user_begin()))
      add(cluster, store);
  }

  /// What is stored, and the ops of the dialect that lead to it.
  void startIndex(sattn::StoreIndexOp stored) {
    Operation *made = stored.getInput().getDefiningOp();
    if (isa_and_nonnull<sattn::CoarsenOp, sattn::DiagonalsOp>(made))
      if (auto select = made->getOperand(0).getDefiningOp<sattn::SelectOp>())
        made = select;
    unsigned cluster = start(isa_and_nonnull<sattn::SelectOp>(made) ? KernelKind::select : KernelKind::index, stored);
    SmallVector<Operation *> worklist{stored};
    while (!worklist.empty()) {
      Operation *reader = worklist.pop_back_val();
      if (isa<sattn::LoadIndexOp>(reader))
        continue; // another kernel's
      addColumnRanges(cluster, reader);
      for (Value operand : reader->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!isFree(producer) || !isa<sattn::SattnDialect>(producer->getDialect()) || !producer->hasOneUse())
          continue;
        add(cluster, producer);
        worklist.push_back(producer);
      }
    }
  }

  static bool isRowOp(Operation *op) { return isa<model::NormOp, model::SoftmaxOp, model::QuantizeRowsOp>(op); }

  void startRows(Operation *op) {
    if (!isFree(op))
      return;
    unsigned cluster = start(KernelKind::rows, op);
    if (!isa<model::QuantizeRowsOp>(op)) {
      Operation *last = op;
      for (; last->hasOneUse(); last = *last->user_begin()) {
        Operation *user = *last->user_begin();
        if (!isFree(user) || !canFuseIntoRows(user, op))
          break;
        add(cluster, user);
      }
      addQuantization(cluster, last, op);
      addRounding(cluster, last);
    }
    // Producers that nothing else reads, nearest first.
    SmallVector<Operation *> worklist{op};
    while (!worklist.empty()) {
      Operation *reader = worklist.pop_back_val();
      for (Value operand : reader->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        if (!isFree(producer) || !producer->hasOneUse() || !canFuseIntoRows(producer, op) || readsMap(producer, op))
          continue;
        // There is no other kernel for a quantization.
        if (hasQuantization(cluster) && !RowsForm::of(with(cluster, producer)))
          continue;
        add(cluster, producer);
        worklist.push_back(producer);
      }
    }
  }

  bool hasQuantization(unsigned cluster) {
    return llvm::any_of(clusters[cluster].ops, [](Operation *op) { return isa<model::QuantizeRowsOp>(op); });
  }
  SmallVector<Operation *> with(unsigned cluster, Operation *producer) {
    SmallVector<Operation *> ops{producer};
    llvm::append_range(ops, clusters[cluster].ops);
    return ops;
  }

  /// Adds the quantization of `last`, the last op behind the row op so far, and what leads to it.
  void addQuantization(unsigned cluster, Operation *last, Operation *rowOp) {
    for (Operation *user : last->getUsers()) {
      SmallVector<Operation *> path{user};
      auto leads = [&](Operation *op) { return isFree(op) && op->hasOneUse() && canFuseIntoRows(op, rowOp); };
      while (leads(path.back()))
        path.push_back(*path.back()->user_begin());
      Operation *quantize = path.back();
      // All of it is computed where the quantization stands: what else reads the row comes later.
      bool isLast = llvm::all_of(last->getUsers(), [&](Operation *other) {
        return llvm::is_contained(path, other) || quantize->isBeforeInBlock(other);
      });
      SmallVector<Operation *> all(clusters[cluster].ops);
      llvm::append_range(all, path);
      if (!isa<model::QuantizeRowsOp>(quantize) || !isFree(quantize) || !isLast || !RowsForm::of(all))
        continue;
      for (Operation *op : path)
        add(cluster, op);
      return;
    }
  }

  /// Adds the rounding of `last` beside it, where nothing that reads the row comes before.
  void addRounding(unsigned cluster, Operation *last) {
    for (Operation *user : last->getUsers()) {
      bool isFirst = llvm::all_of(last->getUsers(), [&](Operation *other) {
        return other == user || llvm::is_contained(clusters[cluster].ops, other) || user->isBeforeInBlock(other);
      });
      if (isRoundingForLinears(user) && isFree(user) && isFirst)
        return add(cluster, user);
    }
  }

  /// Whether an operand of `op` is left to a map: then the map computes `op` too, rather than a kernel more.
  bool readsMap(Operation *op, Operation *rowOp) {
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      Operation *producer = operand.getDefiningOp();
      return isFree(producer) && isPointwise(producer) && !(producer->hasOneUse() && canFuseIntoRows(producer, rowOp));
    });
  }

  /// Visited from the last op to the first: an op joins the map of its readers when all of them are in one, and when
  /// computing it there repeats nothing expensive.
  void joinMap(Operation *op) {
    if (!isFree(op) || op->use_empty() || !isa<model::ModelDialect>(op->getDialect()))
      return;
    std::optional<unsigned> target;
    bool join = isPointwise(op);
    for (Operation *user : op->getUsers()) {
      auto it = clusterOf.find(user);
      if (it == clusterOf.end() || clusters[it->second].kind != KernelKind::map || (target && *target != it->second)) {
        join = false;
        break;
      }
      target = it->second;
      bool sums = isa<model::MatmulOp>(user), reduces = isa<model::ReduceOp>(user);
      if ((sums && !isView(op)) || (reduces && !isCheap(op)))
        join = false;
    }
    if (!join && isa<model::ReshapeOp>(op))
      return; // a view between dispatches
    if (join && !isCheap(op)) {
      // Not when a broadcast or a gather would compute it again and again.
      Operation *root = clusters[*target].ops.front();
      join = model::dimsOf(root->getResult(0).getType()) == model::dimsOf(op->getResult(0).getType());
    }
    if (join)
      add(*target, op);
    else
      start(KernelKind::map, op);
  }

  std::vector<Cluster> ordered() {
    DenseMap<Operation *, unsigned> position;
    for (auto [i, op] : llvm::enumerate(function.front()))
      position[&op] = i;
    auto before = [&](Operation *a, Operation *b) { return position[a] < position[b]; };
    for (Cluster &cluster : clusters)
      llvm::sort(cluster.ops, before);
    // The last op of a cluster comes after everything the cluster reads.
    llvm::sort(clusters, [&](const Cluster &a, const Cluster &b) { return before(a.ops.back(), b.ops.back()); });
    return std::move(clusters);
  }

  func::FuncOp function;
  bool rowsApart; ///< formClusters
  std::vector<Cluster> clusters;
  DenseMap<Operation *, unsigned> clusterOf;
};

/// The word for an op in a kernel's name.
std::string wordOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([](model::ElementwiseOp e) { return stringifyElementwiseKind(e.getKind()).str(); })
      .Case([](model::ActivationOp a) { return stringifyActivationKind(a.getKind()).str(); })
      .Case([](model::NormOp n) { return stringifyNormKind(n.getKind()).str() + "_norm"; })
      .Case([](model::ReduceOp r) { return "reduce_" + stringifyReduceKind(r.getKind()).str(); })
      .Case([](model::DequantizeOp d) {
        unsigned bits = cast<RankedTensorType>(d.getInput().getType()).getElementType().getIntOrFloatBitWidth();
        return "int" + std::to_string(bits);
      })
      .Case([](sattn::AttendOp) { return "sparse_attention"; })
      .Case<cache::AppendOp, cache::AttendOp, cache::SelectOp, cache::MergeOp>(
          [](Operation *op) { return "cache_" + op->getName().stripDialect().str(); })
      .Case([](sattn::LinearAttendOp) { return "linear_attention"; })
      .Default([](Operation *op) { return op->getName().stripDialect().str(); });
}

/// Ops that say nothing of what a kernel is for.
bool isQuiet(Operation *op) {
  return isView(op) || isGenerator(op) ||
         isa<sattn::BandsOp, sattn::CoarsenOp, sattn::DiagonalsOp, sattn::StoreIndexOp, sattn::LoadIndexOp,
             sattn::StorePartialOp, sattn::LoadPartialOp>(op);
}

} // namespace

std::vector<Cluster> tamis::formClusters(func::FuncOp function, bool rowsApart) {
  return Clusterer(function, rowsApart).run();
}

SmallVector<Value> Cluster::results() const {
  llvm::DenseSet<Operation *> inside(ops.begin(), ops.end());
  SmallVector<Value> results;
  for (Operation *op : ops)
    for (Value value : op->getResults())
      if (llvm::any_of(value.getUsers(), [&](Operation *user) { return !inside.contains(user); }))
        results.push_back(value);
  if (results.empty())
    results.push_back(ops.back()->getResult(0));
  return results;
}

std::string tamis::nameOf(const Cluster &cluster) {
  // What computes comes first; views are named only when there is nothing else.
  SmallVector<std::string> words;
  std::string shape;
  for (Operation *op : cluster.ops) {
    if (isa<model::LinearOp, model::IntegerLinearOp>(op)) {
      auto weight = cast<RankedTensorType>(op->getOperand(1).getType());
      bool transposed = op->hasAttr("transposed");
      shape =
          "_" + std::to_string(weight.getDimSize(transposed)) + "x" + std::to_string(weight.getDimSize(!transposed));
    }
    if (!isQuiet(op) || (op == cluster.ops.back() && words.empty()))
      if (std::string word = wordOf(op); words.empty() || words.back() != word)
        words.push_back(word);
  }
  if (words.size() > 4)
    words = {words.front(), words[1], "and_more", words.back()};
  return llvm::join(words, "_") + shape;
}
