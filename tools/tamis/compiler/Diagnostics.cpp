// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Diagnostics for people who compile models.
#include "tools/tamis/compiler/Diagnostics.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis::tool;

DiagnosticPrinter::DiagnosticPrinter(MLIRContext *context, std::string model)
    : ScopedDiagnosticHandler(context), model(std::move(model)) {
  setHandler([this](Diagnostic &diagnostic) {
    print(diagnostic);
    return success();
  });
}

/// The first part that says more than "unknown".
static Location informative(Location location) {
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (Location inner = informative(part); !isa<UnknownLoc>(inner))
        return inner;
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return informative(call.getCallee());
  return isa<FusedLoc>(location) ? Location(UnknownLoc::get(location.getContext())) : location;
}

std::string DiagnosticPrinter::placeOf(Location location) const {
  location = informative(location);
  if (auto name = dyn_cast<NameLoc>(location)) {
    std::string file = model;
    if (auto position = name.getChildLoc()->findInstanceOf<FileLineColLoc>())
      file = position.getFilename().str();
    return file + ": " + name.getName().str();
  }
  auto position = dyn_cast<FileLineColLoc>(location);
  if (!position)
    return model;
  std::string place = position.getFilename().str();
  if (position.getLine())
    place += ":" + std::to_string(position.getLine()) + ":" + std::to_string(position.getColumn());
  return place;
}

void DiagnosticPrinter::printSourceLine(FileLineColLoc position) {
  StringRef path = position.getFilename().getValue();
  if (!position.getLine() || !llvm::sys::fs::is_regular_file(path)) // a FIFO would block, a device never end
    return;
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return;
  StringRef rest = (*buffer)->getBuffer();
  for (unsigned line = 1; line < position.getLine(); ++line)
    rest = rest.split('\n').second;
  StringRef line = rest.split('\n').first;
  constexpr size_t kLongest = 200; // what of a line can be read
  size_t column = position.getColumn() ? position.getColumn() - 1 : 0;
  if (line.empty() || column > kLongest || column > line.size())
    return;
  llvm::errs() << line.take_front(kLongest) << '\n';
  for (char c : line.take_front(column))
    llvm::errs() << (c == '\t' ? '\t' : ' ');
  llvm::errs() << "^\n";
}

void DiagnosticPrinter::print(Diagnostic &diagnostic) {
  auto stream = [&]() -> raw_ostream & {
    switch (diagnostic.getSeverity()) {
    case DiagnosticSeverity::Error:
      ++errorCount;
      return llvm::WithColor::error(llvm::errs());
    case DiagnosticSeverity::Warning:
      return llvm::WithColor::warning(llvm::errs());
    case DiagnosticSeverity::Note:
      return llvm::WithColor::note(llvm::errs());
    case DiagnosticSeverity::Remark:
      return llvm::WithColor::remark(llvm::errs());
    }
    llvm_unreachable("unknown severity");
  };
  // A message may be about the file as a whole and say so itself.
  std::string place = placeOf(diagnostic.getLocation()), message = diagnostic.str();
  stream() << (StringRef(message).starts_with(place + ":") ? "" : place + ": ") << message << '\n';
  if (auto position = dyn_cast<FileLineColLoc>(informative(diagnostic.getLocation())))
    if (diagnostic.getSeverity() != DiagnosticSeverity::Note)
      printSourceLine(position);
  for (Diagnostic &note : diagnostic.getNotes())
    print(note);
}
