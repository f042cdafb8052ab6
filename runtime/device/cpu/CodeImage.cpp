// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks and maps ELF images. Fields are read through memcpy: nothing in a file is trusted to be aligned.

#include "runtime/device/cpu/CodeImage.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/status/Status.h"
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tamis::runtime {

template <typename T> static T load(const uint8_t *at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

static Elf64_Phdr programHeader(const uint8_t *elf, uint32_t index) {
  return load<Elf64_Phdr>(elf + load<Elf64_Ehdr>(elf).e_phoff + index * sizeof(Elf64_Phdr));
}

static uint64_t alignDown(uint64_t value, uint64_t unit) {
  return value / unit * unit;
}
static uint64_t alignUp(uint64_t value, uint64_t unit) {
  return alignDown(value + unit - 1, unit);
}

CodeImage::~CodeImage() {
  if (base)
    munmap(base, span);
}

tamis_status CodeImage::refuse(tamis_error *error, const char *why) const {
  return fail(error, TAMIS_DAMAGED_PLAN, "the code of '%s' is refused: %s", section, why);
}

tamis_status CodeImage::check(const uint8_t *image, uint64_t imageSize, const char *name, tamis_error *error) {
  elf = image, size = imageSize, section = name;
  page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  TAMIS_TRY(checkHeader(error));
  TAMIS_TRY(checkSegments(error));
  return checkDynamicTable(error);
}

tamis_status CodeImage::checkHeader(tamis_error *error) {
  if (size < sizeof(Elf64_Ehdr))
    return refuse(error, "it is shorter than an ELF header");
  auto header = load<Elf64_Ehdr>(elf);
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    return refuse(error, "it is no 64-bit little-endian shared image");
  if (header.e_machine != hostMachine())
    return refuse(error, "it is for another machine");
  constexpr unsigned most = 16;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > most ||
      header.e_phoff > size || size - header.e_phoff < header.e_phnum * sizeof(Elf64_Phdr))
    return refuse(error, "its program headers are out of bounds");
  return TAMIS_OK;
}

tamis_status CodeImage::checkSegments(tamis_error *error) {
  constexpr uint64_t maximumSpan = uint64_t(1) << 30;
  for (uint32_t i = 0; i < load<Elf64_Ehdr>(elf).e_phnum; ++i) {
    Elf64_Phdr segment = programHeader(elf, i);
    if (segment.p_type == PT_TLS || segment.p_type == PT_INTERP)
      return refuse(error, "it has thread-local storage or an interpreter");
    if (segment.p_type != PT_LOAD)
      continue;
    bool executable = segment.p_flags == (PF_R | PF_X);
    if (segment.p_flags != PF_R && !executable)
      return refuse(error, "a segment is neither r-- nor r-x");
    if (segment.p_filesz != segment.p_memsz || !segment.p_filesz || segment.p_offset > size ||
        segment.p_filesz > size - segment.p_offset)
      return refuse(error, "a segment is out of bounds");
    if (segment.p_vaddr > maximumSpan || segment.p_memsz > maximumSpan - segment.p_vaddr)
      return refuse(error, "a segment is too large");
    if (segment.p_vaddr % page != segment.p_offset % page)
      return refuse(error, "it is linked for smaller pages than this system's");
    if (alignDown(segment.p_vaddr, page) < span)
      return refuse(error, "segments overlap or are not ascending");
    span = alignUp(segment.p_vaddr + segment.p_memsz, page);
    if (!executable)
      continue;
    if (executableEnd)
      return refuse(error, "it has two executable segments");
    executableBegin = segment.p_vaddr;
    executableEnd = segment.p_vaddr + segment.p_memsz;
  }
  return executableEnd ? TAMIS_OK : refuse(error, "nothing in it is executable");
}

tamis_status CodeImage::checkDynamicTable(tamis_error *error) {
  bool seen = false;
  for (uint32_t i = 0; i < load<Elf64_Ehdr>(elf).e_phnum; ++i) {
    Elf64_Phdr segment = programHeader(elf, i);
    if (segment.p_type != PT_DYNAMIC)
      continue;
    if (seen)
      return refuse(error, "it has two dynamic tables");
    seen = true;
    if (segment.p_offset > size || segment.p_filesz > size - segment.p_offset)
      return refuse(error, "its dynamic table is out of bounds");
    const uint8_t *entry = elf + segment.p_offset;
    for (uint64_t left = segment.p_filesz / sizeof(Elf64_Dyn); left; --left, entry += sizeof(Elf64_Dyn)) {
      auto dynamic = load<Elf64_Dyn>(entry);
      if (dynamic.d_tag == DT_NULL)
        break;
      switch (dynamic.d_tag) {
      case DT_SYMTAB:
        symbolTable = dynamic.d_un.d_ptr;
        break;
      case DT_STRTAB:
        stringTable = dynamic.d_un.d_ptr;
        break;
      case DT_STRSZ:
        stringBytes = dynamic.d_un.d_val;
        break;
      case DT_GNU_HASH:
        hashTable = dynamic.d_un.d_ptr;
        break;
      case DT_SONAME:
      case DT_SYMENT:
      case DT_HASH:
      case DT_FLAGS:
      case DT_FLAGS_1:
        break;
      default:
        return refuse(error, "it needs relocation, imports or initialisers");
      }
    }
  }
  return TAMIS_OK;
}

const uint8_t *CodeImage::at(uint64_t address, uint64_t length) const {
  for (uint32_t i = 0; i < load<Elf64_Ehdr>(elf).e_phnum; ++i) {
    Elf64_Phdr segment = programHeader(elf, i);
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr <= segment.p_filesz &&
        length <= segment.p_filesz - (address - segment.p_vaddr))
      return elf + segment.p_offset + (address - segment.p_vaddr);
  }
  return nullptr;
}

bool CodeImage::findKernel(const char *name, uint64_t &entry, uint64_t &codeSize) const {
  // DT_GNU_HASH: bucket count, first symbol, filter words, filter shift; filter; buckets; chains. A chain ends at the
  // value whose lowest bit is set.
  const uint8_t *header = hashTable ? at(hashTable, 16) : nullptr;
  if (!header || !symbolTable || !stringTable)
    return false;
  uint32_t buckets = load<uint32_t>(header), first = load<uint32_t>(header + 4), filter = load<uint32_t>(header + 8);
  uint32_t hash = 5381;
  for (const char *c = name; *c; ++c)
    hash = hash * 33 + static_cast<unsigned char>(*c);
  uint64_t bucketTable = hashTable + 16 + uint64_t(filter) * 8, chains = bucketTable + uint64_t(buckets) * 4;
  const uint8_t *bucket = buckets ? at(bucketTable + uint64_t(hash % buckets) * 4, 4) : nullptr;
  if (!bucket)
    return false;
  size_t length = strlen(name) + 1;
  for (uint64_t index = load<uint32_t>(bucket); index >= first && index; ++index) {
    const uint8_t *chain = at(chains + (index - first) * 4, 4);
    const uint8_t *bytes = at(symbolTable + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
    if (!chain || !bytes)
      return false;
    auto symbol = load<Elf64_Sym>(bytes);
    const uint8_t *text = symbol.st_name < stringBytes && length <= stringBytes - symbol.st_name
                              ? at(stringTable + symbol.st_name, length)
                              : nullptr;
    if (text && !memcmp(text, name, length) && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC) {
      entry = symbol.st_value;
      codeSize = symbol.st_size;
      return true;
    }
    if (load<uint32_t>(chain) & 1)
      return false;
  }
  return false;
}

tamis_status CodeImage::map(int fd, uint64_t fileOffset, tamis_code_mapping mapping, tamis_error *error) {
  bool mappable = fd >= 0 && fileOffset % page == 0;
  if (mapping == TAMIS_CODE_MAP && !mappable)
    return fail(error, TAMIS_SYSTEM_REFUSED, "the code of '%s' cannot be mapped: it is %s", section,
                fd < 0 ? "not in a file" : "not aligned to this system's pages");
  if (mapping != TAMIS_CODE_COPY && mappable) {
    tamis_status status = mapOnce(fd, fileOffset, false, error);
    if (status == TAMIS_OK || mapping == TAMIS_CODE_MAP)
      return status;
  }
  return mapOnce(fd, fileOffset, true, error);
}

tamis_status CodeImage::mapOnce(int fd, uint64_t fileOffset, bool copy, tamis_error *error) {
  void *reserved = mmap(nullptr, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no address space for %llu bytes of code", (unsigned long long)span);
  base = static_cast<char *>(reserved);
  const char *failed = nullptr;
  for (uint32_t i = 0; i < load<Elf64_Ehdr>(elf).e_phnum && !failed; ++i) {
    Elf64_Phdr segment = programHeader(elf, i);
    if (segment.p_type != PT_LOAD)
      continue;
    uint64_t lead = segment.p_vaddr % page, length = alignUp(segment.p_filesz + lead, page);
    char *to = base + (segment.p_vaddr - lead);
    int protection = PROT_READ | (segment.p_flags & PF_X ? PROT_EXEC : 0);
    if (!copy) {
      if (mmap(to, length, protection, MAP_PRIVATE | MAP_FIXED, fd, off_t(fileOffset + segment.p_offset - lead)) ==
          MAP_FAILED)
        failed = "the file may not be mapped for execution";
      continue;
    }
    if (mprotect(to, length, PROT_READ | PROT_WRITE)) {
      failed = "no memory for a copy";
      continue;
    }
    memcpy(to + lead, elf + segment.p_offset, segment.p_filesz);
    __builtin___clear_cache(to, to + length);
    if (mprotect(to, length, protection))
      failed = "the system forbids executable memory that was written";
  }
  copied = copy;
  if (!failed)
    return TAMIS_OK;
  int reason = errno;
  munmap(base, span);
  base = nullptr;
  return fail(error, TAMIS_SYSTEM_REFUSED, "the code of '%s' cannot be loaded: %s (%s)", section, failed,
              strerror(reason));
}

} // namespace tamis::runtime
