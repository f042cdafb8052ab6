// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A text's tokens and pages in a file.
//
// Layout, little endian: "TAMISKVC"; u32 version; u32 tokens of a page; u64 fingerprint of the plan; u64 bytes of a
// page over all pools; u64 number of tokens; the tokens, i32, padded to 8 bytes; page by page, of each pool in the
// plan's order, its bytes; u64 XXH3 of all before.

#include "runtime/cache/PagedCache.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tamis::cache {

static constexpr char kMagic[] = {'T', 'A', 'M', 'I', 'S', 'K', 'V', 'C'};
static constexpr uint32_t kVersion = 1;

namespace {
struct Header {
  char magic[8];
  uint32_t version, pageTokens;
  uint64_t fingerprint, pageBytes, tokens;
};

/// A file that is hashed as it is read or written; the first failure stays.
class HashedFile {
public:
  HashedFile(const std::string &path, const char *mode) : file(fopen(path.c_str(), mode)), isGood(file != nullptr) {
    XXH3_64bits_reset(&state);
  }
  ~HashedFile() {
    if (file)
      fclose(file);
  }
  HashedFile(const HashedFile &) = delete;

  void write(const void *data, size_t size) {
    XXH3_64bits_update(&state, data, size);
    isGood = isGood && fwrite(data, 1, size, file) == size;
  }
  void read(void *data, size_t size) {
    isGood = isGood && fread(data, 1, size, file) == size;
    if (isGood)
      XXH3_64bits_update(&state, data, size);
  }
  uint64_t hash() const { return XXH3_64bits_digest(&state); }
  bool atEnd() { return isGood && fgetc(file) == EOF; }
  /// Writes what is left; false where anything was lost.
  bool finish() {
    isGood = isGood && !fflush(file) && !fsync(fileno(file));
    if (file && fclose(file))
      isGood = false;
    file = nullptr;
    return isGood;
  }
  bool good() const { return isGood; }

private:
  FILE *file;
  bool isGood;
  XXH3_state_t state;
};
} // namespace

/// Of what the numbers in pages depend on: the weights, and how pages lie.
uint64_t PagedCache::fingerprint() const {
  if (!weightsHash)
    weightsHash = XXH3_64bits(weights.data(), weights.size());
  std::string text = model;
  for (const Pool &pool : tensors) {
    text += '\n' + pool.name + ' ' + tamis_element_name(pool.element);
    for (int64_t dim : pool.pageDims)
      text += ' ' + std::to_string(dim);
  }
  return XXH3_64bits_withSeed(text.data(), text.size(), weightsHash);
}

static Error systemError(tamis_status status, const std::string &path, const char *what) {
  return Error(status, std::string("cannot ") + what + " '" + path + "': " + strerror(errno));
}

Result<void> PagedCache::save(Text text, const std::string &path) const {
  const TextState &saved = texts.at(text);
  // What has been extended and not yet run holds nothing.
  auto tokens = size_t(saved.committed), used = size_t((saved.committed + page - 1) / page);
  std::string temporary = path + "." + std::to_string(getpid()) + ".part";
  HashedFile file(temporary, "wb");
  if (!file.good())
    return systemError(TAMIS_SYSTEM_REFUSED, temporary, "write");
  Header header{{}, kVersion, uint32_t(page), fingerprint(), uint64_t(counts.pageBytes), tokens};
  memcpy(header.magic, kMagic, sizeof kMagic);
  file.write(&header, sizeof header);
  file.write(saved.tokens.data(), tokens * sizeof(int32_t));
  static const char zeros[4] = {};
  file.write(zeros, tokens % 2 * sizeof(int32_t));
  for (size_t i = 0; i < used; ++i)
    for (size_t pool = 0; pool < tensors.size(); ++pool)
      file.write(data(pool, saved.pages[i]), tensors[pool].pageBytes);
  uint64_t hash = file.hash();
  file.write(&hash, sizeof hash);
  if (!file.finish() || rename(temporary.c_str(), path.c_str())) {
    Error error = systemError(TAMIS_SYSTEM_REFUSED, path, "write");
    unlink(temporary.c_str());
    return error;
  }
  return {};
}

Result<PagedCache::Text> PagedCache::load(const std::string &path) {
  HashedFile file(path, "rb");
  if (!file.good())
    return systemError(TAMIS_CANNOT_READ, path, "read");
  auto wrong = [&](const std::string &what) { return Error(TAMIS_INVALID_ARGUMENT, path + ": " + what); };
  Header header;
  file.read(&header, sizeof header);
  if (!file.good() || memcmp(header.magic, kMagic, sizeof kMagic))
    return wrong("this is no file of a cache");
  if (header.version != kVersion)
    return wrong("the file has version " + std::to_string(header.version) + ", wanted is " + std::to_string(kVersion));
  if (header.fingerprint != fingerprint() || header.pageTokens != uint64_t(page) ||
      header.pageBytes != uint64_t(counts.pageBytes))
    return wrong("the file is of another plan");
  if (header.tokens > uint64_t(counts.pages) * uint64_t(page))
    return wrong("the file has " + std::to_string(header.tokens) + " tokens but the cache has room for " +
                 std::to_string(counts.pages * page));
  std::vector<int32_t> tokens(size_t(header.tokens));
  file.read(tokens.data(), tokens.size() * sizeof(int32_t));
  char padding[4];
  file.read(padding, tokens.size() % 2 * sizeof(int32_t));
  if (!file.good())
    return wrong("the file ends in its tokens");
  Text text = open();
  if (Result<void> room = extend(text, tokens.data(), int64_t(tokens.size())); !room) {
    close(text);
    return Error(room.error().status(), path + ": " + room.error().message());
  }
  counts.tokensRead -= int64_t(tokens.size());
  for (int32_t number : state(text).pages)
    for (size_t pool = 0; pool < tensors.size(); ++pool)
      file.read(data(pool, number), tensors[pool].pageBytes);
  uint64_t hash = file.hash(), found = 0;
  file.read(&found, sizeof found);
  if (!file.good() || found != hash || !file.atEnd()) {
    close(text);
    return wrong("the file is damaged");
  }
  commit(text);
  return text;
}

} // namespace tamis::cache
