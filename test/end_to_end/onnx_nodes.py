# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The onnx project's own tests of its ops, through a compiled plan.

Each is a model of one node (or of the nodes of its function) with inputs and what they give. Inputs that an op needs at
compile time, such as axes and shapes, are made initializers where the model cannot be compiled without, which is how ONNX
says that a value is fixed; such a test is said to be frozen.
"""

import concurrent.futures
import dataclasses
import pathlib
import re
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

TESTS = pathlib.Path(onnx.__file__).parent / "backend/test/data/node"
FAILING = pathlib.Path(__file__).parent / "onnx_nodes_failing.txt"
TRANSFORMER = re.compile(r"test_(attention|rms_normalization|linear_attention|causal_conv|rotary_embedding|tensorscatter)")


@dataclasses.dataclass
class Outcome:
    name: str
    passed: bool
    detail: str = ""  # what went wrong, a line
    frozen: bool = False


def names():
    return sorted(path.name for path in TESTS.iterdir())


def failing():
    """{name: reason} of the tests that are known not to pass. The file has a reason a paragraph, `# reason`, and names."""
    reasons, reason = {}, ""
    for line in FAILING.read_text().splitlines():
        if line.startswith("# "):
            reason = line[2:]
        for name in line.split() if not line.startswith("#") else []:
            reasons[name] = reason
    return reasons


def op_of(name):
    """The op that a test is about: that of the first node of the model that is not expanded, where there is one."""
    folder = TESTS / re.sub(r"_expanded(_ver\d+)?$", "", name)
    model = onnx.load((folder if folder.exists() else TESTS / name) / "model.onnx", load_external_data=False)
    return model.graph.node[0].op_type if model.graph.node else "none"


class Unusable(Exception):
    """Data of a test that no plan can be given or compared with."""


def _tensor(path, type=None):
    """The array of a file, or the one in what holds it: optional values and sequences are of one tensor to us."""
    if type is None or type.HasField("tensor_type"):
        return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))
    held = (onnx.OptionalProto if type.HasField("optional_type") else onnx.SequenceProto).FromString(path.read_bytes())
    while not isinstance(held, onnx.TensorProto):
        if isinstance(held, onnx.OptionalProto):
            if held.elem_type not in (onnx.OptionalProto.TENSOR, onnx.OptionalProto.SEQUENCE):
                raise Unusable("an optional value that is not there")
            is_tensor = held.elem_type == onnx.OptionalProto.TENSOR
            held = held.tensor_value if is_tensor else held.sequence_value
        elif len(held.tensor_values) == 1:
            held = held.tensor_values[0]
        else:
            raise Unusable(f"a sequence of {len(held.tensor_values)} tensors")
    return numpy_helper.to_array(held)


def _is_needed_early(value, name):
    """Axes, shapes, counts; the bounds of a Range and the scales of a Resize."""
    return value.ndim == 0 or value.ndim == 1 and (value.dtype.kind in "iub" or name in ("scales", "roi"))


def _run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300)


def _compile(tamis, folder, model, work):
    """The path of the plan, or an error; and the inputs that were made initializers."""
    plan = work / "model.plan"
    found = _run(tamis, "compile", folder / "model.onnx", "-o", plan, "--target=host")
    frozen = []
    if found.returncode and "computed at run time" in found.stderr:
        for i, info in enumerate(model.graph.input):
            path = folder / f"test_data_set_0/input_{i}.pb"
            if not path.exists() or not info.type.HasField("tensor_type"):
                continue
            value = _tensor(path)
            if _is_needed_early(value, info.name):
                model.graph.initializer.append(numpy_helper.from_array(value, info.name))
                frozen.append(info.name)
        if frozen:
            onnx.save(model, work / "frozen.onnx")
            found = _run(tamis, "compile", work / "frozen.onnx", "-o", plan, "--target=host")
    if found.returncode:
        notes = [line for line in found.stderr.strip().splitlines() if line.startswith("note:") and "node '" in line]
        last = (notes or found.stderr.strip().splitlines() or ["died"])[0 if notes else -1]
        return None, re.sub(r"^\S+ (\S+: )?", "", last)[-300:], frozen
    return plan, "", frozen


def _compare(tamis, plan, data, model, frozen, work):
    """What differs; empty when nothing does."""
    words = []
    for i, info in enumerate(model.graph.input):
        path = data / f"input_{i}.pb"
        if path.exists() and info.name not in frozen:
            np.save(work / f"{i}.npy", _tensor(path, info.type))
            words.append(f"--input={info.name}=@{work}/{i}.npy")
    found = _run(tamis, "run", plan, *words, f"--output={work}/out.npz")
    if found.returncode:
        return (found.stderr or f"tamis run ends with {found.returncode}").strip().splitlines()[-1]
    outputs = np.load(work / "out.npz")
    for i, info in enumerate(model.graph.output):
        got, wanted = outputs[info.name], _tensor(data / f"output_{i}.pb", info.type)
        if got.dtype.kind == "V" and got.itemsize == wanted.itemsize:  # NumPy has no name for bfloat16
            got = got.view(wanted.dtype)
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            return f"{info.name} is {got.dtype}{list(got.shape)} but {wanted.dtype}{list(wanted.shape)} is wanted"
        exact = wanted.dtype.kind in "iub"
        # The tolerances of the onnx project's own runner.
        rough = 1e-3 if wanted.dtype.itemsize > 2 else 4e-3
        if wanted.dtype.kind == "V":
            got, wanted = got.astype(np.float32), wanted.astype(np.float32)
        close = np.equal(got, wanted) if exact else np.isclose(got, wanted, rtol=rough, atol=1e-7 + rough * 1e-2, equal_nan=True)
        if not close.all():
            return f"{info.name} differs in {np.count_nonzero(~close)} of {close.size} elements"
    return ""


def run(tamis, name):
    """Compiles and runs one test."""
    folder = TESTS / name
    model = onnx.load(folder / "model.onnx")
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        try:
            plan, problem, frozen = _compile(tamis, folder, model, work)
            for data in sorted(folder.glob("test_data_set_*")) if plan else []:
                problem = problem or _compare(tamis, plan, data, model, frozen, work)
        except subprocess.TimeoutExpired:
            problem, frozen = "takes more than five minutes", []
        except Unusable as reason:
            problem, frozen = str(reason), []
    return Outcome(name, not problem, problem, bool(frozen))


def run_all(tamis, which, threads, tell=lambda outcome: None):
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for outcome in pool.map(lambda name: run(tamis, name), which):
            tell(outcome)
            outcomes.append(outcome)
    return outcomes
