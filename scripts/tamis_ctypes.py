# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C API of the runtime (include/tamis/tamis.h) from Python: load a plan, ask what it computes, run it.

    plan = Plan("build/release/lib/libtamis.so", "model.plan")
    context = Context(plan, threads=2)
    outputs = context.run({"input_ids": ids, "attention_mask": mask})     # name -> numpy array

Used by scripts/demo and scripts/bench; needs numpy alone. A Plan may be shared by threads, a Context may not.
"""

import collections
import ctypes as c
import os

import numpy as np

# tamis_element_type. numpy has no bfloat16: its bits come as uint16.
ELEMENT_TYPES = {
    1: np.float32,
    2: np.float64,
    3: np.float16,
    4: np.uint16,
    5: np.int8,
    6: np.int16,
    7: np.int32,
    8: np.int64,
    9: np.uint8,
    10: np.bool_,
    11: np.uint16,
    12: np.uint32,
    13: np.uint64,
}

# code: the number of the element type, since bf16 is of np.uint16 too. dims: -1 where a size depends on the run; dim_names: "384", "batch", "2*sequence".
TensorInfo = collections.namedtuple("TensorInfo", "name element_type dims dim_names code")


class TamisError(RuntimeError):
    """A call that failed; the text holds the status and the runtime's message."""


class _Error(c.Structure):
    _fields_ = [("status", c.c_int), ("message", c.c_char * 1020)]


class _LoadOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_size_t),
        ("verify_weights", c.c_int32),
        ("code", c.c_int),
        ("level", c.c_char_p),
        ("hide_from_debugger", c.c_int32),
        ("perf_map", c.c_int32),
    ]


class _Tensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("dims", c.POINTER(c.c_int64)),
        ("rank", c.c_int32),
        ("element_type", c.c_int),
    ]


class _TensorInfo(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("dim_names", c.POINTER(c.c_char_p)),
        ("dims", c.POINTER(c.c_int64)),
        ("rank", c.c_int32),
        ("element_type", c.c_int),
        ("is_state", c.c_int32),
    ]


class _Library:
    """The functions of libtamis.so with their types; those that return a tamis_status raise TamisError instead."""

    def __init__(self, path):
        try:
            self._library = c.CDLL(os.fspath(path))
        except OSError as error:
            raise TamisError(f"cannot load the runtime library: {error}") from None
        status, handle, error = c.c_int, c.c_void_p, c.POINTER(_Error)
        for name, result, *arguments in (
            ("tamis_status_name", c.c_char_p, status),
            ("tamis_version", c.c_char_p),
            ("tamis_plan_load", status, c.c_char_p, c.POINTER(_LoadOptions), c.POINTER(handle), error),
            ("tamis_plan_destroy", None, handle),
            ("tamis_plan_input_count", c.c_size_t, handle),
            ("tamis_plan_output_count", c.c_size_t, handle),
            ("tamis_plan_input", status, handle, c.c_size_t, c.POINTER(_TensorInfo), error),
            ("tamis_plan_output", status, handle, c.c_size_t, c.POINTER(_TensorInfo), error),
            ("tamis_context_create", status, handle, c.c_int32, c.POINTER(handle), error),
            ("tamis_context_destroy", None, handle),
            ("tamis_run", status, handle, c.POINTER(_Tensor), c.c_size_t, c.POINTER(_Tensor), c.c_size_t, error),
            ("tamis_context_output", status, handle, c.c_size_t, c.POINTER(_Tensor), error),
        ):
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def check(self, status, error):
        if status:
            name = (self.tamis_status_name(status) or b"unknown status").decode()
            raise TamisError(f"{name}: {error.message.decode(errors='replace')}")


class Plan:
    """A loaded plan. `level` forces one of its code sections ("x86-64-v3"); None lets the runtime choose."""

    def __init__(self, library, path, level=None):
        self._library = _Library(library)
        self._handle = c.c_void_p()
        options = _LoadOptions(struct_size=c.sizeof(_LoadOptions), level=level.encode() if level else None)
        error = _Error()
        status = self._library.tamis_plan_load(
            os.fsencode(path), c.byref(options), c.byref(self._handle), c.byref(error)
        )
        self._library.check(status, error)
        self.inputs = self._describe(self._library.tamis_plan_input_count, self._library.tamis_plan_input)
        self.outputs = self._describe(self._library.tamis_plan_output_count, self._library.tamis_plan_output)

    def _describe(self, count, get):
        described = []
        for index in range(count(self._handle)):
            info, error = _TensorInfo(), _Error()
            self._library.check(get(self._handle, index, c.byref(info), c.byref(error)), error)
            described.append(
                TensorInfo(
                    info.name.decode(),
                    ELEMENT_TYPES[info.element_type],
                    tuple(info.dims[i] for i in range(info.rank)),
                    tuple(info.dim_names[i].decode() for i in range(info.rank)),
                    info.element_type,
                )
            )
        return described

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.tamis_plan_destroy(self._handle)


class Context:
    """What one thread needs to run `plan`. `threads` counts the calling one; 0 means one for each allowed CPU."""

    def __init__(self, plan, threads=0):
        self.plan = plan
        self._library = plan._library
        self._handle = c.c_void_p()
        error = _Error()
        status = self._library.tamis_context_create(plan._handle, threads, c.byref(self._handle), c.byref(error))
        self._library.check(status, error)

    def bind(self, feeds):
        """A function that runs the plan on `feeds` (name -> array) and does nothing else: what a benchmark times."""
        missing = [info.name for info in self.plan.inputs if info.name not in feeds]
        if missing:
            raise TamisError(f"no value for input {', '.join(missing)}")
        arrays, tensors = [], (_Tensor * len(self.plan.inputs))()
        for tensor, info in zip(tensors, self.plan.inputs):
            array = np.ascontiguousarray(feeds[info.name], dtype=info.element_type)
            dims = (c.c_int64 * array.ndim)(*array.shape)
            arrays.append((array, dims))
            tensor.data, tensor.dims, tensor.rank = array.ctypes.data, dims, array.ndim
            tensor.element_type = info.code
        run, handle, count, error = self._library.tamis_run, self._handle, len(tensors), _Error()
        error_reference = c.byref(error)

        def call(_keep_alive=arrays):
            status = run(handle, tensors, count, None, 0, error_reference)
            if status:
                self._library.check(status, error)

        return call

    def outputs(self):
        """Name -> a copy of every output of the last run."""
        values = {}
        for index, info in enumerate(self.plan.outputs):
            tensor, error = _Tensor(), _Error()
            status = self._library.tamis_context_output(self._handle, index, c.byref(tensor), c.byref(error))
            self._library.check(status, error)
            shape = tuple(tensor.dims[i] for i in range(tensor.rank))
            value = np.empty(shape, ELEMENT_TYPES[tensor.element_type])
            if value.size:
                c.memmove(value.ctypes.data, tensor.data, value.nbytes)
            values[info.name] = value
        return values

    def run(self, feeds):
        """Runs the plan on `feeds` (name -> array) and returns name -> array."""
        self.bind(feeds)()
        return self.outputs()

    def __del__(self):
        if getattr(self, "_handle", None):
            self._library.tamis_context_destroy(self._handle)
