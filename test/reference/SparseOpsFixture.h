// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tests of the sattn dialect's ops need: indices as lists of items, in text and in tensors.
#pragma once

#include "test/reference/EvaluatorFixture.h"

namespace tamis::reference {

/// The items of one row.
using Items = std::vector<int64_t>;

/// An index type of fixed sizes.
struct Index {
  int64_t rows, columns;
  std::vector<int64_t> shape; ///< batch, heads, rows
  int64_t items, capacity;

  std::string type() const;
  std::vector<int64_t> storedShape() const;
  /// The type of the tensor that stores it.
  std::string storage() const;
};

class SparseOpsFixture : public EvaluatorFixture {
protected:
  SparseOpsFixture();

  static std::string typeOf(const HostTensor &tensor);
  /// An index as it is stored; `rows` has one list an item of batch, head and row. Behind the items lies rubbish.
  HostTensor stored(const Index &index, const std::vector<Items> &rows);
  static std::vector<Items> rowsOf(const HostTensor &stored);
  /// The rows of `%i`, an index that `body` makes.
  std::vector<Items> rowsOf(const Index &index, const std::string &body, llvm::ArrayRef<HostTensor> inputs);
  /// `body`, and its `%i` stored as `%r`.
  static std::string storing(const Index &index, const std::string &body);
};

} // namespace tamis::reference
