# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench zoo`: small models of many families in torch's spellings: each compiles, gives ONNX Runtime's answer
at three shapes from one plan, and has each of its attentions recognised."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

from benchmarks.environment import BenchError
from benchmarks.results import Results, Verdicts, table

BOUND = 1e-4
JUDGE = "script17"
ATTENTION = re.compile(r"^\s*%\S+ = model\.attention ", re.MULTILINE)


def exports(environment, folder, only):
    """Runs zoo_models.py; gives what it tells of each file."""
    log = environment.work / "logs" / "zoo-export.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command, variables = environment.script("zoo_models", folder, only)
    told = []
    with open(log, "w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
        for line in process.stdout:
            told.append(json.loads(line))
            if sys.stderr.isatty():
                print(f"\r\x1b[K  {len(told)} exported", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    if process.wait():
        raise BenchError(f"zoo_models.py ended with status {process.returncode}: see {log}")
    return told


def first_error(text):
    """What the compiler said first, without the place."""
    for line in text.splitlines():
        if "error: " in line:
            return line.split("error: ", 1)[1]
    return (text.strip().splitlines() or ["no message"])[-1]


def examine(tamis, judge, model, plan):
    """Compiles and compares one model; the cells of its row. Where ONNX Runtime refuses a spelling, it runs another."""
    model = pathlib.Path(model)
    other = model.with_name(f"{model.name.split('.')[0]}.{JUDGE}.onnx")
    with tempfile.TemporaryDirectory() as phases:
        command = [tamis, "compile", model, "-o", plan, "--target=host", f"--dump-phases={phases}"]
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            return {"compiles": False, "message": "took over 600 s"}
        graph = next(pathlib.Path(phases).glob("*.graph.mlir"), None)
        found = {"raised": len(ATTENTION.findall(graph.read_text()))} if graph else {}
    if done.returncode:
        return found | {"compiles": False, "message": first_error(done.stderr)}
    judge.stdin.write(f"{plan} {model} {other}\n" if other.exists() else f"{plan} {model}\n")
    judge.stdin.flush()
    line = judge.stdout.readline()
    if not line:
        raise BenchError(f"zoo_judge.py died on {model}")
    answer = json.loads(line)
    message = f"judged by {JUDGE}: ONNX Runtime refuses it" if "refused" in answer else answer.get("failed", "")
    return found | {"compiles": True, "error": answer.get("error"), "message": message}


def holds(row):
    return row["compiles"] and row["error"] is not None and row["error"] <= BOUND and row["raised"] == row["attentions"]


def run(environment, arguments):
    environment.require_build()
    environment.ensure_peers()
    folder = environment.models / "zoo"
    told = exports(environment, folder, arguments.only)
    if not told:
        raise BenchError(f"no model's name contains '{arguments.only}'")
    results = Results(environment, "zoo")
    tamis = environment.built("bin/tamis")
    command, variables = environment.script("zoo_judge", environment.library)
    with open(environment.work / "logs" / "zoo-judge.log", "w") as errors:
        judge = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables
        )
    rows = []
    for number, one in enumerate(told):
        if sys.stderr.isatty():
            print(f"\r\x1b[K  {number} of {len(told)}: {one['model']}.{one['spelling']}", end="", file=sys.stderr)
        if "error" not in one:
            name = f"{one['model']}.{one['spelling']}"
            one = one | examine(tamis, judge, folder / f"{name}.onnx", environment.plans / f"zoo-{name}.plan")
        else:
            one = one | {"refused": one.pop("error")}
        rows.append(one)
        results.add("model", **one)
    judge.stdin.close()
    judge.wait()
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)

    def cells(row):
        if "refused" in row:
            return [row["model"], row["spelling"], "not exported", "", "", row["refused"]]
        error = row.get("error")
        return [
            row["model"], row["spelling"], "yes" if row["compiles"] else "no", "" if error is None else f"{error:.1e}",
            f"{row.get('raised', '-')}/{row['attentions']}", row["message"],
        ]  # fmt: skip

    table(["model", "spelling", "compiles", "worst error", "attention", "message"], map(cells, rows))
    print()
    verdicts = Verdicts(results)
    ours = [row for row in rows if "refused" not in row]
    refused = len(rows) - len(ours)
    if refused:
        print(f"note  torch does not export {refused} of {len(rows)}")
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in ours if row["model"] == model]
        good = sum(map(holds, mine))
        verdicts.judge(model, good == len(mine) and len(mine) >= 2, f"{good} of {len(mine)} spellings",
                       "all of at least two")  # fmt: skip
    return verdicts.exit_status()
