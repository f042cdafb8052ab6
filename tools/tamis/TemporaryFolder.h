// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder for files that must not outlive a command.

#ifndef TAMIS_TOOLS_TAMIS_TEMPORARYFOLDER_H
#define TAMIS_TOOLS_TAMIS_TEMPORARYFOLDER_H

#include "tamis/tamis.hpp"
#include <string>

namespace tamis::tool {

/// Made below TMPDIR, else below /tmp; removed with all it holds by the destructor.
class TemporaryFolder {
public:
  /// TAMIS_SYSTEM_REFUSED when it cannot be made.
  static Result<TemporaryFolder> make();
  TemporaryFolder(TemporaryFolder &&other) noexcept : folder(std::exchange(other.folder, {})) {}
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder();

  std::string path(const std::string &name) const { return folder + "/" + name; }

private:
  explicit TemporaryFolder(std::string folder) : folder(std::move(folder)) {}
  std::string folder;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_TEMPORARYFOLDER_H
