// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The names of gdb's JIT interface ("JIT Compilation Interface" in gdb's manual) and perf's map file.

#include "runtime/device/cpu/DebuggerInterface.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

// gdb looks these up by name and stops in the function; visible so that it finds them in a stripped library too. Weak,
// because a program may hold another JIT that defines the same list.
extern "C" {
struct jit_code_entry {
  jit_code_entry *next, *prev;
  const char *symfile_addr;
  uint64_t symfile_size;
};
struct jit_descriptor {
  uint32_t version, action_flag;
  jit_code_entry *relevant_entry, *first_entry;
};
__attribute__((weak, visibility("default"))) jit_descriptor __jit_debug_descriptor = {1, 0, nullptr, nullptr};
__attribute__((weak, noinline, visibility("default"))) void __jit_debug_register_code() {
  __asm__ volatile("" ::: "memory");
}
}

namespace tamis::runtime {

static pthread_mutex_t listLock = PTHREAD_MUTEX_INITIALIZER;
enum Action : uint32_t { Register = 1, Unregister = 2 };

template <typename T> static bool inBounds(uint64_t offset, uint64_t count, uint64_t size) {
  return offset <= size && count <= (size - offset) / sizeof(T);
}

/// Makes the addresses of segments, sections and symbols absolute in the copy of a checked image; false when its tables
/// are malformed.
static bool relocateSymbols(char *elf, uint64_t size, uint64_t base) {
  Elf64_Ehdr header;
  memcpy(&header, elf, sizeof header);
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    char *at = elf + header.e_phoff + i * sizeof(Elf64_Phdr);
    Elf64_Phdr segment;
    memcpy(&segment, at, sizeof segment);
    segment.p_vaddr += base;
    segment.p_paddr += base;
    memcpy(at, &segment, sizeof segment);
  }
  if (header.e_shentsize != sizeof(Elf64_Shdr) || !inBounds<Elf64_Shdr>(header.e_shoff, header.e_shnum, size))
    return false;
  for (uint32_t i = 0; i < header.e_shnum; ++i) {
    char *at = elf + header.e_shoff + i * sizeof(Elf64_Shdr);
    Elf64_Shdr section;
    memcpy(&section, at, sizeof section);
    if (section.sh_flags & SHF_ALLOC)
      section.sh_addr += base;
    memcpy(at, &section, sizeof section);
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM)
      continue;
    uint64_t count = section.sh_size / sizeof(Elf64_Sym);
    if (!inBounds<Elf64_Sym>(section.sh_offset, count, size))
      return false;
    for (uint64_t j = 0; j < count; ++j) {
      char *place = elf + section.sh_offset + j * sizeof(Elf64_Sym);
      Elf64_Sym symbol;
      memcpy(&symbol, place, sizeof symbol);
      if (symbol.st_shndx != SHN_UNDEF)
        symbol.st_value += base;
      memcpy(place, &symbol, sizeof symbol);
    }
  }
  return true;
}

void DebuggerInterface::add(const CodeImage &image) {
  // One allocation: the list's entry, then the copy.
  auto *memory = static_cast<char *>(malloc(sizeof(jit_code_entry) + image.fileSize()));
  if (!memory || entry) {
    free(memory);
    return;
  }
  char *copy = memory + sizeof(jit_code_entry);
  memcpy(copy, image.file(), image.fileSize());
  if (!relocateSymbols(copy, image.fileSize(), reinterpret_cast<uint64_t>(image.address(0)))) {
    free(memory);
    return;
  }
  entry = reinterpret_cast<jit_code_entry *>(memory);
  entry->symfile_addr = copy;
  entry->symfile_size = image.fileSize();
  pthread_mutex_lock(&listLock);
  entry->prev = nullptr;
  entry->next = __jit_debug_descriptor.first_entry;
  if (entry->next)
    entry->next->prev = entry;
  __jit_debug_descriptor.first_entry = __jit_debug_descriptor.relevant_entry = entry;
  __jit_debug_descriptor.action_flag = Register;
  __jit_debug_register_code();
  pthread_mutex_unlock(&listLock);
}

DebuggerInterface::~DebuggerInterface() {
  if (!entry)
    return;
  pthread_mutex_lock(&listLock);
  if (entry->prev)
    entry->prev->next = entry->next;
  else
    __jit_debug_descriptor.first_entry = entry->next;
  if (entry->next)
    entry->next->prev = entry->prev;
  __jit_debug_descriptor.relevant_entry = entry;
  __jit_debug_descriptor.action_flag = Unregister;
  __jit_debug_register_code();
  pthread_mutex_unlock(&listLock);
  free(entry);
}

void addToPerfMap(const void *address, uint64_t size, const char *name) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", int(getpid()));
  // O_NOFOLLOW: /tmp is shared, and the name can be guessed.
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  int length = snprintf(line, sizeof line, "%llx %llx %s\n", (unsigned long long)reinterpret_cast<uintptr_t>(address),
                        (unsigned long long)size, name);
  if (length > 0 && size_t(length) < sizeof line)
    (void)!write(fd, line, size_t(length));
  close(fd);
}

} // namespace tamis::runtime
