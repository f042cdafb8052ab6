// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every attention the pattern that the user names.
#include "passes/sparsify/Passes.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_CHOOSEPATTERN
#include "passes/sparsify/Passes.h.inc"

namespace {
/// `name(a=1, b=2)` as an attribute of the dialect; null, with a diagnostic, when it is none.
sattn::PatternAttrInterface parsePattern(StringRef text, Location loc) {
  auto [name, parameters] = text.trim().split('(');
  name = name.trim();
  parameters = parameters.trim();
  if (SmallVector<StringRef> known = sattn::patternNames(); !llvm::is_contained(known, name)) {
    emitError(loc) << "found the attention '" << text << "' but dense or a pattern is wanted; there are "
                   << llvm::join(known, ", ");
    return {};
  }
  bool hasParentheses = text.contains('(');
  std::string reason;
  Attribute attribute;
  if (!hasParentheses || parameters.consume_back(")")) {
    ScopedDiagnosticHandler handler(loc.getContext(), [&](Diagnostic &diagnostic) {
      reason = reason.empty() ? diagnostic.str() : reason;
      return success();
    });
    attribute = parseAttribute(("#sattn." + name + "<" + parameters + ">").str(), loc.getContext());
  } else {
    reason = "expected ')' at its end";
  }
  auto pattern = dyn_cast_or_null<sattn::PatternAttrInterface>(attribute);
  if (!pattern) {
    InFlightDiagnostic error = emitError(loc)
                               << "found the attention '" << text
                               << "' but dense or a pattern is wanted, such as window(size=128, sinks=4)";
    if (!reason.empty())
      error << ": " << reason;
  }
  return pattern;
}

struct ChoosePattern : impl::ChoosePatternBase<ChoosePattern> {
  using ChoosePatternBase::ChoosePatternBase;

  void runOnOperation() override {
    if (pattern.empty() || pattern == "dense")
      return;
    func::FuncOp function = getOperation();
    auto chosen = parsePattern(pattern, function.getLoc());
    if (!chosen)
      return signalPassFailure();
    for (auto op : llvm::make_early_inc_range(function.getOps<model::AttentionOp>())) {
      OpBuilder builder(op);
      auto sparse = sattn::AttentionOp::create(builder, op.getLoc(), op.getType(), chosen, op.getQuery(), op.getKey(),
                                               op.getValue(), op.getMask(), ValueRange(), op.getHeadsAttr(),
                                               op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr());
      // Said here, by the pass that chose it, and not by the verifier as if the IR were broken.
      if (failed(mlir::verify(sparse)))
        return signalPassFailure();
      op.replaceAllUsesWith(sparse.getResult());
      op.erase();
      ++numChosen;
    }
  }
};
} // namespace
} // namespace tamis::sparsify
