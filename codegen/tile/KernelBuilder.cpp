// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The frame of a tiled kernel.
#include "codegen/tile/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

// Static so that the bare-pointer calling convention applies; no buffer is that long, and nothing depends on it.
static constexpr int64_t kBufferElements = int64_t(1) << 40;

MemRefType tamis::bufferType(Type element) {
  if (element.isInteger(1))
    element = IntegerType::get(element.getContext(), 8);
  // As bits: LLVM has no vectors of these without special features, and would call functions to move them.
  if (element.isF16() || element.isBF16())
    element = IntegerType::get(element.getContext(), 16);
  if (element.isInteger(4))
    element = IntegerType::get(element.getContext(), 8);
  if (auto integer = dyn_cast<IntegerType>(element); integer && !integer.isSignless())
    element = IntegerType::get(element.getContext(), integer.getWidth());
  return MemRefType::get({kBufferElements}, element);
}

KernelBuilder::KernelBuilder(func::FuncOp source)
    : ImplicitLocOpBuilder(source.getLoc(), source.getContext()), sourceFunction(source) {
  SmallVector<Type> types;
  for (Type type : llvm::concat<const Type>(source.getArgumentTypes(), source.getResultTypes()))
    types.push_back(bufferType(cast<RankedTensorType>(type).getElementType()));
  auto symbols = model::symbolsOf(source);
  types.append(symbols.size() + 2, getIndexType());
  types.push_back(bufferType(getF32Type()));
  setInsertionPoint(source);
  std::string name = source.getName().str();
  source.setName(name + ".source");
  function = func::FuncOp::create(*this, name, getFunctionType(types, getI32Type()));
  for (NamedAttribute attribute : source->getDiscardableAttrs())
    function->setAttr(attribute.getName(), attribute.getValue());
  entry = function.addEntryBlock();
  setInsertionPointToEnd(entry);
  unsigned first = source.getNumArguments() + source.getNumResults();
  for (auto [i, symbol] : llvm::enumerate(symbols))
    sizes[symbol.name] = function.getArgument(first + i);
}

func::FuncOp KernelBuilder::finish(Value status) {
  if (!status)
    status = arith::ConstantIntOp::create(*this, 0, 32);
  func::ReturnOp::create(*this, status);
  sourceFunction.erase();
  return function;
}

Value KernelBuilder::bufferOf(Value modelValue) {
  if (auto argument = dyn_cast<BlockArgument>(modelValue))
    return function.getArgument(argument.getArgNumber());
  auto terminator = sourceFunction.front().getTerminator();
  for (auto [i, operand] : llvm::enumerate(terminator->getOperands()))
    if (operand == modelValue)
      return result(i);
  return {};
}

Value KernelBuilder::size(const DimExpr &expr) {
  if (auto number = expr.constant())
    return index(*number);
  auto it = sizes.find(expr.str());
  if (it != sizes.end())
    return it->second;
  InsertionGuard guard(*this);
  // Sizes may be asked for inside loops; they are the same everywhere, so they are computed once, up front.
  if (entry->empty() || getInsertionBlock() != entry) {
    setInsertionPointToStart(entry);
    for (Operation &op : *entry) {
      if (op.getNumRegions())
        break;
      setInsertionPointAfter(&op);
    }
  }
  Value total = index(0);
  for (const auto &[monomial, coefficient] : expr.terms()) {
    Value term = index(coefficient);
    for (const std::string &factor : monomial) {
      Value value;
      if (auto call = DimExpr::parseCall(factor)) {
        Value a = size(call->operands[0]), b = size(call->operands[1]);
        value = call->name == "floordiv" ? createOrFold<arith::FloorDivSIOp>(a, b)
                : call->name == "max"    ? createOrFold<arith::MaxSIOp>(a, b)
                                         : createOrFold<arith::MinSIOp>(a, b);
      } else {
        value = sizes.lookup(factor);
        assert(value && "kernel uses a symbol that its function does not declare");
      }
      term = mul(term, value);
    }
    total = add(total, term);
  }
  sizes[expr.str()] = total;
  return total;
}

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
Value KernelBuilder::add(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value KernelBuilder::sub(Value a, Value b) { return createOrFold<arith::SubIOp>(a, b); }
Value KernelBuilder::mul(Value a, Value b) { return createOrFold<arith::MulIOp>(a, b); }
Value KernelBuilder::divFloor(Value a, Value b) { return createOrFold<arith::DivUIOp>(a, b); }
Value KernelBuilder::rem(Value a, Value b) { return createOrFold<arith::RemUIOp>(a, b); }
Value KernelBuilder::minimum(Value a, Value b) { return createOrFold<arith::MinUIOp>(a, b); }

Value KernelBuilder::load(Value buffer, Value offset) { return memref::LoadOp::create(*this, buffer, offset); }

void KernelBuilder::store(Value value, Value buffer, Value offset) {
  if (value.getType().isInteger(1))
    value = arith::ExtUIOp::create(*this, getI8Type(), value);
  memref::StoreOp::create(*this, value, buffer, offset);
}

Value KernelBuilder::loadVector(Value buffer, Value offset, unsigned lanes) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  return vector::LoadOp::create(*this, vectorType(lanes, element), buffer, offset);
}

void KernelBuilder::storeVector(Value vector, Value buffer, Value offset) {
  vector::StoreOp::create(*this, vector, buffer, offset);
}

/// A butterfly of two-input shuffles: after the step of `bit`, blocks of that many rows and lanes have changed places.
SmallVector<Value> KernelBuilder::transpose(ArrayRef<Value> input) {
  SmallVector<Value> rows(input);
  unsigned lanes = rows.size();
  for (unsigned bit = 1; bit < lanes; bit *= 2) {
    SmallVector<int64_t> low, high;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      low.push_back(lane & bit ? lanes + lane - bit : lane);
      high.push_back(lane & bit ? lanes + lane : lane + bit);
    }
    for (unsigned i = 0; i < lanes; ++i) {
      if (i & bit)
        continue;
      Value first = rows[i], second = rows[i | bit];
      rows[i] = vector::ShuffleOp::create(*this, first, second, low);
      rows[i | bit] = vector::ShuffleOp::create(*this, first, second, high);
    }
  }
  return rows;
}

void KernelBuilder::prefetch(Value buffer, Value offset) {
  memref::PrefetchOp::create(*this, buffer, offset, /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
}

void KernelBuilder::prefetchForWrite(Value buffer, Value offset) {
  memref::PrefetchOp::create(*this, buffer, offset, /*isWrite=*/true, /*localityHint=*/3, /*isDataCache=*/true);
}

void KernelBuilder::loop(Value low, Value high, int64_t step, function_ref<void(Value)> body) {
  scf::ForOp::create(*this, low, high, index(step), ValueRange(),
                     [&](OpBuilder &builder, Location loc, Value iv, ValueRange) {
                       InsertionGuard guard(*this);
                       setInsertionPointToEnd(builder.getInsertionBlock());
                       body(iv);
                       scf::YieldOp::create(*this, ValueRange());
                     });
}

SmallVector<Value> KernelBuilder::loop(Value low, Value high, int64_t step, ValueRange init,
                                       function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, low, high, index(step), init,
                                 [&](OpBuilder &builder, Location loc, Value iv, ValueRange carried) {
                                   InsertionGuard guard(*this);
                                   setInsertionPointToEnd(builder.getInsertionBlock());
                                   scf::YieldOp::create(*this, body(iv, carried));
                                 });
  return SmallVector<Value>(loop.getResults());
}

void KernelBuilder::branch(Value condition, function_ref<void()> yes, function_ref<void()> no) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(no));
  InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  yes();
  if (!no)
    return;
  setInsertionPointToStart(branch.elseBlock());
  no();
}

void KernelBuilder::switchOver(Value value, ArrayRef<unsigned> cases, function_ref<void(int64_t)> body) {
  SmallVector<int64_t> numbers(cases);
  auto choice = scf::IndexSwitchOp::create(*this, TypeRange(), value, numbers, numbers.size());
  InsertionGuard guard(*this);
  auto fill = [&](Region &region, function_ref<void()> content) {
    setInsertionPointToStart(&region.emplaceBlock());
    content();
    scf::YieldOp::create(*this);
  };
  for (auto [number, region] : llvm::zip(numbers, choice.getCaseRegions()))
    fill(region, [&, number = number] { body(number); });
  fill(choice.getDefaultRegion(), [] {});
}

VectorType KernelBuilder::vectorType(unsigned lanes, Type element) {
  return VectorType::get({int64_t(lanes)}, element ? element : getF32Type());
}

Value KernelBuilder::splat(double value, unsigned lanes) {
  auto type = vectorType(lanes);
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, getF32FloatAttr(float(value)).getValue()));
}

Value KernelBuilder::broadcast(Value scalar, unsigned lanes) {
  return vector::BroadcastOp::create(*this, vectorType(lanes, scalar.getType()), scalar);
}
