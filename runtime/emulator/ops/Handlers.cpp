// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which level of handlers this processor runs, and their index by name.

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/ops/RoundedOps.h"
#include <array>
#include <unordered_map>

namespace tamis::emulator {
namespace {

using Index = std::unordered_map<std::string_view, Handler>;

enum class Level { Baseline, V3, V4 };

Level bestLevel() {
#if defined(__x86_64__) && defined(TAMIS_EMULATOR_X86_LEVELS)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return Level::V4;
  // Every processor with these has F16C, MOVBE and LZCNT, too.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("bmi"))
    return Level::V3;
#endif
  return Level::Baseline;
}

#if defined(__x86_64__) && defined(TAMIS_EMULATOR_X86_LEVELS)
#define TAMIS_BY_LEVEL(use) (bestLevel() == Level::V4 ? use(v4) : bestLevel() == Level::V3 ? use(v3) : use(baseline))
#else
#define TAMIS_BY_LEVEL(use) use(baseline)
#endif
#define TAMIS_TABLES(level)                                                                                            \
  std::array<HandlerTable, 7> {                                                                                        \
    level::integerTable(), level::carryTable(), level::floatTable(), level::halfTable(), level::convertTable(),        \
        level::compareTable(), level::matrixTable()                                                                    \
  }
#define TAMIS_KERNELS(level) level::addressKernels()

Index makeIndex() {
  Index index;
  for (const HandlerTable &table : TAMIS_BY_LEVEL(TAMIS_TABLES))
    for (size_t i = 0; i < table.size; ++i)
      index[table.entries[i].name] = table.entries[i].handler;
  return index;
}

} // namespace

const AddressKernels addressKernels = TAMIS_BY_LEVEL(TAMIS_KERNELS);

Handler findHandler(std::string_view name) {
  static const Index index = makeIndex();
  auto found = index.find(name);
  return found != index.end() ? found->second : findRoundedHandler(name);
}

} // namespace tamis::emulator
