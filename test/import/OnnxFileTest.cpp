// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of ONNX files: left in the file, in files beside it, and nowhere else.
#include "test/import/ImportFixture.h"

#include "lib/import/OnnxFile.h"
#include "llvm/Support/FileSystem.h"
#include <unistd.h>

using namespace tamis;
using testing::HasSubstr;
using OnnxFileTest = ImportFixture;

namespace {
constexpr int64_t kRows = 512; // 4 KiB: above the size that stays in the file

std::vector<float> ramp() {
  std::vector<float> values(kRows * 2);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i) * 0.5f;
  return values;
}

std::string bytesOf(const std::vector<float> &values) {
  return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
}

/// A table of rows that the model looks up.
onnx::ModelProto lookUp() {
  onnx::ModelProto model = parseOnnx("g (int64[n] i) => (float[n, 2] y) { y = Gather(w, i) }");
  onnx::TensorProto *tensor = model.mutable_graph()->add_initializer();
  tensor->set_name("w");
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  tensor->add_dims(kRows);
  tensor->add_dims(2);
  return model;
}

void setExternal(onnx::ModelProto &model, const std::string &location, const std::string &offset = "",
                 const std::string &length = "") {
  onnx::TensorProto *tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->clear_external_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  for (auto [key, value] :
       {std::pair("location", &location), std::pair("offset", &offset), std::pair("length", &length)})
    if (!value->empty()) {
      onnx::StringStringEntryProto *entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(*value);
    }
}

TEST_F(OnnxFileTest, BigTensorsStayInTheFile) {
  onnx::ModelProto model = lookUp();
  model.mutable_graph()->mutable_initializer(0)->set_raw_data(bytesOf(ramp()));
  std::string file = write("big.onnx", model.SerializeAsString());
  weights.emplace();
  auto read = readOnnxFile(file, *weights);
  ASSERT_TRUE(static_cast<bool>(read)) << llvm::toString(read.takeError());
  ASSERT_EQ(read->payloads.size(), 1u);
  EXPECT_FALSE(read->model.graph().initializer(0).has_raw_data());
  EXPECT_LT(read->model.ByteSizeLong(), 500u);
  llvm::ArrayRef<char> mapped = llvm::cantFail(weights->mapFile(file));
  EXPECT_GE(read->payloads[0].begin(), mapped.begin());
  EXPECT_LE(read->payloads[0].end(), mapped.end());

  ASSERT_TRUE(import(file)) << messages;
  expectTensor(run({integers({2}, {1, 511})}), {2, 2}, {1, 1.5, 511, 511.5});
  const WeightStore::Weight *weight = weights->find("w");
  ASSERT_NE(weight, nullptr);
  mapped = llvm::cantFail(weights->mapFile(file));
  EXPECT_TRUE(weight->bytes.begin() >= mapped.begin() && weight->bytes.end() <= mapped.end());
}

TEST_F(OnnxFileTest, TypedFieldsOfEveryKind) {
  onnx::ModelProto model = lookUp();
  for (float value : ramp())
    model.mutable_graph()->mutable_initializer(0)->add_float_data(value); // packed: left in the file too
  ASSERT_TRUE(importOnnx(model)) << messages;
  expectTensor(run({integers({1}, {2})}), {1, 2}, {2, 2.5});

  struct Case {
    int type;
    const char *name;
  };
  const Case cases[] = {{onnx::TensorProto::INT32, "i32"},     {onnx::TensorProto::INT64, "i64"},
                        {onnx::TensorProto::INT8, "i8"},       {onnx::TensorProto::UINT8, "ui8"},
                        {onnx::TensorProto::DOUBLE, "f64"},    {onnx::TensorProto::FLOAT16, "f16"},
                        {onnx::TensorProto::BFLOAT16, "bf16"}, {onnx::TensorProto::UINT16, "ui16"},
                        {onnx::TensorProto::UINT32, "ui32"},   {onnx::TensorProto::UINT64, "ui64"}};
  for (const Case &c : cases) {
    SCOPED_TRACE(c.name);
    model = parseOnnx("g (float[3] x) => (float[3] y) { f = Cast<to = 1>(w) y = Add(x, f) }");
    onnx::TensorProto *tensor = model.mutable_graph()->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(c.type);
    tensor->add_dims(3);
    for (int value : {1, 2, 100}) {
      if (c.type == onnx::TensorProto::UINT32 || c.type == onnx::TensorProto::UINT64)
        tensor->add_uint64_data(value);
      else if (c.type == onnx::TensorProto::INT64)
        tensor->add_int64_data(value);
      else if (c.type == onnx::TensorProto::DOUBLE)
        tensor->add_double_data(value);
      else if (c.type == onnx::TensorProto::FLOAT16) // bits: 1, 2, 100
        tensor->add_int32_data(value == 1 ? 0x3c00 : value == 2 ? 0x4000 : 0x5640);
      else if (c.type == onnx::TensorProto::BFLOAT16)
        tensor->add_int32_data(value == 1 ? 0x3f80 : value == 2 ? 0x4000 : 0x42c8);
      else
        tensor->add_int32_data(value);
    }
    ASSERT_TRUE(importOnnx(model)) << messages;
    expectTensor(run({floats({3}, {0, 0, 0})}), {3}, {1, 2, 100});
  }
}

TEST_F(OnnxFileTest, ConstantNodesHoldWeightsToo) {
  onnx::ModelProto model = lookUp();
  onnx::TensorProto tensor = model.graph().initializer(0);
  tensor.set_raw_data(bytesOf(ramp()));
  model.mutable_graph()->clear_initializer();
  onnx::NodeProto gather = model.graph().node(0);
  onnx::NodeProto *constant = model.mutable_graph()->mutable_node(0);
  constant->Clear();
  constant->set_op_type("Constant");
  constant->add_output("w");
  onnx::AttributeProto *value = constant->add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  *value->mutable_t() = tensor;
  *model.mutable_graph()->add_node() = gather;
  ASSERT_TRUE(importOnnx(model)) << messages;
  EXPECT_EQ(count("model.embedding"), 1);
  expectTensor(run({integers({1}, {3})}), {1, 2}, {3, 3.5});
}

TEST_F(OnnxFileTest, InitializersThatAreInputsAreConstants) {
  load("g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }");
  EXPECT_EQ(main().getNumArguments(), 1u);
}

TEST_F(OnnxFileTest, ExternalDataBesideTheModel) {
  onnx::ModelProto model = lookUp();
  write("data/w.bin", std::string(64, 'x') + bytesOf(ramp()) + "tail");
  setExternal(model, "data/w.bin", "64", std::to_string(kRows * 8));
  ASSERT_TRUE(importOnnx(model)) << messages;
  expectTensor(run({integers({1}, {7})}), {1, 2}, {7, 7.5});
  // Without offset and length it is the whole file.
  write("w.bin", bytesOf(ramp()));
  setExternal(model, "./w.bin");
  ASSERT_TRUE(importOnnx(model)) << messages;
}

TEST_F(OnnxFileTest, ExternalDataOutsideOfTheFolder) {
  write("model/placeholder", "");
  write("secret.bin", bytesOf(ramp()));
  ASSERT_EQ(symlink("../secret.bin", path("model/link.bin").c_str()), 0);
  ASSERT_EQ(symlink("..", path("model/up").c_str()), 0);
  onnx::ModelProto model = lookUp();
  auto fails = [&](const std::string &location) {
    setExternal(model, location);
    EXPECT_FALSE(import(write("model/model.onnx", model.SerializeAsString()))) << location;
    return messages;
  };
  EXPECT_THAT(fails("../secret.bin"), HasSubstr("goes up"));
  EXPECT_THAT(fails("a/../../secret.bin"), HasSubstr("goes up"));
  EXPECT_THAT(fails(path("secret.bin")), HasSubstr("is absolute"));
  EXPECT_THAT(fails("link.bin"), HasSubstr("leads out of the folder"));
  EXPECT_THAT(fails("up/secret.bin"), HasSubstr("leads out of the folder"));
  EXPECT_THAT(fails("missing.bin"), HasSubstr("cannot open external data 'missing.bin'"));
  EXPECT_THAT(fails("."), testing::AnyOf(HasSubstr("regular file"), HasSubstr("leads out")));
  EXPECT_THAT(fails("#tamis/0"), HasSubstr("cannot open external data"));
  EXPECT_THAT(fails(std::string("w\0.bin", 6)), HasSubstr("no path"));
  EXPECT_THAT(fails(""), HasSubstr("is empty"));
}

TEST_F(OnnxFileTest, ExternalRangesThatLie) {
  write("w.bin", bytesOf(ramp()));
  onnx::ModelProto model = lookUp();
  auto fails = [&](const std::string &offset, const std::string &length) {
    setExternal(model, "w.bin", offset, length);
    return errorOf(model);
  };
  std::string all = std::to_string(kRows * 8);
  EXPECT_THAT(fails("1", all), HasSubstr("lie outside of 'w.bin'"));
  EXPECT_THAT(fails("18446744073709551615", "2"), HasSubstr("lie outside"));
  EXPECT_THAT(fails("4294967292", "4294967300"), HasSubstr("lie outside"));
  EXPECT_THAT(fails("99999999999999999999999", all), HasSubstr("is no whole number"));
  EXPECT_THAT(fails("-1", all), HasSubstr("is no whole number"));
  EXPECT_THAT(fails("1e9", all), HasSubstr("is no whole number"));
  EXPECT_THAT(fails("0x10", all), HasSubstr("is no whole number"));
  EXPECT_THAT(fails("0", "8"), HasSubstr("holds 8 bytes but its shape and type need"));
}
} // namespace
