// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels are generated for.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace tamis {

/// A CPU that code is generated for: an x86-64 level, a named CPU such as `znver4`, or AArch64 with NEON
/// and extensions that are asked for.
struct CpuTarget {
  std::string name;                  ///< as given: "x86-64-v4"
  std::string triple;                ///< "x86_64-unknown-linux-gnu"
  std::string cpu;                   ///< LLVM's -mcpu
  std::vector<std::string> features; ///< LLVM names of what the machine must have, sorted; checked by the runtime
  unsigned lanes;                    ///< f32 elements of a vector register: 4, 8 or 16
  unsigned registers;                ///< vector registers: 16 or 32

  bool isArm() const { return llvm::StringRef(triple).starts_with("aarch64"); }

  /// `x86-64-v2`, `x86-64-v3`, `x86-64-v4`, `host`, LLVM's name of an x86-64 CPU, `aarch64`, or
  /// `aarch64+dotprod`, `aarch64+i8mm`.
  /// Errors: an unknown name; the message lists the levels.
  static llvm::Expected<CpuTarget> parse(llvm::StringRef name);
};

} // namespace tamis
