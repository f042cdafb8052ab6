// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scopes, index arithmetic and views of the code for single points.
#include "codegen/tile/MapPoints.h"

#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using arith::CmpIPredicate;

struct MapPoints::Scope {
  Block *block;
  bool isConditional;
  Operation *child = nullptr; ///< the open loop or condition that code goes before; else code goes to the end
  std::map<Key, Value> known = {};
};

MapPoints::MapPoints(KernelBuilder &builder, const CpuTarget &target) : builder(builder), math(builder, target) {
  scopes.push_back(std::make_unique<Scope>(Scope{builder.getInsertionBlock(), /*isConditional=*/false}));
  for (const Symbol &symbol : symbolsOf(builder.source()))
    ranges[symbol.name] = {symbol.min, symbol.max};
}

MapPoints::~MapPoints() = default;

// Scopes.

unsigned MapPoints::depthOf(Value value) const {
  return depths.lookup(value);
}

unsigned MapPoints::depthOf(ValueRange values) const {
  unsigned depth = 0;
  for (Value value : values)
    depth = std::max(depth, depthOf(value));
  return depth;
}

/// The outermost scope that reads may be moved to: that of the innermost condition, whose branch alone knows that what
/// it reads exists. Leaving a loop is safe: where it runs no iteration, a read that does not depend on it is still of
/// an element.
unsigned MapPoints::floor() const {
  unsigned depth = scopes.size() - 1;
  while (depth > 0 && !scopes[depth]->isConditional)
    --depth;
  return depth;
}

void MapPoints::moveTo(unsigned depth) {
  Scope &scope = *scopes[depth];
  if (scope.child)
    builder.setInsertionPoint(scope.child);
  else
    builder.setInsertionPointToEnd(scope.block);
}

Value MapPoints::emit(ArrayRef<Value> operands, function_ref<Value()> create, bool reads) {
  unsigned depth = std::max(depthOf(operands), reads ? floor() : 0);
  moveTo(depth);
  Value result = create();
  if (depth && result.getDefiningOp() && result.getDefiningOp()->getBlock() == scopes[depth]->block)
    depths[result] = depth;
  return result;
}

/// Gives the value of an equal key in an open scope, or creates it and keeps it in the scope where it came to live.
Value MapPoints::remember(Key key, function_ref<Value()> create) {
  for (auto &scope : llvm::reverse(scopes))
    if (auto it = scope->known.find(key); it != scope->known.end())
      return it->second;
  Value value = create();
  return scopes[depthOf(value)]->known[std::move(key)] = value;
}

void MapPoints::enter(Operation *op, Block *block, unsigned depth, bool isConditional, function_ref<void()> body) {
  // Scopes further in are none of the new code's business.
  std::vector<std::unique_ptr<Scope>> inner(std::make_move_iterator(scopes.begin() + depth + 1),
                                            std::make_move_iterator(scopes.end()));
  scopes.resize(depth + 1);
  Operation *before = std::exchange(scopes[depth]->child, op);
  scopes.push_back(std::make_unique<Scope>(Scope{block, isConditional}));
  body();
  scopes.resize(depth + 1);
  scopes[depth]->child = before;
  llvm::append_range(scopes,
                     llvm::make_range(std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end())));
}

scf::ForOp MapPoints::loopAt(unsigned depth, Value low, Value high, Value init,
                             function_ref<Value(Value, Value)> body) {
  Value one = index(1);
  moveTo(depth);
  auto loop = scf::ForOp::create(builder, low, high, one, init ? ValueRange(init) : ValueRange());
  Block *block = loop.getBody();
  if (block->mightHaveTerminator())
    block->getTerminator()->erase();
  for (BlockArgument argument : block->getArguments())
    depths[argument] = depth + 1;
  for (Value result : loop.getResults())
    depths[result] = depth;
  enter(loop, block, depth, /*isConditional=*/false, [&] {
    Value last = body(loop.getInductionVar(), init ? Value(loop.getRegionIterArg(0)) : Value());
    builder.setInsertionPointToEnd(block);
    scf::YieldOp::create(builder, last ? ValueRange(last) : ValueRange());
  });
  return loop;
}

scf::ForOp MapPoints::loop(Value low, Value high, function_ref<void(Value)> body) {
  return loopAt(scopes.size() - 1, low, high, {}, [&](Value iv, Value) {
    body(iv);
    return Value();
  });
}

Value MapPoints::conditional(Value condition, Type type, unsigned depth, function_ref<Value()> then,
                             function_ref<Value()> otherwise) {
  moveTo(depth);
  auto branch = scf::IfOp::create(builder, type, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  auto fill = [&](Block *block, function_ref<Value()> create) {
    enter(branch, block, depth, /*isConditional=*/true, [&] {
      Value value = create();
      builder.setInsertionPointToEnd(block);
      scf::YieldOp::create(builder, value);
    });
  };
  fill(branch.thenBlock(), then);
  fill(branch.elseBlock(), otherwise);
  depths[branch.getResult(0)] = depth;
  return branch.getResult(0);
}

// Index arithmetic.

Value MapPoints::index(int64_t value) {
  Value &known = constants[value];
  if (!known) {
    moveTo(0);
    known = builder.index(value);
  }
  return known;
}

Value MapPoints::size(const DimExpr &expr) {
  if (auto number = expr.constant())
    return index(*number);
  moveTo(0);
  return builder.size(expr);
}

Value MapPoints::arithmetic(Arithmetic kind, Value a, Value b) {
  bool commutes = kind != Arithmetic::sub && kind != Arithmetic::div && kind != Arithmetic::rem;
  Value first = a, second = b;
  if (commutes && second.getAsOpaquePointer() < first.getAsOpaquePointer())
    std::swap(first, second);
  // Numbers below any pointer, so that these keys equal no other.
  Key key{reinterpret_cast<const void *>(uintptr_t(kind) + 1), first.getAsOpaquePointer(), second.getAsOpaquePointer()};
  return remember(std::move(key), [&] {
    Value result = emit({a, b}, [&]() -> Value {
      switch (kind) {
      case Arithmetic::add:
        return builder.createOrFold<arith::AddIOp>(a, b);
      case Arithmetic::sub:
        return builder.createOrFold<arith::SubIOp>(a, b);
      case Arithmetic::mul:
        return builder.createOrFold<arith::MulIOp>(a, b);
      case Arithmetic::div:
        return builder.createOrFold<arith::DivUIOp>(a, b);
      case Arithmetic::rem:
        return builder.createOrFold<arith::RemUIOp>(a, b);
      case Arithmetic::minimum:
        return builder.createOrFold<arith::MinSIOp>(a, b);
      case Arithmetic::maximum:
        return builder.createOrFold<arith::MaxSIOp>(a, b);
      }
      llvm_unreachable("every kind is listed");
    });
    auto number = getConstantIntValue(result);
    return number ? index(*number) : result;
  });
}

Value MapPoints::add(Value a, Value b) {
  if (getConstantIntValue(a))
    std::swap(a, b);
  // (x + 1) + 2 and x + 3 are one value, so that chains of slices meet.
  auto inner = a.getDefiningOp<arith::AddIOp>();
  auto outer = getConstantIntValue(b), constant = inner ? getConstantIntValue(inner.getRhs()) : std::nullopt;
  if (outer && constant)
    return add(inner.getLhs(), index(*outer + *constant));
  return arithmetic(Arithmetic::add, a, b);
}
Value MapPoints::sub(Value a, Value b) {
  return arithmetic(Arithmetic::sub, a, b);
}
Value MapPoints::mul(Value a, Value b) {
  return arithmetic(Arithmetic::mul, a, b);
}
Value MapPoints::div(Value a, Value b) {
  return arithmetic(Arithmetic::div, a, b);
}
Value MapPoints::rem(Value a, Value b) {
  return arithmetic(Arithmetic::rem, a, b);
}
Value MapPoints::minimum(Value a, Value b) {
  return arithmetic(Arithmetic::minimum, a, b);
}
Value MapPoints::maximum(Value a, Value b) {
  return arithmetic(Arithmetic::maximum, a, b);
}

/// Axes of size one say nothing.
static void dropOnes(ArrayRef<DimExpr> dims, ArrayRef<Value> indices, Dims &keptDims, SmallVector<Value> &kept) {
  for (auto [dim, index] : llvm::zip_equal(dims, indices))
    if (!dim.isConstant(1)) {
      keptDims.push_back(dim);
      kept.push_back(index);
    }
}

Value MapPoints::linearize(ArrayRef<DimExpr> dims, ArrayRef<Value> indices) {
  Dims sizes;
  SmallVector<Value> parts;
  dropOnes(dims, indices, sizes, parts);
  if (parts.empty())
    return index(0);
  SmallVector<Value> terms;
  DimExpr stride = 1;
  for (auto [dim, part] : llvm::reverse(llvm::zip_equal(sizes, parts))) {
    terms.push_back(mul(part, size(stride)));
    stride = stride * dim;
  }
  // What outer loops know is summed outside.
  Value sum;
  for (unsigned depth = 0; depth < scopes.size(); ++depth)
    for (Value term : terms)
      if (depthOf(term) == depth)
        sum = sum ? add(sum, term) : term;
  if (parts.size() > 1 && !getConstantIntValue(sum))
    composed[sum] = {sizes, parts};
  return sum;
}

SmallVector<Value> MapPoints::delinearize(ArrayRef<DimExpr> dims, Value number) {
  SmallVector<Value> indices(dims.size(), index(0)), parts;
  Dims sizes;
  SmallVector<unsigned> axes;
  for (auto [axis, dim] : llvm::enumerate(dims))
    if (!dim.isConstant(1)) {
      sizes.push_back(dim);
      axes.push_back(axis);
    }
  if (axes.empty())
    return indices;
  auto it = composed.find(number);
  if (it != composed.end() && it->second.first == sizes) {
    parts = it->second.second;
  } else {
    parts.resize(axes.size());
    for (unsigned i = axes.size(); i-- > 1;) {
      parts[i] = rem(number, size(sizes[i]));
      number = div(number, size(sizes[i]));
    }
    parts[0] = number;
  }
  for (auto [axis, part] : llvm::zip_equal(axes, parts))
    indices[axis] = part;
  return indices;
}

SmallVector<Value> MapPoints::reshapeIndices(ArrayRef<DimExpr> from, ArrayRef<DimExpr> to, ArrayRef<Value> indices) {
  Dims sizes;
  SmallVector<Value> parts, result(to.size(), index(0));
  dropOnes(from, indices, sizes, parts);
  SmallVector<unsigned> axes;
  for (auto [axis, dim] : llvm::enumerate(to))
    if (!dim.isConstant(1))
      axes.push_back(axis);
  // The shortest runs of axes on both sides with equal products: only within them do elements change places.
  for (size_t i = 0, j = 0; i < sizes.size() || j < axes.size();) {
    size_t firstI = i, firstJ = j;
    DimExpr a = 1, b = 1;
    while (i == firstI || j == firstJ || a != b) {
      bool canA = i < sizes.size(), canB = j < axes.size();
      if (!canA && !canB)
        break; // an empty tensor; nothing is read
      // The side whose product divides the other's grows.
      if (canA && (!canB || i == firstI || (j != firstJ && b.exactDiv(a))))
        a = a * sizes[i++];
      else
        b = b * to[axes[j++]];
    }
    if (i - firstI == 1 && j - firstJ == 1) {
      result[axes[firstJ]] = parts[firstI];
      continue;
    }
    Dims inner;
    for (unsigned axis : ArrayRef(axes).slice(firstJ, j - firstJ))
      inner.push_back(to[axis]);
    Value number = linearize(ArrayRef(sizes).slice(firstI, i - firstI), ArrayRef(parts).slice(firstI, i - firstI));
    for (auto [axis, part] : llvm::zip_equal(ArrayRef(axes).slice(firstJ, j - firstJ), delinearize(inner, number)))
      result[axis] = part;
  }
  return result;
}

/// Whether the expression is `bound` or more for all values of the symbols; false when unknown.
bool MapPoints::isAtLeast(const DimExpr &expr, int64_t bound) const {
  int64_t lowest = 0;
  for (const auto &[monomial, coefficient] : expr.terms()) {
    int64_t term = coefficient;
    for (const std::string &factor : monomial) {
      auto it = ranges.find(factor);
      if (it == ranges.end() || it->second.first < 0 ||
          llvm::MulOverflow(term, coefficient > 0 ? it->second.first : it->second.second, term))
        return false;
    }
    if (llvm::AddOverflow(lowest, term, lowest))
      return false;
  }
  return lowest >= bound;
}

// Errors.

void MapPoints::report(Value isError) {
  if (!statusCell) {
    moveTo(0);
    Type i32 = builder.getI32Type();
    statusCell = memref::AllocaOp::create(builder, MemRefType::get({1}, i32));
    builder.store(math.integer(i32, 0), statusCell, builder.index(0));
  }
  Value zero = index(0);
  emit(
      {isError},
      [&] {
        Value old = builder.load(statusCell, zero);
        Value flag = arith::ExtUIOp::create(builder, builder.getI32Type(), isError);
        Value status = arith::OrIOp::create(builder, old, flag);
        builder.store(status, statusCell, zero);
        return status;
      },
      /*reads=*/true);
}

Value MapPoints::status() {
  Value zero = index(0), status;
  moveTo(0);
  if (statusCell)
    status = builder.load(statusCell, zero);
  if (!refused)
    return status;
  if (!status)
    status = math.integer(builder.getI32Type(), 0);
  return arith::SelectOp::create(builder, refused, math.integer(builder.getI32Type(), 1), status);
}
