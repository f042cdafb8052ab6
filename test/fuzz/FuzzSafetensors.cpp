// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Safetensors files. Every byte of every tensor that was taken is read.
#include "lib/support/Weights.h"
#include "mlir/IR/MLIRContext.h"
#include "test/fuzz/FuzzTarget.h"

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  WeightStore store;
  if (llvm::Error error = addSafetensors(store, fuzz::inputFile("weights.safetensors", data, size), &context)) {
    if (llvm::toString(std::move(error)).empty())
      abort();
    return 0;
  }
  for (const char *key : {"a", "b", "weight"})
    if (const WeightStore::Weight *weight = store.find(key)) {
      unsigned sum = 0;
      for (char byte : weight->bytes)
        sum += static_cast<unsigned char>(byte);
      volatile unsigned kept = sum;
      (void)kept;
    }
  return 0;
}
