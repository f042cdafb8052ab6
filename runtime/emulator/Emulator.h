// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A PTX interpreter: runs kernels warp by warp on the CPU, finds what numbers alone miss (races, reads of what is not
// there yet, accesses out of bounds, divergent barriers) and counts what a GPU would have done. A judge of generated
// code, not a way to be fast: no count of it is a time.
//
//   Memory memory;
//   ParseResult parsed = parseModule(text, memory);        // errors with the PTX line, all of them
//   uint64_t x = memory.allocate(4096);
//   memory.copyIn(x, data, 4096);
//   Report report = launch(*parsed.module, "kernel", shape, params.data(), params.size(), {});
//   for (const Diagnostic &found : report.diagnostics) puts(found.text().c_str());
//
// Nothing here throws.

#ifndef TAMIS_RUNTIME_EMULATOR_EMULATOR_H
#define TAMIS_RUNTIME_EMULATOR_EMULATOR_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::emulator {

/// The global memory of one emulated device. Device addresses are 256-byte aligned, never 0, and far from each other,
/// so that a kernel which leaves its allocation is seen. Every member is safe to call from any thread, except while a
/// launch that touches the same bytes runs.
class Memory {
public:
  /// Reserves address space for `capacity` bytes of allocations; pages cost nothing before they are touched.
  explicit Memory(uint64_t capacity = uint64_t(64) << 30);
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// The device address of `bytes` bytes that count as never written; 0 when the capacity is used up or `bytes` is 0.
  uint64_t allocate(uint64_t bytes);
  /// False when `address` is not what allocate gave, or was freed before. Waits for nothing.
  bool free(uint64_t address);
  /// Host to device; the bytes count as written. False, and nothing is done, when the range is not in one allocation.
  bool copyIn(uint64_t address, const void *from, uint64_t bytes);
  /// Device to host. False, and nothing is done, when the range is not in one allocation.
  bool copyOut(void *to, uint64_t address, uint64_t bytes) const;
  /// Device to device; bytes never written stay so. Ranges may overlap. False as above.
  bool copy(uint64_t to, uint64_t from, uint64_t bytes);
  /// Repeats `pattern`, `width` bytes (1, 2 or 4) wide, `count` times; the bytes count as written. False as above.
  bool fill(uint64_t address, uint32_t pattern, uint32_t width, uint64_t count);
  /// Marks bytes as never written again, as if just allocated: an arena whose buffers are born and die. False as above.
  bool forget(uint64_t address, uint64_t bytes);
  /// Whether each byte of the range lies in one allocation and was written, by a copy or by a kernel that ran with
  /// Options::checks.
  bool isWritten(uint64_t address, uint64_t bytes) const;

  struct Range {
    uint64_t address = 0, bytes = 0; ///< bytes 0: none
  };
  /// The allocation that holds `address`.
  Range find(uint64_t address) const;
  /// Bytes in allocations, and the capacity.
  uint64_t used() const;
  uint64_t capacity() const;

  struct State; ///< for the interpreter
  State &state() const { return *held; }

private:
  std::unique_ptr<State> held;
};

/// Why a text was refused. `line` counts from 1.
struct ParseError {
  uint32_t line = 0;
  std::string message; ///< what was found and what was wanted, lower case
};

/// A parameter of an entry. Launch parameters are one block of bytes in which each lies at its offset.
struct Parameter {
  std::string name;
  uint32_t offset = 0, bytes = 0, alignment = 0;
  bool isPointer = false; ///< declared with .ptr
};

/// What a `.entry` says of itself.
struct EntryInfo {
  std::string name;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;             ///< end of the last parameter
  uint32_t requiredBlock[3] = {0, 0, 0};   ///< .reqntid, else zeros
  uint32_t maxThreads = 0;                 ///< product of .maxntid or .reqntid, else 0
  uint32_t requiredCluster[3] = {0, 0, 0}; ///< .reqnctapercluster, else zeros
  uint32_t sharedBytes = 0;                ///< static shared memory
  bool usesDynamicShared = false;          ///< names an `.extern .shared` array
  uint32_t localBytes = 0;                 ///< a thread's .local variables
  uint32_t registers = 0;                  ///< virtual registers as declared, in 32-bit words; no allocation is done
  uint32_t instructions = 0;
};

/// A `.global` or `.const` variable, placed in device memory and initialised.
struct VariableInfo {
  std::string name;
  uint64_t address = 0, bytes = 0;
};

/// A checked PTX module. Constant after parsing: launches of it may run side by side.
class Module {
public:
  struct Contents; ///< for the interpreter
  explicit Module(std::unique_ptr<Contents> contents);
  ~Module(); ///< frees its variables in the memory it was parsed for

  const std::string &target() const;                   ///< "sm_80"
  uint32_t version() const;                            ///< 80 for .version 8.0
  const std::vector<EntryInfo> &entries() const;       ///< in the order of the text
  const EntryInfo *entry(std::string_view name) const; ///< null when there is none
  const std::vector<VariableInfo> &variables() const;
  const Contents &contents() const { return *held; }

private:
  std::unique_ptr<Contents> held;
};

struct ParseResult {
  std::shared_ptr<Module> module; ///< null when there are errors
  std::vector<ParseError> errors; ///< by line; opcodes that are not known are all named
};

/// Parses and decodes PTX text (a NUL at its end is ignored) and places its variables in `memory`, which must outlive
/// the module.
ParseResult parseModule(std::string_view text, Memory &memory);

/// Grid and blocks, in blocks and threads.
struct LaunchShape {
  uint32_t gridX = 1, gridY = 1, gridZ = 1;
  uint32_t blockX = 1, blockY = 1, blockZ = 1;
  uint32_t sharedBytes = 0; ///< dynamic shared memory of a block
  uint32_t clusterX = 1, clusterY = 1, clusterZ = 1;
};

struct Options {
  bool checks = true;   ///< look for everything DiagnosticKind lists; without, only what cannot be gone on from
  bool traffic = false; ///< count bank conflicts and sectors, too
  uint64_t seed = 0;    ///< of the order in which the warps of a block run
  uint32_t threads = 0; ///< blocks at a time; 0: one a processor
  /// A block that runs more warp instructions is ended with InstructionLimit; 0: no bound.
  uint64_t instructionLimit = uint64_t(1) << 32;
};

enum class DiagnosticKind : uint8_t {
  SharedRace,        ///< two warps touch a byte of shared memory with no barrier between, one of them writes
  UninitialisedRead, ///< of shared, local or global memory that nobody wrote
  UnwaitedRead,      ///< of shared memory that an asynchronous copy, not waited for, fills
  OutOfBounds,       ///< in any space; the access is not done, a load gives 0
  Misaligned,        ///< address no multiple of the access's size; not done
  DivergentBarrier,  ///< some threads never come to a barrier at which others wait
  PartialWarp,       ///< lanes are missing at an instruction that needs the whole warp, or the lanes of its mask
  UndefinedRegister, ///< a value that no instruction wrote is stored, or decides an address or a branch
  AsyncMisuse,       ///< mbarrier, bulk copy or wgmma used against its rules
  Trap,              ///< trap, or an assertion of the kernel
  InstructionLimit,  ///< Options::instructionLimit
  LaunchError        ///< shape, parameters or entry do not fit; nothing ran
};

/// "shared race", "out of bounds".
const char *kindName(DiagnosticKind kind);

/// One finding. Equal ones (kind and line) are one Diagnostic, with the first met in the order of blocks.
struct Diagnostic {
  DiagnosticKind kind = DiagnosticKind::Trap;
  uint32_t line = 0; ///< of the PTX text; 0: none
  uint32_t block[3] = {0, 0, 0};
  uint32_t warp = 0, lane = 0;
  uint64_t address = 0; ///< in its space; 0 where the finding has none
  uint64_t count = 1;   ///< lanes that met it, over the whole launch
  std::string detail;   ///< what was found and what was wanted

  /// "ptx:41: shared race: ..., block (0,1,0) warp 2 lane 5, 32 times".
  std::string text() const;
};

/// What one instruction of the text did, over the whole launch. Traffic fields need Options::traffic.
struct LineCounts {
  uint32_t line = 0;
  std::string opcode;      ///< with all modifiers
  uint64_t executed = 0;   ///< by warps with at least one active lane
  uint64_t wavefronts = 0; ///< of shared memory: passes over its 32 banks
  uint64_t idealWavefronts = 0;
  uint64_t sectors = 0;      ///< of 32 bytes of global memory touched, a warp at a time
  uint64_t idealSectors = 0; ///< the distinct bytes asked for, over 32
  uint64_t bytes = 0;        ///< distinct bytes asked for, a warp at a time
};

struct Counts {
  uint64_t warpInstructions = 0;
  uint64_t tensorMacs = 0;                                  ///< multiply-accumulates of mma and wgmma
  uint64_t specialFunctions = 0;                            ///< ex2, rcp, rsqrt, sin, ... by lanes of whole warps
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0;       ///< with Options::traffic
  uint64_t globalSectors = 0, idealGlobalSectors = 0;       ///< the same
  uint64_t sharedWavefronts = 0, idealSharedWavefronts = 0; ///< the same
  std::vector<LineCounts> lines;                            ///< executed ones, in the order of the text
};

struct Report {
  std::vector<Diagnostic> diagnostics; ///< by line
  Counts counts;

  /// Whether the launch was refused or ended early, so that results are not whole.
  bool failed() const;
};

/// Runs every block of a grid to its end. `params` holds `bytes` bytes, at least EntryInfo::parameterBytes. What does
/// not fit is a report with one LaunchError. A grid with a zero size runs nothing. Blocks run on Options::threads
/// threads, made for the launch; results do not depend on their number unless the kernel's do.
Report launch(const Module &module, std::string_view entry, const LaunchShape &shape, const void *params, size_t bytes,
              const Options &options);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_EMULATOR_H
