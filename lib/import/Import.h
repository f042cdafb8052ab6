// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Station 1: a model file becomes a function of the model dialect.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/import/CacheOptions.h"
#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tamis {

/// Range of sizes a dynamic dimension may take when neither the user nor the model says more.
constexpr int64_t defaultMinSize = 1, defaultMaxSize = 65536;

struct ImportOptions {
  /// Ranges the user gives to the model's named sizes (`--dim batch=1..64`), both bounds included. A range of one
  /// number fixes the size: the number takes the symbol's place everywhere.
  std::vector<model::Symbol> dims;
  /// Of language models of .gguf files and Hugging Face's folders.
  CacheOptions cache;
};

/// Reads the model at `path` and returns a module that holds one function `main` of the model dialect; the weights it
/// names are added to `weights`, mapped from the model's files.
///
/// `path` is one of
/// - an ONNX file (`*.onnx`, or any file that reads as one), opset 7 to 27, weights inside or in files of its folder;
/// - a folder of Hugging Face's layout with `config.json` and `model.safetensors`, of BERT's architecture;
/// - a GGUF file (`*.gguf`) of the architecture llama, qwen2 or qwen3; weights are unpacked to f32, and the file's
///   tokenizer is kept among the texts of `weights`;
/// - a textual graph (`*.mlir`), with its weights in a file of the same stem ending in `.safetensors`.
///
/// Dynamic sizes bear the names of the model. A size without a name is called `<input>_<axis>`. A range that is not
/// given is 1 to 65536, and tighter where the model itself is: a table of 512 positions limits the sequence to 512. Two
/// sizes of different names that must be equal (operands of one addition) become one, under the name that comes first:
/// broadcasting a dynamic size that happens to be one is not supported.
///
/// Every op bears the name of the node it comes from as its location. Errors, all of them, are diagnostics on
/// locations in the file; nothing throws. Not thread-safe in `weights`.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importModel(llvm::StringRef path, const ImportOptions &options,
                                                               mlir::MLIRContext *context, WeightStore &weights);

} // namespace tamis
