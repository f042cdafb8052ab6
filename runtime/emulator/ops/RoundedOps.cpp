// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic that rounds to zero, down or up: done lane by lane under the host's rounding mode. Compiled for that
// (-frounding-math), and for no other.

#include "runtime/emulator/ops/RoundedOps.h"
#include "runtime/emulator/run/Warp.h"
#include <bit>
#include <cfenv>
#include <cmath>
#include <map>

namespace tamis::emulator {
namespace {

template <typename T> using SlotOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <int mode, typename D, typename S, auto f> void rounded(Warp &w, const Instruction &i, uint32_t mask) {
  int before = fegetround();
  fesetround(mode);
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    auto get = [&](int k) {
      volatile S value = std::bit_cast<S>(w.at<SlotOf<S>>(i.op[k])[l]);
      return value;
    };
    volatile D result = D(f(get));
    w.at<SlotOf<D>>(i.op[0])[l] = std::bit_cast<SlotOf<D>>(D(result));
  }
  fesetround(before);
}

template <typename T> bool isSubnormal(T value) {
  return value != 0 && std::fabs(value) < 0x1p-126;
}
template <bool ftz, typename T> T flushed(T value) {
  return ftz && isSubnormal(value) ? std::copysign(T(0), value) : value;
}

template <int mode, typename T, bool ftz>
void addArithmetic(std::map<std::string, Handler, std::less<>> &into, const std::string &suffix) {
  into["add" + suffix] =
      rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(flushed<ftz, T>(get(1)) + flushed<ftz, T>(get(2))); }>;
  into["sub" + suffix] =
      rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(flushed<ftz, T>(get(1)) - flushed<ftz, T>(get(2))); }>;
  into["mul" + suffix] =
      rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(flushed<ftz, T>(get(1)) * flushed<ftz, T>(get(2))); }>;
  into["div" + suffix] =
      rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(flushed<ftz, T>(get(1)) / flushed<ftz, T>(get(2))); }>;
  into["fma" + suffix] = rounded<mode, T, T, [](auto get) {
    return flushed<ftz, T>(std::fma(flushed<ftz, T>(get(1)), flushed<ftz, T>(get(2)), flushed<ftz, T>(get(3))));
  }>;
  into["rcp" + suffix] = rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(T(1) / flushed<ftz, T>(get(1))); }>;
  into["sqrt" + suffix] =
      rounded<mode, T, T, [](auto get) { return flushed<ftz, T>(std::sqrt(flushed<ftz, T>(get(1)))); }>;
}

template <int mode> void addMode(std::map<std::string, Handler, std::less<>> &into, const std::string &name) {
  addArithmetic<mode, float, false>(into, "." + name + ".f32");
  addArithmetic<mode, float, true>(into, "." + name + ".ftz.f32");
  addArithmetic<mode, double, false>(into, "." + name + ".f64");
  std::string cvt = "cvt." + name;
  into[cvt + ".f32.s32"] = rounded<mode, float, int32_t, [](auto get) { return float(get(1)); }>;
  into[cvt + ".f32.u32"] = rounded<mode, float, uint32_t, [](auto get) { return float(get(1)); }>;
  into[cvt + ".f32.s64"] = rounded<mode, float, int64_t, [](auto get) { return float(get(1)); }>;
  into[cvt + ".f32.u64"] = rounded<mode, float, uint64_t, [](auto get) { return float(get(1)); }>;
  into[cvt + ".f64.s64"] = rounded<mode, double, int64_t, [](auto get) { return double(get(1)); }>;
  into[cvt + ".f64.u64"] = rounded<mode, double, uint64_t, [](auto get) { return double(get(1)); }>;
  into[cvt + ".f32.f64"] = rounded<mode, float, double, [](auto get) { return float(get(1)); }>;
}

/// f16 and bf16 toward zero: the bits beyond are dropped.
uint32_t zeroF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return 0x7fff;
  if (magnitude == 0x7f800000)
    return sign | 0x7c00;
  if (magnitude >= 0x47800000)
    return sign | 0x7bff;
  if (magnitude < 0x38800000)
    return sign | uint32_t(std::trunc(std::fabs(value) * 0x1p24f));
  return sign | ((magnitude - (112u << 23)) >> 13);
}
uint32_t zeroBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : bits >> 16;
}
template <auto f, bool isPair> void toZero(Warp &w, const Instruction &i, uint32_t mask) {
  for (int l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    auto part = [&](int k) { return f(std::bit_cast<float>(w.at<uint32_t>(i.op[k])[l])); };
    w.at<uint32_t>(i.op[0])[l] = isPair ? part(1) << 16 | part(2) : part(1);
  }
}

} // namespace

Handler findRoundedHandler(std::string_view name) {
  static const auto table = [] {
    std::map<std::string, Handler, std::less<>> made;
    addMode<FE_TOWARDZERO>(made, "rz");
    addMode<FE_DOWNWARD>(made, "rm");
    addMode<FE_UPWARD>(made, "rp");
    made["cvt.rz.f16.f32"] = toZero<zeroF16, false>;
    made["cvt.rz.bf16.f32"] = toZero<zeroBf16, false>;
    made["cvt.rz.f16x2.f32"] = toZero<zeroF16, true>;
    made["cvt.rz.bf16x2.f32"] = toZero<zeroBf16, true>;
    return made;
  }();
  auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

} // namespace tamis::emulator
