// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counting of wavefronts and sectors.

#include "runtime/emulator/check/Traffic.h"
#include <algorithm>
#include <bit>

namespace tamis::emulator {

void LineTraffic::addShared(uint32_t lanes, const uint64_t *addresses, uint32_t accessBytes) {
  uint32_t perPhase = accessBytes <= 4 ? 32 : 128 / accessBytes;
  uint32_t wordsEach = accessBytes <= 4 ? 1 : accessBytes / 4;
  for (uint32_t first = 0; first < 32; first += perPhase) {
    uint64_t seen[32][32];
    uint32_t depth[32] = {}, most = 0;
    for (uint32_t lane = first; lane < first + perPhase; ++lane) {
      if (!(lanes >> lane & 1))
        continue;
      for (uint32_t i = 0; i < wordsEach; ++i) {
        uint64_t word = addresses[lane] / 4 + i;
        uint32_t bank = word & 31, at = 0;
        while (at < depth[bank] && seen[bank][at] != word)
          ++at;
        if (at == depth[bank] && at < 32) {
          seen[bank][at] = word;
          most = std::max(most, ++depth[bank]);
        }
      }
    }
    wavefronts += most;
    idealWavefronts += most > 0;
  }
}

void LineTraffic::addSpan(uint64_t address, uint64_t length) {
  bytes += length;
  sectors += (address + length + 31) / 32 - address / 32;
  idealSectors += (length + 31) / 32;
}

void LineTraffic::addGlobal(uint32_t lanes, const uint64_t *addresses, uint32_t accessBytes) {
  // Sectors of a warp and which of their bytes were asked for; neighbours mostly follow each other.
  uint64_t sector[64];
  uint32_t asked[64], count = 0, recent = 0;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    uint64_t each = addresses[lane] / 32;
    uint32_t within = addresses[lane] & 31;
    uint32_t mask = (accessBytes >= 32 ? ~0u : (1u << accessBytes) - 1) << within;
    if (recent < count && sector[recent] == each) {
      asked[recent] |= mask;
      continue;
    }
    for (recent = 0; recent < count && sector[recent] != each; ++recent)
      ;
    if (recent == count) {
      sector[count] = each;
      asked[count++] = 0;
    }
    asked[recent] |= mask;
  }
  uint64_t distinct = 0;
  for (uint32_t i = 0; i < count; ++i)
    distinct += uint64_t(std::popcount(asked[i]));
  bytes += distinct;
  sectors += count;
  idealSectors += (distinct + 31) / 32;
}

} // namespace tamis::emulator
