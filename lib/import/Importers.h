// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One importer a format, behind importModel.
#pragma once

#include "lib/import/Import.h"
#include "mlir/IR/Diagnostics.h"

namespace tamis {

using ImportedModule = mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>;

ImportedModule importOnnx(llvm::StringRef path, const ImportOptions &options, mlir::MLIRContext *context,
                          WeightStore &weights);
ImportedModule importHuggingFace(llvm::StringRef folder, const ImportOptions &options, mlir::MLIRContext *context,
                                 WeightStore &weights);
ImportedModule importGguf(llvm::StringRef path, const ImportOptions &options, mlir::MLIRContext *context,
                          WeightStore &weights);
ImportedModule importText(llvm::StringRef path, const ImportOptions &options, mlir::MLIRContext *context,
                          WeightStore &weights);

/// The location of a file as a whole.
mlir::Location fileLocation(llvm::StringRef path, mlir::MLIRContext *context);

/// What is wrong with a weight that a model's description wants, for a list of all that are: missing, or of another
/// type. Empty where `found`, null for none, is as wanted.
std::string weightComplaint(llvm::StringRef name, const WeightStore::Weight *found, mlir::RankedTensorType wanted);

/// Reports an llvm::Error on a location.
mlir::LogicalResult reportError(mlir::Location loc, llvm::Error error);

} // namespace tamis
