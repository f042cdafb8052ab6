// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Optional values and sequences of one tensor are that tensor; sequences of more are refused.
#include "test/import/ImportFixture.h"

using namespace tamis;
using OnnxSequences = ImportFixture;
using testing::HasSubstr;

namespace {

TEST_F(OnnxSequences, OptionalInputsAreGiven) {
  load("g (optional(float[3]) x) => (float[3] y) { e = OptionalGetElement(x) y = Neg(e) }", 18);
  expectTensor(run({floats({3}, {1, 2, -3})}), {3}, {-1, -2, 3});
  load("g (optional(float[3]) x) => (bool y) { y = OptionalHasElement(x) }", 18);
  expectTensor(run({floats({3}, {1, 2, -3})}), {}, {1});
  load("g (float[2] x) => (bool y) { y = OptionalHasElement() }", 18);
  expectTensor(run({floats({2}, {1, 2})}), {}, {0});
}

TEST_F(OnnxSequences, SequencesHoldOneTensor) {
  load("g (seq(float[2]) x) => (float[1, 2] y) { y = ConcatFromSequence<axis = 0, new_axis = 1>(x) }");
  expectTensor(run({floats({2}, {5, 6})}), {1, 2}, {5, 6});
  load("g (seq(float[2]) x) => (float[2] y) { n = Constant<value_int = -1>() y = SequenceAt(x, n) }");
  expectTensor(run({floats({2}, {5, 6})}), {2}, {5, 6});
  load("g (float[2] x) => (int64 y) { s = SequenceConstruct(x) y = SequenceLength(s) }");
  expectTensor(run({floats({2}, {5, 6})}), {}, {1});
}

TEST_F(OnnxSequences, LongerOnesAreRefused) {
  EXPECT_THAT(errorOf("g (float[2] x) => (float[4] y) { s = SequenceConstruct(x, x) "
                      "y = ConcatFromSequence<axis = 0>(s) }"),
              HasSubstr("it holds 2 values; supported where there is one tensor"));
  EXPECT_THAT(errorOf("g (seq(float[2]) x) => (float[2] y) { n = Constant<value_int = 1>() y = SequenceAt(x, n) }"),
              HasSubstr("position 1 is outside of a sequence of one tensor"));
}

} // namespace
