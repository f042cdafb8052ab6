# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What NVIDIA's assembler makes of PTX, counted without a GPU: registers and spills as ptxas tells them, and the
instructions of the hottest loop as nvdisasm prints them. Standard library only."""

import pathlib
import re
import shutil
import subprocess

from benchmarks.environment import BenchError

# Multiply-accumulates of a warp in one tensor instruction, by the shape in its name: M N K, digits side by side.
MACS = {"16816": 16 * 8 * 16, "1688": 16 * 8 * 8, "16832": 16 * 8 * 32, "16864": 16 * 8 * 64, "1684": 16 * 8 * 4}


def find_tool(name, venv):
    """ptxas or nvdisasm: of PATH, or as a package of PyPI brings it into a virtual environment; None without."""
    if found := shutil.which(name):
        return pathlib.Path(found)
    patterns = (f"nvidia/*/bin/{name}", f"triton/backends/nvidia/bin/{name}")
    packages = sorted(pathlib.Path(venv).glob("lib/python3*/site-packages"))
    return next((path for folder in packages for pattern in patterns for path in sorted(folder.glob(pattern))), None)


def assemble(ptxas, ptx, target, cubin):
    """{kernel: {"registers", "spilled": bytes, "shared": static bytes}}"""
    command = [str(ptxas), f"-arch={target}", "-v", str(ptx), "-o", str(cubin)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"ptxas refuses {ptx.name} for {target}:\n{done.stderr.strip()[-1500:]}")
    kernels, name = {}, None
    for line in done.stderr.splitlines():
        if entry := re.search(r"Compiling entry function '([^']+)'", line):
            name = entry[1]
            kernels[name] = {"registers": 0, "spilled": 0, "shared": 0}
        elif name and (spills := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line)):
            kernels[name]["spilled"] = int(spills[1]) + int(spills[2])
        elif name and (used := re.search(r"Used (\d+) registers", line)):
            kernels[name]["registers"] = int(used[1])
            shared = re.search(r"(\d+) bytes smem", line)
            kernels[name]["shared"] = int(shared[1]) if shared else 0
    return kernels


def macs_of(opcode):
    """Of a warp, in a tensor instruction; a warp group's instruction is the work of four. 0 for all others."""
    if group := re.match(r"[HIQ]GMMA\.(?:SP\.)?(\d+)x(\d+)x(\d+)", opcode):
        return int(group[1]) * int(group[2]) * int(group[3]) // 4
    warp = re.match(r"[HIQD]MMA\.(?:SP\.)?(\d+)", opcode)
    return MACS.get(warp[1], 0) if warp else 0


def instructions_of(nvdisasm, cubin):
    """{kernel: ([opcode with its operands], {label: number of the instruction that follows it})}"""
    done = subprocess.run([str(nvdisasm), "-c", str(cubin)], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"nvdisasm {cubin.name}: {done.stderr.strip()[-800:]}")
    kernels, current = {}, None
    for line in done.stdout.splitlines():
        if section := re.match(r"\s*\.section\s+\.text\.([^,\s]+)", line):
            current = kernels.setdefault(section[1], ([], {}))
        elif current and (label := re.match(r"\s*(\.L[\w.]*):", line)):
            current[1][label[1]] = len(current[0])
        elif current and (found := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+([^;]+);", line)):
            current[0].append(found[1].strip())
    return kernels


def opcode_of(instruction):
    words = instruction.split()
    return words[1] if words[0].startswith("@") else words[0]


def hottest_loop(instructions, labels):
    """(instructions, multiply-accumulates of a warp) of the loop with most of the latter, the shortest of several."""
    best = (0, 0)
    for end, instruction in enumerate(instructions):
        target = re.search(r"\bBRA\S*\s.*?(\.L[\w.]*)", instruction)
        start = labels.get(target[1]) if target else None
        if start is None or start > end - 1:
            continue
        length, macs = end + 1 - start, sum(macs_of(opcode_of(each)) for each in instructions[start : end + 1])
        if macs > best[1] or (macs == best[1] and macs and length < best[0]):
            best = (length, macs)
    return best
