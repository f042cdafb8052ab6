// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machine code of a plan: one ELF image linked without relocations, writable data, thread-local storage or imports.
// Whatever is outside that subset is refused, so that loading is: check, reserve, map each segment.

#ifndef TAMIS_RUNTIME_DEVICE_CPU_CODEIMAGE_H
#define TAMIS_RUNTIME_DEVICE_CPU_CODEIMAGE_H

#include "tamis/tamis.h"
#include <cstddef>
#include <cstdint>

namespace tamis::runtime {

/// Not thread-safe while check and map run; const members are. Every failure is TAMIS_DAMAGED_PLAN or, where the system
/// forbids run-time code, TAMIS_SYSTEM_REFUSED.
class CodeImage {
public:
  CodeImage() = default;
  CodeImage(const CodeImage &) = delete;
  CodeImage &operator=(const CodeImage &) = delete;
  ~CodeImage();

  /// Checks the image in [elf, elf + size), which must stay while this object lives. Reads no byte outside, whatever
  /// the headers say. `name` is the section's, for messages.
  tamis_status check(const uint8_t *elf, uint64_t size, const char *name, tamis_error *error);

  /// Maps a checked image, whose bytes lie at `fileOffset` of `fd` (-1: only in memory), at an address of the system's
  /// choice. Never is a page writable and executable at once.
  tamis_status map(int fd, uint64_t fileOffset, tamis_code_mapping mapping, tamis_error *error);

  /// Looks `name` up in the image's dynamic symbol table; false when it is not a function there.
  bool findKernel(const char *name, uint64_t &entry, uint64_t &codeSize) const;

  /// Whether [entry, entry + codeSize) lies in the executable segment and is not empty.
  bool isExecutable(uint64_t entry, uint64_t codeSize) const {
    return entry >= executableBegin && entry < executableEnd && codeSize && codeSize <= executableEnd - entry;
  }

  const void *address(uint64_t entry) const { return base + entry; }
  bool isCopied() const { return copied; }
  const uint8_t *file() const { return elf; }
  uint64_t fileSize() const { return size; }

private:
  tamis_status checkHeader(tamis_error *error);
  tamis_status checkSegments(tamis_error *error);
  tamis_status checkDynamicTable(tamis_error *error);
  tamis_status mapOnce(int fd, uint64_t fileOffset, bool copy, tamis_error *error);
  tamis_status refuse(tamis_error *error, const char *why) const;
  /// `length` bytes of the loaded image at `address`, in the file; null unless they lie in one segment.
  const uint8_t *at(uint64_t address, uint64_t length) const;

  const uint8_t *elf = nullptr;
  uint64_t size = 0;
  const char *section = nullptr;
  uint64_t page = 0;
  uint64_t span = 0;                                                         ///< bytes reserved at base
  uint64_t executableBegin = 0, executableEnd = 0;                           ///< relative to base
  uint64_t symbolTable = 0, stringTable = 0, stringBytes = 0, hashTable = 0; ///< addresses in the image, 0 if absent
  char *base = nullptr;
  bool copied = false;
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_DEVICE_CPU_CODEIMAGE_H
