// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables for the terminal.

#include "tools/tamis-run/Report.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace tamis::tool {

__attribute__((format(printf, 1, 2))) static std::string format(const char *text, ...) {
  va_list arguments, again;
  va_start(arguments, text);
  va_copy(again, arguments);
  int length = vsnprintf(nullptr, 0, text, arguments);
  va_end(arguments);
  std::string result(size_t(length > 0 ? length : 0) + 1, '\0');
  vsnprintf(result.data(), result.size(), text, again);
  va_end(again);
  result.pop_back();
  return result;
}

static std::string tensorLine(const tamis_tensor_info &info) {
  std::string line = format("  %s: %s [", info.name, tamis_element_name(info.element_type));
  for (int32_t i = 0; i < info.rank; ++i)
    line += format("%s%s", i ? ", " : "", info.dim_names[i]);
  return line + "]\n";
}

static std::string sectionLine(const Plan &plan, const tamis_section_info &info) {
  const char *kinds[] = {"code", "weights", "report"};
  std::string line = format("  %s %s: %llu bytes", kinds[info.kind], info.name, (unsigned long long)info.size);
  if (info.kind != TAMIS_SECTION_CODE)
    return line + "\n";
  if (info.reason)
    return line + format(", not in use: %s\n", info.reason);
  return line + format(", in use, %s\n", plan.codeCopied() ? "copied" : "mapped");
}

std::string listText(const Plan &plan) {
  std::string text = format("%s, compiled by %s, %zu bytes, %zu dispatches\n", plan.model().c_str(),
                            plan.compiler().c_str(), plan.fileBytes(), plan.dispatches().size());
  text += "inputs:\n";
  for (const tamis_tensor_info &info : plan.inputs())
    text += tensorLine(info);
  text += "outputs:\n";
  for (const tamis_tensor_info &info : plan.outputs())
    text += tensorLine(info);
  if (!plan.symbols().empty())
    text += "sizes:\n";
  for (const tamis_symbol_info &symbol : plan.symbols())
    text += format("  %s: %lld to %lld\n", symbol.name, (long long)symbol.min, (long long)symbol.max);
  text += "sections:\n";
  for (const tamis_section_info &section : plan.sections())
    text += sectionLine(plan, section);
  return text;
}

void Profile::add(const Context &context) {
  for (size_t i = 0; i < nanoseconds.size(); ++i)
    if (Result<tamis_dispatch_cost> cost = context.dispatch(i))
      nanoseconds[i] += cost->nanoseconds;
  ++runs;
}

std::string Profile::text(const Context &context) const {
  if (!runs)
    return {};
  double total = 0;
  for (int64_t time : nanoseconds)
    total += double(time);
  std::string table = format("%10s %6s %9s %9s %8s  %s\n", "us", "share", "GFLOP/s", "GB/s", "groups", "dispatch");
  std::vector<tamis_dispatch_info> infos = plan.dispatches();
  for (size_t i = 0; i < infos.size(); ++i) {
    Result<tamis_dispatch_cost> cost = context.dispatch(i);
    if (!cost)
      continue;
    double mean = double(nanoseconds[i]) / runs, divisor = mean > 0 ? mean : 1;
    table +=
        format("%10.1f %5.1f%% %9.1f %9.1f %8lld  %s", mean / 1e3, total > 0 ? 100 * double(nanoseconds[i]) / total : 0,
               double(cost->flops) / divisor, double(cost->bytes) / divisor, (long long)cost->groups, infos[i].name);
    if (infos[i].source_count)
      table += format("  %s%s", infos[i].sources[0], infos[i].source_count > 1 ? ", ..." : "");
    table += "\n";
  }
  return table + format("%10.1f total, mean of %d runs\n", total / runs / 1e3, runs);
}

std::string timesText(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  size_t n = milliseconds.size();
  double median = n % 2 ? milliseconds[n / 2] : (milliseconds[n / 2 - 1] + milliseconds[n / 2]) / 2;
  return format("minimum %.3f ms, median %.3f ms of %zu runs", milliseconds[0], median, n);
}

} // namespace tamis::tool
