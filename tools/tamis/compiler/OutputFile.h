// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are written whole or not at all.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace tamis::tool {

/// Whether a file can be made or replaced at `path`: its folder takes new files, and what is there is a regular file.
/// Asked before the work, so that it is not done in vain. Errors name the path and the cause.
llvm::Error checkWritable(llvm::StringRef path);

/// Writes what `write` prints to `path`, under a temporary name that is renamed at the end, or to standard output for
/// "-". Errors: those of the system, and `write` giving false.
llvm::Error writeOutput(llvm::StringRef path, llvm::function_ref<bool(llvm::raw_ostream &)> write);

} // namespace tamis::tool
