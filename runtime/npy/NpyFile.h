// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files, read strictly: whatever is not exactly a C-ordered little-endian array of an element type that
// plans know is refused with a reason. Format: numpy.lib.format, versions 1.0, 2.0 and 3.0.

#ifndef TAMIS_RUNTIME_NPY_NPYFILE_H
#define TAMIS_RUNTIME_NPY_NPYFILE_H

#include "tamis/tamis.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace tamis::npy {

/// A tensor that owns its elements, row-major.
struct Array {
  tamis_element_type type = TAMIS_F32;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;

  /// Valid as long as this object.
  Tensor tensor() { return Tensor(type, bytes.data(), dims); }
};

/// The content of a .npy file. `name` is for messages alone. NumPy has no bf16: two-byte void elements ("V2"), which is
/// how the ml_dtypes package stores them, are read and written as bf16. TAMIS_INVALID_ARGUMENT on what is refused.
Result<Array> parseNpy(std::string_view content, const std::string &name);
/// The same from a file; TAMIS_CANNOT_READ when that fails.
Result<Array> readNpy(const std::string &path);

/// A version 1.0 file (2.0 for a very long shape): the same tensor always gives the same bytes.
std::string formatNpy(const Tensor &tensor);
/// Writes through a temporary file beside `path`, so that nobody sees half a file. TAMIS_SYSTEM_REFUSED on failure.
Result<void> writeNpy(const std::string &path, const Tensor &tensor);

/// The content of a regular file. TAMIS_CANNOT_READ on failure.
Result<std::string> readFile(const std::string &path);
/// Writes through a temporary file, as writeNpy.
Result<void> writeFile(const std::string &path, std::string_view content);

} // namespace tamis::npy

#endif // TAMIS_RUNTIME_NPY_NPYFILE_H
