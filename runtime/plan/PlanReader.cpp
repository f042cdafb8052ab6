// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Maps a plan and refuses what is no plan, has another version, was cut short or was damaged.

#include "runtime/plan/PlanReader.h"
#include "runtime/memory/Block.h"
#include "runtime/plan/MetadataCheck.h"
#include "runtime/status/Status.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tamis::runtime {

template <typename T> static T load(const uint8_t *at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

PlanReader::~PlanReader() {
  if (fd >= 0) {
    if (file)
      munmap(const_cast<uint8_t *>(file), fileSize);
    close(fd);
  }
  free(copy);
}

tamis_status PlanReader::openFile(const char *path, tamis_error *error) {
  // Without O_NONBLOCK a FIFO would block here until someone writes to it.
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail(error, TAMIS_CANNOT_READ, "cannot open '%s': %s", path, strerror(errno));
  struct stat status;
  if (fstat(fd, &status))
    return fail(error, TAMIS_CANNOT_READ, "cannot read '%s': %s", path, strerror(errno));
  if (!S_ISREG(status.st_mode))
    return fail(error, TAMIS_CANNOT_READ, "cannot read '%s': not a regular file", path);
  fileSize = static_cast<uint64_t>(status.st_size);
  if (fileSize) { // an empty file cannot be mapped; check() has the message
    void *mapped = mmap(nullptr, fileSize, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
      return fail(error, TAMIS_CANNOT_READ, "cannot map '%s': %s", path, strerror(errno));
    file = static_cast<const uint8_t *>(mapped);
  }
  return check(error);
}

tamis_status PlanReader::openMemory(const void *data, size_t size, tamis_error *error) {
  file = static_cast<const uint8_t *>(data);
  fileSize = size;
  if (reinterpret_cast<uintptr_t>(data) % Block::kAlignment) {
    if (posix_memalign(&copy, Block::kAlignment, size ? size : 1)) {
      copy = nullptr;
      return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to align a plan of %zu bytes", size);
    }
    memcpy(copy, data, size);
    file = static_cast<const uint8_t *>(copy);
  }
  return check(error);
}

tamis_status PlanReader::check(tamis_error *error) {
  using H = PlanHeader;
  constexpr uint32_t version = static_cast<uint32_t>(plan::FormatVersion_Current);
  if (fileSize < H::kSize)
    return fail(error, TAMIS_DAMAGED_PLAN, "not a plan: %llu bytes, less than a header of %zu",
                static_cast<unsigned long long>(fileSize), H::kSize);
  if (memcmp(file, H::kMagic, 8))
    return fail(error, TAMIS_DAMAGED_PLAN, "not a plan: the first 8 bytes are not '%s'", H::kMagic);
  // Before any hash: another version may hash otherwise.
  if (uint32_t found = load<uint32_t>(file + H::kVersion); found != version)
    return fail(error, TAMIS_VERSION_MISMATCH, "the plan has format version %u, runtime %s reads version %u", found,
                tamis_version(), version);
  if (XXH3_64bits(file, H::kHeaderHash) != load<uint64_t>(file + H::kHeaderHash))
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan's header is damaged: its hash differs");
  if (load<uint64_t>(file + H::kReserved) || load<uint32_t>(file + H::kHeaderSize) != H::kSize)
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan's header is damaged: a fixed field differs");
  if (uint64_t stated = load<uint64_t>(file + H::kFileSize); stated != fileSize)
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan is cut short or grew: it has %llu bytes, its header states %llu",
                static_cast<unsigned long long>(fileSize), static_cast<unsigned long long>(stated));
  uint64_t offset = load<uint64_t>(file + H::kMetadataOffset), size = load<uint64_t>(file + H::kMetadataSize);
  if (offset < H::kSize || offset % H::kMetadataAlignment || offset > fileSize || size > fileSize - offset ||
      size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan's metadata is out of bounds: offset %llu, size %llu",
                static_cast<unsigned long long>(offset), static_cast<unsigned long long>(size));
  if (XXH3_64bits(file + offset, size) != load<uint64_t>(file + H::kMetadataHash))
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan's metadata is damaged: its hash differs");
  flatbuffers::Verifier verifier(file + offset, size);
  if (!plan::VerifyPlanBuffer(verifier))
    return fail(error, TAMIS_DAMAGED_PLAN, "the plan's metadata is malformed");
  root = plan::GetPlan(file + offset);
  return checkMetadata(*root, {fileSize, H::kSize, offset, size}, error);
}

tamis_status PlanReader::checkHash(const plan::Section &section, tamis_error *error) const {
  if (XXH3_64bits(file + section.offset(), section.size()) == section.hash())
    return TAMIS_OK;
  return fail(error, TAMIS_DAMAGED_PLAN, "section '%s' is damaged: its hash differs", section.name()->c_str());
}

} // namespace tamis::runtime
