// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The GGUF format: the packings of its tensors.
#include "lib/support/Gguf.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include <algorithm>
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

/// A block as integers, by groups that share a scale and a minimum: `scale * integer + minimum`.
struct Split {
  int8_t integers[256];
  float scales[16], minima[16];
};

/// Elements j and j + 16 of a block of 32 share byte j: low and high half.
template <typename Value> void forHalves(Bytes nibbles, Value value) {
  for (int j = 0; j < 16; ++j) {
    value(j, nibbles[j] & 15);
    value(j + 16, nibbles[j] >> 4);
  }
}

void splitQ4_0(Bytes block, Split &out) {
  out.scales[0] = halfAt(block);
  forHalves(block + 2, [&](int i, int q) { out.integers[i] = int8_t(q - 8); });
}

void splitQ4_1(Bytes block, Split &out) {
  out.scales[0] = halfAt(block), out.minima[0] = halfAt(block + 2);
  forHalves(block + 4, [&](int i, int q) { out.integers[i] = int8_t(q); });
}

void splitQ5_0(Bytes block, Split &out) {
  out.scales[0] = halfAt(block);
  uint32_t fifth = llvm::support::endian::read32le(block + 2);
  forHalves(block + 6, [&](int i, int q) { out.integers[i] = int8_t(int(q | (fifth >> i & 1) << 4) - 16); });
}

void splitQ5_1(Bytes block, Split &out) {
  out.scales[0] = halfAt(block), out.minima[0] = halfAt(block + 2);
  uint32_t fifth = llvm::support::endian::read32le(block + 4);
  forHalves(block + 8, [&](int i, int q) { out.integers[i] = int8_t(q | (fifth >> i & 1) << 4); });
}

void splitQ8_0(Bytes block, Split &out) {
  out.scales[0] = halfAt(block);
  for (int i = 0; i < 32; ++i)
    out.integers[i] = int8_t(block[2 + i]);
}

void splitIQ4_NL(Bytes block, Split &out) {
  constexpr int8_t table[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  out.scales[0] = halfAt(block);
  forHalves(block + 2, [&](int i, int q) { out.integers[i] = table[q]; });
}

void splitQ2_K(Bytes block, Split &out) {
  Bytes scales = block, quarters = block + 16;
  float d = halfAt(block + 80), m = halfAt(block + 82);
  for (int group = 0; group < 16; ++group) {
    out.scales[group] = d * float(scales[group] & 15);
    out.minima[group] = -(m * float(scales[group] >> 4));
  }
  for (int i = 0; i < 256; ++i) { // 128 elements lie in 32 bytes, 2 bits of each at a time
    int half = i / 128, shift = i % 128 / 32 * 2;
    out.integers[i] = int8_t(quarters[half * 32 + i % 32] >> shift & 3);
  }
}

void splitQ3_K(Bytes block, Split &out) {
  Bytes high = block, quarters = block + 32, scales = block + 96;
  float d = halfAt(block + 108);
  for (int group = 0; group < 16; ++group) {
    int scale = (group < 8 ? scales[group] & 15 : scales[group - 8] >> 4) | (scales[8 + group % 4] >> group / 4 * 2 & 3)
                                                                                << 4;
    out.scales[group] = d * float(scale - 32);
  }
  for (int i = 0; i < 256; ++i) {
    int half = i / 128, part = i % 128 / 32;
    out.integers[i] =
        int8_t((quarters[half * 32 + i % 32] >> part * 2 & 3) - (high[i % 32] >> (half * 4 + part) & 1 ? 0 : 4));
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
void splitGroups(Bytes block, Bytes high, Bytes low, Split &out) {
  float d = halfAt(block), m = halfAt(block + 2);
  for (int group = 0; group < 8; ++group) {
    auto [scale, minimum] = sixBits(block + 4, group);
    out.scales[group] = d * float(scale), out.minima[group] = -(m * float(minimum));
  }
  for (int i = 0; i < 256; ++i) {
    int group = i / 32, q = low[i / 64 * 32 + i % 32] >> (group % 2 * 4) & 15;
    if (high)
      q |= (high[i % 32] >> group & 1) << 4;
    out.integers[i] = int8_t(q);
  }
}

void splitQ4_K(Bytes block, Split &out) {
  splitGroups(block, nullptr, block + 16, out);
}
void splitQ5_K(Bytes block, Split &out) {
  splitGroups(block, block + 16, block + 48, out);
}

void splitQ6_K(Bytes block, Split &out) {
  Bytes low = block, high = block + 128, scales = block + 192;
  float d = halfAt(block + 208);
  for (int group = 0; group < 16; ++group)
    out.scales[group] = d * float(int8_t(scales[group]));
  for (int i = 0; i < 256; ++i) {
    int half = i / 128, part = i % 128 / 32, l = i % 32;
    int q = low[half * 64 + part % 2 * 32 + l] >> (part / 2 * 4) & 15;
    q |= (high[half * 32 + l] >> part * 2 & 3) << 4;
    out.integers[i] = int8_t(q - 32);
  }
}

/// Of the Open Compute Project's microscaling formats: f4E2M1FN elements, one f8E8M0 scale.
void unpackMXFP4(Bytes block, float *values) {
  constexpr float table[] = {0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};
  float d = block[0] == 255 ? NAN : std::ldexp(1.f, int(block[0]) - 127);
  forHalves(block + 1, [&](int i, int q) { values[i] = d * table[q]; });
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

/// Either `unpack` is given, or `split` and the groups that it makes.
struct Packing {
  GgufType type;
  GgufBlock block;
  void (*unpack)(Bytes block, float *values);
  void (*split)(Bytes block, Split &out) = nullptr;
  GgufGroups groups = {};
};

constexpr bool isSigned = true, isUnsigned = false, isHalf = true, isProduct = false, hasMinimum = true;
constexpr Packing packings[] = {
    {GgufType::F32, {"F32", 1, 4}, unpackF32},
    {GgufType::F16, {"F16", 1, 2}, unpackF16},
    {GgufType::BF16, {"BF16", 1, 2}, unpackBF16},
    {GgufType::Q4_0, {"Q4_0", 32, 18}, nullptr, splitQ4_0, {4, isSigned, 32, isHalf, !hasMinimum}},
    {GgufType::Q4_1, {"Q4_1", 32, 20}, nullptr, splitQ4_1, {4, isUnsigned, 32, isHalf, hasMinimum}},
    {GgufType::Q5_0, {"Q5_0", 32, 22}, nullptr, splitQ5_0, {8, isSigned, 32, isHalf, !hasMinimum}},
    {GgufType::Q5_1, {"Q5_1", 32, 24}, nullptr, splitQ5_1, {8, isUnsigned, 32, isHalf, hasMinimum}},
    {GgufType::Q8_0, {"Q8_0", 32, 34}, nullptr, splitQ8_0, {8, isSigned, 32, isHalf, !hasMinimum}},
    {GgufType::Q2_K, {"Q2_K", 256, 84}, nullptr, splitQ2_K, {4, isUnsigned, 16, isProduct, hasMinimum}},
    {GgufType::Q3_K, {"Q3_K", 256, 110}, nullptr, splitQ3_K, {4, isSigned, 16, isProduct, !hasMinimum}},
    {GgufType::Q4_K, {"Q4_K", 256, 144}, nullptr, splitQ4_K, {4, isUnsigned, 32, isProduct, hasMinimum}},
    {GgufType::Q5_K, {"Q5_K", 256, 176}, nullptr, splitQ5_K, {8, isUnsigned, 32, isProduct, hasMinimum}},
    {GgufType::Q6_K, {"Q6_K", 256, 210}, nullptr, splitQ6_K, {8, isSigned, 16, isProduct, !hasMinimum}},
    {GgufType::IQ4_NL, {"IQ4_NL", 32, 18}, nullptr, splitIQ4_NL, {8, isSigned, 32, isHalf, !hasMinimum}},
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

std::optional<GgufGroups> tamis::ggufGroups(GgufType type) {
  const Packing &packing = *packingOf(uint32_t(type));
  return packing.split ? std::optional(packing.groups) : std::nullopt;
}

void tamis::unpackGguf(GgufType type, llvm::ArrayRef<char> packed, llvm::MutableArrayRef<float> values) {
  const Packing &packing = *packingOf(uint32_t(type));
  Bytes block = reinterpret_cast<Bytes>(packed.data());
  Split split;
  for (size_t i = 0; i < values.size(); i += packing.block.elements, block += packing.block.bytes) {
    if (packing.unpack) {
      packing.unpack(block, values.data() + i);
      continue;
    }
    packing.split(block, split);
    for (int64_t j = 0; j < packing.block.elements; ++j) {
      int64_t group = j / packing.groups.group;
      float value = split.scales[group] * float(split.integers[j]);
      values[i + size_t(j)] = packing.groups.hasMinimum ? value + split.minima[group] : value;
    }
  }
}

void tamis::splitGguf(GgufType type, llvm::ArrayRef<char> packed, llvm::MutableArrayRef<char> integers,
                      llvm::MutableArrayRef<char> scales, llvm::MutableArrayRef<char> minima) {
  const Packing &packing = *packingOf(uint32_t(type));
  Bytes block = reinterpret_cast<Bytes>(packed.data());
  Split split;
  char *scale = scales.data(), *minimum = minima.data();
  auto append = [](char *&to, const void *from, size_t bytes) {
    to = std::copy_n(static_cast<const char *>(from), bytes, to);
  };
  for (size_t i = 0; i < integers.size(); i += packing.block.elements, block += packing.block.bytes) {
    packing.split(block, split);
    std::copy_n(split.integers, packing.block.elements, integers.data() + i);
    if (packing.groups.hasHalfScales) { // one group, whose units the block begins with
      append(scale, block, 2);
      if (packing.groups.hasMinimum)
        append(minimum, block + 2, 2);
      continue;
    }
    int64_t groups = packing.block.elements / packing.groups.group;
    append(scale, split.scales, groups * sizeof(float));
    if (packing.groups.hasMinimum)
      append(minimum, split.minima, groups * sizeof(float));
  }
}
