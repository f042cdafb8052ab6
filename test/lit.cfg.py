# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How lit runs the tests below this folder. Loaded by the lit.site.cfg.py that CMake writes into the build folder.
import os
import shutil

import lit.formats

config.name = "tamis"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.tamis_build_root, "test")

tools = [os.path.join(config.tamis_build_root, "bin"), config.llvm_tools]
config.environment["PATH"] = os.path.pathsep.join(tools + [config.environment["PATH"]])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input=fail"
for name in ["ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"]:  # a sanitizer build passes them on
    if name in os.environ:
        config.environment[name] = os.environ[name]
# NVIDIA's assembler, which says whether PTX is right: TAMIS_PTXAS, or the one in PATH. Tests that need it are skipped
# (unsupported) without.
ptxas = os.environ.get("TAMIS_PTXAS") or shutil.which("ptxas")
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))
config.substitutions.append(("%python", config.python))
config.substitutions.append(("%source", config.tamis_source_root))
