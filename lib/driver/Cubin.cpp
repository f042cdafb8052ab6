// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Machine code of GPUs, by NVIDIA's assembler.
#include "lib/driver/Cubin.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace tamis;
using llvm::StringRef;

namespace {
/// A file of a temporary folder, which goes with the object.
struct TemporaryFile {
  explicit TemporaryFile(StringRef ending) { error = llvm::sys::fs::createTemporaryFile("tamis", ending, path); }
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile() { llvm::sys::fs::remove(path); }
  std::string read() const {
    auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    return file ? (*file)->getBuffer().str() : std::string();
  }
  llvm::SmallString<128> path;
  std::error_code error;
};
} // namespace

std::string tamis::findPtxas() {
  if (auto named = llvm::sys::Process::GetEnv("TAMIS_PTXAS"))
    return *named;
  auto found = llvm::sys::findProgramByName("ptxas");
  return found ? *found : std::string();
}

llvm::Expected<CodeSection> tamis::assembleCubin(const CodeSection &ptx, StringRef ptxas) {
  TemporaryFile text("ptx"), code("cubin"), said("log");
  for (const TemporaryFile *file : {&text, &code, &said})
    if (file->error)
      return llvm::createStringError(file->error, "cannot make a temporary file: " + file->error.message());
  {
    std::error_code error;
    llvm::raw_fd_ostream out(text.path, error);
    out << StringRef(ptx.image).drop_back(); // the NUL is the plan's
    out.close();
    if (error || out.has_error())
      return llvm::createStringError("cannot write a temporary file");
  }
  std::string target = "-arch=" + ptx.name, why;
  StringRef words[] = {ptxas, target, text.path, "-o", code.path};
  std::optional<StringRef> streams[] = {StringRef(""), StringRef(said.path), StringRef(said.path)};
  int status = llvm::sys::ExecuteAndWait(ptxas, words, std::nullopt, streams, /*SecondsToWait=*/600,
                                         /*MemoryLimit=*/0, &why);
  CodeSection section = ptx;
  section.name += "-cubin";
  section.image = code.read();
  if (status == 0 && !section.image.empty())
    return section;
  if (why.empty())
    why = StringRef(said.read()).split('\n').first.str();
  return llvm::createStringError("'%s' does not assemble the code for %s: %s", ptxas.str().c_str(), ptx.name.c_str(),
                                 why.empty() ? "it says nothing" : why.c_str());
}
