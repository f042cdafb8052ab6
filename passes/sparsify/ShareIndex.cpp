// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lets layers read what an earlier one selects.
#include "passes/sparsify/Passes.h"

#include <map>

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_SHAREINDEX
#include "passes/sparsify/Passes.h.inc"

namespace {
struct ShareIndex : impl::ShareIndexBase<ShareIndex> {
  void runOnOperation() override {
    // By layer and run of heads; a pattern may write several.
    std::map<std::vector<int64_t>, SmallVector<sattn::AttendOp>> sources, readers;
    getOperation().walk([&](sattn::AttendOp op) {
      for (auto [name, list] : {std::pair(kSelectsFor, &sources), std::pair(kSharesIndexOf, &readers)})
        if (auto mark = op->getAttrOfType<DenseI64ArrayAttr>(name)) {
          (*list)[mark.asArrayRef().vec()].push_back(op);
          op->removeAttr(name);
        }
    });
    for (auto &[key, ops] : readers) {
      const SmallVector<sattn::AttendOp> &from = sources[key];
      if (from.empty() || ops.size() % from.size()) {
        ops.front().emitOpError() << "shares what layer " << key.front() << " selects but that selects nothing";
        return signalPassFailure();
      }
      for (auto [number, op] : llvm::enumerate(ops)) { // several layers may share one
        sattn::AttendOp source = from[number % from.size()];
        if (op.getIndices().getTypes() != source.getIndices().getTypes()) {
          op.emitOpError() << "shares what layer " << key.front() << " selects but reads indices of "
                           << op.getIndices().getTypes() << " where that selects " << source.getIndices().getTypes();
          return signalPassFailure();
        }
        op.getIndicesMutable().assign(source.getIndices());
        ++numShared;
      }
    }
  }
};
} // namespace
} // namespace tamis::sparsify
