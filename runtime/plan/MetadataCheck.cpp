// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function a table of Plan.fbs.

#include "runtime/plan/MetadataCheck.h"
#include "runtime/device/cuda/TargetFit.h"
#include "runtime/memory/Block.h"
#include "runtime/status/Status.h"
#include <cstring>

namespace tamis::runtime {

namespace {
/// The metadata under check, and the numbers its indices are held against.
class Checker {
public:
  Checker(const plan::Plan &plan, const FileFrame &frame, tamis_error *error)
      : plan(plan), frame(frame), error(error), registers(plan.sizes()->size()) {}

  tamis_status run();

private:
  tamis_status devices();
  tamis_status path(uint32_t number);
  tamis_status sections();
  tamis_status codeSection(const plan::Section &section);
  tamis_status symbols();
  tamis_status sizes();
  tamis_status tensors(const flatbuffers::Vector<flatbuffers::Offset<plan::Tensor>> &list, const char *kind);
  tamis_status states();
  tamis_status constants();
  tamis_status programs();
  tamis_status kernels(const plan::Program &program, uint32_t number);
  tamis_status kernelLaunch(const plan::Kernel &kernel, bool isCuda);
  tamis_status dispatches(const plan::Program &program);
  tamis_status arguments(const plan::Dispatch &dispatch, bool isCuda);
  tamis_status buffer(const plan::BufferRef &reference, const char *dispatch);
  tamis_status arena(const plan::Program &program);

  /// Fails unless `number` is a register; `what` and `name` say whose.
  tamis_status isRegister(uint32_t number, const char *what, const char *name) {
    if (number < registers)
      return TAMIS_OK;
    return damaged("%s '%s' names register %u of %u", what, name, number, registers);
  }
  /// The FlatBuffers verifier aligns a vector's length but not the 8-byte fields of structs after it.
  template <typename T> tamis_status isAligned(const flatbuffers::Vector<const T *> &structs) {
    if (structs.size() == 0 || reinterpret_cast<uintptr_t>(structs.Data()) % alignof(T) == 0)
      return TAMIS_OK;
    return damaged("the plan's metadata is malformed: a table is not aligned");
  }
  template <typename... Arguments> tamis_status damaged(const char *format, Arguments... arguments);

  const plan::Plan &plan;
  const FileFrame &frame;
  tamis_error *const error;
  const uint32_t registers;
  const plan::Section *weights = nullptr;
};
} // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
template <typename... Arguments> tamis_status Checker::damaged(const char *format, Arguments... arguments) {
  return fail(error, TAMIS_DAMAGED_PLAN, format, arguments...);
}
#pragma GCC diagnostic pop

using Bytes = unsigned long long;

/// Whether two ranges that lie in the file share a byte.
static bool overlap(uint64_t offset, uint64_t size, uint64_t otherOffset, uint64_t otherSize) {
  return offset < otherOffset + otherSize && otherOffset < offset + size;
}

tamis_status Checker::sections() {
  const auto &list = *plan.sections();
  constexpr uint32_t most = 256; // the pairwise check below is quadratic
  if (list.size() > most)
    return damaged("the plan has %u sections, at most %u are allowed", list.size(), most);
  for (uint32_t i = 0; i < list.size(); ++i) {
    const plan::Section &section = *list[i];
    const char *name = section.name()->c_str();
    if (section.kind() < plan::SectionKind_MIN || section.kind() > plan::SectionKind_MAX)
      return damaged("section '%s' is of unknown kind %d", name, int(section.kind()));
    uint64_t alignment = section.alignment();
    if (alignment < Block::kAlignment || alignment & (alignment - 1) || section.offset() % alignment)
      return damaged("section '%s' at %llu is aligned to %llu, wanted is a power of two from %zu up", name,
                     Bytes(section.offset()), Bytes(alignment), Block::kAlignment);
    if (section.offset() < frame.headerSize || section.offset() > frame.fileSize ||
        section.size() > frame.fileSize - section.offset())
      return damaged("section '%s' is out of bounds: offset %llu, size %llu in a file of %llu", name,
                     Bytes(section.offset()), Bytes(section.size()), Bytes(frame.fileSize));
    if (overlap(section.offset(), section.size(), frame.metadataOffset, frame.metadataSize))
      return damaged("section '%s' overlaps the metadata", name);
    for (uint32_t j = 0; j < i; ++j)
      if (overlap(section.offset(), section.size(), list[j]->offset(), list[j]->size()))
        return damaged("sections '%s' and '%s' overlap", list[j]->name()->c_str(), name);
    if (section.kind() == plan::SectionKind_Code)
      TAMIS_TRY(codeSection(section));
    if (section.kind() != plan::SectionKind_Weights)
      continue;
    if (weights)
      return damaged("the plan has two sections of weights");
    weights = &section;
  }
  return TAMIS_OK;
}

/// Which program the section serves.
tamis_status Checker::codeSection(const plan::Section &section) {
  const char *name = section.name()->c_str();
  if (section.program() >= plan.programs()->size())
    return damaged("section '%s' is code of program %u of %u", name, section.program(), plan.programs()->size());
  bool isCuda = section.machine() == kCudaMachine;
  if (isCuda != (plan.programs()->Get(section.program())->device() == plan::DeviceKind_Cuda))
    return damaged("section '%s' is code for machine %d in a program for %s", name, int(section.machine()),
                   isCuda ? "a CPU" : "CUDA");
  bool isCubin = section.name()->size() > strlen(cuda::kCubinEnding) &&
                 !strcmp(name + section.name()->size() - strlen(cuda::kCubinEnding), cuda::kCubinEnding);
  if (isCuda && !isCubin && !section.size())
    return damaged("section '%s' holds no PTX", name);
  return TAMIS_OK;
}

tamis_status Checker::sizes() {
  TAMIS_TRY(isAligned(*plan.sizes()));
  for (uint32_t i = 0; i < registers; ++i) {
    const plan::SizeInst &inst = *plan.sizes()->Get(i);
    switch (inst.op()) {
    case plan::SizeOp_Constant:
      break;
    case plan::SizeOp_Symbol:
      if (inst.imm() < 0 || uint64_t(inst.imm()) >= plan.symbols()->size())
        return damaged("size %u names symbol %lld of %u", i, static_cast<long long>(inst.imm()),
                       plan.symbols()->size());
      break;
    case plan::SizeOp_AlignUp:
      if (inst.imm() <= 0 || inst.imm() & (inst.imm() - 1))
        return damaged("size %u is aligned to %lld, no power of two", i, static_cast<long long>(inst.imm()));
      if (inst.a() >= i)
        return damaged("size %u is computed from size %u", i, inst.a());
      break;
    case plan::SizeOp_Add:
    case plan::SizeOp_Sub:
    case plan::SizeOp_Mul:
    case plan::SizeOp_FloorDiv:
    case plan::SizeOp_CeilDiv:
    case plan::SizeOp_Max:
    case plan::SizeOp_Min:
      if (inst.a() >= i || inst.b() >= i)
        return damaged("size %u is computed from sizes %u and %u", i, inst.a(), inst.b());
      break;
    default:
      return damaged("size %u has unknown operation %d", i, int(inst.op()));
    }
  }
  for (const plan::Check *check : *plan.checks()) {
    TAMIS_TRY(isRegister(check->left(), "check", check->message()->c_str()));
    TAMIS_TRY(isRegister(check->right(), "check", check->message()->c_str()));
  }
  return TAMIS_OK;
}

tamis_status Checker::tensors(const flatbuffers::Vector<flatbuffers::Offset<plan::Tensor>> &list, const char *kind) {
  constexpr uint32_t maximumRank = 64;
  for (const plan::Tensor *tensor : list) {
    const char *name = tensor->name()->c_str();
    if (tensor->element() <= plan::ElementType_None || tensor->element() > plan::ElementType_MAX)
      return damaged("%s '%s' has unknown element type %d", kind, name, int(tensor->element()));
    if (tensor->dims()->size() != tensor->dim_names()->size() || tensor->dims()->size() > maximumRank)
      return damaged("%s '%s' has %u dims, %u names of them, at most %u are allowed", kind, name,
                     tensor->dims()->size(), tensor->dim_names()->size(), maximumRank);
    for (uint32_t dim : *tensor->dims())
      TAMIS_TRY(isRegister(dim, kind, name));
  }
  return TAMIS_OK;
}

tamis_status Checker::symbols() {
  for (uint32_t i = 0; i < plan.symbols()->size(); ++i) {
    const plan::Symbol &symbol = *plan.symbols()->Get(i);
    if (symbol.min() < 0 || symbol.max() < symbol.min())
      return damaged("symbol '%s' ranges from %lld to %lld", symbol.name()->c_str(),
                     static_cast<long long>(symbol.min()), static_cast<long long>(symbol.max()));
    bool bound = symbol.min() == symbol.max();
    for (const plan::Tensor *input : *plan.inputs())
      for (uint32_t dim : *input->dims()) {
        const plan::SizeInst &inst = *plan.sizes()->Get(dim);
        bound |= inst.op() == plan::SizeOp_Symbol && uint64_t(inst.imm()) == i;
      }
    if (!bound)
      return damaged("symbol '%s' is no dimension of an input", symbol.name()->c_str());
  }
  return TAMIS_OK;
}

tamis_status Checker::constants() {
  TAMIS_TRY(isAligned(*plan.constants()));
  for (uint32_t i = 0; i < plan.constants()->size(); ++i) {
    const plan::Constant &constant = *plan.constants()->Get(i);
    if (!weights)
      return damaged("the plan has constants but no section of weights");
    if (constant.offset() % Block::kAlignment || constant.offset() > weights->size() ||
        constant.size() > weights->size() - constant.offset())
      return damaged("constant %u is out of bounds: offset %llu, size %llu in weights of %llu", i,
                     Bytes(constant.offset()), Bytes(constant.size()), Bytes(weights->size()));
  }
  return TAMIS_OK;
}

/// State is written where the caller has it, which a GPU does not see; no output is state.
tamis_status Checker::states() {
  for (const plan::Tensor *output : *plan.outputs())
    if (output->is_state())
      return damaged("output '%s' is state", output->name()->c_str());
  for (const plan::Tensor *input : *plan.inputs())
    for (const plan::Program *program : *plan.programs())
      if (input->is_state() && program->device() == plan::DeviceKind_Cuda)
        return damaged("input '%s' is state, which programs for CUDA do not have", input->name()->c_str());
  return TAMIS_OK;
}

tamis_status Checker::devices() {
  const auto &list = *plan.programs();
  constexpr uint32_t most = 64;
  if (!list.size() || list.size() > most)
    return damaged("the plan has %u programs, 1 to %u are allowed", list.size(), most);
  for (uint32_t i = 0; i < list.size(); ++i)
    if (list[i]->device() < plan::DeviceKind_MIN || list[i]->device() > plan::DeviceKind_MAX)
      return damaged("program %u is for a device of unknown kind %d", i, int(list[i]->device()));
  for (uint32_t i = 0; i < list.size(); ++i)
    TAMIS_TRY(path(i));
  return TAMIS_OK;
}

/// Programs for the CPU are told apart by their paths.
tamis_status Checker::path(uint32_t number) {
  const auto &list = *plan.programs();
  const flatbuffers::String *own = list[number]->path();
  if (list[number]->device() != plan::DeviceKind_Cpu)
    return own ? damaged("program %u is for a GPU and has the path '%s'", number, own->c_str()) : TAMIS_OK;
  for (uint32_t i = 0; i < number; ++i) {
    if (list[i]->device() != plan::DeviceKind_Cpu)
      continue;
    const flatbuffers::String *other = list[i]->path();
    if (!own || !other || !own->size() || !other->size())
      return damaged("programs %u and %u are for the CPU, and one has no path", i, number);
    if (!strcmp(own->c_str(), other->c_str()))
      return damaged("programs %u and %u have the path '%s'", i, number, own->c_str());
  }
  return TAMIS_OK;
}

tamis_status Checker::programs() {
  for (uint32_t i = 0; i < plan.programs()->size(); ++i) {
    const plan::Program &program = *plan.programs()->Get(i);
    TAMIS_TRY(isRegister(program.arena_size(), "plan", plan.model()->c_str()));
    TAMIS_TRY(kernels(program, i));
    TAMIS_TRY(dispatches(program));
    TAMIS_TRY(arena(program));
  }
  return TAMIS_OK;
}

/// What every CUDA device can launch; what one of them lacks is for its driver to say.
tamis_status Checker::kernelLaunch(const plan::Kernel &kernel, bool isCuda) {
  const char *name = kernel.name()->c_str();
  constexpr uint32_t warp = 32, mostThreads = 1024, mostShared = 1 << 20;
  if (!isCuda) {
    if (kernel.threads() || kernel.shared())
      return damaged("kernel '%s' is for a CPU and has %u threads and %u bytes of shared memory", name,
                     kernel.threads(), kernel.shared());
    return TAMIS_OK;
  }
  if (kernel.code()->size())
    return damaged("kernel '%s' is for CUDA and has a place in an image", name);
  if (!kernel.threads() || kernel.threads() % warp || kernel.threads() > mostThreads)
    return damaged("kernel '%s' has %u threads, wanted is a multiple of %u up to %u", name, kernel.threads(), warp,
                   mostThreads);
  if (kernel.shared() > mostShared)
    return damaged("kernel '%s' has %u bytes of shared memory, at most %u are allowed", name, kernel.shared(),
                   mostShared);
  return TAMIS_OK;
}

tamis_status Checker::kernels(const plan::Program &program, uint32_t number) {
  for (const plan::Kernel *kernel : *program.kernels()) {
    TAMIS_TRY(kernelLaunch(*kernel, program.device() == plan::DeviceKind_Cuda));
    TAMIS_TRY(isAligned(*kernel->code()));
    for (const plan::KernelCode *code : *kernel->code()) {
      if (code->section() >= plan.sections()->size() ||
          plan.sections()->Get(code->section())->kind() != plan::SectionKind_Code)
        return damaged("kernel '%s' lies in section %u, which is no code", kernel->name()->c_str(), code->section());
      if (plan.sections()->Get(code->section())->program() != number)
        return damaged("kernel '%s' lies in section %u, which is code of another program", kernel->name()->c_str(),
                       code->section());
    }
  }
  return TAMIS_OK;
}

tamis_status Checker::buffer(const plan::BufferRef &reference, const char *dispatch) {
  uint32_t count = 0;
  const char *kind = nullptr;
  switch (reference.kind()) {
  case plan::BufferKind_Input:
    count = plan.inputs()->size(), kind = "input";
    break;
  case plan::BufferKind_Output:
    count = plan.outputs()->size(), kind = "output";
    break;
  case plan::BufferKind_Arena:
    count = registers, kind = "register";
    break;
  case plan::BufferKind_Constant:
    count = plan.constants()->size(), kind = "constant";
    break;
  default:
    return damaged("dispatch '%s' has a buffer of unknown kind %d", dispatch, int(reference.kind()));
  }
  if (reference.index() >= count)
    return damaged("dispatch '%s' names %s %u of %u", dispatch, kind, reference.index(), count);
  return TAMIS_OK;
}

tamis_status Checker::arguments(const plan::Dispatch &dispatch, bool isCuda) {
  const char *name = dispatch.name()->c_str();
  constexpr uint32_t most = 512; // 4096 bytes of parameters
  uint32_t count = dispatch.arguments() ? dispatch.arguments()->size() : 0;
  if (!isCuda && count)
    return damaged("dispatch '%s' is for a CPU and has %u arguments", name, count);
  if (!isCuda)
    return TAMIS_OK;
  if (count > most || dispatch.buffers()->size() > most - count)
    return damaged("dispatch '%s' has %u buffers and %u arguments, at most %u together are allowed", name,
                   dispatch.buffers()->size(), count, most);
  const plan::SizeInst &scratch = *plan.sizes()->Get(dispatch.scratch());
  if (scratch.op() != plan::SizeOp_Constant || scratch.imm())
    return damaged("dispatch '%s' is for CUDA and wants scratch", name);
  for (uint32_t i = 0; i < count; ++i)
    TAMIS_TRY(isRegister(dispatch.arguments()->Get(i), "dispatch", name));
  return TAMIS_OK;
}

tamis_status Checker::dispatches(const plan::Program &program) {
  for (const plan::Dispatch *dispatch : *program.dispatches()) {
    const char *name = dispatch->name()->c_str();
    if (dispatch->kernel() >= program.kernels()->size())
      return damaged("dispatch '%s' names kernel %u of %u", name, dispatch->kernel(), program.kernels()->size());
    for (uint32_t number : {dispatch->grid(), dispatch->scratch(), dispatch->flops(), dispatch->bytes()})
      TAMIS_TRY(isRegister(number, "dispatch", name));
    TAMIS_TRY(arguments(*dispatch, program.device() == plan::DeviceKind_Cuda));
    TAMIS_TRY(isAligned(*dispatch->buffers()));
    for (const plan::BufferRef *reference : *dispatch->buffers())
      TAMIS_TRY(buffer(*reference, name));
  }
  return TAMIS_OK;
}

tamis_status Checker::arena(const plan::Program &program) {
  for (const plan::ArenaBuffer *buffer : *program.arena()) {
    const char *name = buffer->name()->c_str();
    TAMIS_TRY(isRegister(buffer->offset(), "arena buffer", name));
    TAMIS_TRY(isRegister(buffer->size(), "arena buffer", name));
    if (buffer->first() > buffer->last() || buffer->last() >= program.dispatches()->size())
      return damaged("arena buffer '%s' lives from dispatch %u to %u of %u", name, buffer->first(), buffer->last(),
                     program.dispatches()->size());
  }
  return TAMIS_OK;
}

tamis_status Checker::run() {
  TAMIS_TRY(devices());
  TAMIS_TRY(sections());
  TAMIS_TRY(sizes());
  TAMIS_TRY(tensors(*plan.inputs(), "input"));
  TAMIS_TRY(tensors(*plan.outputs(), "output"));
  TAMIS_TRY(states());
  TAMIS_TRY(symbols());
  TAMIS_TRY(constants());
  return programs();
}

tamis_status checkMetadata(const plan::Plan &plan, const FileFrame &frame, tamis_error *error) {
  return Checker(plan, frame, error).run();
}

} // namespace tamis::runtime
