// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The metadata of a plan file, from a placed program.
#include "codegen/plan/PlanMetadata.h"

#include "codegen/plan/ShapeProgram.h"
#include "dialects/model/ModelShapes.h"

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

DimExpr parseSize(StringAttr text) { return *DimExpr::parse(text.getValue()); }

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
  Places(func::FuncOp main, ArrayRef<plan::ConstantOp> constants, ShapeProgram &shapes) {
    for (auto [i, argument] : llvm::enumerate(main.getArguments()))
      places[argument] = plan::BufferRef(i, plan::BufferKind_Input);
    for (auto [i, constant] : llvm::enumerate(constants))
      places[constant->getResult(0)] = plan::BufferRef(i, plan::BufferKind_Constant);
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
  uint32_t arenaSize;

private:
  DenseMap<Value, plan::BufferRef> places;
  SmallVector<uint32_t> offsets;
};

} // namespace

PlanMetadata::PlanMetadata(ModuleOp program, const PlanOrigin &origin)
    : main(program.lookupSymbol<func::FuncOp>("main")) {
  data.compiler = origin.compiler;
  data.model = origin.model;
  llvm::append_range(constantOps, main.getOps<plan::ConstantOp>());
  for (auto dispatch : main.getOps<plan::DispatchOp>())
    if (kernelNumbers.try_emplace(dispatch.getKernel(), kernelNumbers.size()).second) {
      data.kernels.push_back(std::make_unique<plan::KernelT>());
      data.kernels.back()->name = dispatch.getKernel().str();
    }
}

llvm::Error PlanMetadata::addCode(const CodeSection &section, const SectionPlace &place) {
  auto entry = std::make_unique<plan::SectionT>();
  entry->kind = plan::SectionKind_Code;
  entry->name = section.name;
  entry->machine = section.machine;
  entry->features = section.features;
  entry->offset = place.offset;
  entry->size = place.size;
  entry->alignment = place.alignment;
  entry->hash = place.hash;
  llvm::StringMap<const KernelEntry *> entries;
  for (const KernelEntry &kernel : section.kernels)
    entries[kernel.name] = &kernel;
  for (auto &kernel : data.kernels) {
    const KernelEntry *found = entries.lookup(kernel->name);
    if (!found)
      return llvm::createStringError("the code for %s does not hold the kernel '%s'", section.name.c_str(),
                                     kernel->name.c_str());
    kernel->code.emplace_back(found->entry, found->size, data.sections.size());
  }
  data.sections.push_back(std::move(entry));
  return llvm::Error::success();
}

void PlanMetadata::addWeights(const SectionPlace &place) {
  auto entry = std::make_unique<plan::SectionT>();
  entry->kind = plan::SectionKind_Weights;
  entry->name = "weights";
  entry->offset = place.offset;
  entry->size = place.size;
  entry->alignment = place.alignment;
  entry->hash = place.hash;
  data.sections.push_back(std::move(entry));
}

llvm::Expected<std::string> PlanMetadata::finish() {
  if (!main->hasAttr(plan::kSlotsAttr))
    return llvm::createStringError("the program's buffers are not placed");
  SmallVector<std::string> names;
  for (const model::Symbol &symbol : model::symbolsOf(main)) {
    names.push_back(symbol.name);
    data.symbols.push_back(std::make_unique<plan::SymbolT>());
    data.symbols.back()->name = symbol.name;
    data.symbols.back()->min = symbol.min;
    data.symbols.back()->max = symbol.max;
  }
  ShapeProgram shapes(names);
  for (unsigned i = 0; i < main.getNumArguments(); ++i) {
    auto input = tensor(main.getArgAttrOfType<StringAttr>(i, "model.name"), main.getArgument(i).getType(), shapes);
    if (!input)
      return input.takeError();
    data.inputs.push_back(std::move(*input));
  }
  for (unsigned i = 0; i < main.getNumResults(); ++i) {
    auto output = tensor(main.getResultAttrOfType<StringAttr>(i, "model.name"), main.getResultTypes()[i], shapes);
    if (!output)
      return output.takeError();
    data.outputs.push_back(std::move(*output));
  }

  Places places(main, constantOps, shapes);
  SmallVector<plan::DispatchOp> dispatches(main.getOps<plan::DispatchOp>());
  DenseMap<Operation *, unsigned> position;
  for (auto [i, dispatch] : llvm::enumerate(dispatches))
    position[dispatch] = i;
  for (auto [i, dispatch] : llvm::enumerate(dispatches)) {
    if (!dispatch.getSlots())
      return llvm::createStringError("the results of '%s' have no buffers", dispatch.getKernel().str().c_str());
    auto entry = std::make_unique<plan::DispatchT>();
    entry->name = dispatch.getKernel().str();
    entry->kernel = kernelNumbers.lookup(dispatch.getKernel());
    entry->grid = shapes.compile(parseSize(dispatch.getGridAttr()));
    entry->scratch = shapes.compile(parseSize(dispatch.getScratchAttr()));
    entry->flops = shapes.compile(parseSize(dispatch.getFlopsAttr()));
    entry->bytes = shapes.compile(parseSize(dispatch.getBytesAttr()));
    for (Value input : dispatch.getInputs())
      entry->buffers.push_back(places[input]);
    for (auto [result, slot] : llvm::zip_equal(dispatch.getResults(), *dispatch.getSlots())) {
      places.define(result, slot);
      entry->buffers.push_back(places[result]);
      if (slot < 0)
        continue;
      auto buffer = std::make_unique<plan::ArenaBufferT>();
      buffer->name = entry->name;
      buffer->offset = places[result].index();
      buffer->size = shapes.compile(bytesOf(result.getType()));
      buffer->first = i;
      buffer->last = i;
      SmallVector<Value> worklist{result};
      while (!worklist.empty())
        for (Operation *user : worklist.pop_back_val().getUsers())
          if (auto view = dyn_cast<plan::ViewOp>(user))
            worklist.push_back(view);
          else if (position.contains(user))
            buffer->last = std::max(buffer->last, position.lookup(user));
      data.arena.push_back(std::move(buffer));
    }
    for (Attribute source : dispatch.getSources())
      entry->sources.push_back(cast<StringAttr>(source).getValue().str());
    data.dispatches.push_back(std::move(entry));
  }
  data.arena_size = places.arenaSize;
  data.sizes = shapes.instructions();

  flatbuffers::FlatBufferBuilder builder(64 * 1024);
  plan::FinishPlanBuffer(builder, plan::Plan::Pack(builder, &data));
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}
