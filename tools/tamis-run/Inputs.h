// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From `--input` and `--dim` texts to the tensors of a run.

#ifndef TAMIS_TOOLS_TAMIS_RUN_INPUTS_H
#define TAMIS_TOOLS_TAMIS_RUN_INPUTS_H

#include "runtime/npy/TensorText.h"
#include "tamis/tamis.hpp"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tamis::tool {

/// What the inputs of a run must be like: those of a plan, or of a model that is no plan yet.
class Signature {
public:
  virtual ~Signature() = default;
  virtual std::vector<tamis_symbol_info> symbols() const = 0;
  virtual std::vector<tamis_tensor_info> inputs() const = 0;
  /// The dims of input `index` when the symbols have `values`, one each, in their order.
  virtual Result<std::vector<int64_t>> inputDims(size_t index, const std::vector<int64_t> &values) = 0;
};

/// What stands in for texts that are not given. Empty: such a text is an error.
struct InputDefaults {
  std::optional<uint64_t> seed;                           ///< an input without a text is random from this seed on
  std::function<int64_t(const tamis_symbol_info &)> size; ///< of a symbol that no text and no given input tells
};

/// The arrays of all inputs, in order. Each needs one text "NAME=..." (TensorText.h). The shape of one given as
/// random(SEED) follows from the other inputs and from `dims`, texts "SYMBOL=NUMBER".
Result<std::vector<npy::Array>> makeInputs(Signature &signature, const std::vector<std::string> &inputs,
                                           const std::vector<std::string> &dims, const InputDefaults &defaults = {});

/// Those of `plan`. `context` serves to work shapes out and is left prepared for other sizes.
Result<std::vector<npy::Array>> makeInputs(const Plan &plan, Context &context, const std::vector<std::string> &inputs,
                                           const std::vector<std::string> &dims, const InputDefaults &defaults = {});

/// The values of the symbols from texts "SYMBOL=NUMBER"; those not given are -1.
Result<std::vector<int64_t>> parseDims(const std::vector<tamis_symbol_info> &symbols,
                                       const std::vector<std::string> &dims);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_RUN_INPUTS_H
