// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors in command lines and on the terminal.

#ifndef TAMIS_RUNTIME_NPY_TENSORTEXT_H
#define TAMIS_RUNTIME_NPY_TENSORTEXT_H

#include "runtime/npy/NpyFile.h"
#include <optional>

namespace tamis::npy {

/// What stands behind "random": uniform values from a seed. Floats default to [-1, 1), integers and bool to [0, 2),
/// which suits masks and token ids alike.
struct RandomFill {
  uint64_t seed = 0;
  std::optional<double> low, high; ///< from low up to, not including, high
};

/// One `--input` of a command line, parsed but not yet read. The texts after "NAME=":
///   @FILE.npy  @FILE.npz         a file; of an archive the array NAME
///   2x3xf32=1,2,3,4,5,6          values, row by row; one value fills the tensor; f32=1 is a scalar
///   2x3xf32=random(SEED)         uniform values; random(SEED,LOW,HIGH) chooses the range
///   random(SEED)                 the same with the shape and element type of the plan
struct InputText {
  std::string name;
  std::string file;                 ///< or empty
  std::optional<Array> literal;     ///< with all values
  std::optional<RandomFill> random; ///< with the plan's shape
};

/// Parses "NAME=..."; TAMIS_INVALID_ARGUMENT naming the part that is wrong.
Result<InputText> parseInput(const std::string &text);

/// Values of one element type and shape. `dims` are not negative.
Result<Array> makeRandom(const RandomFill &fill, tamis_element_type type, std::vector<int64_t> dims);

/// Element `index` as text that reads back to the same value.
std::string elementText(const Tensor &tensor, int64_t index);

/// Element `index` as a number, bool as 0 or 1; integers beyond 2^53 are rounded.
double elementNumber(const Tensor &tensor, int64_t index);

/// "f32", "[batch, sequence]" and the like, in one: "f32 [2, 3]".
std::string shapeText(tamis_element_type type, const std::vector<int64_t> &dims);

/// One line: the shape and the first values.
std::string summaryText(const Tensor &tensor);

} // namespace tamis::npy

#endif // TAMIS_RUNTIME_NPY_TENSORTEXT_H
