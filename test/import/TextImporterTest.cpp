// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Textual graphs with weights beside them.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;

namespace {
class TextGraph : public ImportFixture {
protected:
  std::string graph(const std::string &body, const std::string &symbols = "#model.symbol<\"n\", 1, 8>") {
    return write("net.mlir", "func.func @main(%x: tensor<?x2xf32, #model.dims<\"n\", \"2\">> {model.name = \"x\"})\n"
                             "    -> (tensor<?x2xf32, #model.dims<\"n\", \"2\">> {model.name = \"y\"})\n"
                             "    attributes {model.symbols = [" +
                                 symbols + "]} {\n" + body + "}\n");
  }
  void writeWeights(const std::string &name) {
    std::string header = "{\"" + name + "\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}";
    uint64_t length = header.size();
    float values[2] = {10, 20};
    write("net.safetensors", std::string(reinterpret_cast<const char *>(&length), 8) + header +
                                 std::string(reinterpret_cast<const char *>(values), 8));
  }
  const std::string addWeight = "  %w = model.weight \"w\" : tensor<2xf32>\n"
                                "  %y = model.elementwise add %x, %w : (tensor<?x2xf32, #model.dims<\"n\", \"2\">>, "
                                "tensor<2xf32>) -> tensor<?x2xf32, #model.dims<\"n\", \"2\">>\n"
                                "  return %y : tensor<?x2xf32, #model.dims<\"n\", \"2\">>\n";
  const std::string echo = "  return %x : tensor<?x2xf32, #model.dims<\"n\", \"2\">>\n";
};

TEST_F(TextGraph, WithWeights) {
  std::string file = graph(addWeight);
  writeWeights("w");
  ASSERT_TRUE(import(file)) << messages;
  expectTensor(run({floats({1, 2}, {1, 2})}), {1, 2}, {11, 22});
}

TEST_F(TextGraph, WithoutWeights) {
  EXPECT_TRUE(import(graph(echo))) << messages;
}

TEST_F(TextGraph, WeightsThatAreNotThere) {
  std::string file = graph(addWeight);
  EXPECT_FALSE(import(file));
  EXPECT_THAT(messages, HasSubstr("names the weight 'w', which no file holds: there is no"));
  writeWeights("v");
  EXPECT_FALSE(import(file));
  EXPECT_THAT(messages, HasSubstr("names the weight 'w', which '"));
}

TEST_F(TextGraph, AMissingFileOfWeightsIsOneError) {
  EXPECT_FALSE(import(graph("  %v = model.weight \"v\" : tensor<2xf32>\n" + addWeight)));
  EXPECT_THAT(messages, HasSubstr("names the weight 'v', which no file holds"));
  EXPECT_THAT(messages, HasSubstr("the same holds for 1 more"));
  EXPECT_THAT(messages, Not(HasSubstr("names the weight 'w'")));
}

TEST_F(TextGraph, WeightOfAnotherType) {
  writeWeights("w");
  EXPECT_FALSE(import(graph("  %w = model.weight \"w\" : tensor<3xf32>\n" + echo)));
  EXPECT_THAT(messages, HasSubstr("names the weight 'w' of 'tensor<2xf32>' as one of 'tensor<3xf32>'"));
}

TEST_F(TextGraph, RangesOfTheUser) {
  ASSERT_TRUE(import(graph(echo), {{{"n", 2, 4}}})) << messages;
  EXPECT_THAT(text(), HasSubstr("#model.symbol<\"n\", 2, 4>"));
  EXPECT_FALSE(import(graph(echo), {{{"m", 2, 4}}}));
  EXPECT_THAT(messages, HasSubstr("the model has no dynamic size 'm'; its dynamic sizes are 'n'"));
  EXPECT_FALSE(import(graph(echo), {{{"n", 4, 2}}}));
  EXPECT_THAT(messages, HasSubstr("empty or negative"));
}

TEST_F(TextGraph, InterfacesThatAreIncomplete) {
  EXPECT_FALSE(import(graph(echo, "")));
  EXPECT_THAT(messages, HasSubstr("has a size 'n' that model.symbols does not declare"));
  EXPECT_FALSE(import(graph(echo, "#model.symbol<\"n\", 1, 8>, #model.symbol<\"n\", 1, 8>")));
  EXPECT_THAT(messages, HasSubstr("twice"));
  EXPECT_FALSE(import(graph(echo, "#model.symbol<\"n\", 1, 8>, #model.symbol<\"m\", 1, 8>")));
  EXPECT_THAT(messages, HasSubstr("declares the size 'm' that no axis of an argument is"));
  EXPECT_FALSE(import(graph("  %y = model.iota \"0\" step \"1\" : tensor<?xi64, #model.dims<\"m\">>\n" + echo)));
  EXPECT_THAT(messages, HasSubstr("has a size 'm' that model.symbols does not declare"));
  EXPECT_FALSE(
      import(write("a.mlir", "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : tensor<2xf32> }")));
  EXPECT_THAT(messages, HasSubstr("argument 0 has no model.name"));
  EXPECT_FALSE(import(write("b.mlir", "func.func @main(%x: i32 {model.name = \"x\"}) { return }")));
  EXPECT_THAT(messages, HasSubstr("argument 'x' is no ranked tensor"));
  EXPECT_FALSE(import(write("c.mlir", "func.func @main(%x: tensor<?xf32> {model.name = \"x\"}) { return }")));
  EXPECT_THAT(messages, HasSubstr("dynamic sizes without #model.dims"));
}

TEST_F(TextGraph, TextThatIsNone) {
  EXPECT_FALSE(import(write("a.mlir", "this is no graph")));
  EXPECT_NE(messages, "");
  EXPECT_FALSE(import(write("b.mlir", "module {}")));
  EXPECT_THAT(messages, HasSubstr("found no func.func @main"));
  EXPECT_FALSE(import(write("c.mlir", "func.func private @main()")));
  EXPECT_THAT(messages, HasSubstr("found no func.func @main"));
  EXPECT_FALSE(import(write("empty.mlir", "")));
  EXPECT_NE(messages, "");
}
} // namespace
