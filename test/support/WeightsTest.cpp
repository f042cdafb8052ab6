// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The store of mapped weights.
#include "lib/support/Weights.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "gmock/gmock.h"
#include <fstream>

using namespace tamis;
using testing::HasSubstr;

namespace {
class Weights : public testing::Test {
protected:
  mlir::RankedTensorType type(llvm::ArrayRef<int64_t> shape) {
    return mlir::RankedTensorType::get(shape, mlir::Builder(&context).getF32Type());
  }
  mlir::MLIRContext context;
  WeightStore store;
};

TEST_F(Weights, FilesAreMappedOnce) {
  llvm::SmallString<128> file;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("tamis", "bin", file));
  std::ofstream(file.str().str()) << std::string(100000, 'w');
  llvm::ArrayRef<char> first = llvm::cantFail(store.mapFile(file)), second = llvm::cantFail(store.mapFile(file));
  EXPECT_EQ(first.size(), 100000u);
  EXPECT_EQ(first.data(), second.data());
  llvm::sys::fs::remove(file);
  EXPECT_EQ(first.back(), 'w'); // the mapping outlives the name
}

TEST_F(Weights, WhatCannotBeMapped) {
  EXPECT_THAT(llvm::toString(store.mapFile("/missing/file").takeError()), HasSubstr("cannot open '/missing/file'"));
  EXPECT_THAT(llvm::toString(store.mapFile("/").takeError()), HasSubstr("no regular file"));
  EXPECT_THAT(llvm::toString(store.mapFile("/dev/null").takeError()), HasSubstr("no regular file"));
}

TEST_F(Weights, KeysAndSizes) {
  std::vector<char> bytes(24, 'x');
  EXPECT_FALSE(store.add("w", type({2, 3}), bytes));
  ASSERT_NE(store.find("w"), nullptr);
  EXPECT_EQ(store.find("w")->bytes.data(), bytes.data()); // not copied
  EXPECT_EQ(store.find("v"), nullptr);
  EXPECT_THAT(llvm::toString(store.add("w", type({2, 3}), bytes)), HasSubstr("'w' is defined twice"));
  EXPECT_THAT(llvm::toString(store.add("u", type({2, 2}), bytes)), HasSubstr("holds 24 bytes but its type needs 16"));
  EXPECT_THAT(llvm::toString(store.add("t", type({int64_t(1) << 40, int64_t(1) << 40}), bytes)),
              HasSubstr("too large"));
  EXPECT_EQ(store.size(), 1u);
}

TEST_F(Weights, KeptBytesAreCopies) {
  std::vector<char> bytes{'a', 'b'};
  llvm::ArrayRef<char> kept = store.keep(bytes);
  bytes[0] = 'z';
  EXPECT_EQ(kept[0], 'a');
}
} // namespace
