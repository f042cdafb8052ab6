// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the sattn dialect over some of the tokens.
#include "lib/reference/EvaluateAttention.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;
using namespace tamis::sattn;

namespace {
/// The items of an index of one row, by batch item.
std::vector<std::vector<int64_t>> itemsOf(Value index, const Scope &scope) {
  TensorView view = scope.view(index);
  std::vector<int64_t> numbers = readIntegers(view);
  std::vector<std::vector<int64_t>> rows;
  for (auto row = numbers.begin(); row < numbers.end(); row += view.shape[3])
    rows.emplace_back(row + 1, row + 1 + row[0]);
  return rows;
}

/// move(place in the whole, place in the part) for each token of each batch item, places among all items.
void forEachToken(Value index, const Scope &scope, int64_t all, int64_t some,
                  llvm::function_ref<void(int64_t, int64_t)> move) {
  for (auto [b, items] : llvm::enumerate(itemsOf(index, scope)))
    for (auto [i, token] : llvm::enumerate(items))
      move(int64_t(b) * all + token, int64_t(b) * some + int64_t(i));
}

/// The bytes of one token.
int64_t bytesOf(const HostTensor &tokens) {
  int64_t count = tokens.shape[0] * tokens.shape[1];
  return count ? tokens.bytes.size() / count : 0;
}
} // namespace

llvm::Error tamis::reference::evaluateOp(CompactOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  int64_t bytes = bytesOf(result);
  forEachToken(op.getIndex(), scope, input.shape[1], result.shape[1], [&](int64_t from, int64_t to) {
    std::copy_n(input.bytes.begin() + from * bytes, bytes, result.bytes.begin() + to * bytes);
  });
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ExpandOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  int64_t bytes = bytesOf(result);
  forEachToken(op.getIndex(), scope, result.shape[1], input.shape[1], [&](int64_t to, int64_t from) {
    std::copy_n(input.bytes.begin() + from * bytes, bytes, result.bytes.begin() + to * bytes);
  });
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(AttendAtOp op, const Scope &scope, HostTensor &result) {
  std::vector<std::vector<int64_t>> positions = itemsOf(op.getPositions(), scope);
  AttentionOperands operands = AttentionOperands::of(op, scope);
  operands.causal = false; // the order is that of positions
  auto evaluate = [&](int64_t b, const HeadInputs &head, MutableArrayRef<double> output) {
    KeptPairs kept(head.queries, head.keys);
    for (auto [q, position] : llvm::enumerate(positions[b]))
      for (int64_t k = 0; k < head.keys; ++k)
        if (!op.getCausal() || k <= position)
          kept.keep(q, k);
    attendKept(head, kept, output);
  };
  forEachHead(operands, result, evaluate);
  return llvm::Error::success();
}
