// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fuzz target: whatever the bytes are, it returns; a crash, a hang or a report of a sanitizer is a bug. libFuzzer
// calls it, and in builds without libFuzzer Replay.cpp does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace tamis::fuzz {

/// Writes the bytes to a file of this process below TMPDIR, or /tmp, which the next input overwrites and the end of the
/// process removes.
inline std::string inputFile(const std::string &name, const uint8_t *data, size_t size) {
  static struct Kept {
    std::string path;
    ~Kept() { unlink(path.c_str()); }
  } kept;
  const char *folder = getenv("TMPDIR");
  kept.path = std::string(folder && *folder ? folder : "/tmp") + "/tamis-fuzz-" + std::to_string(getpid()) + "-" + name;
  std::ofstream(kept.path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char *>(data), std::streamsize(size));
  return kept.path;
}

} // namespace tamis::fuzz
