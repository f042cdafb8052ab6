// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables of handlers. The arithmetic ones are compiled once for each level of the processor that TAMIS_EMULATOR_LEVELS
// names, in a namespace of the level; the best that the processor at hand has is taken.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_HANDLERS_H
#define TAMIS_RUNTIME_EMULATOR_OPS_HANDLERS_H

#include "runtime/emulator/run/Program.h"

namespace tamis::emulator {

struct HandlerEntry {
  const char *name; ///< canonical spelling, as "add.ftz.f32": see the decoder
  Handler handler;
};
struct HandlerTable {
  const HandlerEntry *entries;
  size_t size;
};

/// What accesses of memory do with all 32 addresses at once.
struct AddressKernels {
  void (*fromNarrow)(const uint32_t *registers, uint32_t offset, uint64_t *addresses);
  void (*fromWide)(const uint64_t *registers, uint64_t offset, uint64_t *addresses);
  /// Whether any address is not in [base, base + last], or has one of the bits of `alignment`.
  bool (*isAnyOutside)(const uint64_t *addresses, uint64_t base, uint64_t last, uint64_t alignment);
  void (*toHost)(const uint64_t *addresses, uint64_t origin, uint8_t **host);
};

#define TAMIS_DECLARE_LEVEL(level)                                                                                     \
  namespace level {                                                                                                    \
  HandlerTable integerTable();                                                                                         \
  HandlerTable carryTable();                                                                                           \
  HandlerTable floatTable();                                                                                           \
  HandlerTable halfTable();                                                                                            \
  HandlerTable convertTable();                                                                                         \
  HandlerTable compareTable();                                                                                         \
  HandlerTable matrixTable();                                                                                          \
  AddressKernels addressKernels();                                                                                     \
  }
TAMIS_DECLARE_LEVEL(baseline)
TAMIS_DECLARE_LEVEL(v3)
TAMIS_DECLARE_LEVEL(v4)
#undef TAMIS_DECLARE_LEVEL

/// Arithmetic by canonical name; null when there is none.
Handler findHandler(std::string_view name);
extern const AddressKernels addressKernels;

// Those that the decoder names itself. What they find in an instruction is said where they are defined.
namespace ops {
Handler load(uint32_t elementBytes, uint32_t count, bool isWide, bool isSigned);
Handler store(uint32_t elementBytes, uint32_t count, bool isWide);
Handler loadParameter(uint32_t elementBytes, uint32_t count, bool isWide, bool isSigned);
Handler atomic(std::string_view operation, std::string_view type, bool hasResult);
void copyAsync(Warp &, const Instruction &, uint32_t);
void commitGroup(Warp &, const Instruction &, uint32_t);
void waitGroup(Warp &, const Instruction &, uint32_t);
void loadMatrix(Warp &, const Instruction &, uint32_t);
void storeMatrix(Warp &, const Instruction &, uint32_t);
void addressToGeneric(Warp &, const Instruction &, uint32_t);
void addressFromGeneric(Warp &, const Instruction &, uint32_t);
void isInSpace(Warp &, const Instruction &, uint32_t);
Handler shuffle(std::string_view mode);
Handler vote(std::string_view mode);
Handler match(bool isAll, bool isWide);
Handler reduce(std::string_view operation, std::string_view type);
void activeMask(Warp &, const Instruction &, uint32_t);
void electLane(Warp &, const Instruction &, uint32_t);
void nothing(Warp &, const Instruction &, uint32_t);
void readClock(Warp &, const Instruction &, uint32_t);
void initialiseBarrier(Warp &, const Instruction &, uint32_t);
void invalidateBarrier(Warp &, const Instruction &, uint32_t);
void arriveAtBarriers(Warp &, const Instruction &, uint32_t);
void arriveWithCopies(Warp &, const Instruction &, uint32_t);
void testBarrier(Warp &, const Instruction &, uint32_t);
void bulkToShared(Warp &, const Instruction &, uint32_t);
void bulkToGlobal(Warp &, const Instruction &, uint32_t);
void tensorToShared(Warp &, const Instruction &, uint32_t);
void tensorToGlobal(Warp &, const Instruction &, uint32_t);
void commitBulk(Warp &, const Instruction &, uint32_t);
void waitBulk(Warp &, const Instruction &, uint32_t);
void fenceProxy(Warp &, const Instruction &, uint32_t);
void fenceProducts(Warp &, const Instruction &, uint32_t);
void commitProducts(Warp &, const Instruction &, uint32_t);
void waitProducts(Warp &, const Instruction &, uint32_t);
void moveMatrix(Warp &, const Instruction &, uint32_t);
void packElements(Warp &, const Instruction &, uint32_t);
void unpackElements(Warp &, const Instruction &, uint32_t);
} // namespace ops

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_OPS_HANDLERS_H
