# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs plans for GPUs on the emulated device and compares what they give. Runs in the benchmark environment.

    python -m benchmarks.gpu_accuracy REQUEST

REQUEST is a JSON file: {"tamis": its path, "target": "sm_80", "folder": for files, "batches": [..], "lengths": [..],
"plans": [{"name": ..., "plan": ..., "judge": ONNX file or null: the plan's own code for the CPU}]}. Prints one JSON
object a case.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

from benchmarks.accuracy import make_feeds, session


def relative_difference(ours, judge, mask):
    """||ours - judge|| / ||judge|| over what is not padding. Outputs of [batch, length, ...] have padding."""
    if ours.shape != judge.shape or ours.dtype != judge.dtype:
        raise ValueError(f"{ours.dtype}{list(ours.shape)} where {judge.dtype}{list(judge.shape)} is wanted")
    if judge.shape[:2] == mask.shape:
        ours, judge = ours[mask > 0], judge[mask > 0]
    ours, judge = ours.astype(np.float64), judge.astype(np.float64)
    length, difference = np.linalg.norm(judge), np.linalg.norm(ours - judge)
    return float("inf") if np.isnan(difference) else float(difference / length if length else difference)


def inputs_of(request, plan):
    done = subprocess.run([request["tamis"], "inspect", plan, "--json"], capture_output=True, text=True, check=True)
    return [each["name"] for each in json.loads(done.stdout)["inputs"]]


def run_plan(request, plan, feeds, device):
    """The plan's outputs by name. Whatever the interpreter reports is an error."""
    folder = pathlib.Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.npz"
    words = [request["tamis"], "run", plan, f"--device={device}", f"--output={results}"]
    for name, value in feeds.items():
        np.save(folder / f"{name}.npy", value)
        words.append(f"--input={name}=@{folder / name}.npy")
    variables = {**os.environ, "TAMIS_EMULATED_DEVICE": request["target"]}
    done = subprocess.run(words, capture_output=True, text=True, env=variables)
    if done.returncode or done.stderr:
        raise ValueError(f"on {device}: {(done.stderr or done.stdout).strip()[:500]}")
    return dict(np.load(results))


def compare(request, plan, judge, feeds, mask):
    found = run_plan(request, plan["plan"], feeds, "emulated")
    if judge:
        names = [output.name for output in judge.get_outputs()]
        wanted = dict(zip(names, judge.run(names, {i.name: feeds[i.name] for i in judge.get_inputs()})))
    else:
        wanted = run_plan(request, plan["plan"], feeds, "cpu")
    return max(relative_difference(found[name], wanted[name], mask) for name in wanted)


def main():
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for plan in request["plans"]:
        judge, inputs = session(plan["judge"], 1) if plan["judge"] else None, inputs_of(request, plan["plan"])
        for batch in request["batches"]:
            for length in request["lengths"]:
                case = {"name": plan["name"], "batch": batch, "length": length, "judged": judge is not None}
                feeds = make_feeds(batch, length)
                mask = feeds["attention_mask"]
                try:
                    case["difference"] = compare(request, plan, judge, {name: feeds[name] for name in inputs}, mask)
                except (ValueError, KeyError) as error:
                    case["error"] = str(error)
                print(json.dumps(case), flush=True)


if __name__ == "__main__":
    main()
