# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `tamis-ptx check` is worth: our own kernels pass it without a word, and every mistake that is put into their PTX is
reported. The mistakes are edits of the text; each is applied where the rule finds its pattern, one place at a time."""

import collections
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import numpy

SIZES = '#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>'
COUNT = "floordiv(s + 63, 64)"
# Columns of the operands of products, and their type.
DEPTHS = {"gemm": (264, "f2"), "gemm_whole": (256, "f2"), "gemm_f32": (100, "f4")}


def module_of(depths):
    """All kernels."""
    ragged, whole, single = (depths[name][0] for name in ("gemm", "gemm_whole", "gemm_f32"))
    return f"""
!x = tensor<?x{ragged}xf16, #model.dims<"s", "{ragged}">>
!y = tensor<?x72xf16, #model.dims<"s", "72">>
func.func @gemm(%x: !x, %w: tensor<{ragged}x72xf16>) -> !y
    attributes {{plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 1, 4096>]}} {{
  %0 = model.linear %x, %w : !x, tensor<{ragged}x72xf16> -> !y
  return %0 : !y
}}
!whole = tensor<?x{whole}xf16, #model.dims<"s", "{whole}">>
func.func @gemm_whole(%x: !whole, %w: tensor<{whole}x72xf16>) -> !y
    attributes {{plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 1, 4096>]}} {{
  %0 = model.linear %x, %w : !whole, tensor<{whole}x72xf16> -> !y
  return %0 : !y
}}
!p = tensor<?x{single}xf32, #model.dims<"s", "{single}">>
!z = tensor<?x72xf32, #model.dims<"s", "72">>
func.func @gemm_f32(%x: !p, %w: tensor<{single}x72xf32>) -> !z
    attributes {{plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 1, 4096>]}} {{
  %0 = model.linear %x, %w : !p, tensor<{single}x72xf32> -> !z
  return %0 : !z
}}
!h = tensor<?x?x128xf16, #model.dims<"b", "s", "128">>
func.func @attention(%q: !h, %k: !h, %v: !h) -> !h
    attributes {{gpu_tile = "64x64", plan.kernel = #plan.kernel<attention>, model.symbols = [{SIZES}]}} {{
  %0 = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.125 : !h, !h, !h -> !h
  return %0 : !h
}}
!t = tensor<?x2x?x?xi32, #model.dims<"b", "2", "{COUNT}", "{COUNT} + 1">>
!i = !sattn.index<64 x 64 block, shape["b", "2", "{COUNT}"], items "{COUNT}", capacity "{COUNT}">
func.func @blocks(%q: !h, %k: !h, %v: !h, %t: !t) -> !h
    attributes {{plan.kernel = #plan.kernel<sparse_attention>, model.symbols = [{SIZES}]}} {{
  %i = sattn.load_index %t : !t -> !i
  %0 = sattn.attend %q, %k, %v over %i heads 2 kv_heads 2 scale 0.125 : !h, !h, !h, over !i -> !h
  return %0 : !h
}}
!r = tensor<?x100xf32, #model.dims<"s", "100">>
func.func @norm(%x: !r, %r: !r, %g: tensor<100xf32>, %b: tensor<100xf32>) -> !r
    attributes {{plan.kernel = #plan.kernel<rows>, model.symbols = [#model.symbol<"s", 0, 512>]}} {{
  %0 = model.elementwise add %x, %r : (!r, !r) -> !r
  %1 = model.norm layer %0 scale %g bias %b axis 1 epsilon 1.0e-5 : !r, tensor<100xf32>, tensor<100xf32> -> !r
  return %1 : !r
}}
"""


# The sizes each kernel runs with. Some end within a tile, at each of the places that a thread takes rows from; attention
# ends at each of the keys of a block that a thread compares, one of the two that lie side by side.
ENDS = tuple(8 * tile + key for tile in range(8) for key in (1, 2))
LENGTHS = {
    "gemm": (100, 108, 5),
    "gemm_whole": (100, 108, 5),
    "gemm_f32": (50, 60, 5),
    "attention": (257, 185, 128, *ENDS),
    "blocks": (257, 185, *ENDS),
    "norm": (9, 8),
}
TOLERANCE = {"norm": 1e-4, "gemm_f32": 1e-2}  # of all others 2e-3
MATRICES = ("barrier dropped", "swizzle broken", "clamp dropped", "bound off by one", "guard dropped")
COPIES = (*MATRICES, "wait weakened", "wait dropped")
WANTED_RULES = {
    "gemm": COPIES,
    "gemm_whole": COPIES,
    "gemm_f32": MATRICES,
    "attention": COPIES,
    "blocks": COPIES,
    "norm": ("bound off by one", "guard dropped"),
}


def flipped(match):
    """A comparison that is off by one."""
    other = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt"}
    return f"setp.{other[match[1]]}."


# (name, pattern of a statement, what it becomes, what has to be found: a pattern)
RULES = [
    ("barrier dropped", r"bar\.sync \t0;", "", "shared race"),
    ("wait weakened", r"cp\.async\.wait_group (\d);", lambda m: f"cp.async.wait_group {int(m[1]) + 1};", "unwaited read"),
    ("wait dropped", r"cp\.async\.wait_group \d;", "", "unwaited read"),
    ("swizzle broken", r"xor\.b32 \t(%r\d+), (%r\d+), \S+;", r"mov.b32 \t\1, \2;", ""),
    ("clamp dropped", r"min\.[su]32 \t(%r\d+), (%r\d+), \S+;", r"mov.b32 \t\1, \2;", ""),
    ("bound off by one", r"setp\.(lt|le|gt|ge)\.", flipped, ""),
    ("guard dropped", r"@%p\d+ bra \t\S+;", "", ""),
]

# Edits that cannot matter: (kernels, rules, the place as context_of gives it, why).
EXCLUDED = [
    (("gemm", "gemm_whole"), "wait", r">.*wait_group 0;", "the last one: nothing is read any more"),
    (("gemm", "gemm_whole", "gemm_f32"), "bound", r">.*setp\.gt\.u32 .*, (47|71);", "columns go in pairs or fours"),
    (("gemm",), "guard", r"setp\.gt\.u32 .*, 5;\n>", "copies beyond a ragged K are clamped; gemm_whole has the guard"),
    (("attention",), "bound", r">.*setp\.ge\.u32", "there is a last block, and copies beyond it are clamped and not read"),
    (("attention",), "guard", r"setp\.ge\.u32.*\n((?!setp).*\n)*>", "the same"),
    (("blocks",), "bound", r">.*setp\.lt\.s32 .*, 0;", "sizes are not negative"),
    (("blocks",), "bound", r">.*setp\.lt\.u32 .*\n.*bra.*\n.*bra\.uni", "a trap that sound indices never meet"),
]


class Mutation:
    """A text with one mistake."""

    def __init__(self, rule, body, match, by, kind):
        self.rule, self.kind = rule, kind
        new = by(match) if callable(by) else match.expand(by)
        self.body = body[: match.start()] + new + body[match.end() :]
        self.line = context_of(body, match).split(">")[-1].splitlines()[0]


def context_of(body, match):
    """A place's line after a '>', up to three lines before and two after it, without the comments around assembly."""
    start = body.rfind("\n", 0, match.start()) + 1
    lines_of = lambda text: [line.strip() for line in text.split("\n") if line.strip() and "inline asm" not in line]
    before, after = lines_of(body[:start]), lines_of(body[start:])
    return "\n".join([*before[-3:], ">" + after[0], *after[1:3]])


def mutations_of(name, body, rules=RULES, excluded=EXCLUDED):
    for rule, pattern, by, kind in rules:
        for match in re.finditer(pattern, body):
            around = context_of(body, match)
            if not any(name in n and re.search(r, rule) and re.search(p, around) for n, r, p, _ in excluded):
                yield Mutation(rule, body, match, by, kind)


class Kernel:
    """One kernel of the module: its text, launches and wanted results."""

    def __init__(self, name, head, body, launch, folder, depths):
        self.name, self.head, self.body, self.launch, self.folder = name, head, body, launch, folder
        self.depths = depths
        self.runs = [self.make_run(length) for length in LENGTHS[name]]

    def file(self, array, name, length):
        path = self.folder / f"{self.name}-{length}-{name}.npy"
        numpy.save(path, array)
        return f"@{path}"

    def make_run(self, length):
        """The words of a launch with this length, all but the file."""
        random = numpy.random.default_rng(length)
        draw = lambda *shape, kind="f2": random.uniform(-1, 1, shape).astype(kind)
        sizes = [length]
        if self.name.startswith("gemm"):
            K, kind = self.depths[self.name]
            inputs = [draw(length, K, kind=kind), draw(K, 72, kind=kind)]
            wanted = inputs[0].astype("f4") @ inputs[1].astype("f4")
            if kind == "f4":  # weights of f32 lie in panels of 48 columns, the last filled up with zeros
                padded = numpy.pad(inputs[1], ((0, 0), (0, 24)))
                inputs[1] = numpy.concatenate([padded[:, :48].ravel(), padded[:, 48:].ravel()])
        elif self.name == "norm":
            inputs = [draw(length, 100, kind="f4"), draw(length, 100, kind="f4"), draw(100, kind="f4"), draw(100, kind="f4")]
            x = inputs[0] + inputs[1]
            x = x - x.mean(1, keepdims=True)
            wanted = x / numpy.sqrt((x * x).mean(1, keepdims=True) + 1e-5) * inputs[2] + inputs[3]
        else:
            inputs = [draw(1, length, 128) for _ in range(3)]
            count, sizes = -(-length // 64), [1, length]
            kept = numpy.ones((2, count, count), bool)
            if self.name == "blocks":
                kept = random.random(kept.shape) < 0.6
                kept[:, :, -1] = True  # the last, which may end early
                if count > 2:
                    kept[1, -1] = False  # of the last row none
                inputs.append(rows_of(kept))
            wanted = attention(*inputs[:3], kept.repeat(64, 1).repeat(64, 2)[:, :length, :length])
        kind = inputs[0].dtype
        result = f"{'x'.join(map(str, wanted.shape))}x{'f16' if kind == 'f2' else 'f32'}"
        grid, threads, shared = self.launch
        values = {"s": length, "b": 1, "floordiv": lambda a, b: a // b, "max": max, "min": min}
        grid = eval(grid, {"__builtins__": {}}, values)  # of the compiler
        words = ["--entry", self.name, "--grid", grid, "--block", threads, "--shared", shared, "--limit", 300000]
        words += ["--tolerance", TOLERANCE.get(self.name, 2e-3), "--conflicts", "--threads", 1, "--args"]
        words += [self.file(array, i, length) for i, array in enumerate(inputs)]
        words += [f"{result}=={self.file(wanted.astype(kind), 'wanted', length)[1:]}", *(f"i64={size}" for size in sizes)]
        return list(map(str, words))

    def findings(self, body, what="changed"):
        """What the first launch that reports anything reports, "" when none does."""
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=what, suffix=".ptx") as file:
            file.write(self.head + body)
            file.flush()
            for words in self.runs:
                command = [os.environ["TAMIS_PTX"], "check", file.name, *words]
                done = subprocess.run(command, capture_output=True, text=True, timeout=300)
                if done.returncode not in (0, 1) or done.stderr:
                    raise AssertionError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
                if done.returncode:
                    return done.stdout
        return ""


def rows_of(kept):
    """The stored index of the kept blocks [heads, rows, items]: each row its count, then the items."""
    stored = numpy.zeros((1, *kept.shape[:2], kept.shape[2] + 1), "i4")
    for head, row in numpy.ndindex(*kept.shape[:2]):
        items = numpy.flatnonzero(kept[head, row])
        stored[0, head, row, 0] = len(items)
        stored[0, head, row, 1 : 1 + len(items)] = items
    return stored


def attention(q, k, v, kept):
    """Two heads of 64 columns; rows that keep nothing are zero."""
    q, k, v = (x.astype("f4").reshape(x.shape[1], 2, 64).transpose(1, 0, 2) for x in (q, k, v))
    scores = numpy.where(kept, q @ k.transpose(0, 2, 1) / 8, -numpy.inf)
    largest = scores.max(2, keepdims=True)
    weights = numpy.exp(scores - numpy.where(numpy.isfinite(largest), largest, 0))
    total = weights.sum(2, keepdims=True)
    result = weights / numpy.where(total == 0, 1, total) @ v
    return result.transpose(1, 0, 2).reshape(1, -1, 128)


class Mutations(unittest.TestCase):
    target, depths, rules, excluded, wanted_rules = "sm_80", DEPTHS, RULES, EXCLUDED, WANTED_RULES

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="tamis-test-")
        cls.addClassCleanup(holder.cleanup)
        folder = pathlib.Path(holder.name)
        (folder / "kernels.mlir").write_text(module_of(cls.depths))
        command = [os.environ["NVPTX_KERNELS"], str(folder / "kernels.mlir"), cls.target]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        launches = re.findall(r"^// (\w+): threads (\d+), shared (\d+), .*?grid \[(.*?)\],", text, re.M)
        head = text[: text.index(".visible .entry")]
        cls.kernels = []
        for name, threads, shared, grid in launches:
            if name not in cls.wanted_rules:
                continue
            body = re.search(rf"^\.visible \.entry {name}\(.*?^}}$", text, re.S | re.M)[0]
            cls.kernels.append(Kernel(name, head, body, (grid, int(threads), int(shared)), folder, cls.depths))

    def kernel(self, name):
        return next(kernel for kernel in self.kernels if kernel.name == name)

    def test_originals(self):
        for kernel in self.kernels:
            self.assertEqual(kernel.findings(kernel.body), "", kernel.name)

    def test_each_mistake_is_reported(self):
        for kernel in self.kernels:
            mutations = list(mutations_of(kernel.name, kernel.body, self.rules, self.excluded))
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                found = list(pool.map(lambda each: kernel.findings(each.body), mutations))
            for each, findings in zip(mutations, found):
                with self.subTest(kernel=kernel.name, rule=each.rule, line=each.line):
                    self.assertNotEqual(each.body, kernel.body)
                    self.assertNotEqual(findings, "", "nothing was reported")
                    self.assertIn(each.kind, findings)
            # A rule that finds no place would pass as well.
            count = collections.Counter(each.rule for each in mutations)
            self.assertEqual({rule for rule in count}, set(self.wanted_rules[kernel.name]), kernel.name)

    def test_no_swizzle_at_all(self):
        """Where both sides agree the values are right, and only the banks tell."""
        kernel, pattern = self.kernel("attention"), r"xor\.b32 \t(%r\d+), (%r\d+), (%r\d+);"
        told = []
        # One operand of each is the place without a swizzle; which one, the text does not say.
        for choice in itertools.product((2, 3), repeat=len(re.findall(pattern, kernel.body))):
            operands = iter(choice)
            body = re.sub(pattern, lambda m: f"mov.b32 \t{m[1]}, {m[next(operands)]};", kernel.body)
            self.assertNotEqual(body, kernel.body)
            told.append(kernel.findings(body).splitlines())
        conflicts = [found for found in told if all("bank conflict: " in line for line in found)]
        self.assertEqual(len(conflicts), 1, told)
        self.assertNotEqual(conflicts[0], [])

    def test_exclusions_are_met(self):
        """An exclusion that excludes nothing has outlived its kernel."""
        for names, rule, pattern, _ in self.excluded:
            for name in names:
                body = self.kernel(name).body
                places = [m for r, found, *_ in self.rules if re.search(rule, r) for m in re.finditer(found, body)]
                self.assertTrue(any(re.search(pattern, context_of(body, m)) for m in places), f"{name}: {pattern}")


if __name__ == "__main__":
    unittest.main()
