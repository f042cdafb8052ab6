// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the architectures of Hugging Face's folders share. Include after JSON_NOEXCEPTION is defined.
#pragma once

#include "lib/import/Importers.h"
#include <nlohmann/json.hpp>

namespace tamis {

/// A JSON object from a file of a model. Errors, on `loc`: not there, over 64 MiB, nested too deeply, no object.
mlir::FailureOr<nlohmann::json> readJsonObject(llvm::StringRef path, WeightStore &weights, mlir::Location loc);

/// Adds the tensors of model.safetensors, or of the files that model.safetensors.index.json names, which must lie in
/// the folder.
mlir::LogicalResult addFolderWeights(llvm::StringRef folder, WeightStore &weights, mlir::MLIRContext *context);

/// Keeps the folder's tokenizer among the texts of `weights`: tokenizer.json, or what BERT makes of vocab.txt. Nothing
/// where it has neither, since an encoder is run by token as well.
void addEncoderTokenizer(llvm::StringRef folder, WeightStore &weights, mlir::MLIRContext *context);

/// Types (`model_type`) that importHuggingFaceDecoder reads.
bool isDecoderType(llvm::StringRef modelType);
/// A decoder of Llama's kind; `config` is the folder's config.json, `loc` its place. The folder's tokenizer.json is
/// kept among the texts of `weights`.
ImportedModule importHuggingFaceDecoder(llvm::StringRef folder, const nlohmann::json &config, mlir::Location loc,
                                        const ImportOptions &options, WeightStore &weights);

} // namespace tamis
