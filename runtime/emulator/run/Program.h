// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoded PTX: what the interpreter's loop runs. Registers lie in a warp's register file as arrays of 32 lanes; an
// operand is the byte offset of its array. Constants and special registers are arrays there, too, written before a
// block starts, so that every operand is read the same way.

#ifndef TAMIS_RUNTIME_EMULATOR_RUN_PROGRAM_H
#define TAMIS_RUNTIME_EMULATOR_RUN_PROGRAM_H

#include "runtime/emulator/Emulator.h"
#include "runtime/emulator/ptx/Syntax.h"

namespace tamis::emulator {

using ptx::Space;
struct Warp;
struct Instruction;

/// Computes the active lanes `mask` (never 0) of one instruction.
using Handler = void (*)(Warp &, const Instruction &, uint32_t mask);

/// What the loop does beside calling the handler.
enum class Flow : uint8_t {
  Next,
  Branch,      ///< to `target`
  BranchTable, ///< to target list[op[1]]
  Exit,
  Barrier, ///< `list` says which
  Sync,    ///< waits until the lanes it names have come; op[sync] is their mask, or the whole warp
  Wait,    ///< its handler may say that the warp must try again later
  Trap
};

/// Offsets in every register file.
enum : uint32_t {
  kTrueOffset = 0, ///< a predicate that is true
  kFalseOffset = 4,
  kSinkOffset = 256, ///< where results go that nobody wants: 256 bytes
  kFirstOffset = 512
};

/// Where shared, local and parameter memory begin in their spaces: 0 is no address of anything.
constexpr uint64_t kSharedBase = 1024, kLocalBase = 16, kParamBase = 128;
/// Generic addresses of an address x of these spaces are window + x. A window has 16 MiB.
constexpr uint64_t kSharedWindow = 0x01000000, kLocalWindow = 0x02000000, kParamWindow = 0x03000000,
                   kWindowBytes = 0x01000000;

struct Instruction {
  Handler run = nullptr;
  uint32_t op[5] = {}; ///< byte offsets in the register file; op[0] is the first result
  uint32_t guard = kTrueOffset, guardFlip = 0;
  uint32_t target = 0;             ///< instruction
  int64_t offset = 0;              ///< added to an address, or an immediate
  uint32_t list = 0, listSize = 0; ///< in Kernel::pool: offsets of further operands
  uint32_t reads = 0;              ///< in Kernel::pool: register numbers, `readCount` then `writeCount`
  uint16_t readCount = 0, writeCount = 0;
  uint16_t sinkCount = 0; ///< of the registers read, the first so many must be defined
  Flow flow = Flow::Next;
  Space space = Space::Generic;
  uint8_t bytes = 0;      ///< of one element of an access
  uint8_t count = 0;      ///< elements of an access, matrices of ldmatrix
  uint8_t flags = 0;      ///< by handler
  uint8_t sync = 0xff;    ///< which op holds the lanes of a Sync; 0xff: all lanes
  bool isProduct = false; ///< wgmma.mma_async
  bool propagates = true; ///< undefined lanes of what it reads are undefined in what it writes
  uint32_t line = 0;
};

/// Flags of memory accesses.
enum : uint8_t {
  kAddress32 = 1, ///< the address register has 32 bits
  kNoAddress = 2, ///< the address is `offset` alone
  kWide = 4,      ///< registers of 64 bits
  kTranspose = 8,
  kSigned = 16
};

/// Flags of wgmma.mma_async.
enum : uint8_t { kRegisterA = 1, kTransposeA = 2, kTransposeB = 4, kNegate = 8, kScaleFlip = 16 };

enum class SpecialRegister : uint8_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  WarpCount,
  SmId,
  SmCount,
  GridId,
  MaskEq,
  MaskLe,
  MaskLt,
  MaskGe,
  MaskGt,
  ClusterIdX,
  ClusterIdY,
  ClusterIdZ,
  ClusterCountX,
  ClusterCountY,
  ClusterCountZ,
  ClusterCtaIdX,
  ClusterCtaIdY,
  ClusterCtaIdZ,
  ClusterSizeX,
  ClusterSizeY,
  ClusterSizeZ,
  ClusterRank,
  ClusterRanks,
  IsExplicitCluster,
  DynamicShared,
  TotalShared,
  Zero
};

struct Kernel {
  EntryInfo info;
  std::vector<Instruction> code;    ///< ends with an Exit
  std::vector<std::string> opcodes; ///< of each instruction, for reports
  std::vector<uint32_t> pool;
  uint32_t registerBytes = kFirstOffset, registerCount = 0;
  struct Constant {
    uint32_t offset;
    bool isWide;
    uint64_t bits;
  };
  std::vector<Constant> constants;
  struct Special {
    uint32_t offset;
    bool isWide;
    SpecialRegister which;
  };
  std::vector<Special> specials;
  uint32_t dynamicSharedOffset = 0; ///< from kSharedBase
  bool usesPartialBarriers = false; ///< named barriers or mbarriers: warps may be ordered pairwise
  bool usesWarpGroups = false;      ///< wgmma
  std::vector<uint32_t> macs;       ///< tensor multiply-accumulates of each instruction
  std::vector<uint8_t> isSpecialFunction;

  /// Whether the `i`-th register that a wgmma reads holds elements of a matrix: those of A, and of D. They come before
  /// the descriptors and behind the scale.
  bool isMatrixRegister(const Instruction &instruction, uint32_t i) const {
    uint32_t first = instruction.guard != kTrueOffset;
    bool isA = (instruction.flags & kRegisterA) && i >= first && i < first + 4;
    return isA || i >= instruction.sinkCount;
  }
};

struct Module::Contents {
  Memory *memory = nullptr;
  std::string target;
  uint32_t version = 0;
  std::vector<EntryInfo> entries;
  std::vector<VariableInfo> variables;
  std::vector<Kernel> kernels; ///< in the order of `entries`
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_RUN_PROGRAM_H
