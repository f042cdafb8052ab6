# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that what the .td files promise is there: every op and pass has a summary, a description and an example; the
examples of ops stand word for word in a lit test of their dialect, so that they parse; every labelled constraint
(C1, ...) has a case `@op_c1` in an invalid*.mlir; every pass is run by a lit test.

usage: check_descriptions.py ROOT TBLGEN INCLUDE...    TBLGEN: llvm-tblgen
"""

import json
import pathlib
import re
import subprocess
import sys

EXAMPLE = re.compile(r"```mlir\n(.*?)```", re.DOTALL)
LABEL = re.compile(r"\(C(\d+)\)")


def records(tblgen, includes, path, kind):
    """The records of a .td file that derive from the class `kind`, as dictionaries of their fields."""
    flags = [f"-I{folder}" for folder in includes]
    done = subprocess.run([tblgen, "--dump-json", *flags, str(path)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{path}: {done.stderr}")
    dump = json.loads(done.stdout)
    return [dump[name] for name in dump["!instanceof"].get(kind, [])]


def code(text):
    """Text without its comments and white space: what a parser sees."""
    return re.sub(r"\s+", "", re.sub(r"//.*", "", text))


def documented(name, record):
    """Problems of a summary and a description."""
    if not record["summary"].strip():
        yield f"{name} has no summary"
    if not record["description"].strip():
        yield f"{name} has no description"
    elif not EXAMPLE.search(record["description"]):
        yield f"{name} has no example"


def check_dialect(root, td, dialect, includes, tblgen):
    """Returns the number of ops and the problems of one dialect."""
    folder = root / "test" / "dialects" / dialect
    tests = {path: path.read_text() for path in sorted(folder.glob("*.mlir"))}
    valid = code("\n".join(text for path, text in tests.items() if not path.name.startswith("invalid")))
    invalid = "\n".join(text for path, text in tests.items() if path.name.startswith("invalid"))
    ops = records(tblgen, includes, td, "Op")
    problems = []
    for op in ops:
        name = f"{op['opDialect']['def'].split('_')[0].lower()}.{op['opName']}"
        problems += documented(name, op)
        for example in EXAMPLE.findall(op["description"]):
            if code(example) not in valid:
                problems.append(f"the example of {name} is in no test of {folder.relative_to(root)}")
    definitions = [each for kind in ("AttrDef", "TypeDef") for each in records(tblgen, includes, td, kind)
                   if each["dialect"]["def"].lower().startswith(dialect)]  # not those of included dialects
    for record in ops + definitions:
        mnemonic = record.get("opName") or record["mnemonic"]
        for label in LABEL.findall(record["description"]):
            case = f"@{mnemonic}_c{label}"
            if not re.search(rf"{re.escape(case)}(\b|_)", invalid):
                problems.append(f"constraint C{label} of {dialect}.{mnemonic} has no case {case} in "
                                f"{folder.relative_to(root)}")
    return len(ops), problems


def check_passes(root, td, includes, tblgen):
    """Returns the number of passes and the problems of one list of passes."""
    tests = "\n".join(path.read_text() for path in sorted((root / "test").rglob("*.mlir")))
    runs = "\n".join(re.findall(r"RUN:.*", tests))
    passes = records(tblgen, includes, td, "PassBase")
    problems = []
    for each in passes:
        name = each["argument"]
        problems += documented(name, each)
        if not re.search(rf"{re.escape(name)}(?![\w-])", runs):
            problems.append(f"no lit test runs {name}")
    return len(passes), problems


def main():
    root, tblgen, includes = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[1:2] + sys.argv[3:]
    ops = passes = 0
    problems = []
    for td in sorted(root.glob("dialects/*/*Ops.td")):
        if td.name.lower() == td.parent.name + "ops.td":  # the file that includes the others of its dialect
            count, found = check_dialect(root, td, td.parent.name, includes, tblgen)
            ops += count
            problems += found
    for td in sorted([*root.glob("passes/*/Passes.td"), *root.glob("codegen/*/Passes.td")]):
        count, found = check_passes(root, td, includes, tblgen)
        passes += count
        problems += found
    if not ops:
        problems.append("found no ops to check")
    print("\n".join(problems + [f"{ops} ops and {passes} passes checked, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
