// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chains of reshapes and transposes.
#include "dialects/model/ModelViews.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace tamis::model {

using Axis = ViewChain::Axis;

static Axis flatten(ArrayRef<Axis> axes) {
  Axis all;
  for (const Axis &axis : axes)
    all.append(axis.begin(), axis.end());
  return all;
}

std::optional<SmallVector<Axis>> regroupFactors(ArrayRef<Axis> axes, ArrayRef<DimExpr> dims, Dims &factors,
                                                function_ref<void(unsigned, unsigned)> split) {
  Axis rest = flatten(axes);
  std::reverse(rest.begin(), rest.end()); // a stack, outermost on top
  SmallVector<Axis> groups;
  for (const DimExpr &dim : dims) {
    Axis group;
    DimExpr wanted = dim;
    while (!wanted.isConstant(1)) {
      if (rest.empty())
        return std::nullopt;
      unsigned factor = rest.pop_back_val();
      if (auto more = wanted.exactDiv(factors[factor])) { // covers the case of equal sizes
        wanted = *more;
      } else if (auto left = factors[factor].exactDiv(wanted)) {
        unsigned inner = factors.size();
        factors.push_back(*left);
        factors[factor] = wanted;
        split(factor, inner);
        rest.push_back(inner);
        wanted = 1;
      } else {
        return std::nullopt;
      }
      group.push_back(factor);
    }
    groups.push_back(group);
  }
  if (!rest.empty())
    return std::nullopt;
  return groups;
}

void ViewChain::restart(Value source) {
  root = source;
  ops.clear();
  sizes.clear();
  from.clear();
  for (const DimExpr &dim : dimsOf(source.getType())) {
    from.emplace_back();
    if (dim.isConstant(1))
      continue;
    from.back().push_back(sizes.size());
    sizes.push_back(dim);
  }
  to = from;
}

void ViewChain::split(unsigned factor, unsigned inner) {
  for (SmallVector<Axis> *axes : {&from, &to})
    for (Axis &axis : *axes)
      if (auto *it = llvm::find(axis, factor); it != axis.end())
        axis.insert(it + 1, inner);
}

bool ViewChain::reshape(ArrayRef<DimExpr> dims) {
  auto groups = regroupFactors(to, dims, sizes, [&](unsigned factor, unsigned inner) { split(factor, inner); });
  if (groups)
    to = *groups;
  return groups.has_value();
}

ViewChain ViewChain::of(Value value) {
  SmallVector<Operation *> views;
  for (Operation *op = value.getDefiningOp(); isa_and_nonnull<ReshapeOp, TransposeOp>(op);
       op = op->getOperand(0).getDefiningOp())
    views.push_back(op);
  std::reverse(views.begin(), views.end());
  ViewChain chain;
  chain.restart(views.empty() ? value : views.front()->getOperand(0));
  for (Operation *op : views) {
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      SmallVector<Axis> moved;
      for (int64_t axis : transpose.getPermutation())
        moved.push_back(chain.to[axis]);
      chain.to = moved;
    } else if (!chain.reshape(dimsOf(op->getResult(0).getType()))) {
      chain.restart(op->getResult(0));
      continue;
    }
    chain.ops.push_back(op);
  }
  return chain;
}

bool ViewChain::keepsOrder() const {
  return flatten(from) == flatten(to);
}

namespace {
/// Reshape to `dims`, transpose by `permutation`, reshape to the result: how every chain can be written.
struct Plan {
  SmallVector<Axis> blocks; // axes between reshape and transpose
  SmallVector<int64_t> permutation;
};
} // namespace

/// Blocks of factors that stay together all the way; the fewest axes a transpose can do with.
static Plan planByBlocks(const ViewChain &chain) {
  Axis from = flatten(chain.sourceAxes()), to = flatten(chain.resultAxes());
  Plan plan;
  llvm::SmallDenseMap<unsigned, int64_t> blockOf;
  for (auto [i, factor] : llvm::enumerate(from)) {
    auto *at = llvm::find(to, factor);
    bool follows = i > 0 && at != to.begin() && *(at - 1) == from[i - 1];
    if (!follows)
      plan.blocks.emplace_back();
    plan.blocks.back().push_back(factor);
    blockOf[factor] = plan.blocks.size() - 1;
  }
  for (unsigned factor : to)
    if (plan.permutation.empty() || plan.permutation.back() != blockOf[factor])
      plan.permutation.push_back(blockOf[factor]);
  return plan;
}

/// Order in which whole `groups` make up `axes`: each axis takes the groups that cover it, an empty axis the next empty
/// group; empty groups that are left come last. Nothing when an axis cuts a group.
static std::optional<SmallVector<int64_t>> cover(ArrayRef<Axis> groups, ArrayRef<Axis> axes) {
  SmallVector<int64_t> order, empty;
  llvm::SmallDenseMap<unsigned, int64_t> startsWith;
  for (auto [i, group] : llvm::enumerate(groups))
    if (group.empty())
      empty.push_back(i);
    else
      startsWith[group[0]] = i;
  std::reverse(empty.begin(), empty.end());
  for (const Axis &axis : axes) {
    if (axis.empty() && !empty.empty())
      order.push_back(empty.pop_back_val());
    for (ArrayRef<unsigned> rest = axis; !rest.empty();) {
      auto it = startsWith.find(rest[0]);
      if (it == startsWith.end() ||
          !ArrayRef<unsigned>(rest).take_front(groups[it->second].size()).equals(groups[it->second]))
        return std::nullopt;
      order.push_back(it->second);
      rest = rest.drop_front(groups[it->second].size());
    }
  }
  order.append(empty.rbegin(), empty.rend());
  return order;
}

/// The source's own axes: no reshape before the transpose.
static std::optional<Plan> planBySource(const ViewChain &chain) {
  auto order = cover(chain.sourceAxes(), chain.resultAxes());
  return order ? std::optional<Plan>({SmallVector<Axis>(chain.sourceAxes()), *order}) : std::nullopt;
}

/// The result's own axes: no reshape after the transpose.
static std::optional<Plan> planByResult(const ViewChain &chain) {
  auto order = cover(chain.resultAxes(), chain.sourceAxes());
  if (!order)
    return std::nullopt;
  Plan plan;
  plan.permutation.resize(order->size());
  for (auto [position, axis] : llvm::enumerate(*order)) {
    plan.blocks.push_back(chain.resultAxes()[axis]);
    plan.permutation[axis] = position;
  }
  return plan;
}

static Dims sizesOf(ArrayRef<Axis> axes, ArrayRef<DimExpr> factors) {
  Dims dims;
  for (const Axis &axis : axes) {
    dims.push_back(1);
    for (unsigned factor : axis)
      dims.back() = dims.back() * factors[factor];
  }
  return dims;
}

Value shortenViews(OpBuilder &builder, Location location, const ViewChain &chain, RankedTensorType type) {
  Value source = chain.source();
  if (chain.length() == 0 || tensorType(type.getElementType(), dimsOf(type)) != type)
    return {}; // nothing to do, or sizes without names, of which equality is unknown
  if (chain.keepsOrder()) {
    if (source.getType() == type)
      return source;
    bool lone = chain.length() == 1 && isa<ReshapeOp>(chain.views()[0]);
    return lone ? Value() : ReshapeOp::create(builder, location, type, source).getResult();
  }
  if (chain.length() == 1)
    return {};

  Dims sourceDims = dimsOf(source.getType()), resultDims = dimsOf(type);
  std::optional<Plan> best;
  unsigned bestLength = chain.length();
  for (const std::optional<Plan> &plan :
       {planBySource(chain), planByResult(chain), std::optional(planByBlocks(chain))}) {
    if (!plan)
      continue;
    Dims blocks = sizesOf(plan->blocks, chain.factors()), moved;
    for (int64_t axis : plan->permutation)
      moved.push_back(blocks[axis]);
    unsigned length = 1 + (blocks != sourceDims) + (moved != resultDims);
    if (length < bestLength) {
      best = plan;
      bestLength = length;
    }
  }
  if (!best)
    return {};
  Type element = type.getElementType();
  Dims blocks = sizesOf(best->blocks, chain.factors()), moved;
  for (int64_t axis : best->permutation)
    moved.push_back(blocks[axis]);
  Value view = source;
  if (blocks != sourceDims)
    view = ReshapeOp::create(builder, location, tensorType(element, blocks), view);
  view = TransposeOp::create(builder, location, tensorType(element, moved), view, best->permutation);
  if (moved != resultDims)
    view = ReshapeOp::create(builder, location, type, view);
  return view;
}

} // namespace tamis::model
