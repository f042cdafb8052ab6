// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An inspection as one page of HTML, for people who have not seen the project: docs/inspect.md explains it.

#ifndef TAMIS_TOOLS_TAMIS_INSPECTIONPAGE_H
#define TAMIS_TOOLS_TAMIS_INSPECTIONPAGE_H

#include "tools/tamis/Inspection.h"
#include "tools/tamis/PhaseTexts.h"
#include <optional>

namespace tamis::tool {

/// Median seconds of each dispatch, as `tamis bench --profile --json` wrote them.
struct MeasuredTimes {
  std::vector<double> seconds; ///< one a dispatch
  int threads = 0;
  double runSeconds = 0; ///< of a whole run without the clocks
};

/// Reads such a file: the first measurement that has dispatches. An error if it is none, or of another plan or sizes.
Result<MeasuredTimes> readMeasuredTimes(const std::string &path, const Inspection &inspection);
/// The sizes such a file was measured at, as texts "NAME=NUMBER".
Result<std::vector<std::string>> readMeasuredSizes(const std::string &path);

/// The page. It needs no network, and no script but the few lines it holds. `phases` may be null.
std::string inspectionPage(const Inspection &inspection, const std::optional<MeasuredTimes> &times,
                           const Phases *phases);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_INSPECTIONPAGE_H
