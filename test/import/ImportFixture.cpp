// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every test of the importers needs: a folder for files, models from text, diagnostics as text, values.
#include "test/import/ImportFixture.h"

#include "onnx/defs/parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <fstream>

using namespace mlir;

namespace tamis {

ImportFixture::ImportFixture() {
  llvm::SmallString<128> unique;
  EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("tamis-import", unique));
  folder = unique.str().str();
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    for (Diagnostic &note : diagnostic.getNotes())
      messages += "note: " + note.str() + "\n";
    return success();
  });
}

ImportFixture::~ImportFixture() {
  module = {};
  weights.reset();
  llvm::sys::fs::remove_directories(folder);
}

std::string ImportFixture::path(llvm::StringRef name) const {
  llvm::SmallString<128> joined(folder);
  llvm::sys::path::append(joined, name);
  return joined.str().str();
}

std::string ImportFixture::write(llvm::StringRef name, llvm::StringRef content) {
  std::string file = path(name);
  llvm::sys::fs::create_directories(llvm::sys::path::parent_path(file));
  std::ofstream(file, std::ios::binary).write(content.data(), content.size());
  return file;
}

onnx::ModelProto parseOnnx(const std::string &graph, int opset) {
  onnx::ModelProto model;
  std::string text = "<ir_version: 8, opset_import: [\"\": " + std::to_string(opset) + "]>\n" + graph;
  auto status = onnx::OnnxParser::Parse(model, text.c_str());
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage() << "\n" << text;
  return model;
}

bool ImportFixture::import(llvm::StringRef file, ImportOptions options) {
  messages.clear();
  module = {};
  weights.emplace();
  auto imported = importModel(file, options, &context, *weights);
  if (failed(imported))
    return false;
  module = std::move(*imported);
  return true;
}

bool ImportFixture::importOnnx(const onnx::ModelProto &model, ImportOptions options) {
  return import(write("model.onnx", model.SerializeAsString()), std::move(options));
}

void ImportFixture::load(const std::string &graph, int opset, ImportOptions options) {
  ASSERT_TRUE(importOnnx(parseOnnx(graph, opset), std::move(options))) << messages;
}

std::string ImportFixture::errorOf(const onnx::ModelProto &model, ImportOptions options) {
  EXPECT_FALSE(importOnnx(model, std::move(options))) << text();
  EXPECT_NE(messages, "") << "failed without a word";
  return messages;
}

std::string ImportFixture::errorOf(const std::string &graph, int opset, ImportOptions options) {
  return errorOf(parseOnnx(graph, opset), std::move(options));
}

func::FuncOp ImportFixture::main() {
  return module->lookupSymbol<func::FuncOp>("main");
}

std::string ImportFixture::text() {
  std::string printed;
  llvm::raw_string_ostream stream(printed);
  if (module)
    module->print(stream, OpPrintingFlags().useLocalScope());
  return printed;
}

int ImportFixture::count(llvm::StringRef op) {
  int found = 0;
  module->walk([&](Operation *operation) { found += operation->getName().getStringRef() == op; });
  return found;
}

HostTensor ImportFixture::run(llvm::ArrayRef<HostTensor> inputs) {
  if (!module)
    return {};
  auto results = reference::evaluate(main(), inputs, *weights);
  if (!results) {
    ADD_FAILURE() << llvm::toString(results.takeError()) << "\n" << text();
    return {};
  }
  return results->front();
}

HostTensor ImportFixture::floats(llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
  return HostTensor::ofNumbers(Builder(&context).getF32Type(), shape, values);
}

HostTensor ImportFixture::integers(llvm::ArrayRef<int64_t> shape, std::vector<int64_t> values) {
  return HostTensor::of<int64_t>(Builder(&context).getI64Type(), shape, values);
}

HostTensor ImportFixture::bools(llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
  return HostTensor::ofNumbers(Builder(&context).getI1Type(), shape, values);
}

HostTensor ImportFixture::counting(llvm::ArrayRef<int64_t> shape) {
  std::vector<double> values(*reference::elementCount(shape));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 0.25 * ((i * 7) % 19) - 2.0;
  return floats(shape, values);
}

void expectTensor(const HostTensor &found, llvm::ArrayRef<int64_t> shape, const std::vector<double> &numbers,
                  double tolerance) {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(found.shape), shape);
  std::vector<double> values = found.numbers();
  ASSERT_EQ(values.size(), numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i)
    EXPECT_TRUE(std::fabs(values[i] - numbers[i]) <= tolerance || (std::isnan(values[i]) && std::isnan(numbers[i])))
        << "element " << i << " is " << values[i] << " but " << numbers[i] << " is wanted";
}

} // namespace tamis
