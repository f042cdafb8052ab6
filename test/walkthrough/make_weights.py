# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes random weights for encoder_layer.mlir: make_weights.py FILE.safetensors"""

import sys

import numpy as np
from safetensors.numpy import save_file

SIZES = {
    **{f"{name}.weight": (16, 16) for name in ("query", "key", "value", "output")},
    **{f"{name}.bias": (16,) for name in ("query", "key", "value", "output", "down", "norm", "norm_1")},
    "norm.scale": (16,),
    "norm_1.scale": (16,),
    "up.weight": (16, 32),
    "up.bias": (32,),
    "down.weight": (32, 16),
}


def main():
    random = np.random.default_rng(1)
    save_file({name: random.standard_normal(size, np.float32) / 4 for name, size in SIZES.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
