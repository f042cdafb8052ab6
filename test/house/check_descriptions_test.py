# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plants each kind of omission in a small dialect and list of passes and expects check_descriptions.py to name it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT, TBLGEN, INCLUDES = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]
del sys.argv[1:]

OPS = '''
include "mlir/IR/OpBase.td"
def Toy_Dialect : Dialect { let name = "toy"; let cppNamespace = "::toy"; }
def Toy_NegOp : Op<Toy_Dialect, "neg"> {
  let summary = "the negative";
  let description = [{
    - (C1) the operand is a number.
    ```mlir
    %y = toy.neg %x   // minus
    ```
  }];
}
'''
PASSES = '''
include "mlir/Pass/PassBase.td"
def FoldNeg : Pass<"toy-fold-neg"> {
  let summary = "fold";
  let description = [{
    ```mlir
    toy.neg
    ```
  }];
}
'''
TEST = "// RUN: tamis-opt %s -toy-fold-neg\nfunc.func @neg(%x: i32) {\n  // CHECK\n  %y = toy.neg  %x\n}\n"
INVALID = "func.func @neg_c1() {}\n"


class CheckDescriptions(unittest.TestCase):
    def check(self, ops=OPS, passes=PASSES, test=TEST, invalid=INVALID):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [("dialects/toy/ToyOps.td", ops), ("passes/graph/Passes.td", passes),
                               ("test/dialects/toy/ops.mlir", test), ("test/dialects/toy/invalid.mlir", invalid)]:
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, folder, TBLGEN, *INCLUDES], capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            return done.stdout.splitlines()[:-1], done.returncode

    def expect(self, problem, **changes):
        self.assertEqual(self.check(**changes), ([problem], 1))

    def test_complete(self):
        self.assertEqual(self.check(), ([], 0))

    def test_op_without_summary(self):
        self.expect("toy.neg has no summary", ops=OPS.replace("the negative", " "))

    def test_op_without_example(self):
        self.expect("toy.neg has no example", ops=OPS.replace("```mlir", "```"))

    def test_op_without_description(self):
        self.expect("toy.neg has no description", ops=OPS[:OPS.index("  let description")] + "}\n")

    def test_example_that_no_test_holds(self):
        problem = "the example of toy.neg is in no test of test/dialects/toy"
        self.expect(problem, ops=OPS.replace("toy.neg %x", "toy.neg %z"))
        self.expect(problem, test=TEST.replace("%y", "// %y"))

    def test_constraint_without_case(self):
        self.expect("constraint C1 of toy.neg has no case @neg_c1 in test/dialects/toy",
                    invalid="func.func @neg_c10() {}\n")

    def test_constraint_of_attribute_or_type_without_case(self):
        for kind in ["Attr", "Type"]:
            definition = f'''include "mlir/IR/AttrTypeBase.td"
def Toy_Size : {kind}Def<Toy_Dialect, "Size"> {{ let mnemonic = "size"; let description = "- (C2) positive."; }}
'''
            self.expect("constraint C2 of toy.size has no case @size_c2 in test/dialects/toy", ops=OPS + definition)
            self.assertEqual(self.check(ops=OPS + definition, invalid=INVALID + "// @size_c2\n"), ([], 0))

    def test_pass_without_description(self):
        self.expect("toy-fold-neg has no description", passes=PASSES[:PASSES.index("  let description")] + "}\n")

    def test_pass_without_example(self):
        self.expect("toy-fold-neg has no example", passes=PASSES.replace("```mlir", "```"))

    def test_pass_that_no_test_runs(self):
        self.expect("no lit test runs toy-fold-neg", test=TEST.replace("-toy-fold-neg", "-toy-fold-negative"))


if __name__ == "__main__":
    unittest.main()
