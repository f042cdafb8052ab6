# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How lit runs the tests below this folder. Loaded by the lit.site.cfg.py that CMake writes into the build folder.
import os

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
config.substitutions.append(("%python", config.python))
config.substitutions.append(("%source", config.tamis_source_root))
