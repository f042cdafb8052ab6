// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the addresses of a warp's lanes to host memory, with every check on the way.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_ACCESS_H
#define TAMIS_RUNTIME_EMULATOR_OPS_ACCESS_H

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/run/Warp.h"

namespace tamis::emulator {

enum class AccessKind : uint8_t { Read, Write, ReadWrite, AsyncWrite };

struct Access {
  uint64_t address[32]; ///< in its space, of active lanes
  uint8_t *host[32];    ///< of good lanes
  uint32_t good = 0;    ///< lanes whose access may be done
};

/// The address each lane of `mask` computes: op[`operand`] + offset.
void computeAddresses(const Warp &warp, const Instruction &instruction, uint32_t operand, int64_t offset, uint8_t flags,
                      uint64_t *addresses);

/// Finds host memory for `bytes` (a power of two to 16) at `access.address` of each lane of `mask` in `space`, reports
/// what is out of bounds or misaligned, looks into the shadow and marks it, and counts traffic.
void locate(Warp &warp, const Instruction &instruction, Space space, uint32_t mask, uint32_t bytes, AccessKind kind,
            Access &access);

/// locate in shared memory, where `access.address` counts from kSharedBase on.
void locateShared(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                  Access &access);

/// Reports the problems of SharedShadow met by `lane`.
void reportShared(Warp &warp, const Instruction &instruction, uint32_t problems, uint32_t lane, uint64_t address,
                  AccessKind kind);

/// Reports that the asynchronous proxy reads what was written by ordinary stores, or cp.async, with no fence between.
void reportUnfenced(Warp &warp, const Instruction &instruction, uint32_t lane, uint32_t offset);

std::string hexText(uint64_t value);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_OPS_ACCESS_H
