// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rewrites a plan's metadata and seals it anew around the sections as they are.

#include "tools/tamis/ExposedPlan.h"
#include "runtime/session/LoadedPlan.h"
#include <set>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tamis::tool {

namespace {
/// Turns the arena's values into outputs.
class Exposer {
public:
  Exposer(plan::PlanT &data, plan::ProgramT &program)
      : data(data), program(program), outputOfBuffer(program.arena.size(), kNone) {}

  /// The output of each dispatch's first result; empty when the plan does not say where a value lies.
  std::vector<size_t> run() {
    std::vector<size_t> results;
    std::set<uint32_t> written; // outputs of the plan: the first dispatch that names one writes it
    for (uint32_t i = 0; i < program.dispatches.size(); ++i) {
      for (plan::BufferRef &reference : program.dispatches[i]->buffers) {
        bool isResult = false;
        if (reference.kind() == plan::BufferKind_Output)
          isResult = written.insert(reference.index()).second;
        else if (reference.kind() == plan::BufferKind_Arena && !expose(reference, i, isResult))
          return {};
        if (isResult && results.size() == i)
          results.push_back(reference.index());
      }
      if (results.size() == i)
        return {};
    }
    return results;
  }

private:
  static constexpr uint32_t kNone = ~0u;

  /// `reference` is of dispatch `now`, which writes it (`isResult`) or reads it: no two values share a place then.
  bool expose(plan::BufferRef &reference, uint32_t now, bool &isResult) {
    for (size_t i = 0; i < program.arena.size(); ++i) {
      const plan::ArenaBufferT &buffer = *program.arena[i];
      if (buffer.offset != reference.index() || now < buffer.first || buffer.last < now)
        continue;
      isResult = buffer.first == now;
      uint32_t &output = outputOfBuffer[i];
      if (output == kNone) {
        output = uint32_t(data.outputs.size());
        auto tensor = std::make_unique<plan::TensorT>();
        tensor->name = "value of dispatch " + std::to_string(buffer.first);
        tensor->element = plan::ElementType_U8;
        tensor->dims = {buffer.size};
        tensor->dim_names = {"bytes"};
        data.outputs.push_back(std::move(tensor));
      }
      reference = plan::BufferRef(output, plan::BufferKind_Output);
      return true;
    }
    return false;
  }

  plan::PlanT &data;
  plan::ProgramT &program;
  std::vector<uint32_t> outputOfBuffer;
};
} // namespace

static void put(std::string &bytes, uint64_t value, int width) {
  for (int i = 0; i < width; ++i)
    bytes.push_back(char(value >> (8 * i)));
}

static uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

static std::string serialize(const plan::PlanT &data) {
  flatbuffers::FlatBufferBuilder builder;
  plan::FinishPlanBuffer(builder, plan::Plan::Pack(builder, &data));
  return {reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize()};
}

/// The file of Plan.fbs: header, metadata, then the sections that `data` lists, whose bytes are `sections`.
static std::string seal(plan::PlanT &data, const std::vector<tamis_section_info> &sections) {
  using Header = runtime::PlanHeader;
  // Other offsets may be packed a little less tightly; a page is room enough.
  uint64_t end = Header::kSize + serialize(data).size() + 4096;
  for (size_t i = 0; i < sections.size(); ++i) {
    plan::SectionT &section = *data.sections[i];
    section.offset = alignUp(end, section.alignment);
    end = section.offset + section.size;
  }
  std::string metadata = serialize(data), file = Header::kMagic;
  put(file, plan::FormatVersion_Current, 4);
  put(file, Header::kSize, 4);
  put(file, Header::kSize, 8); // the metadata follows the header
  put(file, metadata.size(), 8);
  put(file, XXH3_64bits(metadata.data(), metadata.size()), 8);
  put(file, end, 8);
  put(file, XXH3_64bits(file.data(), file.size()), 8);
  put(file, 0, 8);
  file += metadata;
  for (size_t i = 0; i < sections.size(); ++i) {
    file.resize(data.sections[i]->offset);
    file.append(static_cast<const char *>(sections[i].data), sections[i].size);
  }
  return file;
}

Result<ExposedPlan> ExposedPlan::make(const Plan &plan, const LoadOptions &options) {
  std::unique_ptr<plan::PlanT> data(plan.get()->metadata().UnPack());
  plan::ProgramT &program = *data->programs[plan.get()->programNumber()];
  std::vector<size_t> outputs = Exposer(*data, program).run();
  if (outputs.size() != program.dispatches.size())
    return Error(TAMIS_INVALID_ARGUMENT, "the plan does not say where its intermediate values lie");
  auto bytes = std::make_unique<std::string>(seal(*data, plan.sections()));
  Result<Plan> loaded = Plan::loadMemory(*bytes, options);
  if (!loaded)
    return Error(loaded.error().status(), "the plan with its values exposed: " + loaded.error().message());
  return ExposedPlan(std::move(bytes), std::move(*loaded), std::move(outputs));
}

} // namespace tamis::tool
