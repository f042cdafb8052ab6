// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Address translation and the checks of memory.

#include "runtime/emulator/ops/Access.h"
#include <bit>
#include <cstdio>

namespace tamis::emulator {

std::string hexText(uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

void computeAddresses(const Warp &warp, const Instruction &instruction, uint32_t operand, int64_t offset, uint8_t flags,
                      uint64_t *addresses) {
  if (flags & kNoAddress) {
    for (int l = 0; l < 32; ++l)
      addresses[l] = uint64_t(offset);
  } else if (flags & kAddress32) {
    addressKernels.fromNarrow(warp.at<uint32_t>(instruction.op[operand]), uint32_t(offset), addresses);
  } else {
    addressKernels.fromWide(warp.at<uint64_t>(instruction.op[operand]), uint64_t(offset), addresses);
  }
}

namespace {

const char *verb(AccessKind kind) {
  return kind == AccessKind::Read ? "read" : kind == AccessKind::ReadWrite ? "atomic access" : "write";
}

uint32_t firstLane(uint32_t lanes) {
  return uint32_t(std::countr_zero(lanes));
}

/// Reports lanes whose address is no multiple of `bytes`; what remains.
uint32_t checkAlignment(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes,
                        const Access &access) {
  uint64_t any = 0;
  for (uint32_t l = 0; l < 32; ++l)
    any |= mask >> l & 1 ? access.address[l] : 0;
  if ((any & (bytes - 1)) == 0)
    return mask;
  uint32_t bad = 0;
  for (uint32_t l = 0; l < 32; ++l)
    if ((mask >> l & 1) && (access.address[l] & (bytes - 1)))
      bad |= 1u << l;
  uint64_t address = access.address[firstLane(bad)];
  warp.block->report(DiagnosticKind::Misaligned, warp, instruction, bad, address,
                     "address " + hexText(address) + " of an access of " + std::to_string(bytes) + " bytes");
  return mask & ~bad;
}

/// Lanes of `mask` whose access lies in [base, base + size).
uint32_t checkBounds(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                     const Access &access, uint64_t base, uint64_t size, const char *space) {
  uint32_t bad = 0;
  for (uint32_t l = 0; l < 32; ++l) {
    uint64_t within = access.address[l] - base;
    bad |= uint32_t(within > size || size - within < bytes) << l;
  }
  bad &= mask;
  if (!bad)
    return mask;
  uint64_t address = access.address[firstLane(bad)];
  warp.block->report(DiagnosticKind::OutOfBounds, warp, instruction, bad, address,
                     std::string(verb(kind)) + " of " + std::to_string(bytes) + " bytes at offset " +
                         std::to_string(int64_t(address - base)) + " of " + space + " memory of " +
                         std::to_string(size) + " bytes");
  return mask & ~bad;
}

void locateGlobal(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                  Access &access) {
  Block &block = *warp.block;
  const DeviceMemory &memory = *block.memory;
  DeviceMemory::Cached &cached = block.ranges[size_t(&instruction - block.kernel->code.data())];
  uint64_t first = cached.first, size = cached.end - cached.first;
  addressKernels.toHost(access.address, reinterpret_cast<uint64_t>(memory.bytes), access.host);
  uint32_t outside = 0;
  if (size < bytes || addressKernels.isAnyOutside(access.address, first, size - bytes, bytes - 1)) {
    mask = checkAlignment(warp, instruction, mask, bytes, access);
    for (uint32_t l = 0; l < 32; ++l) {
      uint64_t within = access.address[l] - first;
      outside |= uint32_t(within >= size || size - within < bytes) << l;
    }
    outside &= mask;
  }
  uint32_t bad = 0;
  if (outside) [[unlikely]] {
    for (uint32_t l = 0; l < 32; ++l) {
      if (!(outside >> l & 1))
        continue;
      uint64_t address = access.address[l];
      if (address >= cached.first && address < cached.end && cached.end - address >= bytes)
        continue;
      DeviceMemory::Cached found = memory.find(address);
      if (found.end > address && found.end - address >= bytes)
        cached = found;
      else
        bad |= 1u << l;
    }
  }
  if (bad) {
    uint64_t address = access.address[firstLane(bad)];
    DeviceMemory::Cached near = memory.nearest(address);
    std::string detail = std::string(verb(kind)) + " of " + std::to_string(bytes) + " bytes at " + hexText(address);
    if (near.first < near.end)
      detail += address < near.first
                    ? ", " + std::to_string(near.first - address) + " bytes before an allocation"
                    : ", " + std::to_string(address + bytes - near.end) + " bytes past the end of an allocation";
    if (near.first < near.end)
      detail += " of " + std::to_string(near.end - near.first) + " bytes";
    block.report(DiagnosticKind::OutOfBounds, warp, instruction, bad, address, std::move(detail));
    mask &= ~bad;
  }
  access.good = mask;
  if (!mask)
    return;
  if (block.checks) {
    uint32_t unwritten = 0;
    for (uint32_t l = 0; l < 32; ++l) {
      if (!(mask >> l & 1))
        continue;
      uint8_t *written = memory.written + access.address[l];
      if (kind != AccessKind::Write)
        for (uint32_t i = 0; i < bytes; ++i)
          unwritten |= uint32_t(!written[i]) << l;
      if (kind != AccessKind::Read)
        for (uint32_t i = 0; i < bytes; ++i)
          written[i] = 1;
    }
    if (unwritten) {
      uint64_t address = access.address[firstLane(unwritten)];
      DeviceMemory::Cached range = memory.find(address);
      block.report(DiagnosticKind::UninitialisedRead, warp, instruction, unwritten, address,
                   "global memory at " + hexText(address) + ", byte " + std::to_string(address - range.first) +
                       " of an allocation of " + std::to_string(range.end - range.first) + " bytes, was never written");
    }
  }
  if (block.countsTraffic)
    block.traffic[size_t(&instruction - block.kernel->code.data())].addGlobal(mask, access.address, bytes);
}

void locateLocal(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                 Access &access) {
  Block &block = *warp.block;
  uint64_t size = block.kernel->info.localBytes;
  mask = checkAlignment(warp, instruction, mask, bytes, access);
  mask = checkBounds(warp, instruction, mask, bytes, kind, access, kLocalBase, size, "local");
  access.good = mask;
  uint32_t unwritten = 0;
  for (uint32_t l = 0; l < 32; ++l) {
    if (!(mask >> l & 1))
      continue;
    uint64_t at = l * size + (access.address[l] - kLocalBase);
    access.host[l] = warp.local + at;
    if (!block.checks)
      continue;
    for (uint32_t i = 0; i < bytes; ++i) {
      if (kind == AccessKind::Write)
        warp.localWritten[at + i] = 1;
      else
        unwritten |= uint32_t(!warp.localWritten[at + i]) << l;
    }
  }
  if (unwritten)
    block.report(DiagnosticKind::UninitialisedRead, warp, instruction, unwritten, access.address[firstLane(unwritten)],
                 "local memory at offset " + std::to_string(access.address[firstLane(unwritten)] - kLocalBase) +
                     " was never written");
}

void locateParameters(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                      Access &access) {
  Block &block = *warp.block;
  mask = checkAlignment(warp, instruction, mask, bytes, access);
  mask = checkBounds(warp, instruction, mask, bytes, kind, access, kParamBase, block.params.size(), "parameter");
  access.good = kind == AccessKind::Read ? mask : 0;
  for (uint32_t l = 0; l < 32; ++l)
    if (mask >> l & 1)
      access.host[l] = block.params.data() + (access.address[l] - kParamBase);
}

} // namespace

void reportShared(Warp &warp, const Instruction &instruction, uint32_t problems, uint32_t lane, uint64_t address,
                  AccessKind kind) {
  Block &block = *warp.block;
  uint64_t offset = address - kSharedBase;
  if (problems & SharedShadow::Race)
    block.report(DiagnosticKind::SharedRace, warp, instruction, 1u << lane, address,
                 std::string(verb(kind)) + " at offset " + std::to_string(offset) +
                     " of shared memory, which another warp " + (kind == AccessKind::Read ? "wrote" : "accessed") +
                     " with no barrier between");
  if (kind != AccessKind::Read && kind != AccessKind::ReadWrite)
    return;
  if (problems & SharedShadow::Unwaited)
    block.report(DiagnosticKind::UnwaitedRead, warp, instruction, 1u << lane, address,
                 "shared memory at offset " + std::to_string(offset) +
                     " is being filled by an asynchronous copy that was not waited for");
  else if (problems & SharedShadow::Uninitialised)
    block.report(DiagnosticKind::UninitialisedRead, warp, instruction, 1u << lane, address,
                 "shared memory at offset " + std::to_string(offset) + " was never written");
}

void reportUnfenced(Warp &warp, const Instruction &instruction, uint32_t lane, uint32_t offset) {
  warp.block->report(DiagnosticKind::AsyncMisuse, warp, instruction, 1u << lane, kSharedBase + offset,
                     "asynchronous read at offset " + std::to_string(offset) +
                         " of shared memory, written with no fence.proxy.async between");
}

void locateShared(Warp &warp, const Instruction &instruction, uint32_t mask, uint32_t bytes, AccessKind kind,
                  Access &access) {
  Block &block = *warp.block;
  uint64_t size = block.sharedSize;
  if (size < bytes || addressKernels.isAnyOutside(access.address, kSharedBase, size - bytes, bytes - 1)) {
    mask = checkAlignment(warp, instruction, mask, bytes, access);
    mask = checkBounds(warp, instruction, mask, bytes, kind, access, kSharedBase, size, "shared");
  }
  access.good = mask;
  addressKernels.toHost(access.address, reinterpret_cast<uint64_t>(block.shared) - kSharedBase, access.host);
  if (block.checks) {
    for (uint32_t l = 0; l < 32; ++l) {
      if (!(mask >> l & 1))
        continue;
      uint32_t offset = uint32_t(access.address[l] - kSharedBase);
      uint32_t problems = 0;
      if (kind == AccessKind::AsyncWrite)
        problems = block.shadow.beginAsync(warp.index, offset, bytes);
      if (kind == AccessKind::Read || kind == AccessKind::ReadWrite)
        problems = block.shadow.read(warp.index, offset, bytes);
      if (kind == AccessKind::Write)
        problems = block.shadow.write(warp.index, offset, bytes);
      if (problems) [[unlikely]]
        reportShared(warp, instruction, problems, l, access.address[l], kind);
    }
  }
  if (block.countsTraffic)
    block.traffic[size_t(&instruction - block.kernel->code.data())].addShared(mask, access.address, bytes);
}

void locate(Warp &warp, const Instruction &instruction, Space space, uint32_t mask, uint32_t bytes, AccessKind kind,
            Access &access) {
  switch (space) {
  case Space::Global:
  case Space::Const:
    return locateGlobal(warp, instruction, mask, bytes, kind, access);
  case Space::Shared:
    return locateShared(warp, instruction, mask, bytes, kind, access);
  case Space::Local:
    return locateLocal(warp, instruction, mask, bytes, kind, access);
  case Space::Param:
    return locateParameters(warp, instruction, mask, bytes, kind, access);
  case Space::Generic:
    break;
  }
  // Each lane's window decides; lanes of one window go together.
  uint32_t good = 0;
  struct Window {
    Space space;
    uint64_t base;
  };
  for (Window window :
       {Window{Space::Shared, kSharedWindow}, Window{Space::Local, kLocalWindow}, Window{Space::Param, kParamWindow}}) {
    uint32_t lanes = 0;
    for (uint32_t l = 0; l < 32; ++l)
      if ((mask >> l & 1) && access.address[l] - window.base < kWindowBytes)
        lanes |= 1u << l;
    if (!lanes)
      continue;
    Access part;
    for (uint32_t l = 0; l < 32; ++l)
      part.address[l] = access.address[l] - window.base;
    locate(warp, instruction, window.space, lanes, bytes, kind, part);
    good |= part.good;
    for (uint32_t l = 0; l < 32; ++l)
      if (lanes >> l & 1)
        access.host[l] = part.host[l];
    mask &= ~lanes;
  }
  if (mask) {
    Access part;
    for (uint32_t l = 0; l < 32; ++l)
      part.address[l] = access.address[l];
    locateGlobal(warp, instruction, mask, bytes, kind, part);
    good |= part.good;
    for (uint32_t l = 0; l < 32; ++l)
      if (part.good >> l & 1)
        access.host[l] = part.host[l];
  }
  access.good = good;
}

} // namespace tamis::emulator
