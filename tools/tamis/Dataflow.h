// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which dispatch of a plan reads what.

#ifndef TAMIS_TOOLS_TAMIS_DATAFLOW_H
#define TAMIS_TOOLS_TAMIS_DATAFLOW_H

#include "tools/tamis/Inspection.h"

namespace tamis::tool {

/// What one dispatch reads and writes.
struct DispatchFlow {
  std::vector<size_t> producers; ///< earlier dispatches whose results it reads, each once, in order
  std::vector<size_t> inputs;    ///< of the plan
  std::vector<size_t> outputs;   ///< of the plan, that it writes
  std::vector<size_t> buffers;   ///< of the arena, that it writes: numbers in Inspection::buffers
  int64_t weightBytes = 0;       ///< of the constants it reads
  size_t kernel = 0;             ///< number, by first use
};

/// One a dispatch, of the program in use.
std::vector<DispatchFlow> dataflowOf(const Inspection &inspection);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_DATAFLOW_H
