# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench ptx`: GPU kernels, counted without a GPU. Static: what NVIDIA's assembler makes of them. Dynamic: what the
PTX interpreter counts, and the bound that follows from it. Nothing here is a time. Standard library only."""

import re
import subprocess

from benchmarks import foreign, sass
from benchmarks.environment import BenchError
from benchmarks.results import Results, Verdicts, table

TARGETS = ("sm_80", "sm_90a")
LENGTH = 512  # of the runs in the interpreter
PANEL = 48  # weights of f32 lie in panels of so many columns, as CPUs read them; the last is whole
# Tensor multiply-accumulates of a warp for each instruction of the hottest loop: what Triton 3.9 and nvcc 13.0 reach
# with the same ptxas, for the same tiles of f16.
WANTED = {
    ("gemm_f16", "sm_80"): 880,
    ("attention_f16_64", "sm_80"): 377,
    ("blocks_f16_64", "sm_80"): 377,
    ("gemm_f16", "sm_90a"): 1365,
    ("attention_f16_64", "sm_90a"): 478,
}
# Dense f16 multiply-accumulates, bytes of memory, and special functions a second, of NVIDIA's data sheets (A100 80 GB
# SXM, H100 SXM; 16 special functions a clock and processor at boost).
MACHINES = {
    "A100": ("sm_80", {"macs": 312e12 / 2, "bytes": 2039e9, "special": 108 * 16 * 1.41e9}),
    "H100": ("sm_90a", {"macs": 989e12 / 2, "bytes": 3350e9, "special": 132 * 16 * 1.83e9}),
}


def attention(name, element, width):
    tokens = f'tensor<?x?x{8 * width}x{element}, #model.dims<"b", "s", "{8 * width}">>'
    return (
        f"func.func @{name}(%q: {tokens}, %k: {tokens}, %v: {tokens}) -> {tokens}\n"
        # The tile that the others' kernels have.
        f'    attributes {{gpu_tile = "64x64", plan.kernel = #plan.kernel<attention>, {SYMBOLS}}} {{\n'
        f"  %0 = model.attention %q, %k, %v heads 8 kv_heads 8 scale {width**-0.5}"
        f" : {tokens}, {tokens}, {tokens} -> {tokens}\n"
        f"  return %0 : {tokens}\n}}\n"
    )


def blocks(name, element, width):
    tokens = f'tensor<?x?x{8 * width}x{element}, #model.dims<"b", "s", "{8 * width}">>'
    count = "floordiv(s + 63, 64)"
    stored = f'tensor<?x8x?x?xi32, #model.dims<"b", "8", "{count}", "{count} + 1">>'
    index = f'!sattn.index<64 x 64 block, shape["b", "8", "{count}"], items "{count}", capacity "{count}">'
    return (
        f"func.func @{name}(%q: {tokens}, %k: {tokens}, %v: {tokens}, %t: {stored}) -> {tokens}\n"
        f"    attributes {{plan.kernel = #plan.kernel<sparse_attention>, {SYMBOLS}}} {{\n"
        f"  %i = sattn.load_index %t : {stored} -> {index}\n"
        f"  %0 = sattn.attend %q, %k, %v over %i heads 8 kv_heads 8 scale {width**-0.5}"
        f" : {tokens}, {tokens}, {tokens}, over {index} -> {tokens}\n  return %0 : {tokens}\n}}\n"
    )


def gemm(name, element):
    tokens = f'tensor<?x4096x{element}, #model.dims<"s", "4096">>'
    return (
        f"func.func @{name}(%x: {tokens}, %w: tensor<4096x4096x{element}>) -> {tokens}\n"
        f'    attributes {{plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 4096, 8192>]}} {{\n'
        f"  %0 = model.linear %x, %w : {tokens}, tensor<4096x4096x{element}> -> {tokens}\n  return %0 : {tokens}\n}}\n"
    )


SYMBOLS = 'model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 65536>]'
KERNELS = {
    "gemm_f16": gemm("gemm_f16", "f16"),
    "attention_f16_64": attention("attention_f16_64", "f16", 64),
    "attention_f16_128": attention("attention_f16_128", "f16", 128),
    "blocks_f16_64": blocks("blocks_f16_64", "f16", 64),
    "blocks_f16_128": blocks("blocks_f16_128", "f16", 128),
    "gemm_f32": gemm("gemm_f32", "f32"),
    "attention_f32_64": attention("attention_f32_64", "f32", 64),
}


def emit(environment, target):
    """The PTX of all kernels, and how each is launched: {name: (work groups, a size expression, threads, shared bytes)}."""
    folder = environment.work / "ptx"
    folder.mkdir(parents=True, exist_ok=True)
    source, ptx = folder / "kernels.mlir", folder / f"kernels-{target}.ptx"
    source.write_text("\n".join(KERNELS.values()))
    done = subprocess.run(
        [str(environment.built("bin/nvptx-kernels")), str(source), target], capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(f"no PTX for {target}:\n{done.stderr.strip()[-1500:]}")
    ptx.write_text(done.stdout)
    launches = re.findall(r"^// (\w+): threads (\d+), shared (\d+), .*?grid \[(.*?)\],", done.stdout, re.M)
    return ptx, {name: (grid, int(threads), int(shared)) for name, threads, shared, grid in launches}


def command_of(environment, what, ptx, name, launch, *options):
    """How tamis-ptx runs a kernel."""
    expression, threads, shared = launch
    sizes = {"s": 128 if name.startswith("gemm") else LENGTH, "b": 1}
    sizes.update(floordiv=lambda a, b: a // b, max=max, min=min)
    grid = eval(expression, {"__builtins__": {}}, sizes)  # of the compiler
    words = [environment.built("bin/tamis-ptx"), what, ptx, "--entry", name, "--grid", grid, "--block", threads]
    return list(map(str, [*words, "--shared", shared, *options, "--args", *arguments_of(name)]))


def own_figures(ptxas, nvdisasm, target, ptx, launches):
    """Of our kernels, as foreign.figures gives them."""
    cubin = ptx.with_suffix(".cubin")
    found = sass.assemble(ptxas, ptx, target, cubin)
    code = sass.instructions_of(nvdisasm, cubin) if nvdisasm else {}
    for name, own in found.items():
        length, macs = sass.hottest_loop(*code[name]) if name in code else (0, 0)
        own["shared"] += launches[name][2]
        own.update(loop=length, macs=macs / length if length else None)
    return found


def static(environment, results, verdicts, ptxas, nvdisasm, target, ptx, launches, others):
    """Ours, and what other compilers make of kernels of the same tiles, by the same assembler."""
    found = {"Tamis": own_figures(ptxas, nvdisasm, target, ptx, launches)}
    for who, make in others.items():
        found[who] = foreign.figures(environment, make, KERNELS, ptxas, nvdisasm, target)
    rows = []
    for name in KERNELS:
        for who, figures in found.items():
            if own := figures.get(name):
                results.add("static", kernel=name, target=target, by=who, **own)
                ratio = f"{own['macs']:.0f}" if own["macs"] else ""
                rows.append([name, target, who, own["registers"], own["spilled"], own["shared"], own["loop"] or "", ratio])
    head = ["kernel", "target", "by", "registers", "bytes spilled", "shared bytes", "hot loop", "MACs an instruction"]
    table(head, rows)
    print()
    for name in KERNELS:
        own = found["Tamis"][name]
        verdicts.judge(f"{name}, {target}, spilled", own["spilled"] == 0, f"{own['spilled']} bytes", "none")
        wanted = WANTED.get((name, target))
        if wanted:
            text = f"{own['macs']:.0f}" if own["macs"] else "not measured: no nvdisasm"
            holds = bool(own["macs"]) and own["macs"] >= wanted
            verdicts.judge(f"{name}, {target}, MACs an instruction", holds, text, f"at least {wanted}")


def arguments_of(name):
    """The arguments of one kernel, as tamis-ptx takes them; each row of the index of blocks holds three of eight."""
    element = "f16" if "f16" in name else "f32"
    if name.startswith("gemm"):
        columns = 4096 if element == "f16" else -(-4096 // PANEL) * PANEL
        return [f"128x4096x{element}=random(1)", f"4096x{columns}x{element}=random(2)", f"128x4096x{element}", "i64=128"]
    width = 8 * int(name.rsplit("_", 1)[1])
    tokens = f"1x{LENGTH}x{width}x{element}"
    arguments = [f"{tokens}=random({seed})" for seed in (1, 2, 3)]
    count = LENGTH // 64
    if name.startswith("blocks"):
        row = [3, 0, 2, 5] + [0] * (count - 3)
        arguments.append(f"1x8x{count}x{count + 1}xi32=" + ",".join(map(str, row * 8 * count)))
    return [*arguments, tokens, "i64=1", f"i64={LENGTH}"]


def operand_bytes(name):
    """Of all buffers, each once: what no cache can spare."""
    total = 0
    for argument in arguments_of(name):
        if shape := re.match(r"((?:\d+x)+)(f16|f32|i32)", argument):
            size = 2 if shape[2] == "f16" else 4
            for axis in shape[1].rstrip("x").split("x"):
                size *= int(axis)
            total += size
    return total


def wasted_by_reads(text):
    """Sectors beyond those needed of the instructions that read global memory, in the table of tamis-ptx profile."""
    waste = 0
    for line in text.splitlines():
        words = line.split()
        if len(words) == 7 and words[0].isdigit() and words[6].startswith(("ld.global", "cp.async")):
            waste += int(words[4]) - int(words[5])
    return waste


def number(text, pattern):
    found = re.search(pattern, text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def dynamic(environment, results, verdicts, target, ptx, launches):
    rows, bounds = [], []
    for name, launch in launches.items():
        done = subprocess.run(command_of(environment, "profile", ptx, name, launch), capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"tamis-ptx profile {name}: {(done.stdout + done.stderr).strip()[-1500:]}")
        text = done.stdout
        macs, special = number(text, r"tensor MACs +(\d+)")[0], number(text, r"special functions +(\d+)")[0]
        read, written = number(text, r"global bytes +(\d+) read, (\d+) written")
        sectors, needed_sectors = number(text, r"global sectors +(\d+), (\d+)")
        wavefronts, needed_wavefronts = number(text, r"shared wavefronts +(\d+), (\d+)")
        wasted, conflicts = wasted_by_reads(text), wavefronts - needed_wavefronts
        stored = sectors - needed_sectors - wasted  # results are written once, outside of the hot loops
        figures = {"macs": macs, "special": special, "read": read, "written": written}
        results.add("dynamic", kernel=name, target=target, **figures, wasted=wasted, wasted_by_stores=stored, conflicts=conflicts)
        asked = f"{(read + written) / 1e6:.2f} MB"
        rows.append([name, target, f"{macs / 1e6:.1f} M", f"{special / 1e3:.0f} k", asked, wasted, stored, conflicts])
        for machine, (like, peak) in MACHINES.items():
            if like != target:
                continue
            parts = {"matrix units": macs / peak["macs"], "memory": operand_bytes(name) / peak["bytes"]}
            parts["special functions"] = special / peak["special"]
            limit = max(parts, key=parts.get)
            bounds.append([name, machine, limit, f"{parts['matrix units'] / parts[limit]:.0%}"])
        verdicts.judge(f"{name}, {target}, bank conflicts", conflicts == 0, conflicts, "none")
        verdicts.judge(f"{name}, {target}, sectors wasted by reads", wasted == 0, wasted, "none")
    print()
    head = ["kernel", "target", "tensor MACs", "special", "asked of global", "sectors wasted by reads", "by stores", "bank conflicts"]
    table(head, rows)
    print("\nwhat bounds each kernel, by counts and data sheets, operands read once: never a speed")
    table(["kernel", "of", "bound by", "share of the matrix units' peak at most"], bounds)


def run(environment, arguments):
    environment.require_build()
    results = Results(environment, "ptx")
    verdicts = Verdicts(results)
    venv = environment.venv
    ptxas, nvdisasm = sass.find_tool("ptxas", venv), sass.find_tool("nvdisasm", venv)
    others = foreign.compilers(environment) if ptxas else {}
    for target in TARGETS:
        ptx, launches = emit(environment, target)
        if ptxas:
            static(environment, results, verdicts, ptxas, nvdisasm, target, ptx, launches, others)
        else:
            wanted = "ptxas of CUDA 13 in PATH, or in the environment (PyPI: nvidia-cuda-nvcc)"
            verdicts.judge(f"{target}, static counts", False, "no ptxas", wanted)
        dynamic(environment, results, verdicts, target, ptx, launches)
        print()
    return verdicts.exit_status()
