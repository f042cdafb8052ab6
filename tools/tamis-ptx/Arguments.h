// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments of a kernel in a command line: buffers and numbers as text, made into device memory and parameter bytes.

#ifndef TAMIS_TOOLS_TAMIS_PTX_ARGUMENTS_H
#define TAMIS_TOOLS_TAMIS_PTX_ARGUMENTS_H

#include "runtime/emulator/Emulator.h"
#include "runtime/npy/TensorText.h"

namespace tamis::tool {

/// One argument. The texts:
///   i64=4096  f32=0.125               a number, passed by value
///   64x32xf16=@in.npy                 a buffer from a file, whose shape must be this; @in.npy alone takes the file's
///   64x32xf16=random(SEED[,LOW,HIGH]) uniform values
///   64x32xf16=0                       one value, or all of them
///   64x32xf16                         a buffer that counts as never written
///   null                              a pointer to nothing
/// and after any buffer, for when the kernel has run: `==wanted.npy` compares it with a file, `>out.npy` writes it
/// there.
struct KernelArgument {
  npy::Array array; ///< the value, or the buffer's first content
  bool isBuffer = false, isWritten = true;
  std::string wanted;   ///< file to compare with, or empty
  std::string output;   ///< file to write, or empty
  uint64_t address = 0; ///< of a buffer, once it is allocated
};

/// TAMIS_INVALID_ARGUMENT naming the argument and what is wrong with it.
Result<KernelArgument> parseArgument(const std::string &text);

/// Says how a buffer differs from the file it shall equal: empty when no element is off by more than `tolerance` times
/// (1 + the wanted one's size). The file may have another element type. TAMIS_INVALID_ARGUMENT when its shape differs.
Result<std::string> compareWithWanted(KernelArgument &argument, double tolerance);

/// Allocates the buffers and lays out the parameters. TAMIS_INVALID_ARGUMENT when number or sizes do not fit the entry.
Result<std::vector<uint8_t>> passArguments(std::vector<KernelArgument> &arguments, const emulator::EntryInfo &entry,
                                           emulator::Memory &memory);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PTX_ARGUMENTS_H
