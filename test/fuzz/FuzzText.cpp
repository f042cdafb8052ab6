// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Textual graphs.
#include "test/fuzz/FuzzModel.h"
#include "test/fuzz/FuzzTarget.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tamis::fuzz::importFile(tamis::fuzz::inputFile("graph.mlir", data, size));
  return 0;
}
