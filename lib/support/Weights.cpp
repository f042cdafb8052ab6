// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights of a model, mapped from their files.
#include "lib/support/Weights.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Process.h"
#include <sys/mman.h>

using namespace tamis;

llvm::Expected<llvm::ArrayRef<char>> WeightStore::mapFile(llvm::StringRef path) {
  auto it = files.find(path);
  if (it == files.end()) {
    llvm::sys::fs::file_status status;
    if (std::error_code code = llvm::sys::fs::status(path, status))
      return llvm::createStringError(code, "cannot open '%s': %s", path.str().c_str(), code.message().c_str());
    if (status.type() != llvm::sys::fs::file_type::regular_file)
      return llvm::createStringError("cannot map '%s': found no regular file", path.str().c_str());
    auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!buffer)
      return llvm::createStringError(buffer.getError(), "cannot open '%s': %s", path.str().c_str(),
                                     buffer.getError().message().c_str());
    it = files.try_emplace(path, std::move(*buffer)).first;
  }
  return llvm::ArrayRef<char>(it->second->getBufferStart(), it->second->getBufferSize());
}

llvm::Error WeightStore::add(llvm::StringRef key, mlir::RankedTensorType type, llvm::ArrayRef<char> bytes) {
  int64_t expected = elementBytes(type.getElementType());
  for (int64_t dim : type.getShape())
    if (dim < 0 || llvm::MulOverflow(expected, dim, expected))
      return llvm::createStringError("weight '%s' has a shape that is negative or too large", key.str().c_str());
  if (expected != static_cast<int64_t>(bytes.size()))
    return llvm::createStringError("weight '%s' holds %zu bytes but its type needs %lld", key.str().c_str(),
                                   bytes.size(), static_cast<long long>(expected));
  if (!weights.try_emplace(key, Weight{type, bytes}).second)
    return llvm::createStringError("weight '%s' is defined twice", key.str().c_str());
  return llvm::Error::success();
}

llvm::ArrayRef<char> WeightStore::keep(llvm::ArrayRef<char> bytes) {
  kept.push_back(llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(bytes.data(), bytes.size())));
  return llvm::ArrayRef<char>(kept.back()->getBufferStart(), bytes.size());
}

llvm::MutableArrayRef<char> WeightStore::allocate(size_t bytes) {
  auto buffer = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(bytes);
  llvm::MutableArrayRef<char> memory(buffer->getBufferStart(), bytes);
  kept.push_back(std::move(buffer));
  return memory;
}

WeightStore WeightStore::forTrial() const {
  WeightStore trial;
  for (const auto &weight : weights)
    trial.weights.try_emplace(weight.getKey(), weight.getValue());
  return trial;
}

const WeightStore::Weight *WeightStore::find(llvm::StringRef key) const {
  auto it = weights.find(key);
  return it == weights.end() ? nullptr : &it->second;
}

void WeightStore::release(llvm::ArrayRef<char> bytes) const {
  for (const auto &file : files) {
    const llvm::MemoryBuffer &buffer = *file.getValue();
    // Only a mapping comes back from its file; a small file was read into memory.
    if (buffer.getBufferKind() != llvm::MemoryBuffer::MemoryBuffer_MMap || bytes.begin() < buffer.getBufferStart() ||
        bytes.end() > buffer.getBufferEnd())
      continue;
    uintptr_t page = llvm::sys::Process::getPageSizeEstimate();
    uintptr_t first = llvm::alignTo(reinterpret_cast<uintptr_t>(bytes.begin()), page);
    uintptr_t last = llvm::alignDown(reinterpret_cast<uintptr_t>(bytes.end()), page);
    if (first < last)
      madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    return;
  }
}

int64_t tamis::elementBytes(mlir::Type type) {
  if (type.isIndex())
    return 8;
  if (!type.isIntOrFloat())
    return 0;
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}
