# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a model with ONNX Runtime for `tamis verify`.

    onnxruntime_judge.py outputs|nodes MODEL INPUTS.npz RESULTS.npz
    onnxruntime_judge.py version

Writes the model's outputs, or the first output of every named node, as arrays "0", "1", ... and prints the name of
each on a line of its own. Exit codes: 0 done, 1 failed with the reason on standard error, 3 a package is missing.
"""

import sys

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

# What the C++ side reads.
KNOWN_TYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool")


def session_of(model, optimize):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feeds_of(session, archive):
    inputs = numpy.load(archive)
    wanted = {entry.name for entry in session.get_inputs()}
    if wanted != set(inputs.files):
        raise ValueError(f"the model's inputs are {sorted(wanted)}, the plan's are {sorted(inputs.files)}")
    return {name: inputs[name] for name in inputs.files}


def run_outputs(model, archive):
    session = session_of(model, optimize=True)
    names = [entry.name for entry in session.get_outputs()]
    return list(zip(names, session.run(names, feeds_of(session, archive))))


def run_nodes(model, archive):
    try:
        import onnx
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    proto = onnx.load(model)
    nodes = [(node.name, node.output[0]) for node in proto.graph.node if node.name and node.output and node.output[0]]
    present = {output.name for output in proto.graph.output}
    for _, value in nodes:
        if value not in present:
            present.add(value)
            proto.graph.output.append(onnx.ValueInfoProto(name=value))
    session = session_of(proto.SerializeToString(), optimize=False)
    values = session.run([value for _, value in nodes], feeds_of(session, archive))
    return [(name, value) for (name, _), value in zip(nodes, values)]


def main():
    if sys.argv[1:] == ["version"]:
        print(f"ONNX Runtime {onnxruntime.__version__}")
        return
    what, model, archive, destination = sys.argv[1:]
    try:
        results = {"outputs": run_outputs, "nodes": run_nodes}[what](model, archive)
    except Exception as error:  # of many kinds, all of them an answer to the caller
        print(str(error).strip() or type(error).__name__, file=sys.stderr)
        sys.exit(1)
    results = [(name, value) for name, value in results if isinstance(value, numpy.ndarray)]
    results = [(name, value) for name, value in results if value.dtype.name in KNOWN_TYPES]
    arrays = {str(i): numpy.ascontiguousarray(value).reshape(value.shape) for i, (_, value) in enumerate(results)}
    numpy.savez(destination, **arrays)
    for name, _ in results:
        print(name)


if __name__ == "__main__":
    main()
