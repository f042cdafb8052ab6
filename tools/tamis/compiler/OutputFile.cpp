// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are written whole or not at all.
#include "tools/tamis/compiler/OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace tamis::tool;

static llvm::Error cannotWrite(llvm::StringRef path, const llvm::Twine &why) {
  return llvm::createStringError("cannot write '" + path + "': " + why);
}

llvm::Error tamis::tool::checkWritable(llvm::StringRef path) {
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) && !llvm::sys::fs::is_regular_file(status))
    return cannotWrite(path, llvm::sys::fs::is_directory(status) ? "it is a folder" : "it is no regular file");
  // Rights, full file systems and read-only ones: making a file is the one test that knows them all.
  int file;
  llvm::SmallString<128> probe;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(path + ".%%%%%%.part", file, probe))
    return cannotWrite(path, error.message());
  llvm::sys::fs::closeFile(file);
  llvm::sys::fs::remove(probe);
  return llvm::Error::success();
}

llvm::Error tamis::tool::writeOutput(llvm::StringRef path, llvm::function_ref<bool(llvm::raw_ostream &)> write) {
  if (path == "-") {
    bool written = write(llvm::outs());
    llvm::outs().flush();
    if (written && !llvm::outs().has_error())
      return llvm::Error::success();
    std::string why = llvm::outs().error().message();
    llvm::outs().clear_error();
    return llvm::createStringError("cannot write to standard output: " + why);
  }
  auto file =
      llvm::sys::fs::TempFile::create(path + ".%%%%%%.part", llvm::sys::fs::all_read | llvm::sys::fs::all_write);
  if (!file)
    return cannotWrite(path, llvm::toString(file.takeError()));
  std::string why;
  {
    llvm::raw_fd_ostream out(file->FD, /*shouldClose=*/false);
    if (!write(out))
      why = "its content cannot be made";
    out.flush();
    if (out.has_error()) {
      why = out.error().message();
      out.clear_error();
    }
  }
  if (!why.empty()) {
    llvm::consumeError(file->discard());
    return cannotWrite(path, why);
  }
  if (llvm::Error error = file->keep(path))
    return cannotWrite(path, llvm::toString(std::move(error)));
  return llvm::Error::success();
}
