// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Diagnostics for people who compile models: "error: model.onnx: /encoder/MatMul: found this, wanted that".
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringMap.h"
#include <string>

namespace tamis::tool {

/// Prints the diagnostics of a context on standard error while it lives. Places: a position in a text is printed with
/// its line and a caret; a node is printed by its name; everything else bears the model's path alone.
class DiagnosticPrinter : public mlir::ScopedDiagnosticHandler {
public:
  DiagnosticPrinter(mlir::MLIRContext *context, std::string model);

  unsigned errors() const { return errorCount; }

private:
  void print(mlir::Diagnostic &diagnostic);
  void printSourceLine(mlir::FileLineColLoc position);
  std::string placeOf(mlir::Location location) const;

  std::string model;
  unsigned errorCount = 0;
};

} // namespace tamis::tool
