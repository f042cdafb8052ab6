# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables on the terminal and the same figures as JSON lines in a file. Standard library only."""

import json
import time


class Results:
    """Appends one JSON object a line to results/COMMAND.jsonl; each carries the run it belongs to."""

    def __init__(self, environment, command):
        self.path = environment.results / f"{command}.jsonl"
        self.run = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def add(self, kind, **figures):
        with open(self.path, "a") as file:
            file.write(json.dumps({"run": self.run, "kind": kind, **figures}) + "\n")


def table(head, rows):
    """Prints rows under their heads; the first column to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for number, row in enumerate(cells):
        text = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(text).rstrip(), flush=True)
        if number == 0:
            print("  ".join("-" * width for width in widths), flush=True)


class Verdicts:
    """Collects what must hold; prints each as PASS or FAIL with the figure and its bound."""

    def __init__(self, results):
        self.results = results
        self.failed = 0

    def judge(self, what, holds, found, wanted):
        self.failed += not holds
        self.results.add("verdict", what=what, passed=bool(holds), found=found, wanted=wanted)
        print(f"{'PASS' if holds else 'FAIL'}  {what}: {found} (wanted {wanted})", flush=True)

    def exit_status(self):
        return 1 if self.failed else 0
