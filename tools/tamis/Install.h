// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are installed with this program, found from where it lies: build and install trees have the same layout.

#ifndef TAMIS_TOOLS_TAMIS_INSTALL_H
#define TAMIS_TOOLS_TAMIS_INSTALL_H

#include <string>

namespace tamis::tool {

/// `path` below the folder that holds this program's `bin`.
std::string installedFile(const std::string &path);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_INSTALL_H
