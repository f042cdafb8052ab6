// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX files.
#include "test/fuzz/FuzzModel.h"
#include "test/fuzz/FuzzTarget.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tamis::fuzz::importFile(tamis::fuzz::inputFile("model.onnx", data, size));
  return 0;
}
