// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every result of a dispatch its place in one arena.
#include "codegen/plan/Passes.h"
#include "dialects/model/ModelShapes.h"
#include "lib/support/Weights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {
#define GEN_PASS_DEF_PLACEBUFFERS
#include "codegen/plan/Passes.h.inc"
} // namespace tamis

using namespace mlir;
using namespace tamis;

namespace {

/// A place of the arena, as large as the largest of several sizes.
struct Slot {
  SmallVector<DimExpr> sizes; ///< of which none is known to be at most another
  unsigned freeAfter;         ///< the last dispatch that reads what lies here

  bool holds(const DimExpr &bytes) const {
    return llvm::any_of(sizes, [&](const DimExpr &size) { return DimExpr::max(size, bytes) == size; });
  }

  void grow(const DimExpr &bytes) {
    if (holds(bytes))
      return;
    llvm::erase_if(sizes, [&](const DimExpr &size) { return DimExpr::max(size, bytes) == bytes; });
    sizes.push_back(bytes);
  }

  /// As a tree that is as low as can be: a text is read back only up to some depth.
  DimExpr bytes() const {
    SmallVector<DimExpr> level = sizes;
    while (level.size() > 1) {
      SmallVector<DimExpr> next;
      for (size_t i = 0; i + 1 < level.size(); i += 2)
        next.push_back(DimExpr::max(level[i], level[i + 1]));
      if (level.size() % 2)
        next.push_back(level.back());
      level = std::move(next);
    }
    return level[0];
  }
};

/// The last dispatch that reads the value, and the output it is returned as.
struct Life {
  unsigned last = 0;
  std::optional<unsigned> output;
};

Life lifeOf(Value value, const DenseMap<Operation *, unsigned> &position) {
  Life life;
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (auto view = dyn_cast<plan::ViewOp>(user)) {
      Life inner = lifeOf(view.getResult(), position);
      life.last = std::max(life.last, inner.last);
      if (inner.output)
        life.output = inner.output;
    } else if (isa<func::ReturnOp>(user)) {
      life.output = use.getOperandNumber();
    } else {
      life.last = std::max(life.last, position.lookup(user));
    }
  }
  return life;
}

struct PlaceBuffers : tamis::impl::PlaceBuffersBase<PlaceBuffers> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("expected a function @main");
      return signalPassFailure();
    }
    DenseMap<Operation *, unsigned> position;
    for (auto dispatch : main.getOps<plan::DispatchOp>())
      position[dispatch] = position.size();

    SmallVector<Slot> slots;
    for (auto dispatch : main.getOps<plan::DispatchOp>()) {
      SmallVector<int64_t> places;
      for (auto [number, result] : llvm::enumerate(dispatch.getResults())) {
        Life life = lifeOf(result, position);
        if (dispatch.getInPlace() && (*dispatch.getInPlace())[number] >= 0)
          places.push_back(0); // where its operand lies
        else if (life.output)
          places.push_back(-1 - int64_t(*life.output));
        else
          places.push_back(place(slots, result.getType(), position[dispatch], std::max(life.last, position[dispatch])));
      }
      dispatch.setSlots(places);
    }
    SmallVector<Attribute> sizes;
    for (const Slot &slot : slots) {
      sizes.push_back(StringAttr::get(&getContext(), slot.bytes().str()));
      if (!DimExpr::parse(cast<StringAttr>(sizes.back()).getValue())) {
        main.emitError("the size of a buffer is an expression that is nested too deeply");
        return signalPassFailure();
      }
    }
    main->setAttr(plan::kSlotsAttr, ArrayAttr::get(&getContext(), sizes));
    numSlots += slots.size();
  }

  /// A free slot of the same size, else one that is as large for all sizes of the symbols, else the first free one,
  /// which grows; a new one when none is free.
  int64_t place(SmallVector<Slot> &slots, Type type, unsigned now, unsigned last) {
    auto tensor = cast<RankedTensorType>(type);
    DimExpr bytes = product(model::dimsOf(tensor)) * elementBytes(tensor.getElementType());
    std::optional<size_t> best;
    int bestRank = 0;
    for (auto [i, slot] : llvm::enumerate(slots)) {
      if (slot.freeAfter >= now)
        continue;
      int rank = slot.sizes.size() == 1 && slot.sizes[0] == bytes ? 3 : slot.holds(bytes) ? 2 : 1;
      if (rank > bestRank)
        best = i, bestRank = rank;
    }
    if (!best) {
      slots.push_back({{bytes}, last});
      return slots.size() - 1;
    }
    slots[*best].grow(bytes);
    slots[*best].freeAfter = last;
    return *best;
  }
};

} // namespace
