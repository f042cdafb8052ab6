// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ONNX Runtime as a judge: tensors go and come as .npz files, names as lines.

#include "tools/tamis/OnnxRuntimeJudge.h"
#include "tools/tamis/Install.h"
#include "tools/tamis/TemporaryFolder.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace tamis::tool {

/// Runs a program with its output in files; its exit code, or -1 when it was not found or did not end by itself.
static int runProgram(std::vector<std::string> arguments, const std::string &outFile, const std::string &errorFile) {
  std::vector<char *> pointers;
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outFile.c_str(), flags, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errorFile.c_str(), flags, 0600);
  pid_t child;
  int failed = posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed)
    return -1;
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// The last line that says something: of a Python traceback the one with the reason.
static std::string lastLine(const std::string &text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line))
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      last = line;
  return last;
}

Result<std::vector<NamedArray>> OnnxRuntimeJudge::ask(const char *what,
                                                      const std::vector<npy::NamedTensor> &inputs) const {
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return folder.error();
  std::string given = folder->path("inputs.npz"), answer = folder->path("results.npz");
  if (Result<void> written = npy::writeNpz(given, inputs); !written)
    return written.error();
  const char *named = getenv("PYTHON");
  std::string python = named && *named ? named : "python3";
  int code = runProgram({python, installedFile("share/tamis/onnxruntime_judge.py"), what, model, given, answer},
                        folder->path("names"), folder->path("errors"));
  Result<std::string> errors = npy::readFile(folder->path("errors"));
  std::string reason = errors ? lastLine(*errors) : "";
  constexpr int missing = 3;
  if (code < 0 && reason.empty())
    return Error(TAMIS_CANNOT_READ, "cannot run '" + python + "'");
  if (code == missing)
    return Error(TAMIS_CANNOT_READ, python + ": " + reason);
  if (code)
    return Error(TAMIS_INVALID_ARGUMENT, "onnxruntime: " + (reason.empty() ? "failed without a reason" : reason));
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
