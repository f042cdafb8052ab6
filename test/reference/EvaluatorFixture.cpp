// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every test of the evaluator needs.
#include "test/reference/EvaluatorFixture.h"

#include "dialects/model/ModelDialect.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis::reference;

EvaluatorFixture::EvaluatorFixture() {
  context.loadDialect<tamis::model::ModelDialect, func::FuncDialect>();
}

Type EvaluatorFixture::type(StringRef text) {
  return parseType(text, &context);
}

HostTensor EvaluatorFixture::tensor(StringRef element, ArrayRef<int64_t> shape, std::vector<double> values) {
  EXPECT_EQ(elementCount(shape), int64_t(values.size()));
  return HostTensor::ofNumbers(type(element), shape, values);
}

HostTensor EvaluatorFixture::vector(StringRef element, std::vector<double> values) {
  return HostTensor::ofNumbers(type(element), {int64_t(values.size())}, values);
}

HostTensor EvaluatorFixture::i64s(std::vector<int64_t> values) {
  return HostTensor::of<int64_t>(type("i64"), {int64_t(values.size())}, values);
}

llvm::Expected<std::vector<HostTensor>> EvaluatorFixture::evaluateText(StringRef text, ArrayRef<HostTensor> inputs) {
  module = parseSourceString<ModuleOp>(text, &context); // verifies too
  if (!module)
    return llvm::createStringError("the test's module is wrong");
  auto function = module->lookupSymbol<func::FuncOp>("main");
  if (!function)
    return llvm::createStringError("the test's module has no @main");
  return evaluate(function, inputs, weights, options);
}

std::string EvaluatorFixture::moduleOf(StringRef body, StringRef result, ArrayRef<HostTensor> inputs) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "func.func @main(";
  for (auto [i, input] : llvm::enumerate(inputs))
    stream << (i ? ", %" : "%") << char('a' + i) << ": " << RankedTensorType::get(input.shape, input.element);
  stream << ") -> " << result << " {\n" << body << "\nreturn %r : " << result << "\n}\n";
  return text;
}

HostTensor EvaluatorFixture::run(StringRef body, StringRef result, ArrayRef<HostTensor> inputs) {
  auto results = evaluateText(moduleOf(body, result, inputs), inputs);
  if (!results) {
    ADD_FAILURE() << llvm::toString(results.takeError()) << "\nin\n" << moduleOf(body, result, inputs);
    return HostTensor::zeros(type("f32"), {0});
  }
  HostTensor &found = results->front();
  EXPECT_EQ(RankedTensorType::get(found.shape, found.element), type(result));
  return std::move(found);
}

std::string EvaluatorFixture::errorOfText(StringRef text, ArrayRef<HostTensor> inputs) {
  auto results = evaluateText(text, inputs);
  return results ? "" : llvm::toString(results.takeError());
}

std::string EvaluatorFixture::errorOf(StringRef body, StringRef result, ArrayRef<HostTensor> inputs) {
  return errorOfText(moduleOf(body, result, inputs), inputs);
}

void tamis::reference::expectNumbers(const HostTensor &found, const std::vector<double> &wanted, double tolerance) {
  std::vector<double> numbers = found.numbers();
  ASSERT_EQ(numbers.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted[i]))
      EXPECT_TRUE(std::isnan(numbers[i])) << "element " << i << " is " << numbers[i];
    else if (std::isinf(wanted[i]) || tolerance == 0)
      EXPECT_EQ(numbers[i], wanted[i]) << "element " << i;
    else
      EXPECT_NEAR(numbers[i], wanted[i], tolerance) << "element " << i;
    if (wanted[i] == 0 && std::signbit(wanted[i]))
      EXPECT_TRUE(std::signbit(numbers[i])) << "element " << i << " is +0";
  }
}
