// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What every test of the importers needs: a folder for files, models from text, diagnostics as text, values.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/import/Import.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "onnx/onnx_pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tamis {

using reference::HostTensor;

/// A model from the onnx project's text syntax; `graph` follows the header of `opset`.
onnx::ModelProto parseOnnx(const std::string &graph, int opset = 17);

class ImportFixture : public testing::Test {
protected:
  ImportFixture();
  ~ImportFixture() override;

  /// A path in a folder of this test alone.
  std::string path(llvm::StringRef name) const;
  /// Writes a file into that folder and gives its path.
  std::string write(llvm::StringRef name, llvm::StringRef content);

  /// Imports a file; `messages` then holds all diagnostics, notes behind their error.
  bool import(llvm::StringRef file, ImportOptions options = {});
  bool importOnnx(const onnx::ModelProto &model, ImportOptions options = {});
  /// Imports a model of text and fails the test when that fails.
  void load(const std::string &graph, int opset = 17, ImportOptions options = {});
  /// What is said about a model of text that must not be imported.
  std::string errorOf(const std::string &graph, int opset = 17, ImportOptions options = {});
  std::string errorOf(const onnx::ModelProto &model, ImportOptions options = {});

  mlir::func::FuncOp main();
  /// The module as text.
  std::string text();
  /// How many ops of this kind the function has, such as "model.reshape".
  int count(llvm::StringRef op);

  /// The first result for these inputs, in the reference evaluator.
  HostTensor run(llvm::ArrayRef<HostTensor> inputs);
  HostTensor floats(llvm::ArrayRef<int64_t> shape, std::vector<double> values);
  HostTensor integers(llvm::ArrayRef<int64_t> shape, std::vector<int64_t> values);
  HostTensor bools(llvm::ArrayRef<int64_t> shape, std::vector<double> values);
  /// As many different small floats as the shape has elements.
  HostTensor counting(llvm::ArrayRef<int64_t> shape);

  mlir::MLIRContext context;
  std::string messages;
  std::optional<WeightStore> weights;
  mlir::OwningOpRef<mlir::ModuleOp> module;

private:
  std::string folder;
};

/// Shape and numbers of a tensor.
void expectTensor(const HostTensor &found, llvm::ArrayRef<int64_t> shape, const std::vector<double> &numbers,
                  double tolerance = 1e-6);

} // namespace tamis
