// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of the narrow formats, all of them, and of the ops between them and numbers.
#include "test/reference/EvaluatorFixture.h"
#include <cstdint>
#include <random>

using namespace tamis::reference;

namespace {
class QuantOps : public EvaluatorFixture {
protected:
  static std::string spelt(const HostTensor &tensor) {
    std::string text;
    llvm::raw_string_ostream(text) << mlir::RankedTensorType::get(tensor.shape, tensor.element);
    return text;
  }
  HostTensor cast(const HostTensor &input, const std::string &element) {
    HostTensor shaped{type(element), input.shape, {}};
    return run("%r = model.cast %a : " + spelt(input) + " -> " + spelt(shaped), spelt(shaped), {input});
  }
  /// `words`: what stands behind the operands, such as "block 2 along 0".
  HostTensor quantize(const std::string &op, const std::string &element, std::vector<HostTensor> operands,
                      const std::string &words = "") {
    HostTensor shaped{type(element), operands[0].shape, {}};
    std::string zero = operands.size() > 2 ? " zero_point %c" : "", types = spelt(operands[0]);
    for (size_t i = 1; i < operands.size(); ++i)
      types += ", " + spelt(operands[i]);
    return run("%r = model." + op + " %a scale %b" + zero + " " + words + " : " + types + " -> " + spelt(shaped),
               spelt(shaped), operands);
  }
};

/// Bits of a narrow float as a number, by the definition of its format.
double decode(uint32_t bits, int exponentBits, int fractionBits, bool hasInfinity) {
  int width = exponentBits + fractionBits, bias = (1 << (exponentBits - 1)) - 1;
  uint32_t magnitude = bits & ((1u << width) - 1);
  int exponent = magnitude >> fractionBits, fraction = magnitude & ((1u << fractionBits) - 1);
  double value = exponent ? (1 + fraction / std::exp2(fractionBits)) * std::exp2(exponent - bias)
                          : fraction / std::exp2(fractionBits) * std::exp2(1 - bias);
  if (hasInfinity && exponent == (1 << exponentBits) - 1)
    value = fraction ? kNan : kInf;
  if (!hasInfinity && magnitude == (1u << width) - 1)
    value = kNan;
  return bits >> width ? -value : value;
}

TEST_F(QuantOps, EveryNarrowFloatIsItsNumberAndComesBack) {
  struct Format {
    const char *name;
    int exponentBits, fractionBits;
    bool hasInfinity;
  };
  for (Format format : {Format{"f8E4M3FN", 4, 3, false}, Format{"f8E5M2", 5, 2, true}, Format{"f16", 5, 10, true},
                        Format{"bf16", 8, 7, true}}) {
    int width = 1 + format.exponentBits + format.fractionBits;
    HostTensor all = HostTensor::zeros(type(format.name), {int64_t(1) << width});
    std::vector<double> wanted;
    for (uint32_t bits = 0; bits < 1u << width; ++bits) {
      std::memcpy(all.bytes.data() + bits * (width / 8), &bits, width / 8);
      wanted.push_back(decode(bits, format.exponentBits, format.fractionBits, format.hasInfinity));
    }
    HostTensor numbers = cast(all, "f64");
    expectNumbers(numbers, wanted);
    HostTensor back = cast(numbers, format.name);
    int differ = 0;
    for (uint32_t bits = 0; bits < 1u << width; ++bits)
      differ += !std::isnan(wanted[bits]) &&
                std::memcmp(all.bytes.data() + bits * (width / 8), back.bytes.data() + bits * (width / 8), width / 8);
    EXPECT_EQ(differ, 0) << format.name;
  }
}

TEST_F(QuantOps, NarrowFloatsRoundToEvenBetweenNeighbours) {
  for (auto [name, exponentBits, fractionBits, infinity] :
       {std::tuple("f8E4M3FN", 4, 3, false), std::tuple("f8E5M2", 5, 2, true)}) {
    std::vector<double> middles, wanted;
    for (uint32_t bits = 0; bits < 126; ++bits) { // positive neighbours that are both numbers
      double low = decode(bits, exponentBits, fractionBits, infinity),
             high = decode(bits + 1, exponentBits, fractionBits, infinity);
      if (!std::isfinite(high))
        break;
      middles.insert(middles.end(), {(low + high) / 2, std::nextafter((low + high) / 2, 0), -(low + high) / 2});
      wanted.insert(wanted.end(), {bits % 2 ? high : low, low, bits % 2 ? -high : bits ? -low : -0.0});
    }
    expectNumbers(cast(cast(vector("f64", middles), name), "f64"), wanted);
  }
  expectNumbers(cast(vector("f32", {449, 465, 1e9, -kInf, kNan}), "f8E4M3FN"), {448, kNan, kNan, kNan, kNan});
  expectNumbers(cast(vector("f32", {61439, 61440, -1e9, kNan}), "f8E5M2"), {57344, kInf, -kInf, kNan});
}

TEST_F(QuantOps, FourBitsHoldTheirRangeAndWrap) {
  expectNumbers(cast(vector("i32", {-9, -8, 7, 8, 15, 16}), "i4"), {7, -8, 7, -8, -1, 0});
  expectNumbers(cast(vector("i32", {-1, 0, 15, 16}), "ui4"), {15, 0, 15, 0});
  expectNumbers(cast(vector("f32", {-9.5, -7.9, 7.9, 100, kNan, kInf}), "i4"), {-8, -7, 7, 7, 0, 7});
  expectNumbers(cast(vector("f32", {-1, 15.9, 100}), "ui4"), {0, 15, 15});
  expectNumbers(cast(vector("i4", {-8, -1, 7}), "i8"), {-8, -1, 7});
  expectNumbers(run("%r = model.constant dense<[-8, -1, 7]> : tensor<3xi4>", "tensor<3xi4>", {}), {-8, -1, 7});
}

TEST_F(QuantOps, QuantizeRoundsHalfToEvenAndSaturates) {
  HostTensor x = vector("f32", {0.25, 0.75, 1.25, -0.25, -0.75, 1000, -1000, kInf, -kInf, kNan, 0});
  HostTensor half = tensor("f32", {}, {0.5});
  expectNumbers(quantize("quantize", "i8", {x, half}), {0, 2, 2, 0, -2, 127, -128, 127, -128, 0, 0});
  expectNumbers(quantize("quantize", "ui8", {x, half, tensor("ui8", {}, {3})}), {3, 5, 5, 3, 1, 255, 0, 255, 0, 0, 3});
  expectNumbers(quantize("quantize", "i4", {x, half, tensor("i4", {}, {-8})}),
                {-8, -6, -6, -8, -8, 7, -8, 7, -8, 0, -8});
  expectNumbers(quantize("quantize", "ui4", {x, half}), {0, 2, 2, 0, 0, 15, 0, 15, 0, 0, 0});
  expectNumbers(quantize("quantize", "i16", {x, half}), {0, 2, 2, 0, -2, 2000, -2000, 32767, -32768, 0, 0});
  expectNumbers(quantize("quantize", "f8E4M3FN", {x, half}),
                {0.5, 1.5, 2.5, -0.5, -1.5, 448, -448, 448, -448, kNan, 0});
  // A scale of zero: what is not zero saturates, zero gives 0.
  expectNumbers(quantize("quantize", "i8", {vector("f32", {1, -1, 0}), tensor("f32", {}, {0})}), {127, -128, 0});
  // The quotient is that of f32: 1.5 after rounding, above it before.
  float s = 1.0f / 3, above = 0.5f;
  expectNumbers(quantize("quantize", "i8", {vector("f32", {above}), tensor("f32", {}, {s})}),
                {std::nearbyint(double(above / s))});
}

TEST_F(QuantOps, ScalesByChannelRowAndBlock) {
  HostTensor x = tensor("f32", {2, 3}, {1, 2, 3, 4, 5, 6});
  expectNumbers(quantize("quantize", "i8", {x, vector("f32", {1, 2, 3})}), {1, 1, 1, 4, 2, 2});
  expectNumbers(quantize("quantize", "i8", {x, tensor("f32", {2, 1}, {1, 2}), tensor("i8", {2, 1}, {10, -10})}),
                {11, 12, 13, -8, -8, -7});
  // Blocks of two along the last axis: the second is short.
  HostTensor scales = tensor("f32", {2, 2}, {1, 3, 2, 6});
  expectNumbers(quantize("quantize", "i8", {x, scales}, "block 2 along 1"), {1, 2, 1, 2, 2, 1});
  HostTensor q = tensor("i4", {3, 2}, {1, -2, 3, -4, 5, -6});
  expectNumbers(quantize("dequantize", "f32", {q, tensor("f32", {2, 2}, {1, 10, 100, 1000})}, "block 2 along 0"),
                {1, -20, 3, -40, 500, -6000});
}

TEST_F(QuantOps, DequantizeEveryByte) {
  std::vector<double> bytes, wanted;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(i);
    wanted.push_back(double(float(i - 131) * 0.1f));
  }
  expectNumbers(
      quantize("dequantize", "f32", {vector("ui8", bytes), tensor("f32", {}, {0.1f}), tensor("ui8", {}, {131})}),
      wanted);
  // The difference is not that of the narrow type.
  expectNumbers(
      quantize("dequantize", "f32", {vector("i8", {-128, 127}), tensor("f32", {}, {1}), tensor("i8", {}, {127})}),
      {-255, 0});
  expectNumbers(quantize("dequantize", "f64", {vector("i32", {2147483647}), tensor("f64", {}, {0.5})}), {1073741823.5});
  expectNumbers(quantize("dequantize", "f16", {vector("f8E5M2", {1.5, -kInf}), tensor("f16", {}, {2})}), {3, -kInf});
}

TEST_F(QuantOps, QuantizeRowsTakesTheExtremesOfEachRow) {
  HostTensor x = tensor("f32", {6, 3}, {0, 255, 0.5, -1, 254, 1.5, -2, -255, -0.25, 0, 0, 0, 1, kNan, 2, 1, kInf, 2});
  std::string body = "%q, %s, %z = model.quantize_rows %a : tensor<6x3xf32> -> tensor<6x3xui8>, tensor<6x1xf32>, "
                     "tensor<6x1xui8>\n";
  auto result = [&](const std::string &name, const std::string &type) {
    return run(body + "%r = model.reshape %" + name + " : " + type + " -> " + type, type, {x});
  };
  expectNumbers(result("q", "tensor<6x3xui8>"), {0, 255, 0, 0, 255, 3, 253, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  expectNumbers(result("s", "tensor<6x1xf32>"), {1, 1, 1, 0, kNan, kInf});
  expectNumbers(result("z", "tensor<6x1xui8>"), {0, 1, 255, 0, 0, 0});
}

TEST_F(QuantOps, DequantizeWithMinima) {
  // The product and the sum are rounded once each.
  expectNumbers(run("%r = model.dequantize %a scale %b minimum %c block 2 along 1 : tensor<2x3xui4>, tensor<2x2xf32> "
                    "minimum tensor<2x2xf32> -> tensor<2x3xf32>",
                    "tensor<2x3xf32>",
                    {tensor("ui4", {2, 3}, {0, 15, 7, 1, 2, 3}), tensor("f32", {2, 2}, {0.1f, 2, 1, 0.3f}),
                     tensor("f32", {2, 2}, {-0.7f, 1, 0, 100})}),
                {-0.7f, double(0.1f * 15 + -0.7f), 15, 1, 2, double(0.3f * 3 + 100)});
  expectNumbers(run("%r = model.dequantize %a scale %b zero_point %c minimum %d : tensor<2xi8>, tensor<f64>, tensor<i8> "
                    "minimum tensor<f64> -> tensor<2xf64>",
                    "tensor<2xf64>",
                    {tensor("i8", {2}, {-128, 127}), tensor("f64", {}, {0.5}), tensor("i8", {}, {1}),
                     tensor("f64", {}, {3})}),
                {-61.5, 66});
}

TEST_F(QuantOps, IntegerLinearSaturatesNowhereAndWraps) {
  HostTensor x = tensor("ui8", {2, 3}, {255, 255, 255, 0, 1, 2});
  HostTensor w = tensor("i8", {3, 2}, {-128, 127, -128, 127, -128, 127});
  expectNumbers(run("%r = model.integer_linear %a, %b : tensor<2x3xui8>, tensor<3x2xi8> -> tensor<2x2xi32>",
                    "tensor<2x2xi32>", {x, w}),
                {-97920, 97155, -384, 381});
  expectNumbers(run("%r = model.integer_linear %a, %b input_zero_point %c weight_zero_point %d transposed : "
                    "tensor<2x3xi8>, tensor<2x3xui4>, tensor<2x1xi8> weight tensor<2xui4> -> tensor<2x2xi32>",
                    "tensor<2x2xi32>",
                    {tensor("i8", {2, 3}, {-128, -128, -128, 1, 2, 3}), tensor("ui4", {2, 3}, {0, 0, 0, 1, 2, 3}),
                     tensor("i8", {2, 1}, {127, 0}), vector("ui4", {15, 1})}),
                {11475, -765, -90, 8});
  expectNumbers(run("%r = model.matmul %a, %b : tensor<1x2xi32>, tensor<2x1xi32> -> tensor<1x1xi32>", "tensor<1x1xi32>",
                    {tensor("i32", {1, 2}, {65536, 1}), tensor("i32", {2, 1}, {65536, 7})}),
                {7});
}
} // namespace
