# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What scripts/bench is made of. `environment`, `machine`, `results`, `workers`, `models`, `speed` and `cost` are the
driver and use the standard library alone; `make_models`, `accuracy` and `engines` run in the peers' environment."""
