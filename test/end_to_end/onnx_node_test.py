# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The onnx project's tests of the ops that transformers use, and every eighth of its other tests, through a compiled plan.
`scripts/bench conformance` runs all of them."""

import argparse
import sys

import onnx_nodes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--part", type=int, required=True, help="which part of the tests")
    parser.add_argument("--parts", type=int, required=True)
    arguments = parser.parse_args()
    failing = onnx_nodes.failing()
    known = [name for name in onnx_nodes.names() if name not in failing]
    transformer = [name for name in known if onnx_nodes.TRANSFORMER.match(name)]
    others = [name for name in known if not onnx_nodes.TRANSFORMER.match(name)][::8]
    if len(transformer) < 239:
        sys.exit(f"error: only {len(transformer)} tests of transformers are expected to pass, 239 are wanted")
    which = (transformer + others)[arguments.part :: arguments.parts]
    bad = [outcome for outcome in onnx_nodes.run_all(arguments.tamis, which, 1) if not outcome.passed]
    for outcome in bad:
        print(f"{outcome.name}: {outcome.detail}", file=sys.stderr)
    print(f"{len(which) - len(bad)} of {len(which)} pass")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
