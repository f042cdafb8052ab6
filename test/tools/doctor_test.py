# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tamis doctor and tamis-run --doctor: what this machine and this build can do."""

import json
import os
import platform
import subprocess
import sys
import unittest

from command import CommandTest

LEVEL_3 = {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}
LEVEL_4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def flags():
    """Of this CPU, by Linux's names."""
    with open("/proc/cpuinfo") as file:
        return set(next((line for line in file if line.startswith("flags")), "").split())


class Doctor(CommandTest):
    def facts(self, **environment):
        environment = {"PYTHON": sys.executable, **environment}
        return json.loads(self.tamis("doctor", "--json", environment=environment).stdout)

    def test_machine(self):
        found = self.facts()
        version = self.tamis("--version").stdout
        self.assertIn(found["versions"]["runtime"]["text"], version)
        self.assertIn(f"plan format {found['versions']['plan format']['text']}", version)
        if platform.machine() == "x86_64":
            level = "x86-64-v4" if LEVEL_3 | LEVEL_4 <= flags() else "x86-64-v3" if LEVEL_3 <= flags() else None
            if level:
                self.assertEqual(found["cpu"]["level"]["text"], level)
            for name, ours in (("avx512_vnni", "avx512vnni"), ("avx_vnni", "avxvnni"), ("avx512_bf16", "avx512bf16")):
                self.assertEqual(ours in found["cpu"]["features beyond it"]["text"].split(), name in flags())
        self.assertTrue(found["cpu"]["cores"]["text"].startswith(f"{len(os.sched_getaffinity(0))} of "))
        self.assertRegex(found["compiler"]["LLVM"]["text"], r"^\d+\.\d+\.\d+")
        self.assertTrue(found["gpu"]["emulated"]["usable"])
        self.assertIn("ONNX Runtime 1.", found["compiler"]["judge of tamis verify"]["text"])

    def test_what_is_missing(self):
        found = self.facts(TAMIS_CUDA_DRIVER="/nonexistent/libcuda.so", TAMIS_PTXAS="", PYTHON="/nonexistent/python")
        self.assertFalse(found["gpu"]["NVIDIA"]["usable"])
        self.assertIn("/nonexistent/libcuda.so", found["gpu"]["NVIDIA"]["text"])
        self.assertIn("none", found["compiler"]["ptxas"]["text"])
        self.assertFalse(found["compiler"]["judge of tamis verify"]["usable"])
        self.assertIn("/nonexistent/python", found["compiler"]["judge of tamis verify"]["text"])
        found = self.facts(TAMIS_PTXAS="/opt/ptxas", TMPDIR="/nonexistent/folder")
        self.assertEqual(found["compiler"]["ptxas"]["text"], "/opt/ptxas")
        self.assertFalse(found["folders"]["temporary"]["usable"])
        self.assertIn("/nonexistent/folder", found["folders"]["temporary"]["text"])

    def test_text(self):
        text = self.tamis("doctor").stdout
        for title in ("versions", "cpu", "code", "gpu", "compiler", "folders"):
            self.assertIn(title, text.splitlines())
        self.assertRegex(text, r"  [+-] NVIDIA  +\S")

    def test_runtime_alone(self):
        run = os.environ["TAMIS_RUN"]
        found = json.loads(subprocess.run([run, "--doctor", "--json"], capture_output=True, text=True, check=True).stdout)
        self.assertEqual(list(found), ["versions", "cpu", "code", "gpu"])
        with_compiler = self.facts()
        self.assertEqual(found["cpu"]["level"], with_compiler["cpu"]["level"])
        self.assertIn("x86-64" if platform.machine() == "x86_64" else platform.machine(), found["cpu"]["level"]["text"])
        text = subprocess.run([run, "--doctor"], capture_output=True, text=True, check=True).stdout
        self.assertIn("  + emulated", text)
        missing = subprocess.run([run], capture_output=True, text=True)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn("plan is required", missing.stderr + missing.stdout)


if __name__ == "__main__":
    unittest.main()
