// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Archives through zlib's minizip.

#include "runtime/npy/NpzFile.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <minizip/unzip.h>
#include <minizip/zip.h>
#include <unistd.h>

namespace tamis::npy {

/// The names of the arrays in an open archive, for messages.
static std::string namesIn(unzFile archive) {
  std::string names;
  char name[256];
  for (int state = unzGoToFirstFile(archive); state == UNZ_OK; state = unzGoToNextFile(archive)) {
    unz_file_info64 info;
    if (unzGetCurrentFileInfo64(archive, &info, name, sizeof name, nullptr, 0, nullptr, 0) != UNZ_OK)
      break;
    name[sizeof name - 1] = '\0';
    std::string text = name;
    if (text.size() > 4 && text.substr(text.size() - 4) == ".npy")
      text.resize(text.size() - 4);
    names += (names.empty() ? "" : ", ") + text;
    if (names.size() > 500)
      return names + ", ...";
  }
  return names.empty() ? "none" : names;
}

/// The whole of the archive's current file. The stated size is not trusted: content grows as it is unpacked, up to a
/// bound, because a small archive can hold petabytes of zeros.
static bool readCurrent(unzFile archive, std::string &content) {
  if (unzOpenCurrentFile(archive) != UNZ_OK)
    return false;
  std::vector<char> part(1 << 20);
  int count;
  constexpr size_t most = size_t(1) << 36;
  while ((count = unzReadCurrentFile(archive, part.data(), unsigned(part.size()))) > 0 && content.size() < most)
    content.append(part.data(), size_t(count));
  return unzCloseCurrentFile(archive) == UNZ_OK && count == 0; // closing checks the CRC
}

Result<Array> readNpz(const std::string &path, const std::string &name) {
  std::unique_ptr<void, int (*)(unzFile)> archive(unzOpen64(path.c_str()), unzClose);
  if (!archive)
    return Error(TAMIS_CANNOT_READ, "cannot read '" + path + "': it is missing or no zip archive");
  constexpr int caseSensitive = 1;
  if (unzLocateFile(archive.get(), (name + ".npy").c_str(), caseSensitive) != UNZ_OK)
    return Error(TAMIS_INVALID_ARGUMENT,
                 "'" + path + "' has no array '" + name + "', it has: " + namesIn(archive.get()));
  std::string content;
  if (!readCurrent(archive.get(), content))
    return Error(TAMIS_CANNOT_READ, "cannot read '" + path + "': array '" + name + "' is damaged");
  return parseNpy(content, path + ":" + name);
}

/// Appends one stored file.
static bool writeMember(zipFile archive, const NamedTensor &member) {
  std::string content = formatNpy(member.tensor);
  zip_fileinfo info = {};
  info.tmz_date.tm_mday = 1; // the first day zip can tell
  info.tmz_date.tm_year = 1980;
  constexpr int stored = 0, level = 0;
  bool large = content.size() >= 0xffffffff;
  if (zipOpenNewFileInZip64(archive, (member.name + ".npy").c_str(), &info, nullptr, 0, nullptr, 0, nullptr, stored,
                            level, large) != ZIP_OK)
    return false;
  constexpr size_t most = size_t(1) << 30; // zip takes 32-bit lengths
  bool good = true;
  for (size_t done = 0; good && done < content.size(); done += most)
    good =
        zipWriteInFileInZip(archive, content.data() + done, unsigned(std::min(most, content.size() - done))) == ZIP_OK;
  return zipCloseFileInZip(archive) == ZIP_OK && good;
}

Result<void> writeNpz(const std::string &path, const std::vector<NamedTensor> &tensors) {
  std::string temporary = path + ".tmp" + std::to_string(getpid());
  errno = 0;
  zipFile archive = zipOpen64(temporary.c_str(), APPEND_STATUS_CREATE);
  bool good = archive;
  for (const NamedTensor &member : tensors)
    good = good && writeMember(archive, member);
  if (archive)
    good &= zipClose(archive, nullptr) == ZIP_OK;
  if (good && rename(temporary.c_str(), path.c_str()) == 0)
    return {};
  std::string reason = errno ? strerror(errno) : "the disk may be full";
  unlink(temporary.c_str());
  return Error(TAMIS_SYSTEM_REFUSED, "cannot write '" + path + "': " + reason);
}

} // namespace tamis::npy
