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

namespace {
/// Machine code, and what the assembler said.
struct Assembled {
  std::string code, said;
};
} // namespace

static llvm::Expected<Assembled> assemble(StringRef ptx, StringRef target, StringRef ptxas, bool isVerbose) {
  TemporaryFile text("ptx"), code("cubin"), said("log");
  for (const TemporaryFile *file : {&text, &code, &said})
    if (file->error)
      return llvm::createStringError(file->error, "cannot make a temporary file: " + file->error.message());
  {
    std::error_code error;
    llvm::raw_fd_ostream out(text.path, error);
    out << ptx;
    out.close();
    if (error || out.has_error())
      return llvm::createStringError("cannot write a temporary file");
  }
  std::string arch = "-arch=" + target.str(), why;
  llvm::SmallVector<StringRef> words{ptxas, arch, text.path, "-o", code.path};
  if (isVerbose)
    words.push_back("-v");
  std::optional<StringRef> streams[] = {StringRef(""), StringRef(said.path), StringRef(said.path)};
  int status = llvm::sys::ExecuteAndWait(ptxas, words, std::nullopt, streams, /*SecondsToWait=*/600,
                                         /*MemoryLimit=*/0, &why);
  Assembled result{code.read(), said.read()};
  if (status == 0 && !result.code.empty())
    return result;
  if (why.empty())
    why = StringRef(result.said).split('\n').first.str();
  return llvm::createStringError("'%s' does not assemble the code for %s: %s", ptxas.str().c_str(),
                                 target.str().c_str(), why.empty() ? "it says nothing" : why.c_str());
}

llvm::Expected<CodeSection> tamis::assembleCubin(const CodeSection &ptx, StringRef ptxas) {
  // The NUL behind the text is the plan's.
  auto assembled = assemble(StringRef(ptx.image).drop_back(), ptx.name, ptxas, /*isVerbose=*/false);
  if (!assembled)
    return assembled.takeError();
  CodeSection section = ptx;
  section.name += "-cubin";
  section.image = std::move(assembled->code);
  return section;
}

/// The number before a word: "Used 40 registers".
static std::optional<int64_t> numberBefore(StringRef text, StringRef word) {
  size_t at = text.find(word);
  if (at == StringRef::npos)
    return std::nullopt;
  StringRef digits = text.take_front(at).rtrim();
  digits = digits.take_back(digits.size() - (digits.find_last_not_of("0123456789") + 1));
  int64_t number;
  return digits.getAsInteger(10, number) ? std::nullopt : std::optional(number);
}

llvm::Expected<AssembledKernel> tamis::measureKernel(StringRef ptx, StringRef target, StringRef ptxas) {
  auto assembled = assemble(ptx, target, ptxas, /*isVerbose=*/true);
  if (!assembled)
    return assembled.takeError();
  auto registers = numberBefore(assembled->said, " registers");
  if (!registers)
    return llvm::createStringError("'%s' says nothing of registers", ptxas.str().c_str());
  return AssembledKernel{*registers, numberBefore(assembled->said, " bytes spill stores").value_or(0)};
}
