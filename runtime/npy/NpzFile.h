// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npz files: zip archives of .npy files.

#ifndef TAMIS_RUNTIME_NPY_NPZFILE_H
#define TAMIS_RUNTIME_NPY_NPZFILE_H

#include "runtime/npy/NpyFile.h"

namespace tamis::npy {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// The array `name` of an archive, stored or deflated. TAMIS_CANNOT_READ when the file is no zip archive or is damaged;
/// TAMIS_INVALID_ARGUMENT when it has no such array (the message lists those it has) or parseNpy refuses it.
Result<Array> readNpz(const std::string &path, const std::string &name);

/// Stores the tensors uncompressed, in their order and without times: the same tensors always give the same bytes.
/// Written through a temporary file. TAMIS_SYSTEM_REFUSED on failure.
Result<void> writeNpz(const std::string &path, const std::vector<NamedTensor> &tensors);

} // namespace tamis::npy

#endif // TAMIS_RUNTIME_NPY_NPZFILE_H
