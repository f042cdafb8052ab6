// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What commands say beside their results.

#include "tools/tamis/Terminal.h"
#include "tools/tamis/Command.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace tamis::tool {

static void print(const std::string &message) {
  fflush(stdout);
  fprintf(stderr, "error: %s\n", message.c_str());
}

int fail(const std::string &message) {
  print(message);
  return kFailure;
}

int fail(const Error &error) {
  return error.message().empty() ? kFailure : fail(error.message());
}

int failUsage(const std::string &message) {
  print(message);
  return kUsage;
}

bool hasTerminal() {
  const char *kind = getenv("TERM");
  return isatty(STDERR_FILENO) && !(kind && !strcmp(kind, "dumb"));
}

void ProgressLine::show(const std::string &text) {
  if (!shown)
    return;
  fprintf(stderr, "\r\033[K%s", text.c_str());
  fflush(stderr);
  dirty = true;
}

void ProgressLine::clear() {
  if (dirty)
    fputs("\r\033[K", stderr);
  dirty = false;
}

int finishOutput(int exitCode) {
  bool failed = fflush(stdout) || ferror(stdout);
  return failed && exitCode == kSuccess ? fail("cannot write to standard output") : exitCode;
}

} // namespace tamis::tool
