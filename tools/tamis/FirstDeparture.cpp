// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a plan first computes something else than its model.

#include "tools/tamis/FirstDeparture.h"
#include "tools/tamis/Comparison.h"
#include "tools/tamis/ExposedPlan.h"
#include "tools/tamis/Inspection.h"
#include "tools/tamis/Table.h"
#include <map>

namespace tamis::tool {

/// Errors of intermediate values count in relation to the value: they may be of any size.
static std::string describe(const Comparison &comparison, const std::vector<int64_t> &dims) {
  return format("largest relative error %.3g at %s, largest absolute error %.3g, mean %.3g, cosine %.8f",
                comparison.scaled.size, indexText(comparison.scaled.element, dims).c_str(), comparison.absolute.size,
                comparison.mean, comparison.cosine);
}

static bool departs(const Comparison &comparison, double tolerance) {
  return !comparison.mismatch.empty() || !(comparison.scaled.size <= tolerance);
}

namespace {
/// Sees the values of the model's dispatches and compares each with the plan's.
class Follower {
public:
  /// `rows`, which may be null, gets a row a dispatch.
  Follower(const Case &given, const ExposedPlan &exposed, const std::vector<Tensor> &values, Table *rows)
      : given(given), exposed(exposed), values(values), rows(rows), dispatches(given.plan.dispatches()) {}

  void operator()(const ReferenceModel::Value &right) {
    size_t number = next++;
    if ((result.found && !rows) || !problem.empty())
      return;
    if (number >= dispatches.size() || !sameSources(dispatches[number], right.sources)) {
      problem = number >= dispatches.size()
                    ? format("the model compiles to more dispatches than the plan's %zu", dispatches.size())
                    : format("dispatch %zu computes %s in the plan and %s in the model", number,
                             nodesText(dispatches[number].sources, dispatches[number].source_count).c_str(),
                             join(right.sources).c_str());
      return;
    }
    const Tensor &found = values[exposed.outputOf(number)];
    // Only the bytes of an intermediate value are known.
    bool sameBytes = found.bytes() == right.tensor.bytes();
    Comparison comparison = compare(
        sameBytes ? Tensor(right.tensor.elementType(), found.data(), right.tensor.dims()) : found, right.tensor);
    if (rows)
      rows->add({std::to_string(number), dispatches[number].name, format("%.3g", comparison.scaled.size),
                 format("%.3g", comparison.absolute.size), format("%.3g", comparison.mean),
                 format("%.3g", comparison.quantile), format("%.8f", comparison.cosine),
                 nodesText(dispatches[number].sources, dispatches[number].source_count)});
    if (result.found)
      return;
    if (departs(comparison, given.tolerance))
      result = {true, text("the first dispatch to depart is", number, comparison, right.tensor.dims())};
    else if (number == 0 || comparison.scaled.size > largest)
      largest = comparison.scaled.size,
      furthest = text("every dispatch computes what its nodes should; furthest off is", number, comparison,
                      right.tensor.dims());
  }

  Result<Departure> finish() const {
    if (!problem.empty())
      return Error(TAMIS_INVALID_ARGUMENT, "the plan and the model cannot be followed side by side: " + problem +
                                               "; was the plan made of this model, by this compiler");
    if (next < dispatches.size())
      return Error(TAMIS_INVALID_ARGUMENT,
                   format("the model compiles to %zu dispatches, the plan has %zu", next, dispatches.size()));
    return result.found ? result : Departure{false, furthest};
  }

private:
  static bool sameSources(const tamis_dispatch_info &info, const std::vector<std::string> &sources) {
    return std::vector<std::string>(info.sources, info.sources + info.source_count) == sources;
  }
  std::string text(const char *what, size_t number, const Comparison &comparison,
                   const std::vector<int64_t> &dims) const {
    const tamis_dispatch_info &info = dispatches[number];
    return format("%s %zu of %zu, %s\n  nodes: %s\n  %s", what, number, dispatches.size(), info.name,
                  nodesText(info.sources, info.source_count).c_str(),
                  (comparison.mismatch.empty() ? describe(comparison, dims) : comparison.mismatch).c_str());
  }

  const Case &given;
  const ExposedPlan &exposed;
  const std::vector<Tensor> &values;
  Table *rows;
  std::vector<tamis_dispatch_info> dispatches;
  size_t next = 0;
  double largest = 0;
  std::string problem, furthest;
  Departure result{false, ""};
};
} // namespace

/// Runs plan and model side by side.
static Result<Departure> follow(const Case &given, Table *rows) {
  Result<ExposedPlan> exposed = ExposedPlan::make(given.plan, given.load);
  if (!exposed)
    return exposed.error();
  Result<Context> context = exposed->plan().context(given.threads);
  if (!context)
    return context.error();
  Result<std::vector<Tensor>> values = context->run(given.inputs);
  if (!values)
    return values.error();
  Follower follower(given, *exposed, *values, rows);
  Result<std::vector<npy::Array>> outputs = given.model.runDispatches(given.inputs, std::ref(follower));
  if (!outputs)
    return outputs.error();
  return follower.finish();
}

Result<Departure> firstDeparture(const Case &given) {
  return follow(given, nullptr);
}

Result<std::string> layerTable(const Case &given) {
  Table table({{"#", Table::right},
               {"dispatch"},
               {"relative", Table::right},
               {"largest error", Table::right},
               {"mean error", Table::right},
               {"99.9 % below", Table::right},
               {"cosine", Table::right},
               {"nodes"}});
  Result<Departure> followed = follow(given, &table);
  if (!followed)
    return followed.error();
  return table.text();
}

/// The array, which is only read.
static Tensor view(const npy::Array &array) {
  return const_cast<npy::Array &>(array).tensor();
}

Result<Departure> departingPass(const Case &given, const std::vector<NamedArray> &right) {
  std::string text, last;
  size_t steps = 0;
  auto observe = [&](const ReferenceModel::Step &step) {
    if (!step.outputs)
      return true; // on the way between two forms
    std::string here = step.pass.empty() ? "the model as it was imported" : step.pass + " of phase " + step.phase;
    for (size_t i = 0; i < step.outputs->size() && i < right.size(); ++i) {
      Comparison comparison = compare(view((*step.outputs)[i]), view(right[i].array));
      if (!departs(comparison, given.tolerance))
        continue;
      text = step.pass.empty()
                 ? "the model departs as it was imported, before any pass"
                 : "the pass after which the model departs is " + here + "; before it, after " + last + ", it agrees";
      text += "\n  output " + right[i].name + ": " +
              (comparison.mismatch.empty() ? describe(comparison, right[i].array.dims) : comparison.mismatch);
      return false;
    }
    last = here, ++steps;
    return true;
  };
  if (Result<void> done = given.model.runSteps(given.inputs, observe); !done)
    return done.error();
  if (!text.empty())
    return Departure{true, text};
  return Departure{false,
                   format("the model agrees at each of %zu points, up to %s: the fault lies in the phases after it, "
                          "which generate code, or in the plan",
                          steps, last.c_str())};
}

Result<Departure> firstImportDeparture(const Case &given, const OnnxRuntimeJudge &judge,
                                       const std::vector<npy::NamedTensor> &inputs) {
  Result<std::vector<NamedArray>> nodes = judge.nodeValues(inputs);
  if (!nodes)
    return nodes.error();
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < nodes->size(); ++i)
    numbers[(*nodes)[i].name] = i;
  // A node may become several ops; the last one of its shape is its value.
  std::map<size_t, Comparison> compared;
  auto observe = [&](const ReferenceModel::Value &value) {
    auto known = value.sources.size() == 1 ? numbers.find(value.sources[0]) : numbers.end();
    if (known == numbers.end())
      return;
    Comparison comparison = compare(value.tensor, (*nodes)[known->second].array.tensor());
    if (comparison.mismatch.empty())
      compared[known->second] = std::move(comparison);
  };
  Result<std::vector<npy::Array>> outputs = given.model.run(given.inputs, observe);
  if (!outputs)
    return outputs.error();
  for (const auto &[number, comparison] : compared)
    if (departs(comparison, given.tolerance))
      return Departure{true, "the first node that the importer reads otherwise than ONNX Runtime is " +
                                 (*nodes)[number].name + "\n  " + describe(comparison, (*nodes)[number].array.dims)};
  return Departure{false, format("%zu of ONNX Runtime's %zu nodes were compared with the imported model, and agree",
                                 compared.size(), nodes->size())};
}

} // namespace tamis::tool
