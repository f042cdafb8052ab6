// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes a model that shows a fault small.
#include "tools/tamis/compiler/Reducer.h"

#include "dialects/model/ModelDialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::tool;

Reducer::Reducer(ModuleOp module, std::function<bool(ModuleOp)> fails)
    : best(module.clone()), fails(std::move(fails)) {}

func::FuncOp Reducer::mainOf(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("main");
}

SmallVector<Operation *> Reducer::cuttable(ModuleOp module) {
  SmallVector<Operation *> ops;
  for (Operation &op : mainOf(module).front().without_terminator())
    if (!isa<model::WeightOp, model::ConstantOp>(op))
      ops.push_back(&op);
  return ops;
}

size_t Reducer::count(ModuleOp module) {
  return cuttable(module).size();
}

void Reducer::clean(func::FuncOp function) {
  SmallVector<Operation *> ops =
      llvm::map_to_vector(function.front().without_terminator(), [](Operation &op) { return &op; });
  for (Operation *op : llvm::reverse(ops))
    if (op->use_empty())
      op->erase();
  for (unsigned i = function.getNumArguments(); i-- > 0;)
    if (function.getArgument(i).use_empty())
      (void)function.eraseArgument(i);
}

bool Reducer::keepIfItFails(Candidate candidate) {
  clean(mainOf(*candidate));
  if (!fails(*candidate))
    return false;
  best = std::move(candidate);
  return true;
}

/// Lets the function return `value` alone, under the name that its first result has.
static void returnOnly(func::FuncOp function, Value value) {
  Operation *end = function.front().getTerminator();
  DictionaryAttr attributes = function.getResultAttrDict(0);
  end->setOperands(value);
  function.setFunctionType(
      FunctionType::get(function.getContext(), function.getFunctionType().getInputs(), value.getType()));
  function.setAllResultAttrs(ArrayRef(attributes));
}

bool Reducer::keepOutput(size_t index) {
  Candidate candidate(best->clone());
  func::FuncOp function = mainOf(*candidate);
  returnOnly(function, function.front().getTerminator()->getOperand(index));
  return keepIfItFails(std::move(candidate));
}

void Reducer::shortenEnd() {
  if (size_t outputs = mainOf(*best).getNumResults(); outputs > 1)
    for (size_t i = 0; i < outputs; ++i)
      if (keepOutput(i))
        break;
  if (mainOf(*best).getNumResults() != 1)
    return;
  // The fault is taken to be there from some op on: found by halves.
  size_t low = 0, high = count(*best);
  while (low < high) {
    size_t middle = (low + high) / 2;
    Candidate candidate(best->clone());
    SmallVector<Operation *> ops = cuttable(*candidate);
    if (middle >= ops.size())
      break;
    returnOnly(mainOf(*candidate), ops[middle]->getResult(0));
    if (keepIfItFails(std::move(candidate)))
      high = std::min(middle, count(*best));
    else
      low = middle + 1;
  }
}

bool Reducer::cut(size_t first, size_t last) {
  Candidate candidate(best->clone());
  func::FuncOp function = mainOf(*candidate);
  SmallVector<Operation *> ops = cuttable(*candidate);
  SmallPtrSet<Operation *, 16> chunk(ops.begin() + first, ops.begin() + last);
  Builder builder(function.getContext());
  unsigned made = inputs;
  for (Operation *op : ArrayRef(ops).slice(first, last - first))
    for (Value result : op->getResults()) {
      if (llvm::all_of(result.getUsers(), [&](Operation *user) { return chunk.contains(user); }))
        continue;
      NamedAttribute name("model.name", builder.getStringAttr("cut" + Twine(made++)));
      if (failed(function.insertArgument(function.getNumArguments(), result.getType(), builder.getDictionaryAttr(name),
                                         op->getLoc())))
        return false;
      BlockArgument argument = function.getArguments().back();
      result.replaceUsesWithIf(argument, [&](OpOperand &use) { return !chunk.contains(use.getOwner()); });
    }
  if (!keepIfItFails(std::move(candidate)))
    return false;
  inputs = made;
  return true;
}

void Reducer::run() {
  shortenEnd();
  for (size_t size = std::max<size_t>(count(*best) / 2, 1); size; size /= 2) {
    // From the end to the beginning, so that places of ops before a cut stay what they are.
    for (size_t last = count(*best); last > 0;) {
      size_t first = last > size ? last - size : 0;
      // What is returned must be computed by something.
      if (last - first < count(*best) && cut(first, last))
        last = std::min(first, count(*best));
      else
        last = first;
    }
  }
}
