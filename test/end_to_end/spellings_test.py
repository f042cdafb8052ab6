# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parts of transformers as exporters spell them: each compiles, has its attention recognised, and gives ONNX Runtime's
answer at several sizes from one plan.

    spellings_test.py --tamis FILE [NAME]
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5
SIZES = [(1, 1), (1, 5), (3, 16), (2, 17)]

HEADS = """
    sizes = Shape (x)
    at1 = Constant <value_ints = [1]> ()
    length = Gather (sizes, at1)
    heads_of = Constant <value_ints = [0, 0, 2, 8]> ()
    heads = Reshape (x, heads_of)
    q = Transpose <perm = [0, 2, 1, 3]> (heads)
    kt = Transpose <perm = [0, 2, 3, 1]> (heads)
"""

# An attention of two heads and a dense layer, between casts or not: x and y are of the type that is put in.
HALF = """
agraph ({outer}[batch, sequence, 16] x) => ({outer}[batch, sequence, 12] y) {{
    xh = Cast <to = {code}> (x)
    scale = Constant <value_float = 0.25> ()
    scaleh = Cast <to = {code}> (scale)
    both = MatMul (xh, w1)
    biased = Add (both, b1)
    heads_of = Constant <value_ints = [0, 0, 2, 8]> ()
    heads = Reshape (biased, heads_of)
    q = Transpose <perm = [0, 2, 1, 3]> (heads)
    kt = Transpose <perm = [0, 2, 3, 1]> (heads)
    s = MatMul (q, kt)
    scaled = Mul (s, scaleh)
    p = Softmax <axis = -1> (scaled)
    o = MatMul (p, q)
    back = Transpose <perm = [0, 2, 1, 3]> (o)
    merged_of = Constant <value_ints = [0, 0, 16]> ()
    merged = Reshape (back, merged_of)
    norm = LayerNormalization <axis = -1> (merged, g1, b1)
    t = MatMul (norm, w2)
    y = Cast <to = {outer_code}> (t)
}}"""
WEIGHTS = {"w1": (16, 16), "b1": (16,), "g1": (16,), "w2": (16, 12)}  # of HALF

# Name: (attentions, graph). The sizes of inputs are batch, sequence and numbers.
CASES = {
    # DeBERTa adds products of positions to scores whose batches and heads are one axis.
    "merged_scores": (1, f"""
agraph (float[batch, sequence, 16] x, float[batch, 2, sequence, sequence] p,
        float[batch, 1, 1, sequence] m) => (float[batch, 2, sequence, 8] y) {{
    {HEADS}
    all = Constant <value_ints = [-1]> ()
    two = Constant <value_ints = [2]> ()
    merged = Concat <axis = 0> (all, length, length)
    split = Concat <axis = 0> (all, two, length, length)
    s = MatMul (q, kt)
    sm = Reshape (s, merged)
    pr = Reshape (p, merged)
    pm = Softmax <axis = 0> (pr)
    half = Constant <value_float = 0.5> ()
    ph = Mul (pm, half)
    sum = Add (sm, ph)
    scores = Reshape (sum, split)
    masked = Add (scores, m)
    w = Softmax <axis = -1> (masked)
    y = MatMul (w, q)
}}"""),
    # DINOv2's table of positions is a square, whose side is the root of its size.
    "root_of_a_size": (0, """
agraph (float[batch, 4, 4, 2] x) => (float[batch, 4, 4, 2] y)
<float[16, 2] table = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                       17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}> {
    count = Constant <value_float = 16.0> ()
    half = Constant <value_float = 0.5> ()
    root = Pow (count, half)
    side = Cast <to = 7> (root)
    at0 = Constant <value_ints = [0]> ()
    sides = Unsqueeze (side, at0)
    one = Constant <value_ints = [1]> ()
    two = Constant <value_ints = [2]> ()
    grid = Concat <axis = 0> (one, sides, sides, two)
    square = Reshape (table, grid)
    y = Add (x, square)
}"""),
    "float16": (1, HALF.format(outer="float16", code=10, outer_code=10)),
    "bfloat16": (1, HALF.format(outer="float", code=16, outer_code=1)),
}  # fmt: skip


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        command = " ".join(map(str, words))
        raise SystemExit(f"failed with status {done.returncode}: {command}\n{done.stdout}{done.stderr}")


def add_weights(model, judge, code):
    """Weights of 16 bits; the judge, of f32, has the same numbers."""
    random = np.random.default_rng(2)
    for name, shape in WEIGHTS.items():
        array = random.standard_normal(shape).astype(np.float32)
        tensor = onnx.helper.make_tensor(name, code, shape, array.ravel())
        model.graph.initializer.append(tensor)
        rounded = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        judge.graph.initializer.append(onnx.numpy_helper.from_array(rounded, name))


def models(name):
    """The model, and one of f32 that judges it."""
    header = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
    graph = CASES[name][1]
    model = onnx.parser.parse_model(f"{header}\n{graph}")
    code = {"float16": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16}.get(name)
    if code is None:
        return model, model
    single = graph.replace("float16", "float").replace("to = 10", "to = 1").replace("to = 16", "to = 1")
    judge = onnx.parser.parse_model(f"{header}\n{single}")
    add_weights(model, judge, code)
    return model, judge


def check(tamis, name, folder):
    model, judge = models(name)
    path, plan = folder / f"{name}.onnx", folder / f"{name}.plan"
    onnx.save(model, path)
    run(tamis, "compile", path, "-o", plan, f"--dump-phases={folder}")
    text = next(folder.glob(f"{name}.*.graph.mlir")).read_text()
    found, attentions = len(re.findall(r"= model\.attention ", text)), CASES[name][0]
    if found != attentions:
        raise SystemExit(f"{name}: {found} attentions, wanted {attentions}:\n{text}")
    session = onnxruntime.InferenceSession(judge.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    for batch, length in SIZES:
        feeds, words = {}, []
        for one, declared in zip(session.get_inputs(), model.graph.input):
            shape = [{"batch": batch, "sequence": length}.get(size, size) for size in one.shape]
            given = random.standard_normal(shape).astype(
                onnx.helper.tensor_dtype_to_np_dtype(declared.type.tensor_type.elem_type)
            )
            np.save(folder / f"{one.name}.npy", given)
            feeds[one.name] = given.astype(np.float32)
            words += ["--input", f"{one.name}=@{folder / one.name}.npy"]
        run(tamis, "run", plan, *words, "--output", folder / "out.npz")
        wanted = session.run(None, feeds)[0]
        ours = np.load(folder / "out.npz")["y"]
        half = ours.dtype == np.float16
        if half != (name == "float16"):
            raise SystemExit(f"{name} gives {ours.dtype}")
        # One rounding, at the end, where the result is of 16 bits.
        bound = np.abs(wanted) * 2.0**-11 * half + TOLERANCE * np.abs(wanted).max(initial=0)
        if ours.shape != wanted.shape or not (np.abs(ours.astype(np.float32) - wanted) <= bound).all():
            raise SystemExit(f"{name} at {batch}x{length}: found {ours}, wanted {wanted}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tamis", required=True)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    for name in arguments.names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            check(arguments.tamis, name, pathlib.Path(folder))
        print(f"{name}: as ONNX Runtime")


if __name__ == "__main__":
    main()
