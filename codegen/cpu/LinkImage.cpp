// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Links with lld as a library.
#include "codegen/cpu/LinkImage.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace tamis;

namespace {
/// The linker's text without the temporary folder's path.
std::string cleaned(std::string text, llvm::StringRef folder) {
  std::string path = (folder + "/").str();
  for (size_t at = text.find(path); at != std::string::npos; at = text.find(path))
    text.erase(at, path.size());
  return llvm::StringRef(text).trim().str();
}

/// lld keeps state in globals: one link at a time, and none after one that it could not clean up.
llvm::Error runLinker(llvm::ArrayRef<const char *> arguments, llvm::StringRef folder) {
  static std::mutex mutex;
  static bool usable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!usable)
    return llvm::createStringError("the linker failed earlier in this process and cannot run again");
  std::string text;
  llvm::raw_string_ostream stream(text);
  lld::Result result = lld::lldMain(arguments, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode == 0)
    return llvm::Error::success();
  return llvm::createStringError("kernels cannot be linked: %s", cleaned(text, folder).c_str());
}
} // namespace

llvm::Expected<llvm::SmallVector<char, 0>> tamis::linkImage(llvm::ArrayRef<char> object, unsigned pageBytes) {
  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("tamis", folder))
    return llvm::createStringError(error, "no temporary folder can be made: %s", error.message().c_str());
  llvm::scope_exit cleanup([&] { llvm::sys::fs::remove_directories(folder); });
  llvm::SmallString<128> input(folder), output(folder);
  llvm::sys::path::append(input, "kernels.o");
  llvm::sys::path::append(output, "image");
  {
    std::error_code error;
    llvm::raw_fd_ostream stream(input, error);
    if (!error)
      stream.write(object.data(), object.size());
    stream.close();
    if (!error)
      error = stream.error();
    stream.clear_error();
    if (error)
      return llvm::createStringError(error, "the object file cannot be written: %s", error.message().c_str());
  }
  std::string most = "max-page-size=" + std::to_string(pageBytes),
              usual = "common-page-size=" + std::to_string(pageBytes);
  // -z rodynamic leaves no writable segment; --no-undefined and -z text refuse whatever would need the dynamic linker.
  const char *arguments[] = {"ld.lld",
                             "-shared",
                             "-Bsymbolic",
                             "--no-undefined",
                             "-z",
                             "text",
                             "-z",
                             "separate-code",
                             "-z",
                             "rodynamic",
                             "-z",
                             "norelro",
                             "-z",
                             "noexecstack",
                             "-z",
                             most.c_str(),
                             "-z",
                             usual.c_str(),
                             "--hash-style=gnu",
                             "--build-id=none",
                             "--gc-sections",
                             "--strip-all",
                             "--threads=1",
                             "-o",
                             output.c_str(),
                             input.c_str()};
  if (llvm::Error error = runLinker(arguments, folder))
    return error;
  auto image = llvm::MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!image)
    return llvm::createStringError(image.getError(), "the linked image cannot be read: %s",
                                   image.getError().message().c_str());
  llvm::StringRef bytes = (*image)->getBuffer();
  return llvm::SmallVector<char, 0>(bytes.begin(), bytes.end());
}
