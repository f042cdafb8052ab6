// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Other programs.

#ifndef TAMIS_TOOLS_TAMIS_PROCESS_H
#define TAMIS_TOOLS_TAMIS_PROCESS_H

#include <string>
#include <vector>

namespace tamis::tool {

/// Runs a program, which PATH is searched for, with nothing to read and its output in files. Its exit code; -1 when it
/// was not found; 128 and the signal's number when a signal ended it.
int runProgram(std::vector<std::string> arguments, const std::string &outFile, const std::string &errorFile);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PROCESS_H
