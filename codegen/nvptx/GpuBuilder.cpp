// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What GPU kernels are written with.
#include "codegen/nvptx/GpuBuilder.h"

#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/Lower.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;

static Value callIntrinsic(KernelBuilder &b, StringRef name, TypeRange results, ValueRange operands) {
  auto call = LLVM::CallIntrinsicOp::create(b, results, b.getStringAttr(name), operands, LLVM::FastmathFlagsAttr{});
  return results.empty() ? Value() : call.getResults();
}

static FloatType narrowOf(func::FuncOp kernel) {
  for (Operation &op : kernel.getOps())
    for (Type type : op.getOperandTypes())
      if (auto tensor = dyn_cast<RankedTensorType>(type))
        if (tensor.getElementType().isF16() || tensor.getElementType().isBF16())
          return cast<FloatType>(tensor.getElementType());
  if (kernel->hasAttr(kGpuBf16) && !kernel->hasAttr(kGpuSplit))
    return BFloat16Type::get(kernel.getContext());
  return Float16Type::get(kernel.getContext());
}

GpuBuilder::GpuBuilder(KernelBuilder &b)
    : b(b), threadId(b, callIntrinsic(b, "llvm.nvvm.read.ptx.sreg.tid.x", b.getI32Type(), {})),
      narrowType(narrowOf(b.source())) {}

Number GpuBuilder::i32(int64_t value) {
  return {b, arith::ConstantIntOp::create(b, value, 32)};
}

Value GpuBuilder::pointer(Value buffer, Type element, Number offset) {
  Value base = pointerOf(b, buffer);
  Value number = arith::IndexCastOp::create(b, b.getI64Type(), offset.as(b.getIndexType()));
  return LLVM::GEPOp::create(b, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{number});
}

Value GpuBuilder::load(Type type, Value pointer, unsigned bytes) {
  return LLVM::LoadOp::create(b, type, pointer, bytes);
}

SmallVector<Value> GpuBuilder::loadParts(VectorType type, Value pointer, unsigned bytes) {
  Value loaded = load(type, pointer, bytes);
  SmallVector<Value> parts;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    parts.push_back(LLVM::ExtractElementOp::create(b, loaded, i32(i).value()));
  return parts;
}

Value GpuBuilder::vector(ArrayRef<Value> parts) {
  auto type = VectorType::get({int64_t(parts.size())}, parts[0].getType());
  Value result = LLVM::PoisonOp::create(b, type);
  for (auto [i, part] : llvm::enumerate(parts))
    result = LLVM::InsertElementOp::create(b, result, part, i32(i).value());
  return result;
}

void GpuBuilder::store(Value value, Value pointer, unsigned bytes) {
  LLVM::StoreOp::create(b, value, pointer, bytes);
}

SmallVector<Value> GpuBuilder::assembly(StringRef text, StringRef constraints, TypeRange results, ValueRange operands,
                                        bool hasEffects) {
  Type type;
  if (results.size() == 1)
    type = results[0];
  else if (results.size() > 1)
    type = LLVM::LLVMStructType::getLiteral(b.getContext(), llvm::to_vector(results));
  auto op = LLVM::InlineAsmOp::create(b, type, operands, text, constraints, hasEffects, /*is_align_stack=*/false,
                                      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  SmallVector<Value> values;
  if (results.size() == 1)
    values.push_back(op->getResult(0));
  for (size_t i = 0; results.size() > 1 && i < results.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, op->getResult(0), int64_t(i)));
  return values;
}

void GpuBuilder::barrier() {
  callIntrinsic(b, "llvm.nvvm.barrier.cta.sync.aligned.all", {}, ValueRange{i32(0).value()});
}

void GpuBuilder::trapIf(Value condition) {
  b.branch(condition, [&] { callIntrinsic(b, "llvm.trap", {}, {}); });
}

Value GpuBuilder::shuffleXor(Value value, unsigned mask) {
  std::string text = "shfl.sync.bfly.b32 $0, $1, " + std::to_string(mask) + ", 31, -1;";
  return assembly(text, "=f,f", value.getType(), value, /*hasEffects=*/true)[0];
}

Value GpuBuilder::shuffle(Value value, Number lane) {
  bool isFloat = value.getType().isF32();
  return callIntrinsic(b, isFloat ? "llvm.nvvm.shfl.sync.idx.f32" : "llvm.nvvm.shfl.sync.idx.i32", value.getType(),
                       {i32(-1), value, lane, i32(kWarp - 1)});
}

Value GpuBuilder::ballot(Value condition) {
  return callIntrinsic(b, "llvm.nvvm.vote.ballot.sync", b.getI32Type(), {i32(-1), condition});
}

Value GpuBuilder::leastOfLanes(Value value) {
  return callIntrinsic(b, "llvm.nvvm.redux.sync.min", b.getI32Type(), {value, i32(-1)});
}
Value GpuBuilder::largestOfLanes(Value value) {
  return callIntrinsic(b, "llvm.nvvm.redux.sync.max", b.getI32Type(), {value, i32(-1)});
}

Number GpuBuilder::bitCount(Value bits) {
  return Number(b, math::CtPopOp::create(b, bits)).as(b.getIndexType());
}

void GpuBuilder::warpBarrier() {
  callIntrinsic(b, "llvm.nvvm.bar.warp.sync", {}, ValueRange{i32(-1).value()});
}

Value GpuBuilder::anyThread(Value condition) {
  return callIntrinsic(b, "llvm.nvvm.barrier.cta.red.or.aligned.all", b.getI1Type(), {i32(0), condition});
}

Value GpuBuilder::acrossLanes(Value value, unsigned lanes, function_ref<Value(Value, Value)> combine) {
  for (unsigned distance = lanes / 2; distance > 0; distance /= 2)
    value = combine(value, shuffleXor(value, distance));
  return value;
}

// Shared memory.

Number GpuBuilder::sharedBase() {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value address = LLVM::AddressOfOp::create(b, pointer, kSharedMemory);
  return {b, LLVM::PtrToIntOp::create(b, b.getI32Type(), address)};
}

static std::string at(unsigned operand, int64_t offset) {
  return "[$" + std::to_string(operand) + "+" + std::to_string(offset) + "]";
}

static std::string braced(unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}

static const char *const kWidths[] = {"", "", ".v2", "", ".v4"};

void GpuBuilder::storeShared(Number address, int64_t offset, ArrayRef<Value> words) {
  std::string constraints = "r";
  SmallVector<Value> operands{address};
  for (Value word : words) {
    constraints += word.getType().isF32() ? ",f" : ",r";
    operands.push_back(word);
  }
  std::string list = words.size() == 1 ? "$1" : braced(1, words.size());
  assembly(std::string("st.shared") + kWidths[words.size()] + ".b32 " + at(0, offset) + ", " + list + ";", constraints,
           {}, operands, /*hasEffects=*/true);
}

SmallVector<Value> GpuBuilder::loadShared(Number address, int64_t offset, unsigned words, Type type) {
  std::string constraints;
  for (unsigned i = 0; i < words; ++i)
    constraints += type.isF32() ? "=f," : "=r,";
  std::string list = words == 1 ? "$0" : braced(0, words);
  return assembly(std::string("ld.shared") + kWidths[words] + ".b32 " + list + ", " + at(words, offset) + ";",
                  constraints + "r", SmallVector<Type>(words, type), address.value(), /*hasEffects=*/true);
}

void GpuBuilder::orShared(Number address, int64_t offset, Value bits) {
  assembly("red.shared.or.b32 " + at(0, offset) + ", $1;", "r,r", {}, {address, bits}, /*hasEffects=*/true);
}

void GpuBuilder::copyAsync(Number address, int64_t offset, Value pointer, Value valid) {
  auto global = LLVM::LLVMPointerType::get(b.getContext(), 1);
  SmallVector<Value> operands{address, LLVM::AddrSpaceCastOp::create(b, global, pointer)};
  if (valid)
    operands.push_back(valid);
  assembly("cp.async.cg.shared.global " + at(0, offset) + ", [$1], 16" + (valid ? ", $2;" : ";"),
           valid ? "r,l,r" : "r,l", {}, operands, /*hasEffects=*/true);
}

void GpuBuilder::commitCopies() {
  assembly("cp.async.commit_group;", "", {}, {}, /*hasEffects=*/true);
}

void GpuBuilder::waitCopies(unsigned openGroups) {
  assembly("cp.async.wait_group " + std::to_string(openGroups) + ";", "", {}, {}, /*hasEffects=*/true);
}

// Matrices.

template <typename Range> static std::array<Value, 4> fourOf(const Range &values) {
  return {values[0], values[1], values[2], values[3]};
}

std::array<Value, 4> GpuBuilder::loadMatrices(Number address, int64_t offset, bool transposed) {
  std::string text = "ldmatrix.sync.aligned.m8n8.x4" + std::string(transposed ? ".trans" : "") + ".shared.b16 " +
                     braced(0, 4) + ", " + at(4, offset) + ";";
  return fourOf(assembly(text, "=r,=r,=r,=r,r", SmallVector<Type>(4, b.getI32Type()), address.value(),
                         /*hasEffects=*/true));
}

std::array<Value, 4> GpuBuilder::multiply(ArrayRef<Value> a, ArrayRef<Value> bm, ArrayRef<Value> c) {
  SmallVector<Value> operands(a);
  llvm::append_range(operands, bm);
  llvm::append_range(operands, c);
  std::string type = narrowType.isBF16() ? ".bf16.bf16" : ".f16.f16";
  std::string text = "mma.sync.aligned.m16n8k16.row.col.f32" + type + ".f32 " + braced(0, 4) + ", " + braced(4, 4) +
                     ", " + braced(8, 2) + ", " + braced(10, 4) + ";";
  // With effects, or LLVM may move it behind a branch that not all lanes take.
  return fourOf(assembly(text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", SmallVector<Type>(4, b.getF32Type()), operands,
                         /*hasEffects=*/true));
}

std::array<Value, 4> GpuBuilder::multiplyBytes(ArrayRef<Value> a, ArrayRef<Value> bm, ArrayRef<Value> c,
                                               bool isSigned) {
  SmallVector<Value> operands(a);
  llvm::append_range(operands, bm);
  llvm::append_range(operands, c);
  std::string text = std::string("mma.sync.aligned.m16n8k32.row.col.s32.") + (isSigned ? "s8" : "u8") + ".s8.s32 " +
                     braced(0, 4) + ", " + braced(4, 4) + ", " + braced(8, 2) + ", " + braced(10, 4) + ";";
  return fourOf(assembly(text, "=r,=r,=r,=r,r,r,r,r,r,r,r,r,r,r", SmallVector<Type>(4, b.getI32Type()), operands,
                         /*hasEffects=*/true));
}

Value GpuBuilder::pack(Value low, Value high) {
  const char *text = narrowType.isBF16() ? "cvt.rn.bf16x2.f32 $0, $1, $2;" : "cvt.rn.f16x2.f32 $0, $1, $2;";
  return assembly(text, "=r,f,f", b.getI32Type(), ValueRange{high, low},
                  /*hasEffects=*/false)[0];
}

Value GpuBuilder::lostByRounding(Value x) {
  Value half = arith::TruncFOp::create(b, narrowType, x);
  Value rounded = arith::ExtFOp::create(b, b.getF32Type(), half);
  return sub(x, rounded);
}

// Arithmetic of f32.

Value GpuBuilder::exp2(Value x) {
  return assembly("ex2.approx.ftz.f32 $0, $1;", "=f,f", b.getF32Type(), x, /*hasEffects=*/false)[0];
}
Value GpuBuilder::f32(double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
}
Value GpuBuilder::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
Value GpuBuilder::sub(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
Value GpuBuilder::mul(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
Value GpuBuilder::div(Value x, Value y) {
  return arith::DivFOp::create(b, x, y);
}
Value GpuBuilder::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}
Value GpuBuilder::larger(Value x, Value y) {
  return LLVM::MaxNumOp::create(b, x, y); // one instruction; what arith has is expanded
}
Value GpuBuilder::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, condition, yes, no);
}

// Control flow with values.

GpuBuilder::Values GpuBuilder::ifElse(Value condition, function_ref<Values()> yes, function_ref<Values()> no) {
  auto fill = [&](function_ref<Values()> body) {
    return [this, body](OpBuilder &builder, Location) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(builder.getInsertionBlock());
      scf::YieldOp::create(b, body());
    };
  };
  return Values(scf::IfOp::create(b, condition, fill(yes), fill(no)).getResults());
}

GpuBuilder::Values GpuBuilder::whileLoop(ValueRange init, function_ref<Value(ValueRange)> condition,
                                         function_ref<Values(ValueRange)> body) {
  auto before = [&](OpBuilder &builder, Location, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(builder.getInsertionBlock());
    Value holds = condition(carried);
    scf::ConditionOp::create(b, holds, carried);
  };
  auto after = [&](OpBuilder &builder, Location, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(builder.getInsertionBlock());
    scf::YieldOp::create(b, body(carried));
  };
  return Values(scf::WhileOp::create(b, init.getTypes(), init, before, after).getResults());
}
