// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this machine and this build can do, as `tamis doctor` and `tamis-run --doctor` print it.

#ifndef TAMIS_TOOLS_TAMIS_RUN_DOCTOR_H
#define TAMIS_TOOLS_TAMIS_RUN_DOCTOR_H

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::tool {

/// One fact. Names are unique within a group; both are keys of the JSON.
struct Finding {
  enum Verdict { fact, good, bad } verdict = fact; ///< bad: something cannot be used, and `text` says why
  std::string group, name, text;
};

/// Versions, the CPU with its level, memory, whether code can be loaded, GPUs. Asks an NVIDIA driver, where one is, for
/// its first device.
std::vector<Finding> examineMachine();

/// A title and lines a group, aligned.
std::string findingsText(const std::vector<Finding> &findings);
/// One object of groups, each of {"NAME": {"usable": true | false | null, "text": TEXT}}.
std::string findingsJson(const std::vector<Finding> &findings);

/// The most demanding x86-64 level whose features are all there: "x86-64-v4" down to "x86-64"; on other machines their
/// name.
std::string cpuLevel();

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_RUN_DOCTOR_H
