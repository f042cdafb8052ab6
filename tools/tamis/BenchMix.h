// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis bench --mix: a stream of mixed requests under a compute budget.

#ifndef TAMIS_TOOLS_TAMIS_BENCHMIX_H
#define TAMIS_TOOLS_TAMIS_BENCHMIX_H

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::tool {

struct MixOptions {
  std::string path, level;
  std::vector<std::string> dims;
  int threads = 0, requests = 120;
  double latency = 0; ///< milliseconds; 0: 1.5 times what the longest takes on the precise path
  double sample = 0.1;
  uint64_t seed = 1;
  std::string monitor; ///< file for what was counted: .json, or else Prometheus' text; empty for none
  bool json = false;   ///< print it as JSON
};

/// Requests of three lengths, a tenth of which ask for the precise path, arrive calmly, then faster than the precise
/// path answers, then calmly again and mostly long. The clock on which they arrive and wait is one of its own, which
/// the runs' true times move on: the same seed gives the same requests. Prints what took which path; gives the exit
/// code.
int benchMix(const MixOptions &options);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_BENCHMIX_H
