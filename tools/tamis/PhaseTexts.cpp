// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model's IR after each phase, short enough to read, and what a phase changed.

#include "tools/tamis/PhaseTexts.h"
#include "runtime/npy/NpyFile.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/TemporaryFolder.h"
#include "tools/tamis/Terminal.h"
#include <algorithm>
#include <cctype>
#include <filesystem>

namespace tamis::tool {

static std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The line with every name of a value, as %12 or %arg0, as a bare %.
static std::string withoutNames(const std::string &line) {
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    text += line[i];
    if (line[i] == '%')
      while (i + 1 < line.size() && (std::isalnum(static_cast<unsigned char>(line[i + 1])) || line[i + 1] == '_'))
        ++i;
  }
  return text;
}

std::vector<PhaseLine> difference(const std::vector<std::string> &before, const std::vector<std::string> &after) {
  std::vector<std::string> a, b;
  for (const std::string &line : before)
    a.push_back(withoutNames(line));
  for (const std::string &line : after)
    b.push_back(withoutNames(line));
  // The longest common subsequence; texts are kept below a length at which its square is small.
  size_t width = b.size() + 1;
  std::vector<uint32_t> common((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;)
    for (size_t j = b.size(); j-- > 0;)
      common[i * width + j] = a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                                           : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
  std::vector<PhaseLine> lines;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j])
      ++i, lines.push_back({PhaseLine::same, after[j++]});
    else if (j == b.size() || (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1]))
      lines.push_back({PhaseLine::gone, before[i++]});
    else
      lines.push_back({PhaseLine::come, after[j++]});
  }
  return lines;
}

static std::string leftOut(size_t count, const std::string &what, const std::string &phase) {
  return format("... %zu more lines%s: tamis compile --compile-to=%s", count, what.c_str(), phase.c_str());
}

/// The IR without most of its kernels, which are functions of nested modules, and no more than people scroll through.
static std::vector<std::string> shortened(const std::vector<std::string> &lines, const std::string &phase) {
  constexpr size_t kernelLines = 3, most = 1500;
  std::vector<std::string> result;
  size_t inKernel = 0;
  for (const std::string &line : lines) {
    bool begins = line.rfind("    func.func ", 0) == 0, ends = line == "    }";
    inKernel = begins ? 1 : inKernel ? inKernel + 1 : 0;
    if (inKernel <= kernelLines || ends) {
      if (ends && inKernel > kernelLines + 1)
        result.push_back("      " + leftOut(inKernel - kernelLines - 1, " of this kernel", phase));
      result.push_back(line);
    }
    if (ends)
      inKernel = 0;
  }
  if (result.size() > most) {
    size_t more = result.size() - most;
    result.resize(most);
    result.push_back(leftOut(more, "", phase));
  }
  return result;
}

/// Of lines as `%2 = model.weight "KEY" : TYPE`.
static std::vector<NamedWeight> weightsOf(const std::vector<std::string> &lines) {
  std::vector<NamedWeight> weights;
  const std::string op = "= model.weight \"", colon = "\" : ";
  for (const std::string &line : lines) {
    size_t at = line.find(op), end = line.find(colon, at == std::string::npos ? 0 : at);
    if (at == std::string::npos || end == std::string::npos)
      continue;
    NamedWeight weight{line.substr(at + op.size(), end - at - op.size()), line.substr(end + colon.size())};
    weights.push_back(std::move(weight));
  }
  return weights;
}

/// "f32 [batch, 384]" of `tensor<?x384xf32, #model.dims<"batch", "384">>` and of `tensor<8x384xf32>`; else empty.
static std::string shapeOf(const std::string &type) {
  const std::string tensor = "tensor<", dims = ", #model.dims<";
  size_t end = type.find_first_of(",>"), named = type.find(dims);
  if (type.rfind(tensor, 0) || end == std::string::npos)
    return "";
  size_t element = type.rfind('x', end);
  element = element == std::string::npos ? tensor.size() : element + 1;
  std::string sizes = type.substr(tensor.size(), element == tensor.size() ? 0 : element - 1 - tensor.size());
  for (size_t at; (at = sizes.find('x')) != std::string::npos;)
    sizes.replace(at, 1, ", ");
  if (named != std::string::npos) {
    sizes = type.substr(named + dims.size(), type.find('>', named) - named - dims.size());
    sizes.erase(std::remove(sizes.begin(), sizes.end(), '"'), sizes.end());
  }
  return type.substr(element, end - element) + " [" + sizes + "]";
}

/// Of lines as `%2 = plan.dispatch ... -> TYPE`.
static std::vector<std::string> resultsOf(const std::vector<std::string> &lines) {
  std::vector<std::string> results;
  for (const std::string &line : lines)
    if (line.find(" = plan.dispatch @") != std::string::npos)
      results.push_back(shapeOf(line.substr(line.rfind(" -> ") + 4)));
  return results;
}

Result<Phases> readPhases(const std::string &model, const std::vector<DimRange> &dims, const std::string &attention) {
  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return compiler.error();
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return folder.error();
  CompileRequest request;
  request.model = model;
  request.output = folder->path("last.mlir");
  request.targets = {"host"};
  request.dims = dims;
  request.attention = attention;
  request.lastPhase = "tile";
  request.dumpFolder = folder->path("phases");
  ProgressLine progress;
  request.progress = [&](const char *phase, double) { progress.show(format("%s ...", phase)); };
  CompileSummary summary;
  if (!(*compiler)->compile(request, summary))
    return reported();

  std::vector<std::filesystem::path> files; // NAME.N.PHASE.mlir
  std::error_code failed;
  for (const auto &entry : std::filesystem::directory_iterator(request.dumpFolder, failed))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  Phases phases;
  std::vector<std::string> before;
  for (const std::filesystem::path &file : files) {
    Result<std::string> text = npy::readFile(file.string());
    if (!text)
      return text.error();
    PhaseText phase{file.stem().extension().string().substr(1), {}};
    std::vector<std::string> lines = linesOf(*text);
    if (before.empty())
      phases.weights = weightsOf(lines);
    phases.results = resultsOf(lines);
    lines = shortened(lines, phase.phase);
    phase.lines = difference(before.empty() ? lines : before, lines);
    for (PhaseLine &line : phase.lines) {
      phase.gone += line.fate == PhaseLine::gone;
      phase.come += line.fate == PhaseLine::come;
      size_t start = line.text.find_first_not_of(' ');
      if (start != std::string::npos && line.text.compare(start, 4, "... ") == 0 && line.fate != PhaseLine::gone)
        line.fate = PhaseLine::leftOut;
    }
    before = std::move(lines);
    phases.texts.push_back(std::move(phase));
  }
  return phases;
}

} // namespace tamis::tool
