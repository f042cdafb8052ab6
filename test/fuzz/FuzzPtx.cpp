// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX texts, as the interpreter reads them.
#include "runtime/emulator/Emulator.h"
#include "test/fuzz/FuzzTarget.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tamis::emulator::Memory memory(uint64_t(1) << 24);
  tamis::emulator::ParseResult parsed =
      tamis::emulator::parseModule({reinterpret_cast<const char *>(data), size}, memory);
  if (!parsed.module && parsed.errors.empty())
    abort();
  return 0;
}
