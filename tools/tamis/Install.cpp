// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are installed with this program.

#include "tools/tamis/Install.h"
#include <filesystem>

namespace tamis::tool {

std::string installedFile(const std::string &path) {
  std::error_code ignored; // without /proc the path is relative to the current folder, and opening it says so
  std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (program.parent_path().parent_path() / path).string();
}

} // namespace tamis::tool
