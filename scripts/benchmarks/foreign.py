# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What nvcc and Triton make of the kernels that scripts/bench ptx counts, for the same assembler. Where they are not installed
there is nothing to compare with. Standard library only."""

import json
import os
import pathlib
import shutil
import subprocess

from benchmarks import sass
from benchmarks.environment import ROOT, BenchError

SOURCES = ROOT / "test" / "conformance"


def find_nvcc():
    found = os.environ.get("TAMIS_NVCC") or shutil.which("nvcc")
    return pathlib.Path(found) if found else None


def find_triton(environment):
    """A Python that has Triton: the one that TAMIS_TRITON_PYTHON names, or the benchmarks' own."""
    if named := os.environ.get("TAMIS_TRITON_PYTHON"):
        return pathlib.Path(named)
    packages = environment.venv.glob("lib/python3*/site-packages/triton/compiler")
    return environment.python if any(packages) else None


def run(title, command, variables=None):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=variables)
    if done.returncode:
        raise BenchError(f"{title} failed:\n{done.stderr.strip()[-1500:]}")


def newer(path, source):
    return path.exists() and path.stat().st_mtime > source.stat().st_mtime


def by_nvcc(nvcc, folder, target):
    """{kernel: (PTX file, entry, bytes of dynamic shared memory)}"""
    source, made = SOURCES / "kernels.cu", folder / f"nvcc-{target}.ptx"
    if not newer(made, source):
        run("nvcc", [nvcc, "-ptx", "-O3", f"-arch={target}", "-o", made, source])
    shared = {"64": 32768, "128": 65536}  # of attention: two stages of 64 keys and values
    return lambda name: (made, name, shared.get(name.rsplit("_", 1)[1], 0))


def by_triton(python, folder, target):
    """The same."""
    number, source, made = target.strip("sm_a"), SOURCES / "triton_kernels.py", folder / "triton"
    made.mkdir(parents=True, exist_ok=True)
    launches = made / f"launches-{number}.json"
    if not newer(launches, source):
        run("Triton", [python, source, made, number], {**os.environ, "TRITON_CACHE_DIR": str(made / "cache")})
    found = json.loads(launches.read_text())
    return lambda name: (made / f"{name}-{number}.ptx", found[name][0], found[name][2])


def compilers(environment):
    """{who: function of a folder and a target}, of those that are here; says which are not."""
    here = {}
    for who, tool, make, wanted in (
        ("nvcc", find_nvcc(), by_nvcc, "nvcc in PATH, or TAMIS_NVCC"),
        ("Triton", find_triton(environment), by_triton, "triton in the environment, or TAMIS_TRITON_PYTHON"),
    ):
        if tool:
            here[who] = lambda folder, target, make=make, tool=tool: make(tool, folder, target)
        else:
            print(f"nothing to compare with of {who}: wanted {wanted}")
    return here


def figures(environment, make, names, ptxas, nvdisasm, target):
    """{kernel: {"registers", "spilled", "shared", "loop", "macs"}} of the kernels that a compiler has a form of."""
    folder, results, assembled = environment.work / "ptx", {}, {}
    find = make(folder, target)
    for name in names:
        try:
            text, entry, shared = find(name)
        except KeyError:
            continue
        if text not in assembled:
            cubin = text.with_suffix(".cubin")
            counts = sass.assemble(ptxas, text, target, cubin)
            assembled[text] = counts, sass.instructions_of(nvdisasm, cubin) if nvdisasm else {}
        counts, code = assembled[text]
        if entry in counts:
            length, macs = sass.hottest_loop(*code[entry]) if entry in code else (0, 0)
            own = counts[entry]
            results[name] = {**own, "shared": own["shared"] + shared, "loop": length, "macs": macs / length if length else None}
    return results
