// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The safetensors reader: what it reads, and what it refuses.
#include "lib/support/Weights.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "gmock/gmock.h"
#include <fstream>
#include <random>

using namespace tamis;
using testing::HasSubstr;

namespace {
class Safetensors : public testing::Test {
protected:
  Safetensors() {
    llvm::SmallString<128> unique;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("tamis", "safetensors", unique));
    file = unique.str().str();
  }
  ~Safetensors() override {
    store.reset();
    llvm::sys::fs::remove(file);
  }

  static std::string framed(const std::string &header, const std::string &data) {
    uint64_t length = header.size();
    return std::string(reinterpret_cast<const char *>(&length), 8) + header + data;
  }
  /// The error's text, empty when there is none.
  std::string read(const std::string &content) {
    std::ofstream(file, std::ios::binary).write(content.data(), content.size());
    store.emplace();
    return llvm::toString(addSafetensors(*store, file, &context));
  }
  std::string read(const std::string &header, const std::string &data) { return read(framed(header, data)); }

  mlir::MLIRContext context;
  std::string file;
  std::optional<WeightStore> store;
};

TEST_F(Safetensors, TensorsOfEveryType) {
  struct Case {
    const char *name;
    int bytes;
  };
  for (Case c : {Case{"F64", 8},
                 {"F32", 4},
                 {"F16", 2},
                 {"BF16", 2},
                 {"F8_E4M3", 1},
                 {"F8_E5M2", 1},
                 {"I64", 8},
                 {"I32", 4},
                 {"I16", 2},
                 {"I8", 1},
                 {"U8", 1},
                 {"BOOL", 1}}) {
    SCOPED_TRACE(c.name);
    std::string size = std::to_string(2 * c.bytes);
    EXPECT_EQ(read("{\"t\": {\"dtype\": \"" + std::string(c.name) + "\", \"shape\": [2, 1], \"data_offsets\": [0, " +
                       size + "]}}",
                   std::string(2 * c.bytes, '\1')),
              "");
    const WeightStore::Weight *weight = store->find("t");
    ASSERT_NE(weight, nullptr);
    EXPECT_EQ(weight->type.getShape(), (llvm::ArrayRef<int64_t>{2, 1}));
    EXPECT_EQ(weight->bytes.size(), size_t(2 * c.bytes));
  }
}

TEST_F(Safetensors, SeveralTensorsInAnyOrderWithMetadata) {
  EXPECT_EQ(
      read("{\"b\": {\"dtype\": \"U8\", \"shape\": [3], \"data_offsets\": [2, 5]}, \"__metadata__\": {\"x\": \"y\"},"
           " \"a\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": [0, 2]},"
           " \"scalar\": {\"dtype\": \"U8\", \"shape\": [], \"data_offsets\": [5, 6]},"
           " \"none\": {\"dtype\": \"F32\", \"shape\": [0, 9], \"data_offsets\": [5, 5]}}   ",
           "aabbbs"),
      "");
  EXPECT_EQ(store->size(), 4u);
  EXPECT_EQ(store->find("b")->bytes.front(), 'b');
  EXPECT_EQ(store->find("scalar")->bytes.front(), 's');
  EXPECT_EQ(store->find("scalar")->type.getRank(), 0);
  EXPECT_TRUE(store->find("none")->bytes.empty());
  EXPECT_EQ(read("{}", ""), "");
}

TEST_F(Safetensors, FilesThatAreNone) {
  EXPECT_THAT(llvm::toString(addSafetensors(store.emplace(), file + ".missing", &context)), HasSubstr("cannot open"));
  EXPECT_THAT(read(""), HasSubstr("has 0 bytes"));
  EXPECT_THAT(read("1234567"), HasSubstr("has 7 bytes"));
  EXPECT_THAT(read(std::string(8, '\xff')), HasSubstr("at most 100000000 are allowed"));
  EXPECT_THAT(read(std::string("\x09\0\0\0\0\0\0\0{}", 10)), HasSubstr("has a header of 9 bytes but ends after 2"));
  for (const char *header : {"", "[]", "{", "null", "{\"a\": }", "{\"a\": 1} x", "\xff\xfe"})
    EXPECT_THAT(read(header, ""), HasSubstr("no JSON object")) << header;
  EXPECT_THAT(read("{\"a\": 1}", ""), HasSubstr("tensor 'a' that is no JSON object"));
  EXPECT_THAT(read(std::string(50000, '['), ""), HasSubstr("nested too deeply"));
  EXPECT_THAT(read("{\"__metadata__\": " + std::string(40, '[') + std::string(40, ']') + "}", ""),
              HasSubstr("nested too deeply"));
}

TEST_F(Safetensors, TensorsThatLie) {
  auto tensor = [&](const std::string &fields, const std::string &data = "aaaa") {
    return read("{\"t\": {" + fields + "}}", data);
  };
  const std::string f32 = "\"dtype\": \"F32\", ", one = "\"shape\": [1], ";
  EXPECT_EQ(tensor(f32 + one + "\"data_offsets\": [0, 4]"), "");
  EXPECT_THAT(tensor(one + "\"data_offsets\": [0, 4]"), HasSubstr("without a dtype"));
  EXPECT_THAT(tensor("\"dtype\": \"F31\", " + one + "\"data_offsets\": [0, 4]"), HasSubstr("unknown type 'F31'"));
  EXPECT_THAT(tensor("\"dtype\": 7, " + one + "\"data_offsets\": [0, 4]"), HasSubstr("without a dtype"));
  EXPECT_THAT(tensor(f32 + "\"data_offsets\": [0, 4]"), HasSubstr("without a shape"));
  EXPECT_THAT(tensor(f32 + "\"shape\": 1, \"data_offsets\": [0, 4]"), HasSubstr("without a shape"));
  for (const char *size : {"-1", "1.0", "1e2", "\"1\"", "18446744073709551615", "99999999999999999999999", "null"})
    EXPECT_NE(tensor(f32 + "\"shape\": [" + size + "], \"data_offsets\": [0, 4]"), "") << size;
  EXPECT_THAT(tensor(f32 + "\"shape\": [4611686018427387905, 4], \"data_offsets\": [0, 4]"), HasSubstr("overflows"));
  EXPECT_THAT(tensor(f32 + "\"shape\": [4611686018427387904], \"data_offsets\": [0, 4]"), HasSubstr("overflows"));
  EXPECT_NE(tensor(f32 + "\"shape\": [4611686018427387904, 4611686018427387904, 0], \"data_offsets\": [0, 0]", ""),
            "x");
  EXPECT_THAT(tensor(f32 + "\"shape\": [1]"), HasSubstr("without two data_offsets"));
  EXPECT_THAT(tensor(f32 + one + "\"data_offsets\": [0]"), HasSubstr("without two data_offsets"));
  for (const char *offsets : {"[0, 5]", "[4, 0]", "[-4, 0]", "[18446744073709551612, 0]", "[4294967292, 4294967296]"})
    EXPECT_THAT(tensor(f32 + one + "\"data_offsets\": " + offsets), HasSubstr("lie outside")) << offsets;
  EXPECT_THAT(tensor(f32 + one + "\"data_offsets\": [0, 3]"), HasSubstr("of 3 bytes but its shape and type need 4"));
  EXPECT_THAT(tensor("\"dtype\": \"F32\", \"dtype\": \"F32\", " + one + "\"data_offsets\": [0, 4]"),
              HasSubstr("comes twice"));
}

TEST_F(Safetensors, TensorsThatOverlapOrLeaveHoles) {
  auto two = [&](const char *a, const char *b, const std::string &data) {
    return read("{\"a\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": " + std::string(a) +
                    "}, \"b\": {\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": " + b + "}}",
                data);
  };
  EXPECT_EQ(two("[2, 4]", "[0, 2]", "bbaa"), "");
  EXPECT_THAT(two("[0, 2]", "[1, 3]", "aab"), HasSubstr("overlap at byte 1"));
  EXPECT_THAT(two("[0, 2]", "[3, 5]", "aa-bb"), HasSubstr("hole from byte 2 to 3"));
  EXPECT_THAT(two("[0, 2]", "[2, 4]", "aabb-"), HasSubstr("has 5 bytes of data but tensors end at 4"));
  EXPECT_THAT(read("{\"a\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]},"
                   " \"a\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [1, 2]}}",
                   "aa"),
              HasSubstr("comes twice"));
}

TEST_F(Safetensors, DamagedFilesAreReadOrRefused) {
  const std::string good = framed(
      "{\"a\": {\"dtype\": \"F32\", \"shape\": [2, 2], \"data_offsets\": [0, 16]}, \"__metadata__\": {\"k\": \"v\"}}",
      std::string(16, 'x'));
  std::mt19937 random(3);
  for (int round = 0; round < 1000; ++round) {
    std::string bad = good;
    for (int flips = 1 + random() % 4; flips > 0; --flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    read(bad);
  }
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(read(good.substr(0, size)), "") << size;
}
} // namespace
