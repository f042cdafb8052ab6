# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans for GPUs through the command line, run on the emulated device."""

import json
import unittest

from command import CommandTest

PATTERNS = ["window(size=5, sinks=1)", "local_global(block=16)", "top_k(k=8)", "block_top_k(k=2, block=8)",
            "page_bounds(k=3, page=4)"]
SIZES = [(1, 1), (1, 16), (2, 19), (3, 64)]


class Gpu(CommandTest):
    def test_computes_what_the_model_says(self):
        """Operands of matrix products are rounded to f16; findings of the emulator are failures."""
        model = self.small_model()
        self.tamis("compile", model, "-o", "gpu.plan", "--target=x86-64-v3,cuda:sm_80")
        for batch, sequence in SIZES:
            sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
            said = self.tamis("verify", "gpu.plan", model, "--device=emulated", "--tolerance=5e-3", *sizes)
            self.assertEqual(said.stderr, "")
            self.tamis("verify", "gpu.plan", model, *sizes)

    def test_reads_what_patterns_select(self):
        """What is selected is computed in f32, of operands that linears of f16 made: near ties may fall otherwise."""
        model = self.small_model()
        for pattern in PATTERNS:
            with self.subTest(pattern=pattern):
                self.tamis("compile", model, "-o", "sparse.plan", "--target=cuda:sm_80", f"--attention={pattern}")
                for batch, sequence in SIZES:
                    sizes = [f"--dim=batch={batch}", f"--dim=sequence={sequence}"]
                    said = self.tamis("verify", "sparse.plan", model, "--device=emulated", "--tolerance=5e-3",
                                      f"--attention={pattern}", *sizes)
                    self.assertEqual(said.stderr, "")

    def test_one_plan_for_both(self):
        model = self.small_model()
        self.tamis("compile", model, "-o", "cpu.plan", "--target=x86-64-v3")
        self.tamis("compile", model, "-o", "gpu.plan", "--target=cuda:sm_80,sm_86")
        self.tamis("compile", model, "-o", "both.plan", "--target=cuda:sm_80,x86-64-v3")
        both = json.loads(self.tamis("inspect", "both.plan", "--json").stdout)
        self.assertEqual([s["name"] for s in both["sections"]], ["x86-64-v3", "sm_80", "weights"])
        self.assertEqual([s["in_use"] for s in both["sections"]], [True, False, True])
        cpu = json.loads(self.tamis("inspect", "cpu.plan", "--json").stdout)
        self.assertEqual(both["dispatches"], cpu["dispatches"])
        gpu = json.loads(self.tamis("inspect", "both.plan", "--level=sm_80", "--json").stdout)
        self.assertEqual([d["sources"] for d in gpu["dispatches"]], [d["sources"] for d in cpu["dispatches"]])
        for dispatch in gpu["dispatches"]:
            self.assertGreaterEqual(dispatch["group_threads"], 32)
        # Without code for the CPU it can be asked, and not run there.
        alone = json.loads(self.tamis("inspect", "gpu.plan", "--json").stdout)
        self.assertEqual([s["name"] for s in alone["sections"]], ["sm_80", "sm_86", "weights"])
        self.assertIn("'sm_80' is for an NVIDIA GPU", self.fails("run", "gpu.plan", "--input=ids=1x3xi64=1"))
        ptx = self.tamis("inspect", "gpu.plan", "--code=sm_86").stdout
        self.assertIn(".target sm_86", ptx)
        self.assertTrue(ptx.endswith("\n"))

    def test_wrong_targets(self):
        message = self.fails("compile", self.small_model(), "-o", "x.plan", "--target=cuda:sm_12")
        self.assertIn("unknown gpu target 'cuda:sm_12'; known are sm_80", message)


if __name__ == "__main__":
    unittest.main()
