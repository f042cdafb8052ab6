// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which code section of a plan is used, and why the others are not.

#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/plan/MetadataCheck.h"
#include "runtime/session/LoadedPlan.h"
#include "runtime/status/Status.h"
#include <cstdio>
#include <cstring>

namespace tamis::runtime {

tamis_status LoadedPlan::chooseCode(const tamis_load_options &options, tamis_error *error) {
  if (!choices.allocate(metadata().sections()->size()))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to load the plan");
  for (uint32_t i = 0; i < choices.size(); ++i)
    choices[i].inUse = metadata().sections()->Get(i)->kind() == plan::SectionKind_Weights;
  TAMIS_TRY(checkPath(options.path, error));
  switch (where) {
  case TAMIS_DEVICE_NONE:
    return chooseForNone(options.level, options.path, error);
  case TAMIS_DEVICE_CPU:
    chooseForCpu(options.level, options.path);
    break;
  case TAMIS_DEVICE_CUDA:
  case TAMIS_DEVICE_EMULATED:
    TAMIS_TRY(chooseForCuda(options, error));
  }
  if (!codeSection)
    return refuseAll(options.level, error);
  programIndex = codeSection->program();
  return TAMIS_OK;
}

bool LoadedPlan::isAskedFor(const plan::Section &section, const char *level, SectionChoice &choice) const {
  if (!level || !strcmp(level, section.name()->c_str()))
    return true;
  snprintf(choice.reason, sizeof choice.reason, "level '%s' was asked for", level);
  return false;
}

// Paths: programs for the CPU by name

const char *LoadedPlan::path(size_t index) const {
  for (const plan::Program *program : *metadata().programs())
    if (program->path() && program->path()->size() && index-- == 0)
      return program->path()->c_str();
  return nullptr;
}

const char *LoadedPlan::pathInUse() const {
  const flatbuffers::String *name = program().path();
  return name && name->size() ? name->c_str() : nullptr;
}

const char *LoadedPlan::pathOf(const plan::Section &section) const {
  const flatbuffers::String *name = metadata().programs()->Get(section.program())->path();
  return name && name->size() ? name->c_str() : nullptr;
}

tamis_status LoadedPlan::checkPath(const char *path, tamis_error *error) const {
  if (!path)
    return TAMIS_OK;
  char held[300] = {};
  for (size_t i = 0; const char *name = this->path(i); ++i) {
    if (!strcmp(name, path) && (where == TAMIS_DEVICE_CPU || where == TAMIS_DEVICE_NONE))
      return TAMIS_OK;
    if (!strcmp(name, path))
      return fail(error, TAMIS_INVALID_ARGUMENT, "the path '%s' was asked for, but paths are the CPU's alone", path);
    size_t used = strlen(held);
    snprintf(held + used, sizeof held - used, "%s'%s'", used ? ", " : "; it has ", name);
  }
  return fail(error, TAMIS_INVALID_ARGUMENT, "the plan has no path '%s'%s", path, *held ? held : " nor any other");
}

bool LoadedPlan::isOnPath(const plan::Section &section, const char *path, SectionChoice &choice) const {
  const char *own = pathOf(section), *wanted = path ? path : this->path(0);
  if (!own || !strcmp(own, wanted))
    return true;
  snprintf(choice.reason, sizeof choice.reason, "is of the path '%s', and '%s' was asked for", own, wanted);
  return false;
}

/// What the plan holds and why each of it is of no use here.
tamis_status LoadedPlan::refuseAll(const char *level, tamis_error *error) const {
  char held[700] = {};
  const auto &sections = *metadata().sections();
  for (uint32_t i = 0; i < sections.size(); ++i) {
    if (sections[i]->kind() != plan::SectionKind_Code)
      continue;
    size_t used = strlen(held);
    snprintf(held + used, sizeof held - used, "%s'%s' %s", used ? "; " : "", sections[i]->name()->c_str(),
             choices[i].reason);
  }
  if (!*held)
    return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "the plan holds no code");
  if (level)
    return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "no code of the plan is for level '%s': %s", level, held);
  if (gpu)
    return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "no code of the plan is for this device (%s): %s",
                gpu->device().text(), held);
  return fail(error, TAMIS_NO_CODE_FOR_MACHINE, "no code of the plan is for this machine: %s", held);
}

// CPU: the first section that fits

bool LoadedPlan::fits(const plan::Section &section, SectionChoice &choice) const {
  char *reason = choice.reason;
  size_t room = sizeof choice.reason;
  if (section.machine() == kCudaMachine) {
    snprintf(reason, room, "is for an NVIDIA GPU, and the plan was loaded for the CPU");
    return false;
  }
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

void LoadedPlan::chooseForCpu(const char *level, const char *path) {
  const auto &sections = *metadata().sections();
  for (uint32_t i = 0; i < sections.size(); ++i) {
    const plan::Section &section = *sections[i];
    SectionChoice &choice = choices[i];
    if (section.kind() != plan::SectionKind_Code)
      continue;
    bool runs = fits(section, choice);
    if (!isAskedFor(section, level, choice) || !isOnPath(section, path, choice))
      continue;
    if (runs && !codeSection)
      codeSection = &section, codeIndex = i, choice.inUse = true;
    else if (runs)
      snprintf(choice.reason, sizeof choice.reason, "'%s' comes first and fits", codeSection->name()->c_str());
  }
}

// No device: the program of the level, or the first

tamis_status LoadedPlan::chooseForNone(const char *level, const char *path, tamis_error *error) {
  bool found = !level;
  const auto &sections = *metadata().sections();
  for (uint32_t i = sections.size(); i-- > 0;) {
    const plan::Section &section = *sections[i];
    if (section.kind() != plan::SectionKind_Code)
      continue;
    snprintf(choices[i].reason, sizeof choices[i].reason, "the plan was loaded for no device");
    if (isAskedFor(section, level, choices[i]) && isOnPath(section, path, choices[i]))
      found = true, programIndex = section.program();
  }
  return found ? TAMIS_OK : refuseAll(level, error);
}

// CUDA: the best section that fits and that the driver takes

bool LoadedPlan::fitsGpu(const plan::Section &section, SectionChoice &choice) const {
  char *reason = choice.reason;
  size_t room = sizeof choice.reason;
  cuda::Target target;
  if (section.machine() != kCudaMachine)
    snprintf(reason, room, "is for %s, and the plan was loaded for an NVIDIA GPU", machineName(section.machine()));
  else if (!cuda::Target::parse(section.name()->c_str(), target))
    snprintf(reason, room, "is no CUDA target that this runtime knows");
  else
    return target.fits(gpu->device().capability(), reason, room);
  return false;
}

tamis_status LoadedPlan::chooseForCuda(const tamis_load_options &options, tamis_error *error) {
  gpu = make<cuda::CudaProgram>();
  if (!gpu)
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory to load the plan");
  TAMIS_TRY(gpu->open(where, options.driver, options.device_number, error));
  const auto &sections = *metadata().sections();
  for (uint32_t i = 0; i < sections.size(); ++i)
    choices[i].refused = sections[i]->kind() != plan::SectionKind_Code || !fitsGpu(*sections[i], choices[i]) ||
                         !isAskedFor(*sections[i], options.level, choices[i]);
  for (;;) {
    uint32_t best = sections.size();
    int bestRank = -1;
    for (uint32_t i = 0; i < sections.size(); ++i) {
      cuda::Target target;
      if (!choices[i].refused && cuda::Target::parse(sections[i]->name()->c_str(), target) && target.rank() > bestRank)
        best = i, bestRank = target.rank();
    }
    if (best == sections.size())
      return TAMIS_OK;
    const plan::Section &section = *sections[best];
    SectionChoice &choice = choices[best];
    choice.refused = true; // of what follows, too: one is enough
    if (codeSection) {
      snprintf(choice.reason, sizeof choice.reason, "'%s' fits better", codeSection->name()->c_str());
      continue;
    }
    TAMIS_TRY(reader.checkHash(section, error));
    cuda::Target target;
    cuda::Target::parse(section.name()->c_str(), target);
    tamis_error refusal;
    tamis_status status = gpu->loadModule(reader.sectionData(section), section.size(), !target.isCubin, &refusal);
    if (status == TAMIS_OK)
      codeSection = &section, codeIndex = best, choice.inUse = true;
    else if (status == TAMIS_NO_CODE_FOR_MACHINE) // a later cubin or PTX than the driver knows
      snprintf(choice.reason, sizeof choice.reason, "%.399s", refusal.message);
    else
      return fail(error, status, "code '%s' %s", section.name()->c_str(), refusal.message);
  }
}

} // namespace tamis::runtime
