// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The metadata of a plan file, from a placed program.
#include "codegen/plan/PlanMetadata.h"

#include "dialects/model/ModelShapes.h"
#include "llvm/BinaryFormat/ELF.h"

using namespace mlir;
using namespace tamis;

namespace {

plan::ElementType elementType(Type type) {
  if (type.isF32())
    return plan::ElementType_F32;
  if (type.isF64())
    return plan::ElementType_F64;
  if (type.isF16())
    return plan::ElementType_F16;
  if (type.isBF16())
    return plan::ElementType_BF16;
  if (type.isInteger(1))
    return plan::ElementType_Bool;
  if (type.isUnsignedInteger(8))
    return plan::ElementType_U8;
  if (type.isUnsignedInteger(16))
    return plan::ElementType_U16;
  if (type.isUnsignedInteger(32))
    return plan::ElementType_U32;
  if (type.isUnsignedInteger(64))
    return plan::ElementType_U64;
  if (type.isSignlessInteger(8))
    return plan::ElementType_I8;
  if (type.isSignlessInteger(16))
    return plan::ElementType_I16;
  if (type.isSignlessInteger(32))
    return plan::ElementType_I32;
  if (type.isSignlessInteger(64))
    return plan::ElementType_I64;
  return plan::ElementType_None;
}

DimExpr parseSize(StringAttr text) {
  return *DimExpr::parse(text.getValue());
}

DimExpr bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return product(model::dimsOf(tensor)) * elementBytes(tensor.getElementType());
}

llvm::Expected<std::unique_ptr<plan::TensorT>> tensor(StringAttr name, Type type, ShapeProgram &shapes) {
  auto tensor = std::make_unique<plan::TensorT>();
  tensor->name = name ? name.getValue().str() : "";
  tensor->element = elementType(cast<RankedTensorType>(type).getElementType());
  if (tensor->element == plan::ElementType_None)
    return llvm::createStringError("tensor '%s' has an element type that plans do not have", tensor->name.c_str());
  for (const DimExpr &dim : model::dimsOf(type)) {
    tensor->dims.push_back(shapes.compile(dim));
    tensor->dim_names.push_back(dim.str());
  }
  return tensor;
}

/// Where the bytes of a value lie, through views.
class Places {
public:
  /// `constants`: the numbers of the program's constants, in the order of its ops.
  Places(func::FuncOp main, ArrayRef<unsigned> constants, ShapeProgram &shapes) {
    for (auto [i, argument] : llvm::enumerate(main.getArguments()))
      places[argument] = plan::BufferRef(i, plan::BufferKind_Input);
    for (auto [number, constant] : llvm::zip_equal(constants, main.getOps<plan::ConstantOp>()))
      places[constant->getResult(0)] = plan::BufferRef(number, plan::BufferKind_Constant);
    // Slots one after the other, each rounded up to a cache line.
    auto offset = shapes.compile(0);
    for (Attribute slot : main->getAttrOfType<ArrayAttr>(plan::kSlotsAttr)) {
      offsets.push_back(offset);
      offset = shapes.add(offset, shapes.alignUp(shapes.compile(parseSize(cast<StringAttr>(slot))), 64));
    }
    arenaSize = offset;
  }

  plan::BufferRef operator[](Value value) const {
    while (auto view = value.getDefiningOp<plan::ViewOp>())
      value = view.getInput();
    return places.lookup(value);
  }
  void define(Value result, int64_t slot) {
    places[result] = slot < 0 ? plan::BufferRef(-1 - slot, plan::BufferKind_Output)
                              : plan::BufferRef(offsets[slot], plan::BufferKind_Arena);
  }
  /// `result` takes the bytes of `operand`.
  void alias(Value result, Value operand) { places[result] = (*this)[operand]; }
  uint32_t arenaSize;

private:
  DenseMap<Value, plan::BufferRef> places;
  SmallVector<uint32_t> offsets;
};

} // namespace

PlanMetadata::PlanMetadata(ArrayRef<DeviceProgram> given, const PlanOrigin &origin) {
  data.compiler = origin.compiler;
  data.model = origin.model;
  DenseMap<std::pair<DictionaryAttr, Type>, unsigned> known;
  for (const DeviceProgram &each : given) {
    Program &program = programs.emplace_back();
    ModuleOp module = each.module;
    program.main = module.lookupSymbol<func::FuncOp>("main");
    program.given = &each;
    for (auto constant : program.main.getOps<plan::ConstantOp>()) {
      std::pair<DictionaryAttr, Type> key{constant->getAttrDictionary(), constant->getResult(0).getType()};
      auto [it, inserted] = known.try_emplace(key, constantOps.size());
      if (inserted)
        constantOps.push_back(constant);
      program.constants.push_back(it->second);
    }
    auto entry = std::make_unique<plan::ProgramT>();
    entry->path = each.path;
    for (auto dispatch : program.main.getOps<plan::DispatchOp>())
      if (program.kernelNumbers.try_emplace(dispatch.getKernel(), program.kernelNumbers.size()).second) {
        entry->kernels.push_back(std::make_unique<plan::KernelT>());
        entry->kernels.back()->name = dispatch.getKernel().str();
      }
    data.programs.push_back(std::move(entry));
  }
}

llvm::Error PlanMetadata::addCode(unsigned program, const CodeSection &section, const SectionPlace &place) {
  auto entry = std::make_unique<plan::SectionT>();
  entry->kind = plan::SectionKind_Code;
  entry->name = section.name;
  entry->machine = section.machine;
  entry->features = section.features;
  entry->offset = place.offset;
  entry->size = place.size;
  entry->alignment = place.alignment;
  entry->hash = place.hash;
  entry->program = program;
  bool isCuda = section.machine == llvm::ELF::EM_CUDA;
  if (isCuda)
    data.programs[program]->device = plan::DeviceKind_Cuda;
  llvm::StringMap<const KernelEntry *> entries;
  for (const KernelEntry &kernel : section.kernels)
    entries[kernel.name] = &kernel;
  for (auto &kernel : data.programs[program]->kernels) {
    const KernelEntry *found = entries.lookup(kernel->name);
    if (!found)
      return llvm::createStringError("the code for %s does not hold the kernel '%s'", section.name.c_str(),
                                     kernel->name.c_str());
    if (!isCuda)
      kernel->code.emplace_back(found->entry, found->size, data.sections.size());
    kernel->threads = found->threads;
    kernel->shared = found->shared;
  }
  data.sections.push_back(std::move(entry));
  return llvm::Error::success();
}

void PlanMetadata::addSection(plan::SectionKind kind, StringRef name, const SectionPlace &place) {
  auto entry = std::make_unique<plan::SectionT>();
  entry->kind = kind;
  entry->name = name.str();
  entry->offset = place.offset;
  entry->size = place.size;
  entry->alignment = place.alignment;
  entry->hash = place.hash;
  data.sections.push_back(std::move(entry));
}

/// Inputs and outputs, which are those of every program.
llvm::Error PlanMetadata::addSignature(ShapeProgram &shapes) {
  func::FuncOp main = programs.front().main;
  for (unsigned i = 0; i < main.getNumArguments(); ++i) {
    auto input = tensor(main.getArgAttrOfType<StringAttr>(i, "model.name"), main.getArgument(i).getType(), shapes);
    if (!input)
      return input.takeError();
    (*input)->is_state = main.getArgAttr(i, plan::kStateAttr) != nullptr;
    data.inputs.push_back(std::move(*input));
  }
  for (unsigned i = 0; i < main.getNumResults(); ++i) {
    auto output = tensor(main.getResultAttrOfType<StringAttr>(i, "model.name"), main.getResultTypes()[i], shapes);
    if (!output)
      return output.takeError();
    data.outputs.push_back(std::move(*output));
  }
  return llvm::Error::success();
}

/// The sizes that kernels of a GPU take, by kernel.
static llvm::StringMap<ArrayRef<DimExpr>> argumentsOf(const DeviceProgram &program) {
  llvm::StringMap<ArrayRef<DimExpr>> arguments;
  for (const CodeSection &section : program.code)
    for (const KernelEntry &kernel : section.kernels)
      arguments[kernel.name] = kernel.arguments;
  return arguments;
}

/// The buffer of a dispatch's result, alive until the last dispatch that reads it.
static std::unique_ptr<plan::ArenaBufferT>
arenaBuffer(Value result, unsigned writer, const DenseMap<Operation *, unsigned> &position, ShapeProgram &shapes) {
  auto buffer = std::make_unique<plan::ArenaBufferT>();
  buffer->size = shapes.compile(bytesOf(result.getType()));
  buffer->first = writer;
  buffer->last = writer;
  SmallVector<Value> worklist{result};
  while (!worklist.empty())
    for (Operation *user : worklist.pop_back_val().getUsers())
      if (auto view = dyn_cast<plan::ViewOp>(user))
        worklist.push_back(view);
      else if (position.contains(user))
        buffer->last = std::max(buffer->last, position.lookup(user));
  return buffer;
}

llvm::Error PlanMetadata::addDispatches(const Program &program, plan::ProgramT &data, ShapeProgram &shapes) {
  func::FuncOp main = program.main;
  Places places(main, program.constants, shapes);
  auto arguments = argumentsOf(*program.given);
  SmallVector<plan::DispatchOp> dispatches(main.getOps<plan::DispatchOp>());
  DenseMap<Operation *, unsigned> position;
  for (auto [i, dispatch] : llvm::enumerate(dispatches))
    position[dispatch] = i;
  for (auto [i, dispatch] : llvm::enumerate(dispatches)) {
    if (!dispatch.getSlots())
      return llvm::createStringError("the results of '%s' have no buffers", dispatch.getKernel().str().c_str());
    auto entry = std::make_unique<plan::DispatchT>();
    entry->name = dispatch.getKernel().str();
    entry->kernel = program.kernelNumbers.lookup(dispatch.getKernel());
    entry->grid = shapes.compile(parseSize(dispatch.getGridAttr()));
    entry->scratch = shapes.compile(parseSize(dispatch.getScratchAttr()));
    entry->flops = shapes.compile(parseSize(dispatch.getFlopsAttr()));
    entry->bytes = shapes.compile(parseSize(dispatch.getBytesAttr()));
    for (const DimExpr &argument : arguments.lookup(dispatch.getKernel()))
      entry->arguments.push_back(shapes.compile(argument));
    for (Value input : dispatch.getInputs())
      entry->buffers.push_back(places[input]);
    for (auto [number, result, slot] : llvm::enumerate(dispatch.getResults(), *dispatch.getSlots())) {
      if (dispatch.getInPlace() && (*dispatch.getInPlace())[number] >= 0) {
        places.alias(result, dispatch.getInputs()[(*dispatch.getInPlace())[number]]);
        entry->buffers.push_back(places[result]);
        continue;
      }
      places.define(result, slot);
      entry->buffers.push_back(places[result]);
      if (slot < 0)
        continue;
      auto buffer = arenaBuffer(result, i, position, shapes);
      buffer->name = entry->name;
      buffer->offset = places[result].index();
      data.arena.push_back(std::move(buffer));
    }
    for (Attribute source : dispatch.getSources())
      entry->sources.push_back(cast<StringAttr>(source).getValue().str());
    data.dispatches.push_back(std::move(entry));
  }
  data.arena_size = places.arenaSize;
  return llvm::Error::success();
}

llvm::Expected<std::string> PlanMetadata::finish() {
  for (const Program &program : programs)
    if (!func::FuncOp(program.main)->hasAttr(plan::kSlotsAttr))
      return llvm::createStringError("the program's buffers are not placed");
  SmallVector<std::string> names;
  for (const model::Symbol &symbol : model::symbolsOf(programs.front().main)) {
    names.push_back(symbol.name);
    data.symbols.push_back(std::make_unique<plan::SymbolT>());
    data.symbols.back()->name = symbol.name;
    data.symbols.back()->min = symbol.min;
    data.symbols.back()->max = symbol.max;
  }
  ShapeProgram shapes(names);
  if (auto error = addSignature(shapes))
    return std::move(error);
  for (auto [program, entry] : llvm::zip_equal(programs, data.programs))
    if (auto error = addDispatches(program, *entry, shapes))
      return std::move(error);
  data.sizes = shapes.instructions();

  flatbuffers::FlatBufferBuilder builder(64 * 1024);
  plan::FinishPlanBuffer(builder, plan::Plan::Pack(builder, &data));
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}
