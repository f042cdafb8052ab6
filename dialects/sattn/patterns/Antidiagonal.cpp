// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The blocks of keys that hold most of what antidiagonals estimate.
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult AntidiagonalAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t block, int64_t stride,
                                       APFloat mass, int64_t sinks, int64_t local) {
  if (!isCount(block, 1) || !isCount(stride, 1) || block % stride) // C1
    return emitError() << "found blocks of " << block << " with a stride of " << stride
                       << " but numbers from 1, below 2^31, are wanted, and blocks of a multiple of the stride";
  double share = mass.convertToDouble();
  if (!(share > 0 && share <= 1)) // C2
    return emitError() << "found a mass of " << share << " but a number above 0 and at most 1 is wanted";
  if (!isCount(sinks, 0) || !isCount(local, 0)) // C3
    return emitError() << "found " << sinks << " sinks and " << local
                       << " local blocks but numbers from 0, below 2^31, are wanted";
  return success();
}

LogicalResult AntidiagonalAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool AntidiagonalAttr::readsNumbers() const {
  return true;
}

void AntidiagonalAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t block = getBlock(), stride = getStride(), blocks = (head.keys + block - 1) / block;
  int64_t cells = (head.keys + stride - 1) / stride;
  auto anyKept = [&](int64_t first, int64_t end) {
    bool any = false;
    for (int64_t k = first; k < std::min(end, head.keys); ++k)
      any |= head.isKept(k);
    return any;
  };
  for (int64_t first = 0; first < head.queries; first += block) {
    int64_t end = std::min(head.queries, first + block), last = head.positionOf(end - 1);
    std::vector<double> masses(blocks);
    for (int64_t q = first; q < end; q += stride) {
      std::vector<double> sums(cells, -INFINITY);
      int64_t lastOfCell = head.positionOf(std::min(head.queries, q + stride) - 1);
      for (int64_t cell = 0; cell < cells; ++cell) {
        if ((head.causal && cell * stride > lastOfCell) || !anyKept(cell * stride, (cell + 1) * stride))
          continue;
        sums[cell] = 0;
        for (int64_t i = 0; i < stride; ++i) { // from the lower left to the upper right
          int64_t query = q + stride - 1 - i, key = cell * stride + i;
          bool isRead = query < head.queries && (!head.sameTokens || head.isKept(query));
          if (isRead && key < head.keys && head.isKept(key))
            sums[cell] += head.product(query, key);
        }
        sums[cell] *= head.item.scale / stride;
      }
      double most = -INFINITY, total = 0;
      for (double sum : sums)
        most = std::fmax(most, sum);
      for (double &sum : sums)
        total += sum = sum == -INFINITY ? 0 : std::exp(sum - most);
      for (int64_t cell = 0; cell < cells && total > 0; ++cell)
        masses[cell * stride / block] += sums[cell] / total;
    }
    double all = 0, reached = 0;
    std::vector<int64_t> chosen, others;
    for (int64_t j = 0; j < blocks; ++j) {
      if ((head.causal && j * block > last) || !anyKept(j * block, (j + 1) * block))
        continue;
      bool isLocal = last >= 0 && j <= last / block && j > last / block - getLocal();
      all += masses[j];
      (j < getSinks() || isLocal ? chosen : others).push_back(j);
    }
    for (int64_t j : chosen)
      reached += masses[j];
    llvm::sort(others, [&](int64_t a, int64_t b) { return masses[a] != masses[b] ? masses[a] > masses[b] : a < b; });
    for (int64_t j : others) {
      if (reached >= getMass().convertToDouble() * all)
        break;
      reached += masses[j];
      chosen.push_back(j);
    }
    for (int64_t j : chosen)
      for (int64_t q = first; q < end; ++q)
        for (int64_t k = j * block; k < std::min(head.keys, (j + 1) * block); ++k)
          if (head.isOrdered(q, k))
            kept.keep(q, k);
  }
}

Value AntidiagonalAttr::lower(PatternBuilder &b) const {
  int64_t cells = getBlock() / getStride();
  Value sums = b.score(b.summaryOfQueries(SummaryKind::stack_reversed, getStride()),
                       b.summaryOfKeys(SummaryKind::stack, getStride()));
  PatternBuilder::Weighing weighing{WeighKind::blocks, b.scale() / getStride(), getStride(), cells, cells, b.queries()};
  PatternBuilder::Selection best{BudgetKind::share, getMass().convertToDouble(), ceilDiv(b.keys(), getBlock())};
  best.sinks = getSinks();
  best.local = getLocal();
  return b.attend({b.select(b.weigh(sums, weighing), getBlock(), getBlock(), best)});
}

int64_t AntidiagonalAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * keys; // numbers may want all
}
