# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does what docs/how-to/add-a-pattern.md says, on a copy of the tree: writes its blocks into the files they name, then runs
the commands of its last block.

    add_a_pattern_test.py --source DIR --tree DIR --lit FILE [CMAKE OPTION...]

A block follows one of
    <!-- new FILE -->
    <!-- more of FILE -->
    <!-- in FILE, before "TEXT" -->       or after: the line that contains TEXT, the first with after, the last with before
    <!-- run -->
The copy stays, so that another run compiles only what changed.
"""

import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys

PAGE = "docs/how-to/add-a-pattern.md"
COPIED = ["CMakeLists.txt", "cmake", "codegen", "dialects", "docs", "include", "lib", "passes", "runtime", "test", "tools"]
BLOCK = re.compile(
    r'<!-- (?:(?P<run>run)|(?:new|more of|in) (?P<file>[^\s,]+)(?:, (?P<where>before|after) "(?P<text>[^\n]*)")?) -->\n'
    r"```\w*\n(?P<body>.*?)```\n",
    re.DOTALL,
)


def fail(message):
    raise SystemExit(f"{PAGE}: {message}")


def read_tree(source):
    """Path -> bytes of every file that is built or tested."""
    files = {}
    for name in COPIED:
        paths = [source / name] if (source / name).is_file() else sorted((source / name).rglob("*"))
        files.update({str(path.relative_to(source)): path.read_bytes() for path in paths if path.is_file()})
    return {path: data for path, data in files.items() if "__pycache__" not in path}


def apply(block, files):
    """Writes one block into the file that it names."""
    path, where, text, body = block["file"], block["where"], block["text"], block["body"]
    is_new = block[0].startswith("<!-- new ")
    if is_new == (path in files):
        fail(f"{path} {'exists already' if is_new else 'does not exist'}")
    old = files.get(path, b"").decode()
    if not where:
        files[path] = (old + body).encode()
        return
    lines = old.splitlines(keepends=True)
    numbers = [number for number, line in enumerate(lines) if text in line]
    if not numbers:
        fail(f"{path} has no line with '{text}'")
    at = numbers[-1] if where == "before" else numbers[0] + 1
    files[path] = "".join([*lines[:at], body, *lines[at:]]).encode()


def write_tree(files, tree):
    """Writes what changed, and removes what is gone."""
    for path, data in files.items():
        to = tree / path
        if not to.exists() or to.read_bytes() != data:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
    for name in COPIED:
        for path in (tree / name).rglob("*"):
            if path.is_file() and str(path.relative_to(tree)) not in files:
                path.unlink()


def run(words, tree, variables):
    print("$", shlex.join(words), flush=True)
    done = subprocess.run(words, cwd=tree, env=variables)
    if done.returncode:
        raise SystemExit(f"status {done.returncode}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--tree", type=pathlib.Path, required=True)
    parser.add_argument("--lit", type=pathlib.Path, required=True)
    arguments, options = parser.parse_known_args()
    blocks = list(BLOCK.finditer((arguments.source / PAGE).read_text()))
    commands = [block["body"] for block in blocks if block["run"]]
    if len(blocks) - len(commands) < 10 or len(commands) != 1:
        fail(f"has {len(blocks)} blocks, {len(commands)} of them to run: more were expected, or one")
    files = read_tree(arguments.source)
    for block in blocks:
        if not block["run"]:
            apply(block, files)
    tree = arguments.tree
    write_tree(files, tree)
    (tree / "build").mkdir(exist_ok=True)
    if not (tree / "build" / "venv").exists():
        (tree / "build" / "venv").symlink_to(arguments.source / "build" / "venv")
    variables = {**os.environ, "PATH": f"{arguments.lit.parent}{os.pathsep}{os.environ['PATH']}"}
    run(["cmake", "-G", "Ninja", "-S", ".", "-B", "build/dev", *options], tree, variables)
    for line in commands[0].splitlines():
        run(shlex.split(line), tree, variables)


if __name__ == "__main__":
    sys.exit(main())
