// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs PTX texts in tests: buffers and numbers in, a report and the buffers' bytes out.

#ifndef TAMIS_TEST_RUNTIME_EMULATOR_EMULATORFIXTURE_H
#define TAMIS_TEST_RUNTIME_EMULATOR_EMULATORFIXTURE_H

#include "runtime/emulator/Emulator.h"
#include <cstring>
#include <gtest/gtest.h>

namespace tamis::emulator {

class KernelRun {
public:
  LaunchShape shape;
  Options options;
  Report report;

  KernelRun() { options.threads = 1; }

  template <typename T> uint64_t addBuffer(const std::vector<T> &values) {
    uint64_t address = memory.allocate(std::max<size_t>(values.size() * sizeof(T), 1));
    if (!values.empty())
      memory.copyIn(address, values.data(), values.size() * sizeof(T));
    add(address);
    return address;
  }
  /// Never written.
  uint64_t addOutput(size_t bytes) {
    uint64_t address = memory.allocate(std::max<size_t>(bytes, 1));
    add(address);
    return address;
  }
  template <typename T> void add(T value) {
    size_t at = (params.size() + sizeof value - 1) / sizeof value * sizeof value;
    params.resize(at + sizeof value);
    memcpy(&params[at], &value, sizeof value);
  }
  template <typename T> std::vector<T> read(uint64_t address, size_t count) {
    std::vector<T> values(count);
    EXPECT_TRUE(memory.copyOut(values.data(), address, count * sizeof(T)));
    return values;
  }

  /// Runs the first entry; a text that does not parse is a failure.
  const Report &run(const std::string &text) {
    ParseResult parsed = parseModule(text, memory);
    for (const ParseError &error : parsed.errors)
      ADD_FAILURE() << error.line << ": " << error.message;
    if (parsed.module)
      report = launch(*parsed.module, parsed.module->entries()[0].name, shape, params.data(), params.size(), options);
    return report;
  }

  bool has(DiagnosticKind kind) const { return find(kind) != nullptr; }
  const Diagnostic *find(DiagnosticKind kind) const {
    for (const Diagnostic &each : report.diagnostics)
      if (each.kind == kind)
        return &each;
    return nullptr;
  }
  std::string all() const {
    std::string text;
    for (const Diagnostic &each : report.diagnostics)
      text += each.text() + "\n";
    return text;
  }

  Memory memory{uint64_t(1) << 30};
  std::vector<uint8_t> params;
};

/// A kernel over one buffer `a` and one number `n`: `body` finds their values in %rd0 and %r0, the thread in %r1.
inline std::string smallKernel(const std::string &body, const std::string &declarations = "") {
  return ".version 8.0\n.target sm_80\n.address_size 64\n" + declarations +
         "\n.visible .entry k(.param .u64 .ptr .global .align 16 a, .param .u32 n)\n{\n"
         ".reg .pred %p<8>; .reg .b16 %rs<8>; .reg .b32 %r<40>; .reg .b64 %rd<16>; .reg .f32 %f<16>;\n"
         "ld.param.u64 %rd0, [a]; ld.param.u32 %r0, [n]; mov.u32 %r1, %tid.x;\n" +
         body + "\nret;\n}\n";
}

/// `text` with the `occurrence`-th `from` replaced; a failure when there is none.
inline std::string mutated(std::string text, const std::string &from, const std::string &to, int occurrence = 0) {
  size_t at = text.find(from);
  while (occurrence-- > 0 && at != std::string::npos)
    at = text.find(from, at + 1);
  EXPECT_NE(at, std::string::npos) << "nothing to mutate: " << from;
  if (at != std::string::npos)
    text.replace(at, from.size(), to);
  return text;
}

} // namespace tamis::emulator

#endif // TAMIS_TEST_RUNTIME_EMULATOR_EMULATORFIXTURE_H
