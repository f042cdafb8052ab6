# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mistakes in our kernels for sm_90a: whatever holds warp groups, copies and registers together is taken away, one place at a
time, and reported."""

import unittest

import mutations_test
from mutations_test import RULES

ORDER = ("barrier dropped", "proxy fence dropped", "register fence dropped", "commit dropped", "product wait dropped")
WRITES = tuple(rule for rule in ORDER if rule != "register fence dropped")
COPIES = (*ORDER, "wait weakened", "wait dropped")
MISUSE = "asynchronous misuse"


class WarpGroupMutations(mutations_test.Mutations):
    target = "sm_90a"
    rules = [
        *(rule for rule in RULES if rule[0] in COPIES),
        ("proxy fence dropped", r"fence\.proxy\.async\.shared::cta;", "", MISUSE),
        ("register fence dropped", r"wgmma\.fence\.sync\.aligned;", "", MISUSE),
        ("commit dropped", r"wgmma\.commit_group\.sync\.aligned;", "", ""),  # a race, too
        ("product wait dropped", r"wgmma\.wait_group\.sync\.aligned 0;", "", ""),
    ]
    # Long ones: what is unrolled may lack most waits, for nothing is copied any more.
    depths = {"gemm": (2056, "f2"), "gemm_whole": (2048, "f2"), "gemm_f32": (1000, "f4")}
    excluded = [
        (("gemm_f32",), "register", r">wgmma", "the last product, behind the loop, goes on with sums that nobody wrote"),
        (("gemm", "gemm_whole"), "^wait", r">.*wait_group 0;", "the last one: nothing is read any more"),
        (("attention", "blocks"), "proxy", r">fence\.proxy.*\nbar\.sync.*\nand\.b32 .*, 15;",
         "queries are read by ldmatrix; a fence follows before the first product"),
    ]
    wanted_rules = {"gemm": COPIES, "gemm_whole": COPIES, "gemm_f32": WRITES, "attention": COPIES, "blocks": COPIES}
    test_no_swizzle_at_all = None  # wgmma reads swizzled rows by itself


# What was imported runs in its own file.
del mutations_test

if __name__ == "__main__":
    unittest.main()
