// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npy and .npz files, right and hostile, and tensors as text.

#include "runtime/npy/HalfFloat.h"
#include "runtime/npy/NpzFile.h"
#include "runtime/npy/TensorText.h"
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

using namespace tamis;
using namespace tamis::npy;

/// A .npy file of this version with this header and data.
static std::string npyFile(const std::string &header, const std::string &data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += char(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    file += char(header.size() >> 8 * i & 0xff);
  return file + header + data;
}

/// Why the file is refused, without the name of the file.
static std::string problem(const std::string &file) {
  Result<Array> array = parseNpy(file, "x");
  if (array)
    return "it is read";
  EXPECT_EQ(array.error().status(), TAMIS_INVALID_ARGUMENT);
  const std::string prefix = "cannot read 'x': ";
  EXPECT_EQ(array.error().message().substr(0, prefix.size()), prefix);
  return array.error().message().substr(prefix.size());
}

static std::string headerOf(const std::string &descr, const std::string &order, const std::string &shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

TEST(Npy, readsWhatNumPyWrites) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  std::string data(reinterpret_cast<const char *>(values), sizeof values);
  for (int version : {1, 2, 3}) {
    Result<Array> array = parseNpy(npyFile(headerOf("<f4", "False", "(2, 3)"), data, version), "x");
    ASSERT_TRUE(array) << array.error().message();
    EXPECT_EQ(array->type, TAMIS_F32);
    EXPECT_EQ(array->dims, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(memcmp(array->bytes.data(), values, sizeof values), 0);
  }
  EXPECT_EQ(parseNpy(npyFile(headerOf("<f8", "False", "()"), "12345678"), "x")->dims.size(), 0u);
  // Of one dimension both orders are the same.
  EXPECT_EQ(parseNpy(npyFile(headerOf("|b1", "True", "(3,)"), std::string("\1\0\1", 3)), "x")->type, TAMIS_BOOL);
  EXPECT_EQ(parseNpy(npyFile(headerOf("<i8", "False", "(0, 5)"), ""), "x")->bytes.size(), 0u);
  EXPECT_EQ(parseNpy(npyFile("{\"shape\":(2L,),\"descr\":\"|u1\",\"fortran_order\":False}", "ab"), "x")->dims[0], 2);
}

TEST(Npy, refusesEverythingElse) {
  EXPECT_EQ(problem(""), "it is no .npy file");
  EXPECT_EQ(problem("PK\3\4 an archive"), "it is no .npy file");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(1,)"), "1234", 4)),
            "its format version is 4.0, known are 1.0 to 3.0");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(1,)"), "1234").substr(0, 30)), "it is cut short in the header");
  EXPECT_EQ(problem(npyFile("", "", 2).substr(0, 11)), "it is cut short in the header");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(2,)"), "1234")), "it has 4 bytes of data, its shape wants 8");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(1,)"), "12345")), "it has 5 bytes of data, its shape wants 4");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "True", "(2, 2)"), "")),
            "it is in Fortran order, wanted is C order (numpy.ascontiguousarray)");
  EXPECT_EQ(problem(npyFile(headerOf(">f4", "False", "(1,)"), "1234")),
            "it is big-endian ('>f4'), wanted is little-endian");
  EXPECT_EQ(problem(npyFile(headerOf("<c8", "False", "(1,)"), "12345678")),
            "its element type '<c8' is none of f4, f8, f2, i1, i2, i4, i8, u1, b1, V2 (bf16)");
  EXPECT_EQ(problem(npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234")),
            "it holds records, wanted are plain numbers");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(-1,)"), "")),
            "its shape has no number at byte 51 of the header");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(99999999999999999999,)"), "")),
            "a dimension does not fit 64 bits");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(4294967296, 4294967296)"), "")),
            "its shape has more elements than memory");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(9223372036854775807,)"), "")),
            "its shape has more elements than memory");
  std::string manyDims = "(";
  for (int i = 0; i < 100; ++i)
    manyDims += "1,";
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", manyDims + ")"), "1234")), "it has more than 64 dimensions");
  EXPECT_EQ(problem(npyFile("{'descr': '<f4', 'shape': (1,), }", "1234")), "its header has no 'fortran_order'");
  EXPECT_EQ(problem(npyFile("{'descr': '<f4', 'descr': '<f4'}", "")), "its header has an unexpected key 'descr'");
  EXPECT_EQ(problem(npyFile("{'evil': __import__('os')}", "")), "its header has an unexpected key 'evil'");
  EXPECT_EQ(problem(npyFile(headerOf("<f4", "False", "(1,)") + "x", "1234")),
            "its header goes on after the dictionary");
}

TEST(Npy, survivesDamage) {
  const std::string good = npyFile(headerOf("<f4", "False", "(2, 3)"), std::string(24, 'x'));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parseNpy(std::string_view(good).substr(0, size), "x")) << size;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int flips = 1 + int(random() % 3); flips; --flips)
      bad[random() % bad.size()] = char(random());
    (void)parseNpy(bad, "x");
  }
}

TEST(Npy, roundTripsEveryType) {
  const tamis_element_type types[] = {TAMIS_F32, TAMIS_F64, TAMIS_F16, TAMIS_BF16, TAMIS_I8,  TAMIS_I16, TAMIS_I32,
                                      TAMIS_I64, TAMIS_U8,  TAMIS_U16, TAMIS_U32,  TAMIS_U64, TAMIS_BOOL};
  for (tamis_element_type type : types)
    for (const std::vector<int64_t> &dims : {std::vector<int64_t>{}, {5}, {2, 3}, {0, 4}, {1, 1, 1, 1, 1, 1, 1}}) {
      Result<Array> array = makeRandom({7, {}, {}}, type, dims);
      ASSERT_TRUE(array);
      std::string file = formatNpy(array->tensor());
      EXPECT_EQ((file.size() - array->bytes.size()) % 64, 0u);
      Result<Array> back = parseNpy(file, "x");
      ASSERT_TRUE(back) << back.error().message();
      EXPECT_EQ(back->type, type);
      EXPECT_EQ(back->dims, dims);
      EXPECT_EQ(back->bytes, array->bytes);
    }
}

TEST(Npy, filesAreWrittenWholeOrNotAtAll) {
  float value = 1;
  Tensor tensor(&value, {1});
  std::string path = ::testing::TempDir() + "tamis_" + std::to_string(getpid()) + ".npy";
  ASSERT_TRUE(writeNpy(path, tensor));
  ASSERT_TRUE(readNpy(path));
  unlink(path.c_str());
  Result<void> written = writeNpy("/nonexistent/x.npy", tensor);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message(), "cannot write '/nonexistent/x.npy': No such file or directory");
  EXPECT_EQ(readNpy("/dev/zero").error().message(), "cannot read '/dev/zero': it is not a regular file");
  EXPECT_EQ(readNpy("/").error().status(), TAMIS_CANNOT_READ);
}

TEST(Npz, keepsArraysByName) {
  std::string path = ::testing::TempDir() + "tamis_" + std::to_string(getpid()) + ".npz";
  Result<Array> a = makeRandom({1, {}, {}}, TAMIS_F32, {3, 4}), b = makeRandom({2, {}, {}}, TAMIS_I64, {0});
  ASSERT_TRUE(writeNpz(path, {{"a", a->tensor()}, {"b", b->tensor()}}));
  Result<std::string> first = readFile(path);
  EXPECT_EQ(readNpz(path, "a")->bytes, a->bytes);
  EXPECT_EQ(readNpz(path, "b")->dims, b->dims);
  EXPECT_EQ(readNpz(path, "c").error().message(), "'" + path + "' has no array 'c', it has: a, b");
  ASSERT_TRUE(writeNpz(path, {{"a", a->tensor()}, {"b", b->tensor()}}));
  EXPECT_EQ(*readFile(path), *first); // the same bytes
  // Damage anywhere is an error or the same array (in fields nobody reads), never a crash or another array.
  for (size_t i = 0; i < first->size(); ++i) {
    std::string bad = *first;
    bad[i] = char(bad[i] ^ 0x41);
    std::ofstream(path, std::ios::binary) << bad;
    Result<Array> array = readNpz(path, "a");
    EXPECT_TRUE(!array || array->bytes == a->bytes) << i;
  }
  for (size_t size = 0; size < first->size(); size += 7) {
    std::ofstream(path, std::ios::binary) << first->substr(0, size);
    Result<Array> array = readNpz(path, "a");
    EXPECT_TRUE(!array || array->bytes == a->bytes) << size;
  }
  unlink(path.c_str());
  EXPECT_EQ(readNpz(path, "a").error().status(), TAMIS_CANNOT_READ);
  EXPECT_FALSE(writeNpz("/nonexistent/x.npz", {{"a", a->tensor()}}));
}

TEST(TensorText, parsesInputs) {
  Result<InputText> input = parseInput("x=2x3xf32=1,2.5,-3,4e2,inf,0");
  ASSERT_TRUE(input) << input.error().message();
  EXPECT_EQ(input->name, "x");
  EXPECT_EQ(summaryText(input->literal->tensor()), "f32 [2, 3] = 1 2.5 -3 400 inf 0");
  EXPECT_EQ(summaryText(parseInput("x=4xi64=7")->literal->tensor()), "i64 [4] = 7 7 7 7");
  EXPECT_EQ(summaryText(parseInput("x=f64=7")->literal->tensor()), "f64 [] = 7");
  EXPECT_EQ(summaryText(parseInput("x=2xbool=true,0")->literal->tensor()), "bool [2] = true false");
  EXPECT_EQ(summaryText(parseInput("x=2xf16=0.1,70000")->literal->tensor()), "f16 [2] = 0.099976 inf");
  EXPECT_EQ(summaryText(parseInput("x=1xbf16=3.14159")->literal->tensor()), "bf16 [1] = 3.141");
  EXPECT_EQ(summaryText(parseInput("x=0x3xf32=")->literal->tensor()), "f32 [0, 3] =");
  EXPECT_EQ(parseInput("x=@a=b.npy")->file, "a=b.npy");
  EXPECT_EQ(parseInput("x=random(9)")->random->seed, 9u);
  EXPECT_EQ(*parseInput("x=random(9,-2,8.5)")->random->high, 8.5);
  EXPECT_EQ(parseInput("x=2x2xf32=random(3)")->literal->bytes, makeRandom({3, {}, {}}, TAMIS_F32, {2, 2})->bytes);
}

TEST(TensorText, refusesWhatItCannotRead) {
  auto message = [](const std::string &text) {
    Result<InputText> input = parseInput(text);
    return input ? "it is read" : input.error().message();
  };
  EXPECT_EQ(message("x"), "'x' is no NAME=VALUE");
  EXPECT_EQ(message("=1xf32=1"), "'=1xf32=1' is no NAME=VALUE");
  EXPECT_EQ(message("x=abc"), "input 'x': 'abc' is no @FILE, random(SEED) or SHAPExTYPE=VALUES");
  EXPECT_EQ(message("x="), "input 'x': '' is no @FILE, random(SEED) or SHAPExTYPE=VALUES");
  EXPECT_EQ(
      message("x=2x3xq8=1"),
      "input 'x': 'q8' is no element type; known are f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, bool");
  EXPECT_EQ(message("x=2x-3xf32=1"), "input 'x': '-3' is no dimension");
  EXPECT_EQ(message("x=2xf32=1,2,3"), "input 'x': a tensor f32 [2] has 2 values, 3 are given");
  EXPECT_EQ(message("x=2xf32=1,z"), "input 'x': 'z' is no number");
  EXPECT_EQ(message("x=2xi8=1,128"), "input 'x': '128' is no i8");
  EXPECT_EQ(message("x=1xi32=1.5"), "input 'x': '1.5' is no i32");
  EXPECT_EQ(message("x=1xbool=2"), "input 'x': '2' is no bool");
  EXPECT_EQ(message("x=99999999999x99999999999xf32=1"),
            "input 'x': a tensor f32 [99999999999, 99999999999] is too large");
  EXPECT_EQ(message("x=random(a)"), "input 'x': 'random(a)' is no random(SEED) or random(SEED,LOW,HIGH)");
  EXPECT_EQ(message("x=random(1,2)"), "input 'x': 'random(1,2)' is no random(SEED) or random(SEED,LOW,HIGH)");
  EXPECT_EQ(message("x=4xu8=random(1,0,300)"), "input 'x': random: the range is empty or leaves u8");
}

TEST(TensorText, randomValuesStayInRange) {
  Result<Array> ids = makeRandom({1, 5.0, 9.0}, TAMIS_I64, {1000});
  int seen[16] = {};
  for (int64_t i = 0; i < 1000; ++i) {
    int64_t value = ids->tensor().as<int64_t>()[i];
    ASSERT_TRUE(value >= 5 && value < 9);
    ++seen[value];
  }
  for (int value = 5; value < 9; ++value)
    EXPECT_GT(seen[value], 100);
  Result<Array> floats = makeRandom({1, {}, {}}, TAMIS_F32, {1000});
  for (int64_t i = 0; i < 1000; ++i)
    ASSERT_TRUE(std::fabs(floats->tensor().as<float>()[i]) <= 1);
}

TEST(HalfFloat, convertsEveryF16AndRounds) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float value = fromF16(uint16_t(bits));
    if (!std::isnan(value))
      ASSERT_EQ(toF16(value), bits);
    else
      ASSERT_TRUE(std::isnan(fromF16(toF16(value))));
    float brain = fromBf16(uint16_t(bits));
    if (!std::isnan(brain))
      ASSERT_EQ(toBf16(brain), bits);
    else
      ASSERT_TRUE(std::isnan(fromBf16(toBf16(brain))));
  }
  // Halfway between neighbours goes to the even one; everything else to the nearest.
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    double low = fromF16(uint16_t(bits)), high = fromF16(uint16_t(bits + 1));
    auto middle = float((low + high) / 2);
    ASSERT_EQ(toF16(middle), bits % 2 ? bits + 1 : bits);
    ASSERT_EQ(toF16(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(toF16(std::nextafter(middle, INFINITY)), bits + 1);
  }
  EXPECT_EQ(toF16(65519.996f), 0x7bff);
  EXPECT_EQ(toF16(65520.0f), 0x7c00);
}
