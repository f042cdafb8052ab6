// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the results of a run go.

#include "tools/tamis-run/Outputs.h"
#include <algorithm>

namespace tamis::tool {

Result<void> checkOutputs(const std::vector<std::string> &names, const std::vector<std::string> &texts) {
  for (const std::string &text : texts) {
    size_t at = text.find("=@");
    bool known = at == std::string::npos ? text.size() > 4 && text.substr(text.size() - 4) == ".npz"
                                         : std::find(names.begin(), names.end(), text.substr(0, at)) != names.end();
    if (!known)
      return Error(TAMIS_INVALID_ARGUMENT, "--output: '" + text + "' is no FILE.npz and no OUTPUT=@FILE.npy");
  }
  return {};
}

Result<void> writeOutputs(const std::vector<npy::NamedTensor> &outputs, const std::vector<std::string> &texts) {
  for (const std::string &text : texts) {
    size_t at = text.find("=@");
    if (at == std::string::npos) {
      if (Result<void> written = npy::writeNpz(text, outputs); !written)
        return written;
      continue;
    }
    for (const npy::NamedTensor &output : outputs)
      if (output.name == text.substr(0, at))
        if (Result<void> written = npy::writeNpy(text.substr(at + 2), output.tensor); !written)
          return written;
  }
  return {};
}

} // namespace tamis::tool
