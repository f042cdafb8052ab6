// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of each word of shared memory: who wrote and read it, when, and whether an asynchronous copy is under
// way. Besides ordinary accesses there is the asynchronous proxy: bulk copies and wgmma, which see ordinary writes only
// behind a fence.proxy.async of the writer, or of the reader once it knows of the write. Two accesses of different
// warps are ordered when a barrier lies between. Where all warps meet at every barrier one counter says so; where only
// some do (named barriers, mbarriers) each warp keeps the time it knows of every other, a vector clock (Flanagan and
// Freund, FastTrack, PLDI 2009).

#ifndef TAMIS_RUNTIME_EMULATOR_CHECK_SHAREDSHADOW_H
#define TAMIS_RUNTIME_EMULATOR_CHECK_SHAREDSHADOW_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tamis::emulator {

class SharedShadow {
public:
  enum Problem : uint32_t { Race = 1, Uninitialised = 2, Unwaited = 4, Unfenced = 8 };
  using Clocks = std::vector<uint32_t>; ///< by warp

  /// Forgets everything: a new block.
  void reset(uint32_t bytes, uint32_t warps, bool isPartial) {
    words.assign((bytes + 3) / 4, Word());
    warpCount = warps;
    partial = isPartial;
    epoch = 1;
    engine = warps;
    fences.assign(warps + 1, 0);
    fenceEpochs.assign(warps, 0);
    if (partial) {
      ++warps; // the engine of bulk copies keeps time as one
      known.assign(warps, Clocks(warps, 0));
      knownAtFence = known;
      clock.assign(warps, 1);
      warpCount = warps;
      readTimes.assign(words.size() * warps, 0);
    }
  }

  /// Every warp has met every other.
  void synchronize() {
    ++epoch;
    if (!partial)
      return;
    for (uint32_t i = 0; i < warpCount; ++i)
      ++clock[i];
    for (Clocks &each : known)
      each = clock;
  }
  /// A fence.proxy.async of `warp`.
  void fence(uint32_t warp) {
    ++fences[warp];
    if (partial)
      knownAtFence[warp] = known[warp];
    else
      fenceEpochs[warp] = epoch;
  }
  /// What `warp` did until now becomes known to who acquires `clocks`.
  void release(uint32_t warp, Clocks &clocks) {
    if (!partial)
      return;
    clocks.resize(warpCount);
    known[warp][warp] = ++clock[warp];
    for (uint32_t i = 0; i < warpCount; ++i)
      clocks[i] = std::max(clocks[i], known[warp][i]);
  }
  void acquire(uint32_t warp, const Clocks &clocks) {
    if (!partial)
      return;
    for (uint32_t i = 0; i < clocks.size(); ++i)
      known[warp][i] = std::max(known[warp][i], clocks[i]);
  }

  /// `offset` and `bytes` lie in the memory. The problems met, a union of Problem.
  uint32_t read(uint32_t warp, uint32_t offset, uint32_t bytes) {
    if (bytes >= 4) {
      uint32_t problems = 0;
      for (uint32_t i = offset / 4, end = (offset + bytes) / 4; i < end; ++i)
        problems |= readWord(warp, i, 15);
      return problems;
    }
    return readWord(warp, offset / 4, maskOf(offset, bytes));
  }
  uint32_t write(uint32_t warp, uint32_t offset, uint32_t bytes) {
    if (bytes >= 4) {
      uint32_t problems = 0;
      for (uint32_t i = offset / 4, end = (offset + bytes) / 4; i < end; ++i)
        problems |= writeWord(warp, i, 15);
      return problems;
    }
    return writeWord(warp, offset / 4, maskOf(offset, bytes));
  }
  /// An asynchronous write begins: it may land at any time from now on.
  uint32_t beginAsync(uint32_t warp, uint32_t offset, uint32_t bytes) {
    uint32_t problems = 0;
    for (uint32_t i = offset / 4, end = (offset + bytes + 3) / 4; i < end; ++i) {
      problems |= conflict(words[i], i, warp, 15);
      if (words[i].pending < 255)
        ++words[i].pending;
    }
    return problems;
  }
  /// It has landed, and counts as written now by `warp`, who waited for it.
  void endAsync(uint32_t warp, uint32_t offset, uint32_t bytes) {
    for (uint32_t i = offset / 4, end = (offset + bytes + 3) / 4; i < end; ++i) {
      words[i].pending -= words[i].pending > 0;
      stamp(words[i], warp, 15);
    }
  }
  /// It has landed by order of the hardware, for whoever acquires `clocks`. Of blocks with partial barriers.
  void landAsync(uint32_t offset, uint32_t bytes, Clocks &clocks) {
    endAsync(engine, offset, bytes);
    release(engine, clocks);
  }
  /// A read by the asynchronous proxy begins, for `warp`, which waits for its end.
  uint32_t beginRead(uint32_t warp, uint32_t offset, uint32_t bytes) {
    uint32_t problems = 0;
    for (uint32_t i = offset / 4, end = (offset + bytes + 3) / 4; i < end; ++i) {
      problems |= readWord(warp, i, 15) | (isUnfenced(words[i], warp) ? uint32_t(Unfenced) : 0);
      words[i].reading += words[i].reading < 255;
    }
    return problems;
  }
  void endRead(uint32_t warp, uint32_t offset, uint32_t bytes) {
    for (uint32_t i = offset / 4, end = (offset + bytes + 3) / 4; i < end; ++i) {
      words[i].reading -= words[i].reading > 0;
      noteRead(words[i], i, warp, 15);
    }
  }

private:
  static constexpr uint8_t kNobody = 255, kSeveral = 254;
  struct Word {
    uint32_t writeTime = 0, readTime = 0;
    uint32_t readers = 0;
    uint8_t writer = kNobody;
    uint8_t writtenBytes : 4 = 0, initialised : 4 = 0;
    uint8_t readBytes = 0;
    uint8_t pending = 0; ///< asynchronous writes under way
    uint8_t reading = 0; ///< asynchronous reads under way
    uint16_t fence = 0;  ///< the writer's count of fences when it wrote
  };

  static uint32_t maskOf(uint32_t offset, uint32_t bytes) { return ((1u << bytes) - 1) << (offset & 3); }
  uint32_t now(uint32_t warp) const { return partial ? clock[warp] : epoch; }
  bool isKnown(uint32_t warp, uint32_t other, uint32_t time) const {
    return partial ? time < known[warp][other] : time < epoch;
  }

  bool hasForeignWrite(const Word &word, uint32_t warp, uint32_t mask) const {
    return word.writer != warp && word.writer < kSeveral && (word.writtenBytes & mask) &&
           !isKnown(warp, word.writer, word.writeTime);
  }

  bool isUnfenced(const Word &word, uint32_t reader) const {
    if (word.writer >= kSeveral || word.writer == engine || fences[word.writer] != word.fence)
      return false;
    if (word.writer == reader)
      return true;
    return partial ? word.writeTime >= knownAtFence[reader][word.writer] : word.writeTime >= fenceEpochs[reader];
  }

  uint32_t readWord(uint32_t warp, uint32_t index, uint32_t mask) {
    Word &word = words[index];
    uint32_t problems =
        (mask & ~word.initialised ? uint32_t(Uninitialised) : 0) | (word.pending ? uint32_t(Unwaited) : 0);
    if (hasForeignWrite(word, warp, mask))
      problems |= Race;
    noteRead(word, index, warp, mask);
    return problems;
  }

  void noteRead(Word &word, uint32_t index, uint32_t warp, uint32_t mask) {
    uint32_t time = now(warp);
    if (partial) {
      readTimes[size_t(index) * warpCount + warp] = time;
      word.readers |= 1u << warp;
      word.readBytes = 15;
    } else {
      if (word.readTime != time) {
        word.readTime = time;
        word.readers = 0;
        word.readBytes = 0;
      }
      word.readers |= 1u << warp;
      word.readBytes |= uint8_t(mask);
    }
  }

  uint32_t conflict(const Word &word, uint32_t index, uint32_t warp, uint32_t mask) const {
    if (word.pending || word.reading || hasForeignWrite(word, warp, mask))
      return Race;
    uint32_t readers = word.readers & ~(1u << warp);
    if (!readers || !(word.readBytes & mask))
      return 0;
    if (!partial)
      return word.readTime == epoch ? uint32_t(Race) : 0;
    for (uint32_t i = 0; i < engine; ++i)
      if ((readers >> i & 1) && !isKnown(warp, i, readTimes[size_t(index) * warpCount + i]))
        return Race;
    return 0;
  }

  void stamp(Word &word, uint32_t warp, uint32_t mask) {
    uint32_t time = now(warp);
    bool isFresh = word.writer == kNobody || (word.writer < kSeveral && isKnown(warp, word.writer, word.writeTime)) ||
                   (word.writer == warp && word.writeTime != time);
    if (isFresh || (word.writer == kSeveral && word.writeTime != time)) {
      word.writer = uint8_t(warp);
      word.writtenBytes = mask;
    } else {
      word.writer = word.writer == warp ? uint8_t(warp) : kSeveral;
      word.writtenBytes |= mask;
    }
    word.writeTime = time;
    word.fence = fences[warp];
    word.initialised |= mask;
  }

  uint32_t writeWord(uint32_t warp, uint32_t index, uint32_t mask) {
    uint32_t problems = conflict(words[index], index, warp, mask);
    stamp(words[index], warp, mask);
    return problems;
  }

  std::vector<Word> words;
  std::vector<Clocks> known;         ///< by warp: what it knows of the others' times
  Clocks clock;                      ///< each warp's own time
  std::vector<uint32_t> readTimes;   ///< by word and warp
  std::vector<uint16_t> fences;      ///< by warp: of the proxies, so far
  std::vector<uint32_t> fenceEpochs; ///< by warp: of its last
  std::vector<Clocks> knownAtFence;  ///< by warp: the same with partial barriers
  uint32_t warpCount = 0, engine = 0, epoch = 1;
  bool partial = false;
};

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_CHECK_SHAREDSHADOW_H
