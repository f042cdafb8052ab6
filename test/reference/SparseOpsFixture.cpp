// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tests of the sattn dialect's ops need.
#include "test/reference/SparseOpsFixture.h"

#include "dialects/sattn/SattnDialect.h"

using namespace tamis::reference;

static std::string join(llvm::ArrayRef<int64_t> sizes, const char *separator) {
  std::string text;
  for (int64_t size : sizes)
    text += (text.empty() ? "" : separator) + std::to_string(size);
  return text;
}

std::string Index::type() const {
  return "!sattn.index<" + std::to_string(rows) + " x " + std::to_string(columns) +
         (columns == 1 ? " token" : " block") + ", shape [\"" + join(shape, "\", \"") + "\"], items \"" +
         std::to_string(items) + "\", capacity \"" + std::to_string(capacity) + "\">";
}

std::vector<int64_t> Index::storedShape() const {
  return {shape[0], shape[1], shape[2], capacity + 1};
}

std::string Index::storage() const {
  return "tensor<" + join(storedShape(), "x") + "xi32>";
}

SparseOpsFixture::SparseOpsFixture() {
  context.loadDialect<tamis::sattn::SattnDialect>();
}

std::string SparseOpsFixture::typeOf(const HostTensor &tensor) {
  std::string text;
  llvm::raw_string_ostream(text) << mlir::RankedTensorType::get(tensor.shape, tensor.element);
  return text;
}

HostTensor SparseOpsFixture::stored(const Index &index, const std::vector<Items> &rows) {
  std::vector<double> numbers;
  for (const Items &items : rows) {
    numbers.push_back(items.size());
    numbers.insert(numbers.end(), items.begin(), items.end());
    numbers.resize(numbers.size() + index.capacity - items.size(), 77);
  }
  return tensor("i32", index.storedShape(), numbers);
}

std::vector<Items> SparseOpsFixture::rowsOf(const HostTensor &stored) {
  std::vector<Items> rows;
  std::vector<int64_t> numbers = readIntegers(stored);
  for (auto row = numbers.begin(); row < numbers.end(); row += stored.shape.back())
    rows.emplace_back(row + 1, row + 1 + row[0]);
  return rows;
}

std::vector<Items> SparseOpsFixture::rowsOf(const Index &index, const std::string &body,
                                            llvm::ArrayRef<HostTensor> inputs) {
  return rowsOf(run(storing(index, body), index.storage(), inputs));
}

std::string SparseOpsFixture::storing(const Index &index, const std::string &body) {
  return body + "\n%r = sattn.store_index %i : " + index.type() + " -> " + index.storage();
}
