// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder for files that must not outlive a command.

#include "tools/tamis/TemporaryFolder.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace tamis::tool {

Result<TemporaryFolder> TemporaryFolder::make() {
  const char *parent = getenv("TMPDIR");
  std::string name = std::string(parent && *parent ? parent : "/tmp") + "/tamis-XXXXXX";
  if (!mkdtemp(name.data()))
    return Error(TAMIS_SYSTEM_REFUSED, "cannot make the folder '" + name + "': " + strerror(errno));
  return TemporaryFolder(name);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!folder.empty())
    std::filesystem::remove_all(folder, ignored);
}

} // namespace tamis::tool
