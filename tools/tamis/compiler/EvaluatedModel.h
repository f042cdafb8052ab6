// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model in the hands of the reference evaluator.
#pragma once

#include "lib/import/Import.h"
#include "lib/reference/HostTensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/compiler/Diagnostics.h"
#include <deque>

namespace tamis::tool {

class EvaluatedModel : public ReferenceModel {
public:
  /// Null after an error, which has been printed.
  static std::unique_ptr<EvaluatedModel> read(const mlir::DialectRegistry &registry, const std::string &path,
                                              const ImportOptions &options, const std::string &attention);

  std::vector<tamis_symbol_info> symbols() const override { return symbolInfos; }
  std::vector<tamis_tensor_info> inputs() const override { return inputInfos; }
  std::vector<tamis_tensor_info> outputs() const override { return outputInfos; }
  Result<std::vector<int64_t>> inputDims(size_t index, const std::vector<int64_t> &values) override;
  Result<std::vector<npy::Array>> run(const std::vector<Tensor> &inputs, const Observer &observer) override;
  Result<std::vector<npy::Array>> runDispatches(const std::vector<Tensor> &inputs, const Observer &observer) override;
  Result<void> runSteps(const std::vector<Tensor> &inputs, const std::function<bool(const Step &)> &observer) override;

private:
  EvaluatedModel(const mlir::DialectRegistry &registry, const std::string &path)
      : context(registry), printer(&context, path) {}

  void describe();
  tamis_tensor_info describe(mlir::StringAttr name, mlir::Type type);
  const char *keep(llvm::StringRef text) { return texts.emplace_back(text.str()).c_str(); }
  mlir::func::FuncOp main() const { return mlir::ModuleOp(module.get()).lookupSymbol<mlir::func::FuncOp>("main"); }

  /// What to tell the observer of an op's value; nothing when it is not asked for.
  using Describe = std::function<std::optional<Value>(mlir::Operation *)>;
  Result<std::vector<npy::Array>> evaluate(mlir::func::FuncOp function, const std::vector<Tensor> &inputs,
                                           const Describe &describe, const Observer &observer);

  mlir::MLIRContext context;
  DiagnosticPrinter printer;
  WeightStore weights;
  std::string attention; ///< pattern; empty: as the model says
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<tamis_symbol_info> symbolInfos;
  std::vector<tamis_tensor_info> inputInfos, outputInfos;
  // What the infos point to; a deque never moves its elements.
  std::deque<std::string> texts;
  std::deque<std::vector<const char *>> dimNames;
  std::deque<std::vector<int64_t>> dims;
};

} // namespace tamis::tool
