# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench conformance`: the onnx project's tests of its ops through compiled CPU plans."""

import collections
import subprocess
import sys

from benchmarks.environment import ROOT, BenchError
from benchmarks.results import Results, Verdicts, table

WANTED, WANTED_TRANSFORMER = 1200, 239


def reexecute(environment):
    """Runs this module in the tests' Python, which has numpy and onnx; gives its exit status."""
    python = ROOT / "build/venv/bin/python"
    if not python.exists():
        raise BenchError("build/venv is missing, which scripts/install-deps makes")
    words = [python, "-m", "benchmarks.conformance", environment.built("bin/tamis"), environment.results]
    return subprocess.run(list(map(str, words)), cwd=ROOT / "scripts").returncode


def run(environment, _arguments):
    environment.require_build()
    return reexecute(environment)


def measure(tamis, results_folder):
    import types

    import onnx
    import onnx_nodes

    results = Results(types.SimpleNamespace(results=results_folder), "conformance")
    verdicts = Verdicts(results)
    names, failing = onnx_nodes.names(), onnx_nodes.failing()
    done = 0

    def tell(_outcome):
        nonlocal done
        done += 1
        if sys.stderr.isatty():
            print(f"\r{done} of {len(names)} tests", end="", file=sys.stderr, flush=True)

    outcomes = onnx_nodes.run_all(tamis, names, 2, tell)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    by_op = collections.defaultdict(lambda: [0, 0])
    for outcome in outcomes:
        counts = by_op[onnx_nodes.op_of(outcome.name)]
        counts[0] += outcome.passed
        counts[1] += 1
        results.add("test", name=outcome.name, passed=outcome.passed, frozen=outcome.frozen, detail=outcome.detail)
    table(["op", "pass", "of"], [[op, *counts] for op, counts in sorted(by_op.items())])
    passed = {outcome.name for outcome in outcomes if outcome.passed}
    frozen = sum(outcome.passed and outcome.frozen for outcome in outcomes)
    reasons = collections.Counter(failing[name] for name in names if name not in passed and name in failing)
    print(f"\nnot passing, by reason, of {len(names)} tests of onnx {onnx.__version__}")
    table(["reason", "tests"], reasons.most_common())
    print()
    for outcome in outcomes:
        if not outcome.passed and outcome.name not in failing:
            print(f"{outcome.name}: {outcome.detail}")
    judge = verdicts.judge
    judge(f"tests through the compiled plan ({frozen} with inputs fixed)", len(passed) >= WANTED, len(passed),
          f"at least {WANTED} of {len(names)}")
    transformer = [name for name in names if onnx_nodes.TRANSFORMER.match(name)]
    found = sum(name in passed for name in transformer)
    judge("tests of transformers' ops", found >= WANTED_TRANSFORMER == len(transformer), found,
          f"all {WANTED_TRANSFORMER}")
    unlisted = [name for name in names if name not in passed and name not in failing]
    judge("tests that fail without a reason listed", not unlisted, len(unlisted), "none")
    listed = sorted(passed & failing.keys())
    judge("tests listed that pass", not listed, ", ".join(listed) or "none", "none")
    return verdicts.exit_status()


if __name__ == "__main__":
    import pathlib

    sys.path.insert(0, str(ROOT / "test/end_to_end"))
    sys.exit(measure(sys.argv[1], pathlib.Path(sys.argv[2])))
