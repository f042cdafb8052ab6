// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes kernels of attention over indices, and random contents of them.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "test/codegen/KernelHarness.h"
#include <set>

namespace tamis::test {

/// One index of a kernel: stored, or bands where `before` is given.
struct IndexText {
  int64_t R = 64, C = 64;
  int64_t capacity = 0; ///< 0: as many as there are items
  int64_t heads = 1;
  bool perBatch = false;
  int64_t before = -1, after = 0, sinks = 0;
  bool full = false;

  bool isStored() const { return before < 0; }
};

inline IndexText bands(int64_t R, int64_t C, int64_t before, int64_t after, int64_t sinks = 0) {
  return {R, C, 0, 1, false, before, after, sinks};
}

/// What a kernel computes. Queries are [b, q, heads D], keys and values [b, k, kvHeads D] and [b, k, kvHeads E].
struct AttendText {
  std::vector<IndexText> indices;
  int64_t heads = 2, kvHeads = 1, D = 16, E = 0; ///< E 0: D
  bool causal = false;
  std::vector<std::string> mask = {}; ///< sizes: "b", "q", "k" or numbers
  std::string maskElement = "i1";
  bool packed = false;  ///< one argument [b, s, heads D + kvHeads (D + E)] holds all three; q and k are s
  bool partial = false; ///< stores a partial result
  bool dense = false;   ///< as model.attention, which has no indices

  std::string str(mlir::MLIRContext *context) const;
  int64_t valueWidth() const { return E ? E : D; }
  bool hasFull() const {
    return llvm::any_of(indices, [](const IndexText &index) { return index.full; });
  }
};

class SparseAttentionTest : public KernelTest {
protected:
  /// How the row of an index is filled; no rows differ from random ones where that is all.
  enum Fill { kRandom, kAllItems };

  void compile(const AttendText &attend);
  /// Random operands, mask and indices.
  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K, Fill fill = kRandom);
  /// Storage with rubbish beyond the items of a row.
  HostTensor contents(const IndexText &index, int64_t B, int64_t Q, int64_t K, Fill fill);
  /// Of indices that are full leaves the items of which causal order and mask, the input after the values, leave all.
  void keepFullItems(std::vector<HostTensor> &inputs, int64_t B, int64_t Q, int64_t K);
  void check(int64_t B, int64_t Q, int64_t K, Fill fill = kRandom);

  AttendText text;
  std::unique_ptr<KernelHarness> harness;
};

KernelMaker sparseAttentionMaker();

} // namespace tamis::test
