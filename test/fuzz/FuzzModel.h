// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a file as a model, which ends in a module or in a diagnostic.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "lib/import/Import.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include <memory>

namespace tamis::fuzz {

/// Aborts when a model is refused without a word.
inline void importFile(const std::string &path) {
  // Types and attributes live as long as their context: a new one now and then keeps memory bounded.
  static std::unique_ptr<mlir::MLIRContext> context;
  static int uses = 0;
  if (!context || ++uses % 2000 == 0) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    context->loadDialect<mlir::func::FuncDialect, model::ModelDialect, sattn::SattnDialect>();
  }
  int errors = 0;
  mlir::ScopedDiagnosticHandler handler(context.get(), [&](mlir::Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    return mlir::success();
  });
  WeightStore weights;
  if (failed(importModel(path, {}, context.get(), weights)) && !errors)
    abort();
}

} // namespace tamis::fuzz
