// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a placed program, its code and its weights to one plan file.
#include "codegen/plan/PlanWriter.h"

#include "codegen/plan/ConstantBytes.h"
#include "codegen/plan/PlanMetadata.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace tamis;

namespace {
constexpr uint64_t kHeaderSize = 64;
constexpr uint64_t kConstantAlignment = 64, kReportAlignment = 64;
// Pages of both targets: x86-64 maps at 4 KiB, AArch64 may use 64 KiB.
uint64_t sectionAlignment(uint16_t machine) {
  return machine == 183 ? 65536 : 4096;
}

void put(std::string &bytes, uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; ++i)
    bytes.push_back(char(value >> (8 * i)));
}

void padTo(llvm::raw_ostream &out, uint64_t alignment) {
  out.write_zeros(llvm::alignTo(out.tell(), alignment) - out.tell());
}

llvm::Error writeFile(ArrayRef<DeviceProgram> programs, const WeightStore &weights, const PlanOrigin &origin,
                      llvm::raw_fd_ostream &out) {
  PlanMetadata metadata(programs, origin);
  out.write_zeros(kHeaderSize);

  for (auto [number, program] : llvm::enumerate(programs))
    for (const CodeSection &section : program.code) {
      padTo(out, sectionAlignment(section.machine));
      SectionPlace place{out.tell(), section.image.size(), sectionAlignment(section.machine),
                         XXH3_64bits(section.image.data(), section.image.size())};
      if (auto error = metadata.addCode(number, section, place))
        return error;
      out << section.image;
    }

  padTo(out, 4096);
  SectionPlace place{out.tell(), 0, 4096, 0};
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  auto emit = [&](ArrayRef<char> bytes) {
    XXH3_64bits_update(state.get(), bytes.data(), bytes.size());
    out.write(bytes.data(), bytes.size());
    place.size += bytes.size();
  };
  for (plan::ConstantOp constant : metadata.constants()) {
    static const char zeros[kConstantAlignment] = {};
    emit(ArrayRef<char>(zeros, llvm::alignTo(place.size, kConstantAlignment) - place.size));
    metadata.addConstant(place.size, constantSize(constant));
    uint64_t start = place.size;
    if (auto error = writeConstant(constant, weights, emit))
      return error;
    if (place.size - start != uint64_t(constantSize(constant)))
      return llvm::createStringError("a constant was laid out in %llu bytes where %lld are declared",
                                     static_cast<unsigned long long>(place.size - start),
                                     static_cast<long long>(constantSize(constant)));
  }
  place.hash = XXH3_64bits_digest(state.get());
  metadata.addSection(plan::SectionKind_Weights, "weights", place);

  for (const PlanReport &report : origin.reports) {
    padTo(out, kReportAlignment);
    metadata.addSection(
        plan::SectionKind_Report, report.name,
        {out.tell(), report.json.size(), kReportAlignment, XXH3_64bits(report.json.data(), report.json.size())});
    out << report.json;
  }

  padTo(out, 64);
  auto bytes = metadata.finish();
  if (!bytes)
    return bytes.takeError();
  uint64_t metadataAt = out.tell();
  out << *bytes;
  uint64_t end = out.tell();

  std::string header = "TAMISPLN";
  put(header, plan::FormatVersion_Current, 4);
  put(header, kHeaderSize, 4);
  put(header, metadataAt, 8);
  put(header, bytes->size(), 8);
  put(header, XXH3_64bits(bytes->data(), bytes->size()), 8);
  put(header, end, 8);
  put(header, XXH3_64bits(header.data(), header.size()), 8);
  put(header, 0, 8);
  out.seek(0);
  out << header;
  out.flush();
  return llvm::Error::success();
}
} // namespace

llvm::Error tamis::writePlan(ArrayRef<DeviceProgram> programs, const WeightStore &weights, const PlanOrigin &origin,
                             StringRef path) {
  int file;
  SmallString<128> temporary;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(path + ".%%%%%%.part", file, temporary))
    return llvm::createStringError(error, "cannot write '%s': %s", path.str().c_str(), error.message().c_str());
  llvm::sys::RemoveFileOnSignal(temporary);
  llvm::scope_exit remove([&] {
    llvm::sys::fs::remove(temporary);
    llvm::sys::DontRemoveFileOnSignal(temporary);
  });
  {
    llvm::raw_fd_ostream out(file, /*shouldClose=*/true);
    llvm::Error error = writeFile(programs, weights, origin, out);
    out.close();
    if (out.has_error()) {
      std::error_code code = out.error();
      out.clear_error();
      llvm::consumeError(std::move(error));
      return llvm::createStringError(code, "cannot write '%s': %s", path.str().c_str(), code.message().c_str());
    }
    if (error)
      return error;
  }
  // createUniqueFile makes a file for its owner alone; a plan is as readable as any output.
  llvm::sys::fs::setPermissions(temporary, llvm::sys::fs::perms(0666 & ~llvm::sys::fs::getUmask()));
  if (std::error_code error = llvm::sys::fs::rename(temporary, path))
    return llvm::createStringError(error, "cannot write '%s': %s", path.str().c_str(), error.message().c_str());
  remove.release();
  llvm::sys::DontRemoveFileOnSignal(temporary);
  return llvm::Error::success();
}
