// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX Runtime as a judge, through its Python package.

#ifndef TAMIS_TOOLS_TAMIS_ONNXRUNTIMEJUDGE_H
#define TAMIS_TOOLS_TAMIS_ONNXRUNTIMEJUDGE_H

#include "runtime/npy/NpzFile.h"
#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

struct NamedArray {
  std::string name;
  npy::Array array;
};

/// Runs `python3`, or the program that the environment variable PYTHON names, with share/tamis/onnxruntime_judge.py.
class OnnxRuntimeJudge {
public:
  explicit OnnxRuntimeJudge(std::string model) : model(std::move(model)) {}

  /// "ONNX Runtime 1.27.0"; TAMIS_CANNOT_READ when Python or the package is missing.
  static Result<std::string> version();

  /// The outputs of the model, in its order. TAMIS_CANNOT_READ when Python or the package is missing, else
  /// TAMIS_INVALID_ARGUMENT with ONNX Runtime's reason.
  Result<std::vector<NamedArray>> outputs(const std::vector<npy::NamedTensor> &inputs) const;

  /// The first output of every node that has a name, in the order of the graph. Needs the package `onnx`, too.
  Result<std::vector<NamedArray>> nodeValues(const std::vector<npy::NamedTensor> &inputs) const;

private:
  Result<std::vector<NamedArray>> ask(const char *what, const std::vector<npy::NamedTensor> &inputs) const;
  std::string model;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_ONNXRUNTIMEJUDGE_H
