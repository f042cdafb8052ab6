// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX Runtime as a judge: tensors go and come as .npz files, names as lines.

#include "tools/tamis/OnnxRuntimeJudge.h"
#include "tools/tamis/Install.h"
#include "tools/tamis/Process.h"
#include "tools/tamis/TemporaryFolder.h"
#include <cstdlib>
#include <sstream>

namespace tamis::tool {

/// The last line that says something: of a Python traceback the one with the reason.
static std::string lastLine(const std::string &text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line))
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      last = line;
  return last;
}

namespace {
/// What the script said, and how it ended.
struct Answer {
  std::string python, reason;
  int code;
};
} // namespace

/// Runs the script with its words; it leaves lines in the file "names" of the folder.
static Answer runJudge(const TemporaryFolder &folder, std::vector<std::string> words) {
  const char *named = getenv("PYTHON");
  Answer answer{named && *named ? named : "python3", "", 0};
  words.insert(words.begin(), {answer.python, installedFile("share/tamis/onnxruntime_judge.py")});
  answer.code = runProgram(words, folder.path("names"), folder.path("errors"));
  if (Result<std::string> errors = npy::readFile(folder.path("errors")))
    answer.reason = lastLine(*errors);
  return answer;
}

/// Why there is no answer.
static Result<void> check(const Answer &answer) {
  constexpr int missing = 3;
  if (answer.code < 0 && answer.reason.empty())
    return Error(TAMIS_CANNOT_READ, "cannot run '" + answer.python + "'");
  if (answer.code == missing)
    return Error(TAMIS_CANNOT_READ, answer.python + ": " + answer.reason);
  if (answer.code)
    return Error(TAMIS_INVALID_ARGUMENT,
                 "onnxruntime: " + (answer.reason.empty() ? "failed without a reason" : answer.reason));
  return {};
}

Result<std::string> OnnxRuntimeJudge::version() {
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return folder.error();
  if (Result<void> good = check(runJudge(*folder, {"version"})); !good)
    return good.error();
  Result<std::string> names = npy::readFile(folder->path("names"));
  return names ? lastLine(*names) : names;
}

Result<std::vector<NamedArray>> OnnxRuntimeJudge::ask(const char *what,
                                                      const std::vector<npy::NamedTensor> &inputs) const {
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return folder.error();
  std::string given = folder->path("inputs.npz"), answer = folder->path("results.npz");
  if (Result<void> written = npy::writeNpz(given, inputs); !written)
    return written.error();
  if (Result<void> good = check(runJudge(*folder, {what, model, given, answer})); !good)
    return good.error();
  Result<std::string> names = npy::readFile(folder->path("names"));
  if (!names)
    return names.error();
  std::vector<NamedArray> results;
  std::istringstream lines(*names);
  for (std::string name; std::getline(lines, name);) {
    Result<npy::Array> array = npy::readNpz(answer, std::to_string(results.size()));
    if (!array)
      return array.error();
    results.push_back({name, std::move(*array)});
  }
  return results;
}

Result<std::vector<NamedArray>> OnnxRuntimeJudge::outputs(const std::vector<npy::NamedTensor> &inputs) const {
  return ask("outputs", inputs);
}

Result<std::vector<NamedArray>> OnnxRuntimeJudge::nodeValues(const std::vector<npy::NamedTensor> &inputs) const {
  return ask("nodes", inputs);
}

} // namespace tamis::tool
