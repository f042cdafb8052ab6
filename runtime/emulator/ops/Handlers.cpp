// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which level of handlers this processor runs, and their index by name.

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/ops/RoundedOps.h"
#include <unordered_map>

namespace tamis::emulator {
namespace {

using Index = std::unordered_map<std::string_view, Handler>;

Index makeIndex() {
  Index index;
  auto add = [&](std::initializer_list<HandlerTable> tables) {
    for (const HandlerTable &table : tables)
      for (size_t i = 0; i < table.size; ++i)
        index[table.entries[i].name] = table.entries[i].handler;
  };
#define TAMIS_TABLES(level)                                                                                            \
  {level::integerTable(), level::carryTable(),   level::floatTable(), level::halfTable(),                              \
   level::convertTable(), level::compareTable(), level::matrixTable()}
#if defined(__x86_64__) && defined(TAMIS_EMULATOR_X86_LEVELS)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    add(TAMIS_TABLES(v4));
    return index;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("bmi")) {
    add(TAMIS_TABLES(v3));
    return index;
  }
#endif
  add(TAMIS_TABLES(baseline));
  return index;
}

} // namespace

Handler findHandler(std::string_view name) {
  static const Index index = makeIndex();
  auto found = index.find(name);
  return found != index.end() ? found->second : findRoundedHandler(name);
}

} // namespace tamis::emulator
