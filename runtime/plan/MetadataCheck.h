// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks what a plan's metadata says, so that nothing after it needs to: every index, range and enumerator.

#ifndef TAMIS_RUNTIME_PLAN_METADATACHECK_H
#define TAMIS_RUNTIME_PLAN_METADATACHECK_H

#include "runtime/plan/Plan_generated.h"
#include "tamis/tamis.h"

namespace tamis::runtime {

/// Section.machine of PTX and cubins: ELF's EM_CUDA.
inline constexpr uint16_t kCudaMachine = 190;

/// Where the parts of a file are that are no sections, in bytes; all in bounds.
struct FileFrame {
  uint64_t fileSize, headerSize, metadataOffset, metadataSize;
};

/// `plan` has passed the FlatBuffers verifier. After TAMIS_OK holds:
/// - every section lies in the file, apart from header, metadata and the others, aligned to 64 bytes or more;
/// - there is at most one Weights section, every constant lies in it, at a multiple of 64 bytes from the file's start;
/// - every register operand is below its instruction's number, every other register number below their count;
/// - every symbol has 0 <= min <= max and is the dim of an input, or has min = max;
/// - there are programs, each code section is of one for its machine, and kernels and dispatches have what their
///   program's kind of device needs and nothing of the other's;
/// - every other index is in range, every enumerator known, every tensor has as many dim names as dims.
/// Otherwise TAMIS_DAMAGED_PLAN. It cannot know whether sizes are those the kernels were compiled for.
tamis_status checkMetadata(const plan::Plan &plan, const FileFrame &frame, tamis_error *error);

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_PLAN_METADATACHECK_H
