// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a plan: file, choice of the code section, kernels.

#include "runtime/session/LoadedPlan.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/status/Status.h"
#include <cstdio>
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
  TAMIS_TRY(chooseCode(options.level, error));
  TAMIS_TRY(loadCode(options, error));
  return collectTexts(error);
}

bool LoadedPlan::fits(const plan::Section &section, SectionChoice &choice) const {
  char *reason = choice.reason;
  size_t room = sizeof choice.reason;
  if (section.machine() != hostMachine()) {
    snprintf(reason, room, "is for %s (ELF machine %d), this is %s", machineName(section.machine()),
             int(section.machine()), machineName(hostMachine()));
    return false;
  }
  size_t used = 0;
  if (section.features())
    for (const flatbuffers::String *feature : *section.features()) {
      if (hasCpuFeature(feature->c_str()))
        continue;
      int length = snprintf(reason + used, room - used, "%s%s", used ? ", " : "needs ", feature->c_str());
      used += length > 0 ? size_t(length) : 0;
      if (used >= room) { // a long list ends in an ellipsis
        memcpy(reason + room - 4, "...", 4);
        return false;
      }
    }
  if (used && room - used > strlen(", which this CPU lacks"))
    strcpy(reason + used, ", which this CPU lacks");
  return !used;
}

tamis_status LoadedPlan::chooseCode(const char *level, tamis_error *error) {
  const auto &sections = *metadata().sections();
  if (!choices.allocate(sections.size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to load the plan");
  char held[512] = {};
  for (uint32_t i = 0; i < sections.size(); ++i) {
    const plan::Section &section = *sections[i];
    SectionChoice &choice = choices[i];
    if (section.kind() == plan::SectionKind_Weights)
      choice.inUse = true;
    if (section.kind() != plan::SectionKind_Code)
      continue;
    bool runs = fits(section, choice);
    if (level && strcmp(level, section.name()->c_str()))
      snprintf(choice.reason, sizeof choice.reason, "level '%s' was asked for", level);
    else if (runs && !codeSection)
      codeSection = &section, codeIndex = i, choice.inUse = true;
    else if (runs)
      snprintf(choice.reason, sizeof choice.reason, "'%s' comes first and fits", codeSection->name()->c_str());
    size_t used = strlen(held);
    snprintf(held + used, sizeof held - used, "%s'%s' %s", used ? "; " : "", section.name()->c_str(), choice.reason);
  }
  if (codeSection)
    return TAMIS_OK;
  if (!*held)
    return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "the plan holds no code");
  return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "no code of the plan is for %s%s%s: %s",
              level ? "level '" : "this machine", level ? level : "", level ? "'" : "", held);
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
  const plan::Plan &plan = metadata();
  if (!kernels.allocate(plan.kernels()->size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %u kernels", plan.kernels()->size());
  for (uint32_t i = 0; i < kernels.size(); ++i) {
    const plan::Kernel &kernel = *plan.kernels()->Get(i);
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
  for (const plan::Dispatch *dispatch : *plan.dispatches())
    if (!kernels[dispatch->kernel()].function)
      return fail(error, TAMIS_DAMAGED_PLAN, "kernel '%s' of dispatch '%s' has no code in '%s'",
                  plan.kernels()->Get(dispatch->kernel())->name()->c_str(), dispatch->name()->c_str(),
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
  for (const plan::Dispatch *dispatch : *plan.dispatches())
    total += textCount(dispatch->sources());
  for (const plan::Section *section : *plan.sections())
    total += textCount(section->features());
  if (!texts.allocate(total) || !dims.allocate(dimCount) || !tensorStart.allocate(size_t(inputs) + outputs) ||
      !dispatchStart.allocate(plan.dispatches()->size()) || !sectionStart.allocate(plan.sections()->size()))
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
  for (uint32_t i = 0; i < plan.dispatches()->size(); ++i)
    dispatchStart[i] = append(plan.dispatches()->Get(i)->sources());
  for (uint32_t i = 0; i < plan.sections()->size(); ++i)
    sectionStart[i] = append(plan.sections()->Get(i)->features());
  return TAMIS_OK;
}

tamis_tensor_info LoadedPlan::tensorInfo(const plan::Tensor &tensor, size_t number) const {
  uint32_t start = tensorStart[number];
  return {tensor.name()->c_str(), texts.data() + start, dims.data() + start, int32_t(tensor.dims()->size()),
          tamis_element_type(tensor.element())};
}

tamis_tensor_info LoadedPlan::inputInfo(size_t index) const {
  return tensorInfo(*metadata().inputs()->Get(uint32_t(index)), index);
}

tamis_tensor_info LoadedPlan::outputInfo(size_t index) const {
  return tensorInfo(*metadata().outputs()->Get(uint32_t(index)), metadata().inputs()->size() + index);
}

tamis_dispatch_info LoadedPlan::dispatchInfo(size_t index) const {
  const plan::Dispatch &dispatch = *metadata().dispatches()->Get(uint32_t(index));
  return {dispatch.name()->c_str(),
          metadata().kernels()->Get(dispatch.kernel())->name()->c_str(),
          texts.data() + dispatchStart[index],
          dispatch.sources()->size(),
          dispatch.buffers()->size(),
          size_t(kernelBytes(dispatch.kernel()))};
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
          isCode && !choice.inUse ? choice.reason : nullptr};
}

} // namespace tamis::runtime
