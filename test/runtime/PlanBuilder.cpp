// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout is written down a second time here, from Plan.fbs, so that a mistake in the reader is seen.

#include "test/runtime/PlanBuilder.h"
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tamis::test {

static Bytes readImage() {
  std::ifstream in(TAMIS_TEST_IMAGE, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

PlanBuilder::PlanBuilder() : code(readImage()) {
  plan.compiler = "plan builder of the tests";
  plan.model = "test";
  auto section = std::make_unique<plan::SectionT>();
  section->kind = plan::SectionKind_Code;
  section->name = "host";
  section->machine = reinterpret_cast<const Elf64_Ehdr *>(code.data())->e_machine;
  plan.sections.push_back(std::move(section));
  plan.programs.push_back(std::make_unique<plan::ProgramT>());
  program().arena_size = constant(0);
}

uint32_t PlanBuilder::op(plan::SizeOp op, uint32_t a, uint32_t b, int64_t imm) {
  plan.sizes.emplace_back(imm, a, b, op);
  return uint32_t(plan.sizes.size() - 1);
}

uint32_t PlanBuilder::constant(int64_t value) {
  return op(plan::SizeOp_Constant, 0, 0, value);
}

uint32_t PlanBuilder::symbol(const std::string &name, int64_t min, int64_t max) {
  auto symbol = std::make_unique<plan::SymbolT>();
  symbol->name = name, symbol->min = min, symbol->max = max;
  plan.symbols.push_back(std::move(symbol));
  return op(plan::SizeOp_Symbol, 0, 0, int64_t(plan.symbols.size()) - 1);
}

static std::unique_ptr<plan::TensorT> makeTensor(const std::string &name, plan::ElementType type,
                                                 std::vector<uint32_t> dims, std::vector<std::string> dimNames) {
  auto tensor = std::make_unique<plan::TensorT>();
  tensor->name = name, tensor->element = type, tensor->dims = std::move(dims), tensor->dim_names = std::move(dimNames);
  return tensor;
}

uint32_t PlanBuilder::input(const std::string &name, plan::ElementType type, std::vector<uint32_t> dims,
                            std::vector<std::string> dimNames) {
  plan.inputs.push_back(makeTensor(name, type, std::move(dims), std::move(dimNames)));
  return uint32_t(plan.inputs.size() - 1);
}

uint32_t PlanBuilder::output(const std::string &name, plan::ElementType type, std::vector<uint32_t> dims,
                             std::vector<std::string> dimNames) {
  plan.outputs.push_back(makeTensor(name, type, std::move(dims), std::move(dimNames)));
  return uint32_t(plan.outputs.size() - 1);
}

uint32_t PlanBuilder::weights(const std::vector<float> &values) {
  weightBytes.resize((weightBytes.size() + 63) / 64 * 64);
  plan.constants.emplace_back(weightBytes.size(), values.size() * sizeof(float));
  auto *bytes = reinterpret_cast<const uint8_t *>(values.data());
  weightBytes.insert(weightBytes.end(), bytes, bytes + values.size() * sizeof(float));
  return uint32_t(plan.constants.size() - 1);
}

void PlanBuilder::startCuda(const std::string &target, const std::string &ptx) {
  plan.programs.push_back(std::make_unique<plan::ProgramT>());
  program().device = plan::DeviceKind_Cuda;
  cudaSection(target, ptx);
}

void PlanBuilder::cudaSection(const std::string &name, const std::string &text) {
  auto section = std::make_unique<plan::SectionT>();
  section->kind = plan::SectionKind_Code;
  section->name = name;
  section->machine = 190;
  section->program = uint32_t(plan.programs.size() - 1);
  plan.sections.push_back(std::move(section));
  cudaCode[name] = Bytes(text.begin(), text.end());
  cudaCode[name].push_back(0);
}

/// Finds a function by the section headers, which the runtime does not look at.
static plan::KernelCode findFunction(const Bytes &elf, const std::string &name) {
  auto *header = reinterpret_cast<const Elf64_Ehdr *>(elf.data());
  auto *sections = reinterpret_cast<const Elf64_Shdr *>(elf.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_DYNSYM)
      continue;
    auto *symbols = reinterpret_cast<const Elf64_Sym *>(elf.data() + sections[i].sh_offset);
    auto *strings = reinterpret_cast<const char *>(elf.data() + sections[sections[i].sh_link].sh_offset);
    for (uint64_t j = 0; j < sections[i].sh_size / sizeof(Elf64_Sym); ++j)
      if (name == strings + symbols[j].st_name)
        return {symbols[j].st_value, symbols[j].st_size, 0};
  }
  ADD_FAILURE() << "no kernel " << name;
  return {};
}

uint32_t PlanBuilder::kernel(const std::string &name) {
  for (size_t i = 0; i < program().kernels.size(); ++i)
    if (program().kernels[i]->name == name)
      return uint32_t(i);
  auto kernel = std::make_unique<plan::KernelT>();
  kernel->name = name;
  if (program().device == plan::DeviceKind_Cpu)
    kernel->code.push_back(findFunction(code, name));
  program().kernels.push_back(std::move(kernel));
  return uint32_t(program().kernels.size() - 1);
}

plan::DispatchT &PlanBuilder::dispatch(const std::string &name, const std::string &kernelName, uint32_t grid,
                                       std::vector<plan::BufferRef> buffers) {
  auto dispatch = std::make_unique<plan::DispatchT>();
  dispatch->name = name;
  dispatch->kernel = kernel(kernelName);
  dispatch->grid = grid;
  dispatch->scratch = dispatch->flops = dispatch->bytes = 0; // register 0 holds 0
  dispatch->buffers = std::move(buffers);
  dispatch->sources = {"/" + name};
  program().dispatches.push_back(std::move(dispatch));
  return *program().dispatches.back();
}

template <typename T> static void store(Bytes &file, size_t at, T value) {
  memcpy(&file[at], &value, sizeof value);
}
template <typename T> static T load(const Bytes &file, size_t at) {
  T value;
  memcpy(&value, &file[at], sizeof value);
  return value;
}

uint64_t hashOf(const uint8_t *data, size_t size) {
  return XXH3_64bits(data, size);
}

void reseal(Bytes &file) {
  auto offset = load<uint64_t>(file, 16), size = load<uint64_t>(file, 24);
  if (offset <= file.size() && size <= file.size() - offset)
    store(file, 32, hashOf(&file[offset], size));
  store(file, 48, hashOf(file.data(), 48));
}

Bytes PlanBuilder::build() const {
  constexpr uint64_t unit = 65536;
  plan::PlanT copy(plan);
  if (!weightBytes.empty()) {
    auto section = std::make_unique<plan::SectionT>();
    section->kind = plan::SectionKind_Weights;
    section->name = "weights";
    copy.sections.push_back(std::move(section));
  }
  // Section offsets are numbers of fixed size: a first pass with zeros tells the metadata's size.
  auto pack = [&] {
    flatbuffers::FlatBufferBuilder builder;
    builder.ForceDefaults(true);
    plan::FinishPlanBuffer(builder, plan::CreatePlan(builder, &copy));
    return Bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  };
  uint64_t next = (64 + pack().size() + unit - 1) / unit * unit;
  std::vector<std::pair<uint64_t, const Bytes *>> contents;
  for (auto &section : copy.sections) {
    auto cuda = cudaCode.find(section->name);
    const Bytes &bytes = section->kind == plan::SectionKind_Weights ? weightBytes
                         : cuda == cudaCode.end()                   ? code
                                                                    : cuda->second;
    section->offset = next, section->size = bytes.size(), section->alignment = unit;
    section->hash = hashOf(bytes.data(), bytes.size());
    contents.emplace_back(next, &bytes);
    next = (next + bytes.size() + unit - 1) / unit * unit;
  }
  Bytes metadata = pack(), file(contents.empty() ? 64 + metadata.size() : contents.back().first);
  memcpy(file.data(), "TAMISPLN", 8);
  memcpy(&file[64], metadata.data(), metadata.size());
  if (!contents.empty())
    file.insert(file.end(), contents.back().second->begin(), contents.back().second->end());
  for (auto &[offset, bytes] : contents)
    memcpy(&file[offset], bytes->data(), bytes->size());
  store<uint32_t>(file, 8, plan::FormatVersion_Current);
  store<uint32_t>(file, 12, 64);
  store<uint64_t>(file, 16, 64);
  store<uint64_t>(file, 24, metadata.size());
  store<uint64_t>(file, 40, file.size());
  reseal(file);
  return file;
}

static plan::BufferRef ref(plan::BufferKind kind, uint32_t index) {
  return plan::BufferRef(index, kind);
}

static PlanBuilder makeGatherPlan(bool idle) {
  PlanBuilder b;
  uint32_t batch = b.symbol("batch", 1, 8), sequence = b.symbol("sequence", 0, 64);
  uint32_t tokens = b.op(plan::SizeOp_Mul, batch, sequence), two = b.constant(2), four = b.constant(4);
  uint32_t twice = b.op(plan::SizeOp_Mul, two, sequence);
  uint32_t sixteen = b.constant(16), rowBytes = b.op(plan::SizeOp_Mul, tokens, sixteen);
  uint32_t arenaBytes = b.op(plan::SizeOp_AlignUp, rowBytes, 0, 64), zero = 0;
  uint32_t ids = b.input("ids", plan::ElementType_I64, {batch, sequence}, {"batch", "sequence"});
  uint32_t mask = b.input("mask", plan::ElementType_F32, {batch, twice}, {"batch", "2*sequence"});
  uint32_t out = b.output("out", plan::ElementType_F32, {batch, sequence, four}, {"batch", "sequence", "4"});
  std::vector<float> table;
  for (int i = 0; i < 40; ++i)
    table.push_back(float(10 * (i / 4) + i % 4));
  uint32_t weights = b.weights(table);
  plan::DispatchT &gather = b.dispatch(
      "gather", idle ? "nothing" : "gather", tokens,
      {ref(plan::BufferKind_Input, ids), ref(plan::BufferKind_Constant, weights), ref(plan::BufferKind_Arena, zero)});
  gather.sources = {"/embeddings/Gather", "/embeddings/Add"};
  gather.bytes = rowBytes;
  plan::DispatchT &scale = b.dispatch(
      "scale", idle ? "nothing" : "scale_by_scratch", tokens,
      {ref(plan::BufferKind_Arena, zero), ref(plan::BufferKind_Input, mask), ref(plan::BufferKind_Output, out)});
  scale.scratch = sixteen;
  scale.flops = tokens;
  auto rows = std::make_unique<plan::ArenaBufferT>();
  rows->name = "rows", rows->offset = zero, rows->size = rowBytes, rows->first = 0, rows->last = 1;
  b.program().arena.push_back(std::move(rows));
  b.program().arena_size = arenaBytes;
  return b;
}

PlanBuilder gatherPlan() {
  return makeGatherPlan(false);
}
PlanBuilder idlePlan() {
  return makeGatherPlan(true);
}

PlanBuilder chainPlan(int count, int64_t max, const std::string &kernel) {
  PlanBuilder b;
  uint32_t n = b.symbol("n", 0, max), eight = b.constant(8), bytes = b.op(plan::SizeOp_Mul, n, eight);
  uint32_t aligned = b.op(plan::SizeOp_AlignUp, bytes, 0, 64);
  uint32_t x = b.input("x", plan::ElementType_I64, {n}, {"n"});
  uint32_t y = b.output("y", plan::ElementType_I64, {n}, {"n"});
  b.program().arena_size = b.op(plan::SizeOp_Add, aligned, aligned);
  const uint32_t places[2] = {0, aligned};
  for (int i = 0; i < count; ++i) {
    plan::BufferRef from = i == 0 ? ref(plan::BufferKind_Input, x) : ref(plan::BufferKind_Arena, places[i % 2]);
    plan::BufferRef to =
        i + 1 == count ? ref(plan::BufferKind_Output, y) : ref(plan::BufferKind_Arena, places[(i + 1) % 2]);
    b.dispatch("step" + std::to_string(i), kernel, n, {from, to});
  }
  return b;
}

std::string writeFile(const std::string &name, const Bytes &bytes) {
  std::string path = ::testing::TempDir() + "tamis_" + std::to_string(getpid()) + "_" + name;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
  return path;
}

} // namespace tamis::test
