// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// x86-64: cpuid and xgetbv. AArch64: the auxiliary vector.

#include "runtime/device/cpu/CpuFeatures.h"
#include "tamis/tamis.h"
#include <cstring>
#include <elf.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace tamis::runtime {

const char *machineName(uint16_t machine) {
  return machine == EM_X86_64 ? "x86-64" : machine == EM_AARCH64 ? "aarch64" : machine == EM_CUDA ? "cuda" : "unknown";
}

#if defined(__x86_64__)

uint16_t hostMachine() {
  return EM_X86_64;
}

namespace {
/// Which registers the system must save for a feature to be usable.
enum class State : uint8_t { Always, Avx, Avx512, Tile };
enum Register : uint8_t { Eax, Ebx, Ecx, Edx };

struct Feature {
  const char *name;
  uint32_t leaf, subleaf;
  Register source;
  uint8_t bit;
  State state = State::Always;
};
} // namespace

// Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E.
static constexpr Feature kFeatures[] = {
    {"x87", 1, 0, Edx, 0},
    {"cx8", 1, 0, Edx, 8},
    {"cmov", 1, 0, Edx, 15},
    {"mmx", 1, 0, Edx, 23},
    {"fxsr", 1, 0, Edx, 24},
    {"sse", 1, 0, Edx, 25},
    {"sse2", 1, 0, Edx, 26},
    {"sse3", 1, 0, Ecx, 0},
    {"pclmul", 1, 0, Ecx, 1},
    {"ssse3", 1, 0, Ecx, 9},
    {"fma", 1, 0, Ecx, 12, State::Avx},
    {"cx16", 1, 0, Ecx, 13},
    {"sse4.1", 1, 0, Ecx, 19},
    {"sse4.2", 1, 0, Ecx, 20},
    {"crc32", 1, 0, Ecx, 20},
    {"movbe", 1, 0, Ecx, 22},
    {"popcnt", 1, 0, Ecx, 23},
    {"aes", 1, 0, Ecx, 25},
    {"xsave", 1, 0, Ecx, 27}, // OSXSAVE: the system has turned it on
    {"avx", 1, 0, Ecx, 28, State::Avx},
    {"f16c", 1, 0, Ecx, 29, State::Avx},
    {"rdrnd", 1, 0, Ecx, 30},
    {"fsgsbase", 7, 0, Ebx, 0},
    {"bmi", 7, 0, Ebx, 3},
    {"avx2", 7, 0, Ebx, 5, State::Avx},
    {"bmi2", 7, 0, Ebx, 8},
    {"invpcid", 7, 0, Ebx, 10},
    {"rtm", 7, 0, Ebx, 11},
    {"avx512f", 7, 0, Ebx, 16, State::Avx512},
    {"avx512dq", 7, 0, Ebx, 17, State::Avx512},
    {"rdseed", 7, 0, Ebx, 18},
    {"adx", 7, 0, Ebx, 19},
    {"avx512ifma", 7, 0, Ebx, 21, State::Avx512},
    {"clflushopt", 7, 0, Ebx, 23},
    {"clwb", 7, 0, Ebx, 24},
    {"avx512cd", 7, 0, Ebx, 28, State::Avx512},
    {"sha", 7, 0, Ebx, 29},
    {"avx512bw", 7, 0, Ebx, 30, State::Avx512},
    {"avx512vl", 7, 0, Ebx, 31, State::Avx512},
    {"avx512vbmi", 7, 0, Ecx, 1, State::Avx512},
    {"pku", 7, 0, Ecx, 4}, // OSPKE
    {"waitpkg", 7, 0, Ecx, 5},
    {"avx512vbmi2", 7, 0, Ecx, 6, State::Avx512},
    {"shstk", 7, 0, Ecx, 7},
    {"gfni", 7, 0, Ecx, 8},
    {"vaes", 7, 0, Ecx, 9, State::Avx},
    {"vpclmulqdq", 7, 0, Ecx, 10, State::Avx},
    {"avx512vnni", 7, 0, Ecx, 11, State::Avx512},
    {"avx512bitalg", 7, 0, Ecx, 12, State::Avx512},
    {"avx512vpopcntdq", 7, 0, Ecx, 14, State::Avx512},
    {"rdpid", 7, 0, Ecx, 22},
    {"cldemote", 7, 0, Ecx, 25},
    {"movdiri", 7, 0, Ecx, 27},
    {"movdir64b", 7, 0, Ecx, 28},
    {"enqcmd", 7, 0, Ecx, 29},
    {"uintr", 7, 0, Edx, 5},
    {"avx512vp2intersect", 7, 0, Edx, 8, State::Avx512},
    {"serialize", 7, 0, Edx, 14},
    {"tsxldtrk", 7, 0, Edx, 16},
    {"amx-bf16", 7, 0, Edx, 22, State::Tile},
    {"avx512fp16", 7, 0, Edx, 23, State::Avx512},
    {"amx-tile", 7, 0, Edx, 24, State::Tile},
    {"amx-int8", 7, 0, Edx, 25, State::Tile},
    {"sha512", 7, 1, Eax, 0, State::Avx},
    {"sm3", 7, 1, Eax, 1, State::Avx},
    {"sm4", 7, 1, Eax, 2, State::Avx},
    {"avxvnni", 7, 1, Eax, 4, State::Avx},
    {"avx512bf16", 7, 1, Eax, 5, State::Avx512},
    {"cmpccxadd", 7, 1, Eax, 7},
    {"amx-fp16", 7, 1, Eax, 21, State::Tile},
    {"hreset", 7, 1, Eax, 22},
    {"avxifma", 7, 1, Eax, 23, State::Avx},
    {"avxvnniint8", 7, 1, Edx, 4, State::Avx},
    {"avxneconvert", 7, 1, Edx, 5, State::Avx},
    {"amx-complex", 7, 1, Edx, 8, State::Tile},
    {"avxvnniint16", 7, 1, Edx, 10, State::Avx},
    {"prefetchi", 7, 1, Edx, 14},
    {"xsaveopt", 0xd, 1, Eax, 0},
    {"xsavec", 0xd, 1, Eax, 1},
    {"xsaves", 0xd, 1, Eax, 3},
    {"ptwrite", 0x14, 0, Ebx, 4},
    {"sahf", 0x80000001, 0, Ecx, 0},
    {"lzcnt", 0x80000001, 0, Ecx, 5},
    {"sse4a", 0x80000001, 0, Ecx, 6},
    {"prfchw", 0x80000001, 0, Ecx, 8},
    {"xop", 0x80000001, 0, Ecx, 11, State::Avx},
    {"fma4", 0x80000001, 0, Ecx, 16, State::Avx},
    {"tbm", 0x80000001, 0, Ecx, 21},
    {"mwaitx", 0x80000001, 0, Ecx, 29},
    {"64bit", 0x80000001, 0, Edx, 29},
    {"clzero", 0x80000008, 0, Ebx, 0},
    {"rdpru", 0x80000008, 0, Ebx, 4},
    {"wbnoinvd", 0x80000008, 0, Ebx, 9},
};

/// Linux hands out the 8 KiB of tile registers only to processes that ask.
static bool allowTiles() {
  constexpr long requestPermission = 0x1023, tileData = 18; // arch_prctl(2)
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

/// Whether the system saves these registers, by XCR0.
static bool isSaved(State state) {
  if (state == State::Always)
    return true;
  uint32_t values[4];
  if (!__get_cpuid(1, &values[Eax], &values[Ebx], &values[Ecx], &values[Edx]) || !(values[Ecx] >> 27 & 1))
    return false;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr uint32_t avx = 0x6, avx512 = avx | 0xe0, tile = 0x60000;
  switch (state) {
  case State::Avx:
    return (low & avx) == avx;
  case State::Avx512:
    return (low & avx512) == avx512;
  default:
    return (low & tile) == tile && allowTiles();
  }
}

bool hasCpuFeature(const char *name) {
  for (const Feature &feature : kFeatures) {
    if (strcmp(feature.name, name))
      continue;
    uint32_t values[4];
    // __get_cpuid_count checks the highest leaf; of leaf 7 also the highest subleaf has to be looked at.
    if (feature.leaf == 7 && feature.subleaf &&
        (!__get_cpuid_count(7, 0, &values[Eax], &values[Ebx], &values[Ecx], &values[Edx]) ||
         values[Eax] < feature.subleaf))
      return false;
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &values[Eax], &values[Ebx], &values[Ecx], &values[Edx]))
      return false;
    return (values[feature.source] >> feature.bit & 1) && isSaved(feature.state);
  }
  return false;
}

#elif defined(__aarch64__)

uint16_t hostMachine() {
  return EM_AARCH64;
}

namespace {
struct Feature {
  const char *name;
  unsigned long source; ///< AT_HWCAP or AT_HWCAP2
  uint64_t bits;        ///< all of them
};
} // namespace

// Linux, Documentation/arch/arm64/elf_hwcaps.rst; bit numbers as in asm/hwcap.h, which older systems do not have whole.
static constexpr uint64_t bit(int number) {
  return uint64_t(1) << number;
}
static constexpr Feature kFeatures[] = {
    {"fp-armv8", AT_HWCAP, bit(0)},
    {"neon", AT_HWCAP, bit(1)},
    {"aes", AT_HWCAP, bit(3) | bit(4)},
    {"sha2", AT_HWCAP, bit(5) | bit(6)},
    {"crc", AT_HWCAP, bit(7)},
    {"lse", AT_HWCAP, bit(8)},
    {"fullfp16", AT_HWCAP, bit(9) | bit(10)},
    {"rdm", AT_HWCAP, bit(12)},
    {"jsconv", AT_HWCAP, bit(13)},
    {"complxnum", AT_HWCAP, bit(14)},
    {"rcpc", AT_HWCAP, bit(15)},
    {"ccpp", AT_HWCAP, bit(16)},
    {"sha3", AT_HWCAP, bit(17) | bit(21)},
    {"sm4", AT_HWCAP, bit(18) | bit(19)},
    {"dotprod", AT_HWCAP, bit(20)},
    {"sve", AT_HWCAP, bit(22)},
    {"fp16fml", AT_HWCAP, bit(23)},
    {"flagm", AT_HWCAP, bit(27)},
    {"ssbs", AT_HWCAP, bit(28)},
    {"sb", AT_HWCAP, bit(29)},
    {"pauth", AT_HWCAP, bit(30) | bit(31)},
    {"ccdp", AT_HWCAP2, bit(0)},
    {"sve2", AT_HWCAP2, bit(1)},
    {"altnzcv", AT_HWCAP2, bit(7)},
    {"fptoint", AT_HWCAP2, bit(8)},
    {"i8mm", AT_HWCAP2, bit(13)},
    {"bf16", AT_HWCAP2, bit(14)},
    {"rand", AT_HWCAP2, bit(16)},
    {"bti", AT_HWCAP2, bit(17)},
    {"mte", AT_HWCAP2, bit(18)},
    {"sme", AT_HWCAP2, bit(23)},
};

bool hasCpuFeature(const char *name) {
  for (const Feature &feature : kFeatures)
    if (!strcmp(feature.name, name))
      return (getauxval(feature.source) & feature.bits) == feature.bits;
  return false;
}

#else

uint16_t hostMachine() {
  return EM_NONE;
}
bool hasCpuFeature(const char *) {
  return false;
}

#endif

} // namespace tamis::runtime

int32_t tamis_cpu_has_feature(const char *name) {
  return name && tamis::runtime::hasCpuFeature(name);
}
