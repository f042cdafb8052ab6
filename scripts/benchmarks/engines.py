# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One engine in a process of its own, so that no idle thread of another disturbs it.

    python -m benchmarks.engines ENGINE CPU,CPU...        ENGINE: tamis | onnxruntime | openvino | numpy, or one of
                                                        attention_engines.py

A JSON request a line on standard input, a JSON reply a line on standard output:
    {"file": model or plan, "tokens": [batch, length], "seconds": 0.3}          a text model on full rows of random ids
    {"file": ..., "floats": {input: shape}, "seconds": 0.3}                     a kernel on normal random numbers
    -> {"prepare": seconds, "times": [seconds of each run], "sample": [numbers of the first float output],
        "rss": {...}}  or  {"error": text}
The tamis engine wants TAMIS_LIBRARY in its environment: the path of libtamis.so.
"""

import json
import os
import sys
import time

SAMPLES = 256


def make_feeds(request):
    """The same numbers for every engine."""
    import numpy as np

    if "tokens" in request:
        batch, length = request["tokens"]
        random = np.random.default_rng([batch, length])
        ids = random.integers(0, 30522, (batch, length), dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in request["floats"].items()}


def sample(outputs):
    """SAMPLES numbers spread evenly over the first float output."""
    import numpy as np

    values = next(np.asarray(v) for v in outputs if np.asarray(v).dtype.kind == "f").ravel()
    return [float(v) for v in values[np.linspace(0, values.size - 1, min(SAMPLES, values.size)).astype(np.int64)]]


# Each engine is a function of a number of threads that returns `prepare`: a function of a file and feeds that returns
# two more, one that runs once, into memory that is already there, and one that returns the outputs of the last run.
# The feeds belong to the caller, who keeps them until the next `prepare`.


def tamis(threads):
    import tamis_ctypes

    contexts = {}

    def prepare(file, feeds):
        if file not in contexts:
            contexts[file] = tamis_ctypes.Context(tamis_ctypes.Plan(os.environ["TAMIS_LIBRARY"], file), threads)
        context = contexts[file]
        return context.bind(feeds), lambda: list(context.outputs().values())

    return prepare


def onnxruntime(threads):
    import onnxruntime as ort

    sessions = {}

    def prepare(file, feeds):
        if file not in sessions:
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.log_severity_level = 3
            sessions[file] = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        session = sessions[file]
        binding = session.io_binding()
        for input in session.get_inputs():
            binding.bind_ortvalue_input(input.name, ort.OrtValue.ortvalue_from_numpy(feeds[input.name]))
        # A first run finds the sizes of the outputs; the timed ones write into tensors of those sizes.
        for output in session.get_outputs():
            binding.bind_output(output.name)
        session.run_with_iobinding(binding)
        outputs = binding.get_outputs()
        for output, value in zip(session.get_outputs(), outputs):
            binding.bind_ortvalue_output(output.name, value)
        return (lambda: session.run_with_iobinding(binding)), (lambda: [v.numpy() for v in outputs])

    return prepare


def openvino(threads, precision="f32"):
    import openvino as ov

    core = ov.Core()

    def prepare(file, feeds):
        # Compiled for the sizes at hand, OpenVINO's best case.
        model = core.read_model(file)
        feeds = {i.get_any_name(): feeds[i.get_any_name()] for i in model.inputs}
        model.reshape({name: list(value.shape) for name, value in feeds.items()})
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                "ENABLE_CPU_PINNING": False,
            },
        )
        request = compiled.create_infer_request()
        request.set_tensors({name: ov.Tensor(value, shared_memory=True) for name, value in feeds.items()})
        return (lambda: request.infer(share_outputs=True)), lambda: [
            request.get_output_tensor(i).data for i in range(len(compiled.outputs))
        ]

    return prepare


def openvino_bf16(threads):
    return openvino(threads, "bf16")


def numpy(_threads):
    """The reference of the kernels, in double precision."""
    from benchmarks import kernels

    def prepare(file, feeds):
        outputs = [kernels.reference(file, feeds)]
        return (lambda: None), (lambda: outputs)

    return prepare


def find(engine):
    from benchmarks import attention_engines

    return attention_engines.ENGINES.get(engine) or globals()[engine]


def resident():
    """Resident memory of this process in KiB: now, of which anonymous and of files, and at its peak."""
    names = {"VmRSS": "now", "RssAnon": "anonymous", "RssFile": "file", "VmHWM": "peak"}
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {word: int(lines[key].split()[0]) for key, word in names.items() if key in lines}


def main():
    engine, cpus = sys.argv[1], [int(cpu) for cpu in sys.argv[2].split(",")]
    os.sched_setaffinity(0, cpus)
    # Before any engine is loaded: the thread pools they would otherwise make are sized when they are.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(len(cpus))
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library's own prints go to standard error, not between the replies

    prepare, key, run, feeds = None, None, None, None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply, start = {}, time.perf_counter()
            wanted = {k: v for k, v in request.items() if k != "seconds"}
            if prepare is None:
                prepare = find(engine)(len(cpus))
            if key != wanted:
                key = None
                feeds = make_feeds(request)
                run, outputs = prepare(request["file"], feeds)
                run()
                reply["prepare"] = time.perf_counter() - start
                reply["sample"] = sample(outputs())
                key = wanted
            run()  # the caches belong to this engine again
            times, end = [], time.perf_counter() + request["seconds"]
            while not times or (time.perf_counter() < end and len(times) < 2000):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            reply.update(times=times, rss=resident())
        except Exception as error:  # whatever an engine throws belongs in the report
            reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
