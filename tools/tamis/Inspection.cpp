// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything a plan says of itself.

#include "tools/tamis/Inspection.h"
#include "tools/tamis/AttentionReport.h"
#include "tools/tamis/GpuReport.h"
#include "tools/tamis/PrecisionReport.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Table.h"
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace tamis::tool {

Result<Inspection> Inspection::of(const Plan &plan, const Context &context, std::vector<int64_t> sizes) {
  Inspection inspection(plan);
  inspection.sizes = std::move(sizes);
  for (size_t i = 0; i < plan.dispatches().size(); ++i) {
    Result<tamis_dispatch_cost> cost = context.dispatch(i);
    if (!cost)
      return cost.error();
    inspection.costs.push_back(*cost);
  }
  for (size_t i = 0; i < plan.arenaBufferCount(); ++i) {
    Result<tamis_arena_buffer> buffer = context.arenaBuffer(i);
    if (!buffer)
      return buffer.error();
    inspection.buffers.push_back(*buffer);
  }
  Result<tamis_memory_info> memory = context.memory();
  if (!memory)
    return memory.error();
  inspection.memory = *memory;
  return inspection;
}

std::string nodesText(const char *const *names, size_t count) {
  std::vector<std::string> parts(names, names + count);
  if (count < 2)
    return join(parts);
  size_t shared = parts[0].size();
  for (const std::string &part : parts) {
    shared = std::min(shared, part.size());
    while (parts[0].compare(0, shared, part, 0, shared))
      --shared;
  }
  size_t slash = shared ? parts[0].rfind('/', shared - 1) : std::string::npos;
  if (slash == std::string::npos || slash == 0)
    return join(parts);
  std::string prefix = parts[0].substr(0, slash + 1);
  for (std::string &part : parts)
    part.erase(0, slash + 1);
  return prefix + "{" + join(parts) + "}";
}

static std::string dimsText(const tamis_tensor_info &info) {
  return "[" + join(std::vector<std::string>(info.dim_names, info.dim_names + info.rank)) + "]";
}

std::string Inspection::tensorsText(const std::vector<tamis_tensor_info> &tensors) const {
  Table table({{""}, {""}, {""}});
  for (const tamis_tensor_info &info : tensors)
    table.add({info.name, tamis_element_name(info.element_type), dimsText(info)});
  return table.text();
}

std::string Inspection::sectionsText() const {
  Table table({{"kind"}, {"name"}, {"machine"}, {"size", Table::right}, {"offset", Table::right}, {"use"}, {"needs"}});
  static const char *const kinds[] = {"code", "weights", "report"};
  for (const tamis_section_info &info : plan.sections()) {
    bool isCode = info.kind == TAMIS_SECTION_CODE;
    std::string use = info.in_use ? !isCode             ? "yes"
                                    : plan.codeCopied() ? "yes, copied"
                                                        : "yes, mapped"
                                  : std::string("no") + (info.reason ? std::string(": ") + info.reason : "");
    table.add({kinds[info.kind], info.name + (info.path ? std::string(", ") + info.path : ""),
               isCode && info.machine ? info.machine : "", bytesText(double(info.size)), std::to_string(info.offset),
               use, join(std::vector<std::string>(info.features, info.features + info.feature_count), " ")});
  }
  return table.text();
}

std::string Inspection::dispatchesText() const {
  std::vector<tamis_dispatch_info> infos = plan.dispatches();
  bool isGpu = !infos.empty() && infos[0].group_threads;
  Table table({{"#", Table::right},
               {"dispatch"},
               {"groups", Table::right},
               {"flops", Table::right},
               {"bytes", Table::right},
               {isGpu ? "threads" : "scratch", Table::right},
               {isGpu ? "shared" : "code", Table::right},
               {"nodes"}});
  double flops = 0, bytes = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    const tamis_dispatch_cost &cost = costs[i];
    table.add({std::to_string(i), infos[i].name, std::to_string(cost.groups), countText(double(cost.flops)),
               bytesText(double(cost.bytes)),
               isGpu ? std::to_string(infos[i].group_threads) : bytesText(double(cost.scratch_bytes)),
               bytesText(double(isGpu ? infos[i].group_shared_bytes : infos[i].code_bytes)),
               nodesText(infos[i].sources, infos[i].source_count)});
    flops += double(cost.flops), bytes += double(cost.bytes);
  }
  table.add({"", "in all", "", countText(flops), bytesText(bytes), "", "", ""});
  return table.text();
}

std::string Inspection::arenaText() const {
  Table table({{"offset", Table::right}, {"size", Table::right}, {"alive", Table::right}, {"written by"}});
  double together = 0;
  for (const tamis_arena_buffer &buffer : buffers) {
    table.add({std::to_string(buffer.offset), bytesText(double(buffer.size)),
               std::to_string(buffer.first) + " - " + std::to_string(buffer.last), buffer.name});
    together += double(buffer.size);
  }
  std::string text = format("arena: %s for values of %s together\n", bytesText(double(memory.arena_bytes)).c_str(),
                            bytesText(together).c_str());
  return text + (buffers.empty() ? "" : table.text());
}

/// A section of JSON; null if it is something else.
static nlohmann::ordered_json reportOf(const tamis_section_info &section) {
  const char *bytes = static_cast<const char *>(section.data);
  auto report = nlohmann::ordered_json::parse(bytes, bytes + section.size, nullptr, /*allow_exceptions=*/false);
  return report.is_discarded() ? nlohmann::ordered_json() : report;
}

/// What the model's file says of itself, a line each.
static std::string metadataText(const nlohmann::ordered_json &properties) {
  constexpr size_t longest = 100;
  Table table({{"metadata"}, {""}});
  for (const auto &[key, value] : properties.items()) {
    std::string text = value.get<std::string>();
    for (char &c : text)
      c = static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    table.add({key, text.size() > longest ? text.substr(0, longest) + " ..." : text});
  }
  return table.text();
}

std::string Inspection::reportsText() const {
  std::string text;
  for (const tamis_section_info &section : plan.sections()) {
    if (section.kind != TAMIS_SECTION_REPORT)
      continue;
    try {
      if (!strcmp(section.name, "attention"))
        text += "\n" + attentionText(reportOf(section));
      else if (!strcmp(section.name, "precision"))
        text += "\n" + precisionText(reportOf(section));
      else if (!strcmp(section.name, "gpu"))
        text += "\n" + gpuText(reportOf(section));
      else if (!strcmp(section.name, "metadata"))
        text += "\n" + metadataText(reportOf(section));
    } catch (const nlohmann::json::exception &error) {
      text += format("\nthe report '%s' cannot be read: %s\n", section.name, error.what());
    }
  }
  return text;
}

std::string Inspection::text() const {
  std::string at = sizesText(plan, sizes);
  at = at.empty() ? "" : ", at " + at;
  std::set<std::string> kernels;
  for (const tamis_dispatch_info &info : plan.dispatches())
    kernels.insert(info.kernel);
  std::string text =
      format("%s: compiled by %s, %s, %zu dispatches of %zu kernels\n", plan.model().c_str(), plan.compiler().c_str(),
             bytesText(double(plan.fileBytes())).c_str(), plan.dispatches().size(), kernels.size());
  text += "\ninputs\n" + tensorsText(plan.inputs());
  text += "\noutputs\n" + tensorsText(plan.outputs());
  Table symbols({{""}, {""}});
  for (const tamis_symbol_info &symbol : plan.symbols())
    symbols.add({symbol.name, std::to_string(symbol.min) + " to " + std::to_string(symbol.max)});
  if (!symbols.empty())
    text += "\nsizes\n" + symbols.text();
  text += "\nsections\n" + sectionsText();
  text += reportsText();
  text += "\ndispatches" + at + "\n" + dispatchesText();
  text += "\nmemory" + at + "\n";
  Table table({{""}, {"", Table::right}, {""}});
  table.add({"weights", bytesText(double(memory.weight_bytes)), "mapped, shared by all contexts"});
  table.add({"outputs", bytesText(double(memory.output_bytes)), ""});
  table.add({"scratch", bytesText(double(memory.scratch_bytes)), "for each thread"});
  table.add({"arena", bytesText(double(memory.arena_bytes)), ""});
  return text + table.text() + "\n" + arenaText();
}

using Json = nlohmann::ordered_json;

static Json tensorsJson(const std::vector<tamis_tensor_info> &tensors) {
  Json list = Json::array();
  for (const tamis_tensor_info &info : tensors)
    list.push_back({{"name", info.name},
                    {"element_type", tamis_element_name(info.element_type)},
                    {"dims", std::vector<std::string>(info.dim_names, info.dim_names + info.rank)}});
  return list;
}

std::string Inspection::json() const {
  Json document = {{"model", plan.model()},
                   {"compiler", plan.compiler()},
                   {"file_bytes", plan.fileBytes()},
                   {"inputs", tensorsJson(plan.inputs())},
                   {"outputs", tensorsJson(plan.outputs())},
                   {"symbols", Json::array()},
                   {"sections", Json::array()},
                   {"reports", Json::object()},
                   {"dispatches", Json::array()}};
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  for (size_t i = 0; i < symbols.size(); ++i)
    document["symbols"].push_back(
        {{"name", symbols[i].name}, {"min", symbols[i].min}, {"max", symbols[i].max}, {"value", sizes[i]}});
  static const char *const kinds[] = {"code", "weights", "report"};
  for (const tamis_section_info &info : plan.sections()) {
    Json section = {{"kind", kinds[info.kind]},
                    {"name", info.name},
                    {"offset", info.offset},
                    {"bytes", info.size},
                    {"in_use", info.in_use != 0}};
    if (info.kind == TAMIS_SECTION_CODE) {
      section["machine"] = info.machine;
      section["path"] = info.path ? Json(info.path) : Json();
      section["features"] = std::vector<std::string>(info.features, info.features + info.feature_count);
      section["reason"] = info.reason ? Json(info.reason) : Json();
    }
    if (info.kind == TAMIS_SECTION_REPORT && strcmp(info.name, "tokenizer")) // which is megabytes of words
      document["reports"][info.name] = reportOf(info);
    document["sections"].push_back(std::move(section));
  }
  std::vector<tamis_dispatch_info> infos = plan.dispatches();
  for (size_t i = 0; i < infos.size(); ++i)
    document["dispatches"].push_back(
        {{"name", infos[i].name},
         {"kernel", infos[i].kernel},
         {"sources", std::vector<std::string>(infos[i].sources, infos[i].sources + infos[i].source_count)},
         {"groups", costs[i].groups},
         {"flops", costs[i].flops},
         {"bytes", costs[i].bytes},
         {"scratch_bytes", costs[i].scratch_bytes},
         {"code_bytes", infos[i].code_bytes},
         {"group_threads", infos[i].group_threads},
         {"group_shared_bytes", infos[i].group_shared_bytes}});
  Json arena = Json::array();
  for (const tamis_arena_buffer &buffer : buffers)
    arena.push_back({{"name", buffer.name},
                     {"offset", buffer.offset},
                     {"bytes", buffer.size},
                     {"first", buffer.first},
                     {"last", buffer.last}});
  document["memory"] = {{"weight_bytes", memory.weight_bytes},
                        {"output_bytes", memory.output_bytes},
                        {"scratch_bytes_per_thread", memory.scratch_bytes},
                        {"arena_bytes", memory.arena_bytes},
                        {"arena", std::move(arena)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace tamis::tool
