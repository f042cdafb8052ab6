// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What commands say beside their results: errors, and progress on a terminal.

#ifndef TAMIS_TOOLS_TAMIS_TERMINAL_H
#define TAMIS_TOOLS_TAMIS_TERMINAL_H

#include "tamis/tamis.hpp"
#include <string>

namespace tamis::tool {

/// Prints "error: MESSAGE" on standard error, after what was printed before; returns the exit code of a failure.
int fail(const std::string &message);
/// The same, unless the error was printed when it happened.
int fail(const Error &error);
/// An error of which the compiler has printed all there is to say.
inline Error reported() {
  return Error(TAMIS_INVALID_ARGUMENT, "");
}
/// The same for a command line that cannot be meant.
int failUsage(const std::string &message);

/// Standard error is a terminal that shows lines.
bool hasTerminal();

/// One line on the terminal that tells what goes on, replaced by the next and gone at the end. Prints nothing in a
/// pipe.
class ProgressLine {
public:
  explicit ProgressLine(bool shown = hasTerminal()) : shown(shown) {}
  ProgressLine(const ProgressLine &) = delete;
  ProgressLine &operator=(const ProgressLine &) = delete;
  ~ProgressLine() { clear(); }

  void show(const std::string &text);
  void clear();

private:
  bool shown, dirty = false;
};

/// Flushes standard output; an error when something printed did not arrive, as on a full disk.
int finishOutput(int exitCode);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_TERMINAL_H
