// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Map kernels from text, random operands, exact comparison.
#include "test/codegen/map/MapTest.h"

#include "codegen/tile/Map.h"
#include "mlir/AsmParser/AsmParser.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

std::unique_ptr<KernelHarness> tamis::test::mapKernel(llvm::StringRef ir, llvm::StringRef target) {
  auto kernel = KernelHarness::create(ir, target, {mapLaunch, tileMap});
  if (!kernel)
    ADD_FAILURE() << ir.str();
  return kernel;
}

std::string tamis::test::kernelText(llvm::ArrayRef<std::string> arguments, llvm::StringRef body,
                                    llvm::ArrayRef<std::pair<std::string, std::string>> results) {
  std::string text = "func.func @kernel(";
  for (auto [i, type] : llvm::enumerate(arguments))
    text += (i ? ", %a" : "%a") + std::to_string(i) + ": " + type;
  std::string names, types;
  for (const auto &[name, type] : results) {
    names += (names.empty() ? "" : ", ") + name;
    types += (types.empty() ? "" : ", ") + type;
  }
  text += ") -> (" + types +
          ") attributes {model.symbols = [#model.symbol<\"n\", 0, 1000>, #model.symbol<\"m\", 0, 1000>, "
          "#model.symbol<\"k\", 0, 1000>]} {\n";
  return text + body.str() + "\n  return " + names + " : " + types + "\n}\n";
}

std::string tamis::test::typeText(llvm::ArrayRef<std::string> dims, llvm::StringRef element) {
  std::string sizes, names;
  bool isDynamic = false;
  for (const std::string &dim : dims) {
    bool isNumber = llvm::StringRef(dim).find_first_not_of("0123456789") == llvm::StringRef::npos;
    isDynamic |= !isNumber;
    sizes += (isNumber ? dim : "?") + "x";
    names += (names.empty() ? "\"" : ", \"") + dim + "\"";
  }
  return "tensor<" + sizes + element.str() + (isDynamic ? ", #model.dims<" + names + ">>" : ">");
}

Type tamis::test::elementType(MLIRContext *context, llvm::StringRef text) {
  return parseType(text, context);
}

HostTensor tamis::test::randomTensor(Type element, llvm::ArrayRef<int64_t> shape, std::mt19937 &random, bool isTame) {
  int64_t count = *reference::elementCount(shape);
  if (isa<FloatType>(element)) {
    static const double kSpecial[] = {0.0,   -0.0,     1,         -1,   0.5,    -0.5,         1.5,   2.5,         -2.5,
                                      3,     INFINITY, -INFINITY, NAN,  2,      1e-3,         -1e-3, 1e30,        -1e30,
                                      1e-30, 1e-40,    65504,     7e-6, 127.5,  255.5,        -129,  3e9,         -3e9,
                                      1e19,  -1.1e19,  1e-45,     100,  -100.5, 2147483648.0, 6e-8,  1.0009765625};
    std::uniform_real_distribution<double> small(-4, 4), exponent(-20, 20);
    std::vector<double> values(count);
    for (double &value : values) {
      unsigned kind = isTame ? 0 : random() % 4;
      value = kind == 0   ? small(random)
              : kind == 1 ? kSpecial[random() % std::size(kSpecial)]
              : kind == 2 ? std::round(small(random) * 4)
                          : std::ldexp(small(random), int(exponent(random)));
    }
    return HostTensor::ofNumbers(element, shape, values);
  }
  HostTensor tensor = HostTensor::zeros(element, shape);
  std::vector<int64_t> values(count);
  unsigned width = element.getIntOrFloatBitWidth();
  for (int64_t &value : values) {
    unsigned kind = isTame ? 0 : random() % 4;
    uint64_t bits = uint64_t(random()) << 32 | random();
    value = kind == 0   ? int64_t(random() % 9) - 4
            : kind == 1 ? int64_t(random() % 5) - 2
            : kind == 2 ? (random() % 2 ? llvm::minIntN(width) : llvm::maxIntN(width))
                        : int64_t(bits);
  }
  reference::writeIntegers(tensor, values);
  return tensor;
}

void tamis::test::expectEqual(const HostTensor &found, const HostTensor &wanted, const std::string &what) {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(found.shape), llvm::ArrayRef<int64_t>(wanted.shape)) << what;
  if (found.bytes == wanted.bytes)
    return;
  std::vector<double> f = found.numbers(), w = wanted.numbers();
  size_t width = wanted.size() ? wanted.bytes.size() / wanted.size() : 1;
  int64_t wrong = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    if ((std::isnan(f[i]) && std::isnan(w[i])) || !memcmp(&found.bytes[i * width], &wanted.bytes[i * width], width))
      continue;
    if (++wrong <= 5)
      ADD_FAILURE() << what << ": element " << i << " of " << w.size() << " is " << f[i] << " but " << w[i]
                    << " is wanted";
  }
  EXPECT_EQ(wrong, 0) << what << ": elements are wrong";
}

void tamis::test::expectExact(KernelHarness &kernel, llvm::ArrayRef<HostTensor> inputs) {
  int32_t status = 0;
  std::vector<HostTensor> found = kernel.run(inputs, &status), wanted = kernel.evaluate(inputs);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i)
    expectEqual(found[i], wanted[i], "result " + std::to_string(i));
}
