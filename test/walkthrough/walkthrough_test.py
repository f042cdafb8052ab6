# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles encoder_layer.mlir and compares what every phase leaves with the golden files beside it, and the excerpts in
docs/walkthrough.md with those files. Then runs the plan and compares its answer with the reference evaluator's.

Golden files hold the program whole. Of kernels, whose loops are unrolled over thousands of lines, they hold the first line,
and the rest of small ones only.

    walkthrough_test.py --tamis FILE [--update]        --update writes the golden files and the page anew
"""

import argparse
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "walkthrough.md"
PHASES = ["import", "graph", "sparsify", "tile", "target", "plan"]
# Kernels that golden files hold whole, at these phases.
WHOLE = {"tile": ["cast_select", "layer_norm"], "target": ["cast_select", "cast_select.body"], "plan": []}
FUNCTION = re.compile(
    r"^(?P<indent> *)(?:func|llvm)\.func [^\n]*?@(?P<name>[\w.]+)\([^\n]*\{\n.*?^(?P=indent)\}\n", re.DOTALL | re.MULTILINE
)
# An excerpt of the page: the phase, and the texts its first and last line contain.
EXCERPT = re.compile(r'(<!-- (\w+) from "(.*?)" to "(.*?)" -->\n```mlir\n).*?(```\n)', re.DOTALL)


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def golden(phase):
    return HERE / f"encoder_layer.{PHASES.index(phase) + 1}.{phase}.mlir"


def digest(phase, text):
    """`text` without the bodies of kernels, but for those that are to be whole."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    if phase not in WHOLE:
        return text
    names = [match["name"] for match in FUNCTION.finditer(text)]
    missing = set(WHOLE[phase]) - set(names)
    if missing:
        raise SystemExit(f"phase {phase} has no kernel {sorted(missing)}; it has {names}")

    def shorten(match):
        if match["name"] in ["main", *WHOLE[phase]]:
            return match[0]
        first, rest = match[0].split("\n", 1)
        return f"{first}\n{match['indent']}  ...\n{match['indent']}}}\n"

    return FUNCTION.sub(shorten, text)


def aliases():
    """The model's own short names of its types, longest type first."""
    text = (HERE / "encoder_layer.mlir").read_text()
    return sorted(re.findall(r"^(!\w+) = (.+)$", text, re.MULTILINE), key=lambda pair: -len(pair[1]))


def excerpt(text, first, last):
    """The lines from the first that contains `first` to the next that contains `last`, types by their short names."""
    lines = text.splitlines()
    try:
        start = next(i for i, line in enumerate(lines) if first in line)
        end = next(i for i, line in enumerate(lines) if i >= start and last in line)
    except StopIteration:
        raise SystemExit(f"{PAGE.name}: no line from '{first}' to '{last}'") from None
    result = "".join(f"{line}\n" for line in lines[start : end + 1])
    for name, type_text in aliases():
        result = result.replace(type_text, name)
    return result


def page(text):
    return EXCERPT.sub(
        lambda match: match[1] + excerpt(golden(match[2]).read_text(), match[3], match[4]) + match[5], text
    )


def differs(name, found, wanted):
    """Whether two texts differ; shows where."""
    names = f"{name}, as kept", f"{name}, as found"
    lines = list(difflib.unified_diff(wanted.splitlines(), found.splitlines(), *names, lineterm=""))
    for line in lines[:80] + ["..."] * (len(lines) > 80):
        print(line)
    return bool(lines)


def check_answer(tamis, model, plan, folder):
    """Whether the plan computes what the model means."""
    random = np.random.default_rng(2)
    feeds = {
        "hidden_states": random.standard_normal((3, 7, 16), np.float32),
        "attention_mask": (np.arange(7) < [[7], [5], [1]]).astype(np.int64),
    }
    options = []
    for name, value in feeds.items():
        np.save(folder / f"{name}.npy", value)
        options += ["--input", f"{name}=@{folder / name}.npy"]
    answers = []
    for source, device in ((plan, "cpu"), (model, "reference")):
        results = folder / f"{device}.npz"
        run(tamis, "run", source, f"--device={device}", *options, "--output", results)
        with np.load(results) as arrays:
            answers.append(arrays["output"])
    gap = np.abs(answers[0] - answers[1]).max()
    print(f"the plan's answer differs from the reference evaluator's by {gap:.1e}")
    return not gap < 1e-5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, plan, phases = folder / "encoder_layer.mlir", folder / "encoder_layer.plan", folder / "phases"
        shutil.copy(HERE / model.name, model)
        run(sys.executable, HERE / "make_weights.py", model.with_suffix(".safetensors"))
        run(arguments.tamis, "compile", model, "-o", plan, "--target=x86-64-v3", f"--dump-phases={phases}")
        found = {phase: digest(phase, (phases / golden(phase).name).read_text()) for phase in PHASES}
        if arguments.update:
            for phase in PHASES:
                golden(phase).write_text(found[phase])
            PAGE.write_text(page(PAGE.read_text()))
            return 0
        changed = [differs(golden(phase).name, found[phase], golden(phase).read_text()) for phase in PHASES]
        changed.append(differs(PAGE.name, page(PAGE.read_text()), PAGE.read_text()))
        if any(changed):
            print("\nif the change is meant, scripts/update-walkthrough writes these files anew")
        return any(changed) or check_answer(arguments.tamis, model, plan, folder)


if __name__ == "__main__":
    sys.exit(main())
