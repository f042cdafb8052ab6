// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a plan: file, kernels, texts. Which code is used is in ChooseCode.cpp.

#include "runtime/session/LoadedPlan.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/plan/MetadataCheck.h"
#include "runtime/status/Status.h"
#include <cstring>

namespace tamis::runtime {

void LoadedPlan::release() const {
  if (holders.fetch_sub(1, std::memory_order_acq_rel) == 1)
    destroy(const_cast<tamis_plan *>(static_cast<const tamis_plan *>(this)));
}

tamis_status LoadedPlan::open(const char *path, const void *data, size_t size, const tamis_load_options &options,
                              tamis_error *error) {
  TAMIS_TRY(path ? reader.openFile(path, error) : reader.openMemory(data, size, error));
  for (const plan::Section *section : *metadata().sections())
    if (section->kind() == plan::SectionKind_Weights)
      weightSection = section;
  if (options.verify_weights && weightSection)
    TAMIS_TRY(reader.checkHash(*weightSection, error));
  where = options.device;
  TAMIS_TRY(chooseCode(options, error));
  if (!kernels.allocate(program().kernels()->size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u kernels", program().kernels()->size());
  if (gpu)
    TAMIS_TRY(gpu->load(metadata(), program(), weights(), error));
  else if (codeSection)
    TAMIS_TRY(loadCode(options, error));
  return collectTexts(error);
}

const char *LoadedPlan::deviceText() const {
  return gpu ? gpu->device().text() : where == TAMIS_DEVICE_NONE ? "none" : "cpu";
}

tamis_status LoadedPlan::loadCode(const tamis_load_options &options, tamis_error *error) {
  TAMIS_TRY(reader.checkHash(*codeSection, error));
  TAMIS_TRY(image.check(reader.sectionData(*codeSection), codeSection->size(), codeSection->name()->c_str(), error));
  TAMIS_TRY(
      image.map(reader.descriptor(), codeSection->offset(), options.perf_map ? TAMIS_CODE_COPY : options.code, error));
  TAMIS_TRY(findKernels(options.perf_map, error));
  if (!options.hide_from_debugger)
    debugger.add(image);
  return TAMIS_OK;
}

tamis_status LoadedPlan::findKernels(bool perfMap, tamis_error *error) {
  for (uint32_t i = 0; i < kernels.size(); ++i) {
    const plan::Kernel &kernel = *program().kernels()->Get(i);
    const char *name = kernel.name()->c_str();
    for (const plan::KernelCode *place : *kernel.code()) {
      if (place->section() != codeIndex)
        continue;
      uint64_t entry = 0, bytes = 0;
      if (!image.findKernel(name, entry, bytes) || entry != place->entry() || bytes != place->size())
        return fail(error, TAMIS_DAMAGED_PLAN, "kernel '%s' is not where the symbols of '%s' have it", name,
                    codeSection->name()->c_str());
      if (!image.isExecutable(entry, bytes))
        return fail(error, TAMIS_DAMAGED_PLAN, "kernel '%s' lies outside the executable code of '%s'", name,
                    codeSection->name()->c_str());
      const void *address = image.address(entry);
      memcpy(&kernels[i].function, &address, sizeof address);
      kernels[i].bytes = bytes;
      if (perfMap)
        addToPerfMap(address, bytes, name);
    }
  }
  for (const plan::Dispatch *dispatch : *program().dispatches())
    if (!kernels[dispatch->kernel()].function)
      return fail(error, TAMIS_DAMAGED_PLAN, "kernel '%s' of dispatch '%s' has no code in '%s'",
                  program().kernels()->Get(dispatch->kernel())->name()->c_str(), dispatch->name()->c_str(),
                  codeSection->name()->c_str());
  return TAMIS_OK;
}

using Texts = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

static uint32_t textCount(const Texts *list) {
  return list ? list->size() : 0;
}

tamis_status LoadedPlan::collectTexts(tamis_error *error) {
  const plan::Plan &plan = metadata();
  const uint32_t inputs = plan.inputs()->size(), outputs = plan.outputs()->size();
  size_t total = 0, dimCount = 0;
  for (const auto *list : {plan.inputs(), plan.outputs()})
    for (const plan::Tensor *tensor : *list)
      dimCount += tensor->dims()->size();
  total = dimCount;
  for (const plan::Dispatch *dispatch : *program().dispatches())
    total += textCount(dispatch->sources());
  for (const plan::Section *section : *plan.sections())
    total += textCount(section->features());
  if (!texts.allocate(total) || !dims.allocate(dimCount) || !tensorStart.allocate(size_t(inputs) + outputs) ||
      !dispatchStart.allocate(program().dispatches()->size()) || !sectionStart.allocate(plan.sections()->size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to load the plan");

  uint32_t next = 0;
  auto append = [&](const Texts *list) {
    uint32_t start = next;
    for (uint32_t i = 0; i < textCount(list); ++i)
      texts[next++] = list->Get(i)->c_str();
    return start;
  };
  for (uint32_t i = 0; i < inputs + outputs; ++i) {
    const plan::Tensor &tensor = i < inputs ? *plan.inputs()->Get(i) : *plan.outputs()->Get(i - inputs);
    tensorStart[i] = append(tensor.dim_names());
    for (uint32_t d = 0; d < tensor.dims()->size(); ++d) {
      const plan::SizeInst &inst = *plan.sizes()->Get(tensor.dims()->Get(d));
      dims[tensorStart[i] + d] = inst.op() == plan::SizeOp_Constant ? inst.imm() : -1;
    }
  }
  for (uint32_t i = 0; i < dispatchStart.size(); ++i)
    dispatchStart[i] = append(program().dispatches()->Get(i)->sources());
  for (uint32_t i = 0; i < plan.sections()->size(); ++i)
    sectionStart[i] = append(plan.sections()->Get(i)->features());
  return TAMIS_OK;
}

tamis_tensor_info LoadedPlan::tensorInfo(const plan::Tensor &tensor, size_t number) const {
  uint32_t start = tensorStart[number];
  return {tensor.name()->c_str(),
          texts.data() + start,
          dims.data() + start,
          int32_t(tensor.dims()->size()),
          tamis_element_type(tensor.element()),
          tensor.is_state()};
}

tamis_tensor_info LoadedPlan::inputInfo(size_t index) const {
  return tensorInfo(*metadata().inputs()->Get(uint32_t(index)), index);
}

tamis_tensor_info LoadedPlan::outputInfo(size_t index) const {
  return tensorInfo(*metadata().outputs()->Get(uint32_t(index)), metadata().inputs()->size() + index);
}

tamis_dispatch_info LoadedPlan::dispatchInfo(size_t index) const {
  const plan::Dispatch &dispatch = *program().dispatches()->Get(uint32_t(index));
  const plan::Kernel &kernel = *program().kernels()->Get(dispatch.kernel());
  return {dispatch.name()->c_str(),
          kernel.name()->c_str(),
          texts.data() + dispatchStart[index],
          dispatch.sources()->size(),
          dispatch.buffers()->size(),
          size_t(kernelBytes(dispatch.kernel())),
          kernel.threads(),
          kernel.shared()};
}

tamis_section_info LoadedPlan::sectionInfo(size_t index) const {
  const plan::Section &section = *metadata().sections()->Get(uint32_t(index));
  bool isCode = section.kind() == plan::SectionKind_Code;
  const SectionChoice &choice = choices[index];
  return {tamis_section_kind(section.kind()),
          section.name()->c_str(),
          reader.sectionData(section),
          section.offset(),
          section.size(),
          isCode ? machineName(section.machine()) : nullptr,
          texts.data() + sectionStart[index],
          isCode ? textCount(section.features()) : 0,
          choice.inUse,
          isCode && !choice.inUse ? choice.reason : nullptr,
          isCode ? pathOf(section) : nullptr};
}

} // namespace tamis::runtime
