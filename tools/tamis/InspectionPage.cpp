// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An inspection as one page of HTML.

#include "tools/tamis/InspectionPage.h"
#include "tools/tamis/Dataflow.h"
#include "tools/tamis/Html.h"
#include "tools/tamis/Pictures.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Table.h"
#include <algorithm>
#include <map>

namespace tamis::tool {

using html::escape;

namespace {
class Page {
public:
  Page(const Inspection &inspection, const std::optional<MeasuredTimes> &times, const Phases *phases)
      : inspection(inspection), plan(inspection.plan), times(times), phases(phases),
        infos(inspection.plan.dispatches()), flows(dataflowOf(inspection)) {}

  std::string text();

private:
  void head();
  void facts();
  void interface();
  void program();
  void kernels();
  void memory();
  void sections();
  void decisions();
  void weights();
  void ir();

  void fact(const std::string &value, const std::string &what) {
    page += "<div><b>" + escape(value) + "</b><span>" + escape(what) + "</span></div>\n";
  }
  void title(const char *id, const std::string &text, const std::string &about) {
    page += "<h2 id=\"" + std::string(id) + "\">" + escape(text) + "</h2>\n<p>" + escape(about) + "</p>\n";
  }
  /// What bars and shares are of: measured time, else operations, else bytes for dispatches that only move.
  double weight(size_t i) const { return times ? times->seconds[i] : double(inspection.costs[i].flops); }
  std::string bar(double part, size_t kernel) const {
    return format("<span class=\"bar\" style=\"width:%.1fpx;background:%s\"></span>", part > 0 ? 120 * part : 0.0,
                  html::colour(kernel));
  }
  std::string resultText(size_t i) const;

  const Inspection &inspection;
  const Plan &plan;
  const std::optional<MeasuredTimes> &times;
  const Phases *phases;
  std::vector<tamis_dispatch_info> infos;
  std::vector<DispatchFlow> flows;
  std::string page;
};
} // namespace

void Page::head() {
  page += "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>" + escape(plan.model()) +
          ": what the plan holds</title>\n<style>" + html::kStyle + "</style></head><body>\n";
  page += "<h1>" + escape(plan.model()) + "</h1>\n<p>A plan: a transformer compiled ahead of time by " +
          escape(plan.compiler()) +
          ". It runs as a list of <b>dispatches</b>, one after the other. A dispatch runs one generated "
          "<b>kernel</b> over a number of work groups, which all cores share; it computes one or more nodes of the "
          "model. Pointing at a dispatch marks what belongs to it, here and in the pictures.</p>\n<nav>";
  std::vector<std::pair<const char *, const char *>> links = {{"interface", "inputs and outputs"},
                                                              {"program", "dispatches"},
                                                              {"kernels", "kernels"},
                                                              {"memory", "memory"},
                                                              {"sections", "sections"}};
  if (!inspection.reportsText().empty())
    links.push_back({"decisions", "decisions"});
  if (phases) {
    links.push_back({"weights", "weights"});
    links.push_back({"ir", "IR by phase"});
  }
  for (auto [id, text] : links)
    page += format("<a href=\"#%s\">%s</a>", id, text);
  page += "</nav>\n";
}

void Page::facts() {
  double flops = 0;
  size_t kernelCount = 0;
  for (size_t i = 0; i < infos.size(); ++i)
    flops += double(inspection.costs[i].flops), kernelCount = std::max(kernelCount, flows[i].kernel + 1);
  std::string sizes = sizesText(plan, inspection.sizes);
  page += "<div class=\"facts\">\n";
  fact(std::to_string(infos.size()), format("dispatches of %zu kernels", kernelCount));
  fact(sizes.empty() ? "fixed" : sizes, "sizes that costs are given for");
  fact(countText(flops), "floating-point operations a run");
  if (times)
    fact(secondsText(times->runSeconds),
         format("a run with %d thread%s, median", times->threads, times->threads == 1 ? "" : "s"));
  fact(bytesText(double(inspection.memory.weight_bytes)), "weights, mapped from the file");
  fact(bytesText(double(inspection.memory.arena_bytes)), "arena: all intermediate values");
  fact(bytesText(double(plan.fileBytes())), "the file");
  page += "</div>\n";
}

void Page::interface() {
  title("interface", "Inputs and outputs",
        "A size with a name is dynamic: each run may have another, within its range.");
  page += "<table>" + html::titles({html::text(""), html::text("name"), html::text("type"), html::text("dims")});
  for (auto [what, tensors] : {std::pair("input", plan.inputs()), std::pair("output", plan.outputs())})
    for (const tamis_tensor_info &info : tensors)
      page += html::row(
          {html::text(what), html::text(info.name), html::text(tamis_element_name(info.element_type)),
           html::text("[" + join(std::vector<std::string>(info.dim_names, info.dim_names + info.rank)) + "]")});
  for (const tamis_symbol_info &symbol : plan.symbols())
    page += html::row(
        {html::text("size"), html::text(symbol.name), html::text(""),
         html::text(format("%lld to %lld", static_cast<long long>(symbol.min), static_cast<long long>(symbol.max)))});
  page += "</table>\n";
}

std::string Page::resultText(size_t i) const {
  std::vector<std::string> parts;
  for (size_t number : flows[i].buffers)
    parts.push_back(bytesText(double(inspection.buffers[number].size)));
  for (size_t output : flows[i].outputs)
    parts.push_back(std::string("\u2192 ") + plan.outputs()[output].name);
  if (phases && phases->results.size() == infos.size() && !phases->results[i].empty())
    parts.insert(parts.begin(), phases->results[i]);
  return join(parts);
}

void Page::program() {
  title("program", "What runs, in which order",
        std::string("From top to bottom. Arcs lead from a dispatch to those that read its result. Bars show ") +
            (times ? "measured time (medians); without a run they would show operations. "
                   : "floating-point operations; with --profile they show measured time. ") +
            "Bytes are those read and written, weights those of them that come from the file.");
  double most = 0, all = 0;
  for (size_t i = 0; i < infos.size(); ++i)
    most = std::max(most, weight(i)), all += weight(i);
  page += "<div class=\"side\">" + arcsPicture(flows) + "<table>";
  page += html::titles({html::number("#"), html::text("kernel"), html::text(times ? "time" : "operations"),
                        html::number("share"), html::number("groups"), html::number("flops"), html::number("bytes"),
                        html::number("weights"), html::text("result"), html::text("nodes of the model")});
  for (size_t i = 0; i < infos.size(); ++i) {
    const tamis_dispatch_cost &cost = inspection.costs[i];
    html::Cell time{bar(most > 0 ? weight(i) / most : 0, flows[i].kernel) +
                    escape(times ? secondsText(times->seconds[i]) : countText(double(cost.flops)))};
    page +=
        html::row({html::number(std::to_string(i)),
                   html::text(infos[i].name),
                   time,
                   html::number(format("%.1f %%", all > 0 ? 100 * weight(i) / all : 0)),
                   html::number(std::to_string(cost.groups)),
                   html::number(countText(double(cost.flops))),
                   html::number(bytesText(double(cost.bytes))),
                   html::number(bytesText(double(flows[i].weightBytes))),
                   html::text(resultText(i)),
                   {"<span class=\"nodes\">" + escape(nodesText(infos[i].sources, infos[i].source_count)) + "</span>"}},
                  format(" data-d=\"%zu\"", i));
  }
  page += "</table></div>\n";
}

void Page::kernels() {
  title("kernels", "Kernels", "The functions that were generated, by what they take of a run. Equal ones are one.");
  struct Sum {
    const tamis_dispatch_info *info;
    size_t number, uses = 0;
    double weight = 0, flops = 0, bytes = 0;
  };
  std::map<size_t, Sum> sums;
  double all = 0;
  for (size_t i = 0; i < infos.size(); ++i) {
    Sum &sum = sums.emplace(flows[i].kernel, Sum{&infos[i], flows[i].kernel}).first->second;
    ++sum.uses, sum.weight += weight(i), all += weight(i);
    sum.flops += double(inspection.costs[i].flops), sum.bytes += double(inspection.costs[i].bytes);
  }
  std::vector<Sum> sorted;
  for (const auto &[number, sum] : sums)
    sorted.push_back(sum);
  std::sort(sorted.begin(), sorted.end(), [](const Sum &a, const Sum &b) {
    return a.weight != b.weight ? a.weight > b.weight : a.number < b.number;
  });
  bool isGpu = !infos.empty() && infos[0].group_threads;
  page += "<table>" +
          html::titles({html::text("kernel"), html::number("dispatches"), html::text(times ? "time" : "operations"),
                        html::number("share"), html::number(times ? "GFLOP/s" : "flops/byte"),
                        html::number(isGpu ? "threads" : "code")});
  for (const Sum &sum : sorted) {
    double share = all > 0 ? sum.weight / all : 0;
    double rate = times ? sum.flops / sum.weight * 1e-9 : sum.flops / sum.bytes;
    page += html::row(
        {{format("<span class=\"key\" style=\"background:%s\"></span>", html::colour(sum.number)) +
          escape(sum.info->kernel)},
         html::number(std::to_string(sum.uses)),
         {bar(share, sum.number) + escape(times ? secondsText(sum.weight) : countText(sum.flops))},
         html::number(format("%.1f %%", 100 * share)),
         html::number((times ? sum.weight : sum.bytes) > 0 ? format("%.1f", rate) : "-"),
         html::number(isGpu ? std::to_string(sum.info->group_threads) : bytesText(double(sum.info->code_bytes)))});
  }
  page += "</table>\n";
}

void Page::memory() {
  double together = 0;
  for (const tamis_arena_buffer &buffer : inspection.buffers)
    together += double(buffer.size);
  title(
      "memory", "On which memory",
      format("Intermediate values live in one arena of %s; without sharing places they would take %s. A rectangle is a "
             "value: as wide as the time between the dispatch that writes it, whose number it bears, and the last "
             "that reads it; as high as it is large. Colours are those of the kernels above.",
             bytesText(double(inspection.memory.arena_bytes)).c_str(), bytesText(together).c_str()));
  page += "<div class=\"side\">" + arenaPicture(inspection, flows) + "</div>\n";
  page += "<table>" +
          html::row({html::text("weights"), html::number(bytesText(double(inspection.memory.weight_bytes))),
                     html::text("mapped from the file, shared by all runs")}) +
          html::row({html::text("outputs"), html::number(bytesText(double(inspection.memory.output_bytes))),
                     html::text("")}) +
          html::row({html::text("scratch"), html::number(bytesText(double(inspection.memory.scratch_bytes))),
                     html::text("of all threads together")}) +
          html::row({html::text("arena"), html::number(bytesText(double(inspection.memory.arena_bytes))),
                     html::text("intermediate values")}) +
          "</table>\n";
}

void Page::sections() {
  title("sections", "Sections of the file",
        "Code for each target, weights, and reports. The runtime takes the first code that the machine can run.");
  page += "<pre>" + escape(inspection.sectionsText()) + "</pre>\n";
}

void Page::decisions() {
  std::string reports = inspection.reportsText();
  if (reports.empty())
    return;
  title("decisions", "What the compiler decided", "Which keys attention reads, and how GPU kernels are cut.");
  page += "<pre>" + escape(reports.substr(reports.find_first_not_of('\n'))) + "</pre>\n";
}

void Page::weights() {
  title("weights", "Weights",
        format(
            "%zu tensors, by the names they have in the model. Their numbers (%s) stay in the file: IR names them, and "
            "this page leaves them out.",
            phases->weights.size(), bytesText(double(inspection.memory.weight_bytes)).c_str()));
  page += "<details><summary>names and types</summary><table>";
  for (const NamedWeight &weight : phases->weights)
    page += html::row({html::text(weight.key), html::text(weight.type)});
  page += "</table></details>\n";
}

void Page::ir() {
  title("ir", "IR by phase",
        "What the compiler makes of the model, phase by phase; each against the phase before, names of values aside. "
        "The last is the program above.");
  static const char *const classes[] = {"same", "gone", "come", "left"};
  for (const PhaseText &phase : phases->texts) {
    std::string changed = phase.gone + phase.come
                              ? format("%zu lines gone, %zu new", phase.gone, phase.come)
                              : std::string(&phase == phases->texts.data() ? "as it was read" : "nothing changed");
    std::string id = "ir-" + escape(phase.phase);
    page += "<details><summary>" + escape(phase.phase) + " <span>" + changed + "</span></summary>";
    if (phase.gone)
      page += "<label><input type=\"checkbox\" checked data-hides=\"" + id + "\"> show lines that are gone</label>";
    page += "<pre class=\"ir\" id=\"" + id + "\">";
    for (const PhaseLine &line : phase.lines)
      page += std::string("<div class=\"") + classes[line.fate] + "\">" + escape(line.text) + "</div>";
    page += "</pre></details>\n";
  }
}

std::string Page::text() {
  head();
  facts();
  interface();
  program();
  kernels();
  memory();
  sections();
  decisions();
  if (phases) {
    weights();
    ir();
  }
  return page + "<script>" + html::kScript + "</script>\n</body></html>\n";
}

std::string inspectionPage(const Inspection &inspection, const std::optional<MeasuredTimes> &times,
                           const Phases *phases) {
  return Page(inspection, times, phases).text();
}

} // namespace tamis::tool
