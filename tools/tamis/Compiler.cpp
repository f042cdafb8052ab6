// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds and loads the compiler's module.

#include "tools/tamis/Compiler.h"
#include "tools/tamis/Install.h"
#include "tools/tamis/TemporaryFolder.h"
#include "tools/tamis/Terminal.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>

namespace tamis::tool {

Result<Compiler *> loadCompiler() {
  static Compiler *compiler = nullptr;
  if (compiler)
    return compiler;
  std::string path = installedFile("lib/tamis/tamis-compiler.so");
  void *module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module)
    return Error(TAMIS_CANNOT_READ, std::string("cannot load the compiler: ") + dlerror());
  auto open = reinterpret_cast<decltype(&tamis_compiler_5)>(dlsym(module, "tamis_compiler_5"));
  if (!open)
    return Error(TAMIS_VERSION_MISMATCH, path + ": the compiler is of another version than this program");
  return compiler = open();
}

Result<Plan> compileForDevice(const std::string &model, const LoadOptions &options) {
  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return compiler.error();
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return folder.error();
  CompileRequest request;
  request.model = model;
  request.output = folder->path("model.plan");
  request.targets = {options.device == TAMIS_DEVICE_CPU ? "host" : "cuda:sm_80"};
  CompileSummary summary;
  if (!(*compiler)->compile(request, summary))
    return reported();
  return Plan::load(request.output, options);
}

bool isPlan(const std::string &path) {
  char magic[8] = {};
  if (path.size() > 5 && path.substr(path.size() - 5) == ".plan")
    return true;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) // opening a FIFO would wait for a writer
    return false;
  std::ifstream(path, std::ios::binary).read(magic, sizeof magic);
  return !memcmp(magic, "TAMISPLN", sizeof magic);
}

/// Nothing unless `text` is a whole number, not negative.
static bool parseSize(const std::string &text, int64_t &value) {
  char *end;
  errno = 0;
  value = strtoll(text.c_str(), &end, 10);
  return !text.empty() && text[0] >= '0' && text[0] <= '9' && !*end && !errno;
}

Result<std::vector<DimRange>> parseDimRanges(const std::vector<std::string> &texts) {
  std::vector<DimRange> ranges;
  for (const std::string &text : texts) {
    size_t equals = text.find('='), dots = text.find("..", equals == std::string::npos ? 0 : equals);
    DimRange range;
    range.name = text.substr(0, equals);
    bool good = equals != std::string::npos && !range.name.empty();
    if (good && dots == std::string::npos) {
      good = parseSize(text.substr(equals + 1), range.min);
      range.max = range.min;
    } else if (good) {
      good = parseSize(text.substr(equals + 1, dots - equals - 1), range.min) &&
             parseSize(text.substr(dots + 2), range.max) && range.min <= range.max;
    }
    if (!good)
      return Error(TAMIS_INVALID_ARGUMENT, "--dim: '" + text + "' is no NAME=LOW..HIGH and no NAME=NUMBER");
    for (const DimRange &other : ranges)
      if (other.name == range.name)
        return Error(TAMIS_INVALID_ARGUMENT, "--dim: '" + range.name + "' is given twice");
    ranges.push_back(std::move(range));
  }
  return ranges;
}

} // namespace tamis::tool
