// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which dispatch of a plan reads what, from the plan's own metadata.

#include "tools/tamis/Dataflow.h"
#include "runtime/session/LoadedPlan.h"
#include <algorithm>
#include <map>

namespace tamis::tool {

static void addOnce(std::vector<size_t> &list, size_t value) {
  if (std::find(list.begin(), list.end(), value) == list.end())
    list.push_back(value);
}

std::vector<DispatchFlow> dataflowOf(const Inspection &inspection) {
  const plan::Program &program = inspection.plan.get()->program();
  const plan::Plan &metadata = inspection.plan.get()->metadata();
  std::vector<DispatchFlow> flows;
  std::map<size_t, size_t> writerOfOutput;
  std::map<uint32_t, size_t> kernels;
  for (uint32_t i = 0; i < program.dispatches()->size(); ++i) {
    const plan::Dispatch &dispatch = *program.dispatches()->Get(i);
    DispatchFlow flow;
    flow.kernel = kernels.emplace(dispatch.kernel(), kernels.size()).first->second;
    for (const plan::BufferRef *buffer : *dispatch.buffers()) {
      switch (buffer->kind()) {
      case plan::BufferKind_Input:
        addOnce(flow.inputs, buffer->index());
        break;
      case plan::BufferKind_Constant:
        flow.weightBytes += int64_t(metadata.constants()->Get(buffer->index())->size());
        break;
      case plan::BufferKind_Output: {
        // The first dispatch that names an output writes it.
        auto [writer, isFirst] = writerOfOutput.emplace(buffer->index(), i);
        if (isFirst)
          flow.outputs.push_back(buffer->index());
        else
          addOnce(flow.producers, writer->second);
        break;
      }
      case plan::BufferKind_Arena:
        // One place serves several buffers, one after the other.
        for (uint32_t j = 0; j < program.arena()->size(); ++j) {
          const plan::ArenaBuffer &place = *program.arena()->Get(j);
          if (place.offset() != buffer->index() || i < place.first() || place.last() < i)
            continue;
          if (place.first() == i)
            addOnce(flow.buffers, j);
          else
            addOnce(flow.producers, place.first());
        }
        break;
      }
    }
    std::sort(flow.producers.begin(), flow.producers.end());
    flows.push_back(std::move(flow));
  }
  return flows;
}

} // namespace tamis::tool
