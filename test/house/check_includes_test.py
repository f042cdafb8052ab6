# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plants each kind of violation in a tree of its own and expects scripts/check-includes to find exactly that one."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(sys.argv.pop(1)).resolve()
LICENCE = "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"


class CheckIncludes(unittest.TestCase):
    def check(self, **files):
        """Output lines but the last, and the exit code, for a tree of these files: `__` for `/`, `_h` for `.h`."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                stem, suffix = name.replace("__", "/").rsplit("_", 1)
                path = pathlib.Path(folder, stem + "." + suffix)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            return done.stdout.splitlines()[:-1], done.returncode

    def expect_clean(self, **files):
        self.assertEqual(self.check(**files), ([], 0))

    def expect_one(self, message, **files):
        lines, code = self.check(**files)
        self.assertEqual((len(lines), code), (1, 1), lines)
        self.assertIn(message, lines[0])

    def test_clean(self):
        self.expect_clean(
            passes__graph__A_cpp=LICENCE + '#include "passes/graph/Passes.h"\n#include "lib/support/DimExpr.h"\n'
            '#include "dialects/model/ModelDialect.h"\n#include "mlir/Pass/Pass.h"\n#include <vector>\n',
            runtime__plan__Plan_cpp=LICENCE + '#include "tamis/tamis.h"\n#include <sys/mman.h>\n'
            '#include <flatbuffers/flatbuffers.h>\n',
            include__tamis__tamis_h=LICENCE + "#include <stdint.h>\n",
            include__tamis__tamis_hpp=LICENCE + '#include "tamis/tamis.h"\n#include <string>\n',
            codegen__plan__Writer_cpp=LICENCE + '#include "runtime/plan/Plan_generated.h"\n',
            lib__driver__Pipeline_cpp=LICENCE + '#include "passes/graph/Passes.h"\n#include "codegen/cpu/Cpu.h"\n',
            scripts__demo_py="#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n")

    def test_empty_tree(self):
        self.assertEqual(self.check(), ([], 1))

    def test_includes(self):
        for path, target in [
            ("include__tamis__tamis_h", "llvm/ADT/ArrayRef.h"),
            ("include__tamis__tamis_h", "runtime/status/Status.h"),
            ("runtime__plan__Plan_cpp", "llvm/ADT/ArrayRef.h"),
            ("runtime__plan__Plan_cpp", "lib/support/DimExpr.h"),
            ("lib__support__A_cpp", "dialects/model/ModelDialect.h"),
            ("dialects__plan__A_cpp", "dialects/model/ModelDialect.h"),
            ("dialects__model__A_cpp", "passes/graph/Passes.h"),
            ("lib__import__A_cpp", "lib/reference/Evaluator.h"),
            ("lib__reference__A_cpp", "passes/graph/Passes.h"),
            ("passes__graph__A_cpp", "passes/precision/Passes.h"),
            ("passes__graph__A_cpp", "codegen/tile/Passes.h"),
            ("codegen__tile__A_cpp", "codegen/cpu/Cpu.h"),
            ("codegen__cpu__A_cpp", "codegen/nvptx/Nvptx.h"),
            ("codegen__cpu__A_cpp", "passes/graph/Passes.h"),
            ("codegen__plan__A_cpp", "runtime/plan/PlanReader.h"),
            ("tools__tamis__A_cpp", "passes/graph/Passes.h"),
            ("tools__tamis-run__A_cpp", "lib/driver/Pipeline.h"),
            ("runtime__kernels__A_cpp", "cblas.h"),
        ]:
            with self.subTest(path=path, target=target):
                self.expect_one("may", **{path: LICENCE + f'#include "{target}"\n'})

    def test_library_in_brackets(self):
        self.expect_one("runtime may not include mlir/IR/Types.h",
                        runtime__plan__Plan_cpp=LICENCE + "#  include <mlir/IR/Types.h>\n")

    def test_public_header_beyond_the_standard_library(self):
        self.expect_one("standard library only", include__tamis__tamis_h=LICENCE + "#include <sys/mman.h>\n")

    def test_not_from_the_root(self):
        self.expect_one('"Passes.h" is not named from the root', passes__graph__A_cpp=LICENCE + '#include "Passes.h"\n')

    def test_length(self):
        self.expect_clean(lib__support__A_cpp=LICENCE * 600)
        self.expect_one("601 lines", lib__support__A_cpp=LICENCE * 601)
        self.expect_one("601 lines", test__a_mlir="\n" * 601)

    def test_licence(self):
        self.expect_one("A.cpp:1: the licence line is missing", lib__support__A_cpp="// A file.\n" + LICENCE)
        self.expect_one("A.td:1: the licence line is missing", dialects__model__A_td="")
        self.expect_one("a.sh:2: the licence line is missing", scripts__a_sh="#!/bin/sh\necho\n")

    def test_names(self):
        for path in ["lib__Utils__A_cpp", "lib__support__StringUtils_cpp", "lib__common__A_cpp",
                     "lib__support__Helpers_cpp"]:
            with self.subTest(path=path):
                self.expect_one("says nothing", **{path: LICENCE})

    def test_machine_paths(self):
        for text in ["/home/" + "ada/tamis", "-I/" + "tmp/x", '"/' + 'root/.cache"', "/Users/" + "ada"]:
            with self.subTest(text=text):
                self.expect_one("names a path of a machine", docs__a_md="see " + text + "\n")
        self.expect_clean(docs__a_md="/usr/lib/llvm-22 $HOME/home/x %t/tmp/x ../root/x a/tmp/b /tmp/perf-1.map\n")


if __name__ == "__main__":
    unittest.main()
