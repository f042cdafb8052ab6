// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The header of a .npy file is a Python dictionary; a small strict parser reads the one form NumPy writes.

#include "runtime/npy/NpyFile.h"
#include "runtime/plan/ShapeProgram.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis::npy {

namespace {
struct Element {
  const char *descr;
  tamis_element_type type;
};

/// A reader of the header's dictionary. The first thing that is wrong is kept in `problem`; all later steps do nothing.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  void parse();

  std::string problem;
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;

private:
  void fail(const std::string &what) {
    if (problem.empty())
      problem = what;
  }
  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
      ++at;
  }
  bool take(std::string_view token) {
    skipSpace();
    if (text.substr(at, token.size()) != token)
      return false;
    at += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token))
      fail("its header has no '" + std::string(token) + "' at byte " + std::to_string(at));
  }
  std::string string();
  void value(const std::string &key);
  void shapeTuple();

  std::string_view text;
  size_t at = 0;
};
} // namespace

static constexpr Element kElements[] = {
    {"<f4", TAMIS_F32}, {"<f8", TAMIS_F64}, {"<f2", TAMIS_F16}, {"<V2", TAMIS_BF16}, {"|V2", TAMIS_BF16},
    {"|i1", TAMIS_I8},  {"<i2", TAMIS_I16}, {"<i4", TAMIS_I32}, {"<i8", TAMIS_I64},  {"|u1", TAMIS_U8},
    {"<u2", TAMIS_U16}, {"<u4", TAMIS_U32}, {"<u8", TAMIS_U64}, {"|b1", TAMIS_BOOL}};

std::string HeaderParser::string() {
  skipSpace();
  char quote = at < text.size() ? text[at] : '\0';
  size_t end = quote == '\'' || quote == '"' ? text.find(quote, at + 1) : std::string_view::npos;
  if (end == std::string_view::npos) {
    fail("its header has no string at byte " + std::to_string(at));
    return {};
  }
  std::string result(text.substr(at + 1, end - at - 1));
  at = end + 1;
  return result;
}

void HeaderParser::shapeTuple() {
  constexpr size_t maximumRank = 64;
  expect("(");
  while (problem.empty() && !take(")")) {
    size_t first = at;
    int64_t dim = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
      if (__builtin_mul_overflow(dim, 10, &dim) || __builtin_add_overflow(dim, text[at] - '0', &dim))
        return fail("a dimension does not fit 64 bits");
    if (at == first)
      return fail("its shape has no number at byte " + std::to_string(at) + " of the header");
    take("L"); // written by Python 2
    if (shape.size() == maximumRank)
      return fail("it has more than " + std::to_string(maximumRank) + " dimensions");
    shape.push_back(dim);
    if (!take(",") && text.substr(at, 1) != ")")
      return fail("its shape has no ',' or ')' at byte " + std::to_string(at) + " of the header");
  }
}

void HeaderParser::value(const std::string &key) {
  if (key == "descr") {
    skipSpace();
    if (text.substr(at, 1) == "[")
      return fail("it holds records, wanted are plain numbers");
    descr = string();
  } else if (key == "fortran_order") {
    fortranOrder = take("True");
    if (!fortranOrder)
      expect("False");
  } else {
    shapeTuple();
  }
}

void HeaderParser::parse() {
  static constexpr const char *keys[] = {"descr", "fortran_order", "shape"};
  bool seen[3] = {};
  expect("{");
  while (problem.empty() && !take("}")) {
    std::string key = string();
    size_t number = 0;
    while (number < 3 && key != keys[number])
      ++number;
    if (problem.empty() && (number == 3 || seen[number]))
      return fail("its header has an unexpected key '" + key + "'");
    if (!problem.empty())
      return;
    seen[number] = true;
    expect(":");
    value(key);
    if (problem.empty() && !take(",") && text.substr(at, 1) != "}")
      fail("its header has no ',' or '}' at byte " + std::to_string(at));
  }
  for (size_t i = 0; i < 3; ++i)
    if (!seen[i])
      fail(std::string("its header has no '") + keys[i] + "'");
  skipSpace();
  if (at != text.size())
    fail("its header goes on after the dictionary");
}

/// The element type of `descr`, or why it is none.
static Result<tamis_element_type> elementOf(const std::string &descr) {
  for (const Element &element : kElements)
    if (descr == element.descr)
      return element.type;
  if (!descr.empty() && descr[0] == '>')
    return Error(TAMIS_INVALID_ARGUMENT, "it is big-endian ('" + descr + "'), wanted is little-endian");
  return Error(TAMIS_INVALID_ARGUMENT,
               "its element type '" + descr + "' is none of f4, f8, f2, i1, i2, i4, i8, u1, b1, V2 (bf16)");
}

Result<Array> parseNpy(std::string_view content, const std::string &name) {
  auto refuse = [&](const std::string &why) {
    return Error(TAMIS_INVALID_ARGUMENT, "cannot read '" + name + "': " + why);
  };
  if (content.size() < 10 || content.substr(0, 6) != "\x93NUMPY")
    return refuse("it is no .npy file");
  auto byte = [&](size_t i) { return uint32_t(uint8_t(content[i])); };
  uint32_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0)
    return refuse("its format version is " + std::to_string(version) + "." + std::to_string(byte(7)) +
                  ", known are 1.0 to 3.0");
  size_t start = version == 1 ? 10 : 12;
  if (content.size() < start)
    return refuse("it is cut short in the header");
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1)
    length |= byte(10) << 16 | byte(11) << 24;
  if (length > content.size() - start)
    return refuse("it is cut short in the header");
  HeaderParser header(content.substr(start, length));
  header.parse();
  if (!header.problem.empty())
    return refuse(header.problem);
  Result<tamis_element_type> type = elementOf(header.descr);
  if (!type)
    return refuse(type.error().message());
  // Of at most one dimension both orders are the same, and NumPy may state either.
  if (header.fortranOrder && header.shape.size() > 1)
    return refuse("it is in Fortran order, wanted is C order (numpy.ascontiguousarray)");
  int64_t bytes;
  if (!runtime::tensorBytes(header.shape.data(), int32_t(header.shape.size()), tamis_element_size(*type), bytes))
    return refuse("its shape has more elements than memory");
  std::string_view data = content.substr(start + length);
  if (data.size() != size_t(bytes))
    return refuse("it has " + std::to_string(data.size()) + " bytes of data, its shape wants " + std::to_string(bytes));
  Array array;
  array.type = *type;
  array.dims = std::move(header.shape);
  array.bytes.assign(data.begin(), data.end());
  return array;
}

Result<std::string> readFile(const std::string &path) {
  auto refuse = [&](const char *why) { return Error(TAMIS_CANNOT_READ, "cannot read '" + path + "': " + why); };
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0)
    return refuse(strerror(errno));
  std::string content;
  const char *problem = nullptr;
  if (fstat(fd, &status))
    problem = strerror(errno);
  else if (!S_ISREG(status.st_mode))
    problem = "it is not a regular file";
  else
    content.resize(size_t(status.st_size));
  size_t done = 0;
  while (!problem && done < content.size()) {
    ssize_t count = ::read(fd, &content[done], content.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      problem = count < 0 ? strerror(errno) : "it became shorter while it was read";
    else
      done += size_t(count);
  }
  close(fd);
  if (problem)
    return refuse(problem);
  return content;
}

Result<void> writeFile(const std::string &path, std::string_view content) {
  auto refuse = [&] { return Error(TAMIS_SYSTEM_REFUSED, "cannot write '" + path + "': " + strerror(errno)); };
  std::string temporary = path + ".tmp" + std::to_string(getpid());
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return refuse();
  size_t done = 0;
  bool good = true;
  while (good && done < content.size()) {
    ssize_t count = ::write(fd, content.data() + done, content.size() - done);
    if (count < 0 && errno != EINTR)
      good = false;
    else if (count > 0)
      done += size_t(count);
  }
  good &= close(fd) == 0;
  if (good && rename(temporary.c_str(), path.c_str()) == 0)
    return {};
  Error error = refuse();
  unlink(temporary.c_str());
  return error;
}

Result<Array> readNpy(const std::string &path) {
  Result<std::string> content = readFile(path);
  if (!content)
    return content.error();
  return parseNpy(*content, path);
}

std::string formatNpy(const Tensor &tensor) {
  std::string header = "{'descr': '";
  for (const Element &element : kElements)
    if (element.type == tensor.elementType()) {
      header += element.descr;
      break;
    }
  header += "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < tensor.dims().size(); ++i) {
    header += i ? ", " : "";
    header += std::to_string(tensor.dims()[i]);
  }
  header += tensor.dims().size() == 1 ? ",), }" : "), }";
  // The data starts at a multiple of 64: magic, version and length before the header, a line feed at its end.
  size_t prefix = header.size() + 11 + 64 > 65535 ? 12 : 10;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string file = "\x93NUMPY";
  file += prefix == 10 ? '\1' : '\2';
  file += '\0';
  for (size_t i = 0; i < prefix - 8; ++i)
    file += char(header.size() >> 8 * i & 0xff);
  file += header;
  if (tensor.bytes())
    file.append(static_cast<const char *>(tensor.data()), tensor.bytes());
  return file;
}

Result<void> writeNpy(const std::string &path, const Tensor &tensor) {
  return writeFile(path, formatNpy(tensor));
}

} // namespace tamis::npy
