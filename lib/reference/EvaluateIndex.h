// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads and writes what indices hold.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateOps.h"
#include <set>

namespace tamis::reference {

/// The items of an index by batch item, head and row.
class IndexReader {
public:
  IndexReader(mlir::Value value, const Scope &scope)
      : type(llvm::cast<sattn::KeyIndexType>(value.getType())), view(scope.view(value)), numbers(readIntegers(view)) {}

  int64_t rows() const { return view.shape[2]; }
  int64_t rowOf(int64_t query) const { return type.getRows() ? query / type.getRows() : 0; }
  int64_t itemOf(int64_t key) const { return key / type.getColumns(); }

  std::set<int64_t> items(int64_t b, int64_t h, int64_t row) const {
    const int64_t *from = numbers.data() + ((b * view.shape[1] + h) * view.shape[2] + row) * view.shape[3];
    return {from + 1, from + 1 + from[0]};
  }
  /// The items that head h of `heads` reads.
  std::set<int64_t> itemsFor(int64_t b, int64_t h, int64_t heads, int64_t row) const {
    return items(view.shape[0] == 1 ? 0 : b, h / (heads / view.shape[1]), row);
  }

private:
  sattn::KeyIndexType type;
  TensorView view;
  std::vector<int64_t> numbers;
};

/// Gathers the rows of an index and writes its storage.
class IndexWriter {
public:
  explicit IndexWriter(HostTensor &result) : result(result), numbers(result.size()) {}

  llvm::Error row(mlir::Operation *op, int64_t b, int64_t h, int64_t row, const std::set<int64_t> &items) {
    int64_t width = result.shape[3], *to = numbers.data() + ((b * result.shape[1] + h) * result.shape[2] + row) * width;
    if (int64_t(items.size()) >= width)
      return fail(op, "found " + std::to_string(items.size()) + " items in row " + std::to_string(row) +
                          " of an index with a capacity of " + std::to_string(width - 1));
    *to++ = items.size();
    for (int64_t item : items)
      *to++ = item;
    return llvm::Error::success();
  }
  llvm::Error finish() {
    writeIntegers(result, numbers);
    return llvm::Error::success();
  }

private:
  HostTensor &result;
  std::vector<int64_t> numbers;
};

} // namespace tamis::reference
