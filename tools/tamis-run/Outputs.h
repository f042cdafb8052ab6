// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the results of a run go: `--output` texts.

#ifndef TAMIS_TOOLS_TAMIS_RUN_OUTPUTS_H
#define TAMIS_TOOLS_TAMIS_RUN_OUTPUTS_H

#include "runtime/npy/NpzFile.h"
#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

/// Before anything runs: whether every text is FILE.npz, for all outputs, or NAME=@FILE.npy, for the one of that name.
Result<void> checkOutputs(const std::vector<std::string> &names, const std::vector<std::string> &texts);

/// Writes what the texts ask for; checkOutputs has passed them.
Result<void> writeOutputs(const std::vector<npy::NamedTensor> &outputs, const std::vector<std::string> &texts);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_RUN_OUTPUTS_H
