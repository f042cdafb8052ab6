// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this machine and this build can do.

#include "tools/tamis-run/Doctor.h"
#include "runtime/device/cpu/CpuCount.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "tamis/tamis.h"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace tamis::tool {

namespace {
/// The features that a level adds to the one below, by LLVM's names (x86-64 psABI, "micro-architecture levels").
struct Level {
  const char *name;
  std::vector<const char *> adds;
};
} // namespace

static const std::vector<Level> &levels() {
  static const std::vector<Level> list = {
      {"x86-64", {"cmov", "cx8", "fxsr", "mmx", "sse", "sse2"}},
      {"x86-64-v2", {"cx16", "sahf", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3"}},
      {"x86-64-v3", {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}},
      {"x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}},
  };
  return list;
}

std::string cpuLevel() {
  std::string machine = runtime::machineName(runtime::hostMachine()), level = machine;
  if (machine != "x86-64")
    return machine;
  for (const Level &next : levels()) {
    if (!std::all_of(next.adds.begin(), next.adds.end(), runtime::hasCpuFeature))
      break;
    level = next.name;
  }
  return level;
}

/// Those of the features that kernels can gain from, beyond levels, which are there.
static std::string features() {
  std::string text;
  for (const char *name : {"avxvnni", "avx512vnni", "avx512bf16", "avx512fp16", "amx-tile", "amx-int8", "amx-bf16",
                           "neon", "dotprod", "i8mm", "bf16", "fp16", "sve", "sve2"})
    if (runtime::hasCpuFeature(name))
      text += (text.empty() ? "" : " ") + std::string(name);
  return text.empty() ? "none" : text;
}

/// The value of the first line "KEY : VALUE" of a file of /proc; empty where there is none.
static std::string procValue(const char *path, const std::string &key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    size_t colon = line.find(':');
    if (line.rfind(key, 0) || colon == std::string::npos)
      continue;
    size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

static std::string memoryText() {
  auto gigabytes = [](const char *key) {
    char text[32];
    snprintf(text, sizeof text, "%.1f GB",
             double(strtoll(procValue("/proc/meminfo", key).c_str(), nullptr, 10)) * 1024e-9);
    return std::string(text);
  };
  return gigabytes("MemTotal") + ", " + gigabytes("MemAvailable") + " of it available";
}

/// Whether memory may be made executable after it was written, as plans need that cannot be mapped.
static Finding executableMemory() {
  Finding finding{Finding::good, "code", "copied to memory", "allowed"};
  auto size = size_t(sysconf(_SC_PAGESIZE));
  void *page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || mprotect(page, size, PROT_READ | PROT_EXEC))
    finding.verdict = Finding::bad, finding.text = std::string("the system refuses: ") + strerror(errno) +
                                                   "; plans run where they can be mapped from a file";
  if (page != MAP_FAILED)
    munmap(page, size);
  return finding;
}

static Finding gpu(const char *name, tamis_device kind) {
  cuda::CudaDevice device;
  tamis_error error;
  if (device.open(kind, nullptr, 0, &error))
    return {Finding::bad, "gpu", name, error.message};
  return {Finding::good, "gpu", name, device.text()};
}

std::vector<Finding> examineMachine() {
  std::vector<Finding> findings;
  auto add = [&](const char *group, const char *name, std::string text) {
    findings.push_back({Finding::fact, group, name, std::move(text)});
  };
  add("versions", "runtime", std::string("tamis ") + tamis_version());
  add("versions", "plan format", std::to_string(tamis_plan_format_version()));
  utsname system{};
  if (!uname(&system))
    add("versions", "system", std::string(system.sysname) + " " + system.release + " " + system.machine);
  std::string model = procValue("/proc/cpuinfo", "model name");
  add("cpu", "model", model.empty() ? "unknown" : model);
  add("cpu", "level", cpuLevel());
  add("cpu", "features beyond it", features());
  add("cpu", "cores",
      std::to_string(runtime::availableCpus()) + " of " + std::to_string(std::thread::hardware_concurrency()) +
          " are for this process");
  add("cpu", "memory", memoryText());
  findings.push_back(executableMemory());
  findings.push_back(gpu("NVIDIA", TAMIS_DEVICE_CUDA));
  findings.push_back(gpu("emulated", TAMIS_DEVICE_EMULATED));
  return findings;
}

std::string findingsText(const std::vector<Finding> &findings) {
  size_t width = 0;
  for (const Finding &finding : findings)
    width = std::max(width, finding.name.size());
  std::string text, group;
  for (const Finding &finding : findings) {
    if (finding.group != group)
      text += (group.empty() ? "" : "\n") + (group = finding.group) + "\n";
    static const char *const marks[] = {"    ", "  + ", "  - "};
    text +=
        marks[finding.verdict] + finding.name + std::string(width - finding.name.size() + 2, ' ') + finding.text + "\n";
  }
  return text;
}

/// A string of JSON. Bytes that are no ASCII are left as they are.
static std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (static_cast<unsigned char>(c) < 32) {
      char code[8];
      snprintf(code, sizeof code, "\\u%04x", c);
      result += code;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string findingsJson(const std::vector<Finding> &findings) {
  std::string text = "{", group;
  for (const Finding &finding : findings) {
    bool isNew = finding.group != group;
    text += isNew ? (group.empty() ? "\n  " : "\n  },\n  ") + quoted(finding.group) + ": {\n" : ",\n";
    group = finding.group;
    static const char *const usable[] = {"null", "true", "false"};
    text += "    " + quoted(finding.name) + ": {\"usable\": " + usable[finding.verdict] +
            ", \"text\": " + quoted(finding.text) + "}";
  }
  return text + (group.empty() ? "}\n" : "\n  }\n}\n");
}

} // namespace tamis::tool
