// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a plan on raw bytes, through the public API alone: what is built for another machine.
//   run_plan PLAN FOLDER NAME:DIMxDIM:FILE...
// Writes each output to FOLDER/NUMBER.bin and a line "NAME TYPE DIM DIM ..." to standard output.
#include "tamis/tamis.hpp"
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace {
[[noreturn]] void fail(const std::string &why) {
  fprintf(stderr, "%s\n", why.c_str());
  exit(1);
}

struct Given {
  std::vector<int64_t> dims;
  std::vector<char> bytes;
};

/// "x:2x3:x.bin"; of a scalar "x::x.bin".
std::pair<std::string, Given> parse(const std::string &text) {
  size_t first = text.find(':'), second = text.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos)
    fail("expected NAME:DIMS:FILE but found " + text);
  Given given;
  std::stringstream dims(text.substr(first + 1, second - first - 1));
  for (std::string dim; std::getline(dims, dim, 'x');)
    given.dims.push_back(std::stoll(dim));
  std::ifstream file(text.substr(second + 1), std::ios::binary);
  given.bytes.assign(std::istreambuf_iterator<char>(file), {});
  return {text.substr(0, first), std::move(given)};
}
} // namespace

int main(int count, char **arguments) {
  if (count < 3)
    fail("usage: run_plan PLAN FOLDER NAME:DIMxDIM:FILE...");
  std::map<std::string, Given> given;
  for (int i = 3; i < count; ++i)
    given.insert(parse(arguments[i]));
  tamis::LoadOptions options;
  options.hideFromDebugger = true;
  auto plan = tamis::Plan::load(arguments[1], options);
  if (!plan)
    fail(plan.error().message());
  auto context = plan->context(2);
  if (!context)
    fail(context.error().message());
  std::vector<tamis::Tensor> inputs;
  for (const auto &info : plan->inputs()) {
    auto found = given.find(info.name);
    if (found == given.end())
      fail(std::string("no value for input ") + info.name);
    inputs.emplace_back(info.element_type, found->second.bytes.data(), found->second.dims);
  }
  auto outputs = context->run(inputs);
  if (!outputs)
    fail(outputs.error().message());
  size_t number = 0;
  for (const auto &info : plan->outputs()) {
    const tamis::Tensor &tensor = (*outputs)[number];
    std::ofstream file(std::string(arguments[2]) + "/" + std::to_string(number++) + ".bin", std::ios::binary);
    file.write(static_cast<const char *>(tensor.data()), std::streamsize(tensor.bytes()));
    printf("%s %s", info.name, tamis_element_name(tensor.elementType()));
    for (int64_t dim : tensor.dims())
      printf(" %lld", static_cast<long long>(dim));
    printf("\n");
  }
}
