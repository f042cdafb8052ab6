// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The GGUF format: the packings of its tensors.
#include "lib/support/Gguf.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include <cmath>

using namespace tamis;

namespace {
using Bytes = const uint8_t *;

float halfAt(Bytes at) {
  uint32_t half = llvm::support::endian::read16le(at);
  uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0) // subnormal: fraction * 2^-24
    return llvm::bit_cast<float>(sign | llvm::bit_cast<uint32_t>(float(fraction) * 0x1p-24f));
  exponent = exponent == 31 ? 255 : exponent + 112;
  return llvm::bit_cast<float>(sign | exponent << 23 | fraction << 13);
}

/// Elements j and j + 16 of a block of 32 share byte j: low and high half.
template <typename Value> void unpackHalves(Bytes nibbles, float *values, Value value) {
  for (int j = 0; j < 16; ++j) {
    values[j] = value(nibbles[j] & 15, j);
    values[j + 16] = value(nibbles[j] >> 4, j + 16);
  }
}

void unpackQ4_0(Bytes block, float *values) {
  float d = halfAt(block);
  unpackHalves(block + 2, values, [&](int q, int) { return d * float(q - 8); });
}

void unpackQ4_1(Bytes block, float *values) {
  float d = halfAt(block), m = halfAt(block + 2);
  unpackHalves(block + 4, values, [&](int q, int) { return d * float(q) + m; });
}

void unpackQ5_0(Bytes block, float *values) {
  float d = halfAt(block);
  uint32_t fifth = llvm::support::endian::read32le(block + 2);
  unpackHalves(block + 6, values, [&](int q, int i) { return d * float(int(q | (fifth >> i & 1) << 4) - 16); });
}

void unpackQ5_1(Bytes block, float *values) {
  float d = halfAt(block), m = halfAt(block + 2);
  uint32_t fifth = llvm::support::endian::read32le(block + 4);
  unpackHalves(block + 8, values, [&](int q, int i) { return d * float(q | (fifth >> i & 1) << 4) + m; });
}

void unpackQ8_0(Bytes block, float *values) {
  float d = halfAt(block);
  for (int i = 0; i < 32; ++i)
    values[i] = d * float(int8_t(block[2 + i]));
}

void unpackIQ4_NL(Bytes block, float *values) {
  constexpr int8_t table[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  float d = halfAt(block);
  unpackHalves(block + 2, values, [&](int q, int) { return d * float(table[q]); });
}

/// Of the Open Compute Project's microscaling formats: f4E2M1FN elements, one f8E8M0 scale.
void unpackMXFP4(Bytes block, float *values) {
  constexpr float table[] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  float d = block[0] == 255 ? NAN : std::ldexp(1.f, int(block[0]) - 127);
  unpackHalves(block + 1, values, [&](int q, int) { return d * table[q]; });
}

void unpackQ2_K(Bytes block, float *values) {
  Bytes scales = block, quarters = block + 16;
  float d = halfAt(block + 80), m = halfAt(block + 82);
  for (int i = 0; i < 256; ++i) { // 128 elements lie in 32 bytes, 2 bits of each at a time
    int half = i / 128, shift = i % 128 / 32 * 2, q = quarters[half * 32 + i % 32] >> shift & 3;
    uint8_t scale = scales[i / 16];
    values[i] = d * float(scale & 15) * float(q) - m * float(scale >> 4);
  }
}

void unpackQ3_K(Bytes block, float *values) {
  Bytes high = block, quarters = block + 32, scales = block + 96;
  float d = halfAt(block + 108);
  for (int i = 0; i < 256; ++i) {
    int half = i / 128, part = i % 128 / 32, group = i / 16;
    int scale = (group < 8 ? scales[group] & 15 : scales[group - 8] >> 4) | (scales[8 + group % 4] >> group / 4 * 2 & 3)
                                                                                << 4;
    int q = (quarters[half * 32 + i % 32] >> part * 2 & 3) - (high[i % 32] >> (half * 4 + part) & 1 ? 0 : 4);
    values[i] = d * float(scale - 32) * float(q);
  }
}

struct ScaleAndMinimum {
  int scale, minimum;
};
/// Of group `i` of 8: six bits each, in 12 bytes.
ScaleAndMinimum sixBits(Bytes scales, int i) {
  if (i < 4)
    return {scales[i] & 63, scales[i + 4] & 63};
  return {(scales[i + 4] & 15) | scales[i - 4] >> 6 << 4, scales[i + 4] >> 4 | scales[i] >> 6 << 4};
}

/// Four bits of an element lie in `low`; the fifth, where there is one, in `high`.
void unpackGroups(Bytes block, Bytes high, Bytes low, float *values) {
  float d = halfAt(block), m = halfAt(block + 2);
  for (int i = 0; i < 256; ++i) {
    int group = i / 32, q = low[i / 64 * 32 + i % 32] >> (group % 2 * 4) & 15;
    if (high)
      q |= (high[i % 32] >> group & 1) << 4;
    auto [scale, minimum] = sixBits(block + 4, group);
    values[i] = d * float(scale) * float(q) - m * float(minimum);
  }
}

void unpackQ4_K(Bytes block, float *values) {
  unpackGroups(block, nullptr, block + 16, values);
}
void unpackQ5_K(Bytes block, float *values) {
  unpackGroups(block, block + 16, block + 48, values);
}

void unpackQ6_K(Bytes block, float *values) {
  Bytes low = block, high = block + 128, scales = block + 192;
  float d = halfAt(block + 208);
  for (int i = 0; i < 256; ++i) {
    int half = i / 128, part = i % 128 / 32, l = i % 32;
    int q = low[half * 64 + part % 2 * 32 + l] >> (part / 2 * 4) & 15;
    q |= (high[half * 32 + l] >> part * 2 & 3) << 4;
    values[i] = d * float(int8_t(scales[i / 16])) * float(q - 32);
  }
}

void unpackF32(Bytes block, float *values) {
  *values = llvm::bit_cast<float>(llvm::support::endian::read32le(block));
}
void unpackF16(Bytes block, float *values) {
  *values = halfAt(block);
}
void unpackBF16(Bytes block, float *values) {
  *values = llvm::bit_cast<float>(uint32_t(llvm::support::endian::read16le(block)) << 16);
}

struct Packing {
  GgufType type;
  GgufBlock block;
  void (*unpack)(Bytes block, float *values);
};
constexpr Packing packings[] = {
    {GgufType::F32, {"F32", 1, 4}, unpackF32},         {GgufType::F16, {"F16", 1, 2}, unpackF16},
    {GgufType::BF16, {"BF16", 1, 2}, unpackBF16},      {GgufType::Q4_0, {"Q4_0", 32, 18}, unpackQ4_0},
    {GgufType::Q4_1, {"Q4_1", 32, 20}, unpackQ4_1},    {GgufType::Q5_0, {"Q5_0", 32, 22}, unpackQ5_0},
    {GgufType::Q5_1, {"Q5_1", 32, 24}, unpackQ5_1},    {GgufType::Q8_0, {"Q8_0", 32, 34}, unpackQ8_0},
    {GgufType::Q2_K, {"Q2_K", 256, 84}, unpackQ2_K},   {GgufType::Q3_K, {"Q3_K", 256, 110}, unpackQ3_K},
    {GgufType::Q4_K, {"Q4_K", 256, 144}, unpackQ4_K},  {GgufType::Q5_K, {"Q5_K", 256, 176}, unpackQ5_K},
    {GgufType::Q6_K, {"Q6_K", 256, 210}, unpackQ6_K},  {GgufType::IQ4_NL, {"IQ4_NL", 32, 18}, unpackIQ4_NL},
    {GgufType::MXFP4, {"MXFP4", 32, 17}, unpackMXFP4},
};

const Packing *packingOf(uint32_t type) {
  for (const Packing &packing : packings)
    if (uint32_t(packing.type) == type)
      return &packing;
  return nullptr;
}
} // namespace

std::optional<GgufBlock> tamis::ggufBlock(uint32_t type) {
  const Packing *packing = packingOf(type);
  return packing ? std::optional(packing->block) : std::nullopt;
}

void tamis::unpackGguf(GgufType type, llvm::ArrayRef<char> packed, llvm::MutableArrayRef<float> values) {
  const Packing &packing = *packingOf(uint32_t(type));
  Bytes block = reinterpret_cast<Bytes>(packed.data());
  for (size_t i = 0; i < values.size(); i += packing.block.elements, block += packing.block.bytes)
    packing.unpack(block, values.data() + i);
}
