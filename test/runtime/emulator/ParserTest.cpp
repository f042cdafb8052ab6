// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is no PTX, or none that the interpreter knows, is refused with its line; what compilers write around it is not.

#include "test/runtime/emulator/EmulatorFixture.h"

namespace tamis::emulator {
namespace {

std::vector<ParseError> errorsOf(const std::string &text) {
  Memory memory(1 << 24);
  ParseResult result = parseModule(text, memory);
  EXPECT_EQ(result.module == nullptr, !result.errors.empty());
  return result.errors;
}

void expectError(const std::string &body, const std::string &message) {
  std::vector<ParseError> errors = errorsOf(smallKernel(body));
  ASSERT_FALSE(errors.empty()) << body;
  EXPECT_NE(errors[0].message.find(message), std::string::npos) << errors[0].message;
  EXPECT_EQ(errors[0].line, 9u) << errors[0].message;
}

TEST(Parser, EveryUnknownOpcodeIsNamed) {
  std::vector<ParseError> errors =
      errorsOf(smallKernel("frob.u32 %r1, %r2;\nadd.u32 %r1, %r1, 1;\n\nadd.foo.u32 %r1, %r1, 1;\n"
                           "tex.2d.v4.f32.s32 {%f0, %f1, %f2, %f3}, [%rd0, {%r1, %r2}];"));
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].line, 9u);
  EXPECT_NE(errors[0].message.find("frob.u32"), std::string::npos);
  EXPECT_EQ(errors[1].line, 12u);
  EXPECT_NE(errors[1].message.find(".foo"), std::string::npos);
  EXPECT_EQ(errors[2].line, 13u);
}

TEST(Parser, WhatIsWrongIsSaid) {
  expectError("add.u32 %r1, %r2;", "2 operands, wanted 3");
  expectError("add.u32 %r1, %rd0, 1;", "has 64 bits, wanted 32");
  expectError("add.u32 %r1, %r99, 1;", "neither a register that was declared");
  expectError("bra NOWHERE;", "label 'NOWHERE' is not defined");
  expectError("add.u32 %r1 %r2, 1;", "found '%r2', wanted ','");
  expectError("@%r1 mov.u32 %r1, 0;", "predicate");
  expectError("call.uni absent, ();", "does not define");
  expectError("cp.async.cg.shared.global [%r1], [%rd0], 8;", "wanted 16");
  expectError("ld.global.v2.u32 {%r1, %r2, %r3}, [%rd0];", "wanted 2");
  expectError("ld.param.u64 %rd1, [n];", "past the parameters");
}

TEST(Parser, TextThatIsNoPtx) {
  EXPECT_FALSE(errorsOf("").empty());
  EXPECT_FALSE(errorsOf("hello").empty());
  EXPECT_FALSE(errorsOf(std::string("\x7f"
                                    "ELF\0\1\2",
                                    7))
                   .empty());
  // Cut anywhere, the text is refused or understood, and nothing worse.
  std::string whole =
      smallKernel("{ .reg .b32 t; add.u32 t, %r1, 1; }\n@%p0 bra END;\nmov.b64 %rd1, {%r1, %r1};\nEND:");
  for (size_t size = 0; size < whole.size(); ++size)
    errorsOf(whole.substr(0, size));
}

TEST(Parser, WhatCompilersWriteAround) {
  std::string text = R"(
// a comment
.version 8.4
.target sm_90a, debug
.address_size 64
	.file	1 "/usr/src/kernel.cu"
.extern .shared .align 16 .b8 dynamic[];
.global .align 4 .u32 counts[3] = {1, 0x2, 3};
.global .align 8 .u64 pointers[2] = {counts, generic(counts)+4};
.visible .func (.param .b32 r) unused(.param .b32 a);
.visible .entry first(
	.param .u64 .ptr .global .align 16 first_param_0,
	.param .align 8 .b8 first_param_1[24],
	.param .f32 first_param_2
)
.maxntid 128, 1, 1
.minnctapersm 2
{
	.reg .pred 	%p<2>;
	.reg .b32 	%r<4>;
	.reg .b64 	%SPL, %rd<4>;
	.loc	1 12 3, function_name $L__info, inlined_at 1 40 5
	ld.param.u64 	%rd1, [first_param_0];
	ld.param.u32 	%r1, [first_param_1+4]; /* in the middle */
	.pragma "nounroll";
	{ .reg .b32 %r1; mov.u32 %r1, 1; }
	ret;
	$L__end:
}
	.section	.debug_str
	{
$L__info:
.b8 97,98
	}
)";
  Memory memory(1 << 24);
  ParseResult result = parseModule(text, memory);
  for (const ParseError &error : result.errors)
    ADD_FAILURE() << error.line << ": " << error.message;
  ASSERT_TRUE(result.module);
  EXPECT_EQ(result.module->version(), 84u);
  EXPECT_EQ(result.module->target(), "sm_90a");
  const EntryInfo *entry = result.module->entry("first");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->maxThreads, 128u);
  ASSERT_EQ(entry->parameters.size(), 3u);
  EXPECT_TRUE(entry->parameters[0].isPointer);
  EXPECT_EQ(entry->parameters[2].offset, 32u);
  EXPECT_EQ(entry->parameterBytes, 36u);
  ASSERT_EQ(result.module->variables().size(), 2u);
  uint64_t pointers[2];
  ASSERT_TRUE(memory.copyOut(pointers, result.module->variables()[1].address, 16));
  EXPECT_EQ(pointers[0], result.module->variables()[0].address);
  EXPECT_EQ(pointers[1], pointers[0] + 4);
}

TEST(Memory, CopiesStayInsideAllocations) {
  Memory memory(1 << 20);
  uint64_t a = memory.allocate(100);
  ASSERT_NE(a, 0u);
  EXPECT_EQ(a % 256, 0u);
  char bytes[101] = {};
  EXPECT_TRUE(memory.copyIn(a, bytes, 100));
  EXPECT_FALSE(memory.copyIn(a, bytes, 101));
  EXPECT_FALSE(memory.copyOut(bytes, a + 1, 100));
  EXPECT_TRUE(memory.isWritten(a, 100));
  EXPECT_TRUE(memory.forget(a + 4, 4));
  EXPECT_FALSE(memory.isWritten(a, 100));
  EXPECT_TRUE(memory.fill(a, 0x01020304, 4, 25));
  EXPECT_FALSE(memory.fill(a, 0, 4, 26));
  EXPECT_TRUE(memory.isWritten(a, 100));
  EXPECT_EQ(memory.allocate(1 << 20), 0u);
  EXPECT_EQ(memory.find(a + 99).address, a);
  EXPECT_EQ(memory.find(a + 100).bytes, 0u);
  EXPECT_FALSE(memory.free(a + 1));
  EXPECT_TRUE(memory.free(a));
  EXPECT_FALSE(memory.free(a));
  EXPECT_EQ(memory.used(), 0u);
}

} // namespace
} // namespace tamis::emulator
