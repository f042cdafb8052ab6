// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a plan first computes something else than its model.

#ifndef TAMIS_TOOLS_TAMIS_FIRSTDEPARTURE_H
#define TAMIS_TOOLS_TAMIS_FIRSTDEPARTURE_H

#include "tools/tamis/Compiler.h"
#include "tools/tamis/OnnxRuntimeJudge.h"
#include <string>
#include <vector>

namespace tamis::tool {

/// What is compared, and from where on two values differ.
struct Case {
  const Plan &plan;
  ReferenceModel &model;
  const std::vector<Tensor> &inputs; ///< in the plan's order, which is the model's
  int threads;
  double tolerance; ///< of a difference, over the larger of 1 and the right value's size
  LoadOptions load; ///< of the plan
};

/// What was found: two or three lines for people, without a line feed at the end.
struct Departure {
  bool found;
  std::string text;
};

/// Compares what each dispatch of the plan computes with what the model's dispatches should give, in order, and names
/// the first that departs with the nodes it computes.
Result<Departure> firstDeparture(const Case &given);

/// What each dispatch of the plan computes against what the model's dispatches should give: a table, a line a dispatch.
Result<std::string> layerTable(const Case &given);

/// Runs the model on the reference evaluator as it is imported and after each pass, and names the first pass after
/// which its outputs differ from `right`, in relation to the value. Not found when none does: the fault lies in code
/// generation then.
Result<Departure> departingPass(const Case &given, const std::vector<NamedArray> &right);

/// Compares what the model's nodes give on the reference evaluator with what they give in ONNX Runtime: the departure
/// of an importer. `names` are the inputs'.
Result<Departure> firstImportDeparture(const Case &given, const OnnxRuntimeJudge &judge,
                                       const std::vector<npy::NamedTensor> &inputs);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_FIRSTDEPARTURE_H
