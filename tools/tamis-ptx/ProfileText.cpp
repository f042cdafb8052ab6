// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Printing of counts.

#include "tools/tamis-ptx/ProfileText.h"
#include <algorithm>
#include <cstdarg>
#include <map>

namespace tamis::tool {

__attribute__((format(printf, 1, 2))) static std::string format(const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

using Number = unsigned long long;

std::string profileText(const emulator::Counts &counts) {
  std::string text = format("warp instructions      %llu\n", Number(counts.warpInstructions));
  text += format("tensor MACs            %llu, %.1f a warp instruction\n", Number(counts.tensorMacs),
                 double(counts.tensorMacs) / double(std::max<uint64_t>(counts.warpInstructions, 1)));
  text += format("special functions      %llu\n", Number(counts.specialFunctions));
  text += format("global bytes           %llu read, %llu written\n", Number(counts.globalLoadBytes),
                 Number(counts.globalStoreBytes));
  text += format("global sectors         %llu, %llu would do\n", Number(counts.globalSectors),
                 Number(counts.idealGlobalSectors));
  text += format("shared wavefronts      %llu, %llu would do\n", Number(counts.sharedWavefronts),
                 Number(counts.idealSharedWavefronts));
  bool hasWaste = false;
  for (const emulator::LineCounts &line : counts.lines) {
    if (line.wavefronts == line.idealWavefronts && line.sectors == line.idealSectors)
      continue;
    if (!hasWaste)
      text += "\n    line   executed  wavefronts  of which needed     sectors  of which needed  opcode\n";
    hasWaste = true;
    text += format("%8u %10llu  %10llu  %15llu  %10llu  %15llu  %s\n", line.line, Number(line.executed),
                   Number(line.wavefronts), Number(line.idealWavefronts), Number(line.sectors),
                   Number(line.idealSectors), line.opcode.c_str());
  }
  std::map<std::string, uint64_t> opcodes;
  for (const emulator::LineCounts &line : counts.lines)
    opcodes[line.opcode] += line.executed;
  std::vector<std::pair<uint64_t, std::string>> sorted;
  for (auto &[opcode, count] : opcodes)
    sorted.emplace_back(count, opcode);
  std::sort(sorted.rbegin(), sorted.rend());
  text += "\n  executed  opcode\n";
  for (auto &[count, opcode] : sorted)
    text += format("%10llu  %s\n", Number(count), opcode.c_str());
  return text;
}

std::string conflictText(const emulator::Counts &counts) {
  std::string text;
  for (const emulator::LineCounts &line : counts.lines)
    if (line.wavefronts > line.idealWavefronts)
      text += format("ptx:%u: bank conflict: %llu wavefronts of %s, %llu would do\n", line.line,
                     Number(line.wavefronts), line.opcode.c_str(), Number(line.idealWavefronts));
  return text;
}

} // namespace tamis::tool
