// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of GPUs and what they have.
#include "codegen/schedule/GpuTarget.h"

using namespace tamis;

llvm::Expected<GpuTarget> GpuTarget::parse(llvm::StringRef name) {
  constexpr int64_t KiB = 1024, registers = 65536;
  // The least PTX version that each needs, and at least 8.0: LLVM's own default is too old for sm_80. Numbers of
  // multiprocessors: A100, A10, L40S, H100 SXM, RTX 5090.
  static const GpuTarget known[] = {
      {"sm_80", "+ptx80", 163 * KiB, 164 * KiB, registers, 2048, 108},
      {"sm_86", "+ptx80", 99 * KiB, 100 * KiB, registers, 1536, 72},
      {"sm_89", "+ptx80", 99 * KiB, 100 * KiB, registers, 1536, 142},
      {"sm_90", "+ptx80", 227 * KiB, 228 * KiB, registers, 2048, 132},
      {"sm_90a", "+ptx80", 227 * KiB, 228 * KiB, registers, 2048, 132},
      {"sm_120", "+ptx87", 99 * KiB, 100 * KiB, registers, 1536, 170},
  };
  llvm::StringRef chip = name;
  chip.consume_front("cuda:");
  std::string names;
  for (const GpuTarget &target : known) {
    if (chip == target.name)
      return target;
    names += (names.empty() ? "" : ", ") + target.name;
  }
  return llvm::createStringError("unknown gpu target '%s'; known are %s", name.str().c_str(), names.c_str());
}
