# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints what the machine code of a plan uses besides registers and buffers, for FileCheck.

    code_facts.py PLAN

Of each code section, in the plan's order: symbols and relocations that a loader would have to look up. Of each kernel in
it: its calls; the most multiply-adds of an innermost loop; what innermost loops keep of vectors on the stack. Needs
`llvm-objdump` in the PATH. Reads the plan as bytes, because Tamis refuses one with such symbols and relocations.
"""

import collections
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

Instruction = collections.namedtuple("Instruction", "address name operands")


def images_of(plan):
    """The ELF images, each of which begins on a page of its own."""
    for begin in range(0, len(plan), 4096):
        if plan[begin : begin + 4] == b"\x7fELF":
            (headers,) = struct.unpack_from("<Q", plan, begin + 0x28)  # of sections, at the end
            size, count = struct.unpack_from("<HH", plan, begin + 0x3A)
            yield plan[begin : begin + headers + size * count]


def disassembled(image):
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(image)
        file.flush()
        command = ["llvm-objdump", "-d", "-T", "-R", "--no-show-raw-insn", file.name]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def kernels_of(text):
    """Name and instructions of each symbol in llvm-objdump's text."""
    kernels = {}
    for line in text.splitlines():
        if symbol := re.fullmatch(r"[0-9a-f]+ <(\S+)>:", line):
            instructions = kernels.setdefault(symbol[1], [])
        elif found := re.fullmatch(r" *([0-9a-f]+): \s*(\S+)\s*([^#]*?)\s*(#.*)?", line):
            instructions.append(Instruction(int(found[1], 16), found[2], found[3]))
    return kernels


def target_of(instruction):
    found = re.match(r"0x([0-9a-f]+)", instruction.operands)
    return int(found[1], 16) if instruction.name.startswith("j") and found else None


def is_call(instruction, kernel):
    """Also a jump to somewhere else, which is how a call in the last place looks."""
    target = target_of(instruction)
    return instruction.name.startswith("call") or target is not None and target not in kernel


def blocks_of(instructions):
    """Basic blocks by address, without the padding between them."""
    begins = {target_of(i) for i in instructions}
    blocks, block = {}, None
    for i in instructions:
        if block is None and i.name.startswith("nop") and i.address not in begins:
            continue
        if block is None or i.address in begins:
            block = blocks.setdefault(i.address, [])
        block.append(i)
        if i.name.startswith(("j", "ret")):
            block = None
    return blocks


def innermost_loops(instructions):
    """Natural loops without another one inside, each as its instructions."""
    blocks = blocks_of(instructions)
    before = collections.defaultdict(set)
    for (address, block), following in zip(blocks.items(), [*list(blocks)[1:], None]):
        if not block[-1].name.startswith(("jmp", "ret")):
            before[following].add(address)
        before[target_of(block[-1])].add(address)
    # The targets of jump tables are not known; such a block is an entry of its own.
    entries = {address for address in blocks if not before[address]} | {instructions[0].address}
    loops = collections.defaultdict(set)  # by the block where they begin
    for begin in blocks:
        for end in before[begin]:
            loop, todo = {begin}, [end]
            while todo:
                if (address := todo.pop()) not in loop:
                    loop.add(address)
                    todo += before[address]
            if not loop & entries - {begin}:
                loops[begin] |= loop
    return [
        [i for address in loop for i in blocks[address]]
        for begin, loop in loops.items()
        if not loop & loops.keys() - {begin}
    ]


def is_spill(instruction):
    """Of AVX: its instructions begin with v."""
    return instruction.name.startswith("v") and "(%rsp" in instruction.operands


def listed(items):
    return "; ".join(items) or "none"


def text_of(instruction):
    return f"{instruction.address:x} {instruction.name} {instruction.operands}"


def main():
    for number, image in enumerate(images_of(pathlib.Path(sys.argv[1]).read_bytes()), 1):
        text = disassembled(image)
        needed = [line.split()[-1] for line in text.splitlines() if "*UND*" in line or " R_X86_64_" in line]
        print(f"image {number}: needs {listed(needed)}")
        for name, instructions in kernels_of(text).items():
            addresses = {i.address for i in instructions}
            print(f"  {name}: calls {listed(text_of(i) for i in instructions if is_call(i, addresses))}")
            loops = innermost_loops(instructions)
            most = max((sum("fmadd" in i.name for i in loop) for loop in loops), default=0)
            spills = [text_of(i) for loop in loops for i in loop if is_spill(i)]
            print(f"  {name}: loops of up to {most} multiply-adds, spills {listed(spills)}")


if __name__ == "__main__":
    main()
