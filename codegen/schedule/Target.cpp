// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of CPUs and what they need.
#include "codegen/schedule/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include <algorithm>

using namespace tamis;

namespace {
// Of a CPU's features, those that the code generator may use for kernels; naming the rest (such as "64bit" or timers)
// would only make plans refuse machines that can run them.
const char *const kRelevant[] = {
    "amx-bf16",   "amx-int8",        "amx-tile", "avx",        "avx2",       "avx512bf16", "avx512bitalg", "avx512bw",
    "avx512cd",   "avx512dq",        "avx512f",  "avx512fp16", "avx512ifma", "avx512vbmi", "avx512vbmi2",  "avx512vl",
    "avx512vnni", "avx512vpopcntdq", "avxvnni",  "bmi",        "bmi2",       "cmov",       "f16c",         "fma",
    "lzcnt",      "movbe",           "popcnt",   "sse3",       "sse4.1",     "sse4.2",     "ssse3"};

// Of AArch64's extensions, those that kernels are written for.
const char *const kArmExtensions[] = {"dotprod", "i8mm"};

/// `aarch64`, what every one of them has, and what follows it, such as `+dotprod+i8mm`.
llvm::Expected<CpuTarget> parseArm(llvm::StringRef name, llvm::StringRef extensions) {
  CpuTarget target;
  target.name = name.str();
  target.triple = "aarch64-unknown-linux-gnu";
  target.cpu = "generic";
  target.features = {"fp-armv8", "neon"};
  target.lanes = 4;
  target.registers = 32;
  llvm::SmallVector<llvm::StringRef> words;
  extensions.split(words, '+');
  for (llvm::StringRef word : llvm::drop_begin(words)) {
    if (!llvm::is_contained(kArmExtensions, word))
      return llvm::createStringError("unknown extension '%s' of cpu target '%s'; known are dotprod and i8mm",
                                     word.str().c_str(), target.name.c_str());
    if (!llvm::is_contained(target.features, word))
      target.features.push_back(word.str());
  }
  std::sort(target.features.begin(), target.features.end());
  return target;
}
} // namespace

llvm::Expected<CpuTarget> CpuTarget::parse(llvm::StringRef name) {
  if (llvm::StringRef extensions = name;
      extensions.consume_front("aarch64") && (extensions.empty() || extensions[0] == '+'))
    return parseArm(name, extensions);
  CpuTarget target;
  target.name = name.str();
  target.triple = "x86_64-unknown-linux-gnu";
  target.cpu = name == "host" ? llvm::sys::getHostCPUName().str() : name.str();
  if (llvm::X86::parseArchX86(target.cpu, /*Only64Bit=*/true) == llvm::X86::CK_None)
    return llvm::createStringError(
        "unknown cpu target '%s'; known are host, x86-64-v2, x86-64-v3, x86-64-v4, "
        "aarch64, aarch64+dotprod, aarch64+i8mm and LLVM's names of x86-64 processors such as znver4",
        target.name.c_str());
  llvm::SmallVector<llvm::StringRef> named;
  llvm::X86::getFeaturesForCPU(target.cpu, named);
  llvm::StringMap<bool> features; // the levels name what is new in them; "avx512bw" implies "avx512f" and so on
  for (llvm::StringRef feature : named)
    llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, features);
  for (llvm::StringRef feature : named)
    features[feature] = true;
  llvm::StringMap<bool> host;
  if (name == "host")
    host = llvm::sys::getHostCPUFeatures(); // a virtual machine may hide what its processor has, or which it is
  for (const char *feature : kRelevant)
    if ((name == "host" ? host : features).lookup(feature))
      target.features.push_back(feature);
  auto has = [&](const char *feature) { return llvm::is_contained(target.features, feature); };
  target.lanes = has("avx512f") && has("avx512vl") && has("avx512dq") && has("avx512bw") ? 16 : has("avx2") ? 8 : 4;
  target.registers = target.lanes == 16 ? 32 : 16;
  std::sort(target.features.begin(), target.features.end());
  return target;
}
