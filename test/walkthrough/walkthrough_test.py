# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a small model and compares what every phase leaves with the golden files beside this one, and the excerpts in a
page of the docs with those files. Then runs the plan and compares its answer with the reference evaluator's.

Golden files hold the program whole. Of kernels, whose loops are unrolled over thousands of lines, they hold the first line,
and the rest of small ones only.

    walkthrough_test.py WALK --tamis FILE [--update]        WALK: encoder_layer or local_global; --update writes the golden
                                                            files and the page anew
"""

import argparse
import dataclasses
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs"
PHASES = ["import", "graph", "sparsify", "tile", "target", "plan"]


@dataclasses.dataclass(frozen=True)
class Walk:
    """A model, how it is compiled, and what is shown of it."""

    source: str  # the model beside this file, or what the script makes
    script: str  # writes what the source lacks: weights beside it, or all of it
    page: str
    whole: dict  # phase -> kernels that golden files hold whole
    loops: dict = dataclasses.field(default_factory=dict)  # phase -> {kernel: text in the innermost loop that they hold}
    options: tuple = ()
    feeds: dict = dataclasses.field(default_factory=dict)  # input -> function of a random generator

    @property
    def name(self):
        return self.source.rsplit(".", 1)[0]


WALKS = [
    Walk(
        source="encoder_layer.mlir",
        script="make_weights.py",
        page="walkthrough.md",
        whole={"tile": ["cast_select", "layer_norm"], "target": ["cast_select", "cast_select.body"], "plan": []},
        feeds={
            "hidden_states": lambda random: random.standard_normal((3, 7, 16), np.float32),
            "attention_mask": lambda random: (np.arange(7) < [[7], [5], [1]]).astype(np.int64),
        },
    ),
    Walk(
        source="local_global.onnx",
        script="make_local_global.py",
        page="walkthrough-sparse.md",
        whole={"tile": [], "target": [], "plan": []},
        loops={"tile": {"summarize_score_select": "vector.fma"}},
        options=("--attention=local_global(block=16)",),
        feeds={name: lambda random: random.standard_normal((2, 50, 16), np.float32) for name in ("q", "k", "v")},
    ),
]
FUNCTION = re.compile(
    r"^(?P<indent> *)(?:func|llvm)\.func [^\n]*?@(?P<name>[\w.]+)\([^\n]*\{\n.*?^(?P=indent)\}\n", re.DOTALL | re.MULTILINE
)
# An excerpt of the page: the phase, and the texts its first and last line contain.
EXCERPT = re.compile(r'(<!-- (\w+) from "(.*?)" to "(.*?)" -->\n```mlir\n).*?(```\n)', re.DOTALL)


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def golden(walk, phase):
    return HERE / f"{walk.name}.{PHASES.index(phase) + 1}.{phase}.mlir"


def digest(walk, phase, text):
    """`text` without the bodies of kernels, but for those that are to be whole."""
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    if phase not in walk.whole:
        return text
    names = [match["name"] for match in FUNCTION.finditer(text)]
    missing = set(walk.whole[phase]) - set(names)
    if missing:
        raise SystemExit(f"phase {phase} has no kernel {sorted(missing)}; it has {names}")

    def shorten(match):
        if match["name"] in ["main", *walk.whole[phase]]:
            return match[0]
        first, rest = match[0].split("\n", 1)
        wanted, indent = walk.loops.get(phase, {}).get(match["name"]), f"{match['indent']}  "
        shown = f"{innermost_loop(rest, wanted, indent)}{indent}...\n" if wanted else ""
        return f"{first}\n{indent}...\n{shown}{match['indent']}}}\n"

    return FUNCTION.sub(shorten, text)


def innermost_loop(kernel, wanted, indent):
    """The first loop without another in it that contains `wanted`, its values numbered anew: their own numbers change with
    every op before it."""
    loops = re.finditer(r"^( *)(?:%\S+ = )?scf\.for [^\n]*\{\n(?:(?!.*scf\.for ).*\n)*?\1\}\n", kernel, re.MULTILINE)
    loop = next((loop for loop in loops if wanted in loop[0]), None)
    if loop is None:
        raise SystemExit(f"no innermost loop with '{wanted}'")
    names = {}
    text = re.sub(r"%\w+", lambda name: names.setdefault(name[0], f"%{len(names)}"), loop[0])
    return re.sub(f"^{loop[1]}", indent, text, flags=re.MULTILINE)


def aliases(walk):
    """The model's own short names of its types, longest type first; those of a binary model stand in its script."""
    source = HERE / walk.source
    text = (source if source.exists() else HERE / walk.script).read_text()
    return sorted(re.findall(r"^(!\w+) = (.+)$", text, re.MULTILINE), key=lambda pair: -len(pair[1]))


def excerpt(walk, text, first, last):
    """The lines from the first that contains `first` to the next that contains `last`, types by their short names."""
    lines = text.splitlines()
    try:
        start = next(i for i, line in enumerate(lines) if first in line)
        end = next(i for i, line in enumerate(lines) if i >= start and last in line)
    except StopIteration:
        raise SystemExit(f"{walk.page}: no line from '{first}' to '{last}'") from None
    result = "".join(f"{line}\n" for line in lines[start : end + 1])
    for name, type_text in aliases(walk):
        result = result.replace(type_text, name)
    return result


def page(walk, text):
    return EXCERPT.sub(
        lambda match: match[1] + excerpt(walk, golden(walk, match[2]).read_text(), match[3], match[4]) + match[5], text
    )


def differs(name, found, wanted):
    """Whether two texts differ; shows where."""
    names = f"{name}, as kept", f"{name}, as found"
    lines = list(difflib.unified_diff(wanted.splitlines(), found.splitlines(), *names, lineterm=""))
    for line in lines[:80] + ["..."] * (len(lines) > 80):
        print(line)
    return bool(lines)


def check_answer(walk, tamis, meaning, plan, folder):
    """Whether the plan computes what the reference evaluator makes of `meaning`."""
    random = np.random.default_rng(2)
    options = []
    for name, make in walk.feeds.items():
        np.save(folder / f"{name}.npy", make(random))
        options += ["--input", f"{name}=@{folder / name}.npy"]
    answers = []
    for source, device in ((plan, "cpu"), (meaning, "reference")):
        results = folder / f"{device}.npz"
        run(tamis, "run", source, f"--device={device}", *options, "--output", results)
        with np.load(results) as arrays:
            answers.append(arrays["output"])
    gap = np.abs(answers[0] - answers[1]).max()
    print(f"the plan's answer differs from the reference evaluator's by {gap:.1e}")
    return not gap < 1e-5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("walk", choices=[walk.name for walk in WALKS])
    parser.add_argument("--tamis", required=True)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    walk = next(walk for walk in WALKS if walk.name == arguments.walk)
    document = DOCS / walk.page
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, plan, phases = folder / walk.source, folder / f"{walk.name}.plan", folder / "phases"
        meaning = model  # what the reference evaluator runs
        made = model
        if (HERE / walk.source).exists():
            shutil.copy(HERE / walk.source, model)
            made = model.with_suffix(".safetensors")
        run(sys.executable, HERE / walk.script, made)
        compile = [arguments.tamis, "compile", model, *walk.options]
        run(*compile, "-o", plan, "--target=x86-64-v3", f"--dump-phases={phases}")
        found = {phase: digest(walk, phase, (phases / golden(walk, phase).name).read_text()) for phase in PHASES}
        if arguments.update:
            for phase in PHASES:
                golden(walk, phase).write_text(found[phase])
            document.write_text(page(walk, document.read_text()))
            return 0
        changed = [differs(golden(walk, phase).name, found[phase], golden(walk, phase).read_text()) for phase in PHASES]
        changed.append(differs(walk.page, page(walk, document.read_text()), document.read_text()))
        if any(changed):
            print("\nif the change is meant, scripts/update-walkthrough writes these files anew")
        if walk.options:  # the model alone does not say what its options ask for
            meaning = folder / f"{walk.name}.sparsify.mlir"
            run(*compile, "-o", meaning, "--compile-to=sparsify")
        return any(changed) or check_answer(walk, arguments.tamis, meaning, plan, folder)


if __name__ == "__main__":
    sys.exit(main())
