// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opens a plan file and checks its frame: header, hashes, FlatBuffers structure. What the metadata says is checked by
// MetadataCheck.h.

#ifndef TAMIS_RUNTIME_PLAN_PLANREADER_H
#define TAMIS_RUNTIME_PLAN_PLANREADER_H

#include "runtime/plan/Plan_generated.h"
#include "tamis/tamis.h"

namespace tamis::runtime {

/// Offsets of the header's fields in bytes; Plan.fbs describes the file.
struct PlanHeader {
  static constexpr char kMagic[9] = "TAMISPLN";
  static constexpr size_t kVersion = 8, kHeaderSize = 12, kMetadataOffset = 16, kMetadataSize = 24, kMetadataHash = 32,
                          kFileSize = 40, kHeaderHash = 48, kReserved = 56;
  static constexpr size_t kSize = 64;
  /// Of the metadata's offset: lets FlatBuffers read its 8-byte fields in place.
  static constexpr uint64_t kMetadataAlignment = 64;
};

/// The bytes of a plan, mapped from a file or lent by the caller, with its verified metadata. Immutable once open;
/// const members may be called from any thread.
class PlanReader {
public:
  PlanReader() = default;
  PlanReader(const PlanReader &) = delete;
  PlanReader &operator=(const PlanReader &) = delete;
  ~PlanReader();

  /// Each at most once. After a failure the object may only be destroyed.
  tamis_status openFile(const char *path, tamis_error *error);
  tamis_status openMemory(const void *data, size_t size, tamis_error *error);

  const plan::Plan &metadata() const { return *root; }
  const uint8_t *bytes() const { return file; }
  uint64_t size() const { return fileSize; }
  /// The open file, or -1 for a plan in memory.
  int descriptor() const { return fd; }

  const uint8_t *sectionData(const plan::Section &section) const { return file + section.offset(); }
  /// TAMIS_DAMAGED_PLAN unless the section's bytes have the hash that the metadata states.
  tamis_status checkHash(const plan::Section &section, tamis_error *error) const;

private:
  tamis_status check(tamis_error *error);

  const uint8_t *file = nullptr;
  uint64_t fileSize = 0;
  const plan::Plan *root = nullptr;
  int fd = -1;
  void *copy = nullptr; ///< of a plan in memory that was not aligned
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_PLAN_PLANREADER_H
