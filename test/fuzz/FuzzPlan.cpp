// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plan files, with header and metadata sealed anew, so that a wrong hash does not hide what lies behind it. Nothing of
// them is run: their code is a program like any other.
#include "tamis/tamis.hpp"
#include "test/fuzz/FuzzTarget.h"
#include "test/runtime/PlanBuilder.h"

using namespace tamis;

/// Asks a plan and a context what they can tell.
static void ask(const Plan &plan) {
  (void)plan.verify();
  size_t length = 0;
  for (const tamis_section_info &info : plan.sections())
    length += std::string(info.name).size();
  for (const tamis_dispatch_info &info : plan.dispatches())
    for (size_t i = 0; i < info.source_count; ++i)
      length += std::string(info.sources[i]).size();
  for (const auto &tensors : {plan.inputs(), plan.outputs()})
    for (const tamis_tensor_info &info : tensors)
      for (int32_t i = 0; i < info.rank; ++i)
        length += std::string(info.dim_names[i]).size();
  volatile size_t kept = length;
  (void)kept;
  Result<Context> context = plan.context(1);
  std::vector<int64_t> smallest;
  for (const tamis_symbol_info &symbol : plan.symbols())
    smallest.push_back(symbol.min);
  if (!context || !context->prepareSizes(smallest))
    return;
  for (size_t i = 0; i < plan.dispatches().size(); ++i)
    (void)context->dispatch(i);
  for (size_t i = 0; i < plan.arenaBufferCount(); ++i)
    (void)context->arenaBuffer(i);
  (void)context->memory();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  test::Bytes bytes(data, data + size);
  if (size >= 64)
    test::reseal(bytes);
  for (tamis_device device : {TAMIS_DEVICE_CPU, TAMIS_DEVICE_NONE}) {
    LoadOptions options;
    options.device = device;
    options.hideFromDebugger = true;
    Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, options);
    if (plan)
      ask(*plan);
    else if (plan.error().message().empty())
      abort();
  }
  return 0;
}
