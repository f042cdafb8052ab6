// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From an object file to an image that is mapped, not relocated.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace tamis {

/// Links one object into an ELF image of one read-only and one executable segment, 4 KiB pages, with no relocation, no
/// import and no writable data. The same object gives the same bytes. Errors: an undefined symbol or a pointer table,
/// with the linker's words. Thread-safe; calls wait for each other.
llvm::Expected<llvm::SmallVector<char, 0>> linkImage(llvm::ArrayRef<char> object, unsigned pageBytes);

} // namespace tamis
