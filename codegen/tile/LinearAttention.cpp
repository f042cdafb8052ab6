// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear attention: work groups, chunks of queries and keys, the state between them.
#include "codegen/tile/LinearAttention.h"
#include "codegen/tile/LinearAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace tamis;

LinearAttentionTiler::LinearAttentionTiler(KernelBuilder &builder, const LinearAttentionKernel &kernel,
                                           const CpuTarget &target)
    : b(builder), kernel(kernel), place(kernel), math(builder), lanes(target.lanes), registers(target.registers) {
  scratch = b.scratch();
  queries = b.size(kernel.queries);
  keys = b.size(kernel.keys);
}

Value LinearAttentionTiler::limitToKeys(Value position) {
  Value least = b.createOrFold<arith::MaxSIOp>(position, b.index(0));
  return b.createOrFold<arith::MinSIOp>(least, keys);
}

void LinearAttentionTiler::emit() {
  b.loop(b.begin(), b.end(), 1, [&](Value index) {
    Value heads = b.index(kernel.heads), head = b.rem(index, heads);
    group({b.divFloor(index, heads), head, b.divFloor(head, b.index(kernel.groupSize))});
  });
}

void LinearAttentionTiler::group(const Group &group) {
  b.loop(b.index(place.state), b.index(place.sums + place.paddedD), lanes,
         [&](Value offset) { store(b.splat(0, lanes), offset); });
  // Query i stands at key i + keys - queries.
  Value shift = b.sub(keys, queries);
  addKeys(group, b.index(0), kernel.causal ? limitToKeys(shift) : keys);
  b.loop(b.index(0), queries, Scratch::kChunk, [&](Value firstQuery) {
    Chunk chunk{group, firstQuery, b.minimum(b.index(Scratch::kChunk), b.sub(queries, firstQuery)), {}, {}, {}};
    packQueries(chunk);
    if (!kernel.causal)
      return writeResult(chunk);
    Value position = b.add(firstQuery, shift);
    chunk.firstKey = limitToKeys(position);
    chunk.keyCount = b.sub(limitToKeys(b.add(position, chunk.rows)), chunk.firstKey);
    chunk.limit = b.sub(position, chunk.firstKey);
    packKeys(group, chunk.firstKey, chunk.keyCount);
    turnKeys(chunk.keyCount);
    addOwnKeys(chunk);
    writeResult(chunk);
    addToState(chunk.keyCount);
  });
}

void LinearAttentionTiler::addKeys(const Group &group, Value first, Value end) {
  b.loop(first, end, Scratch::kChunk, [&](Value key) {
    Value count = b.minimum(b.index(Scratch::kChunk), b.sub(end, key));
    packKeys(group, key, count);
    addToState(count);
  });
}

/// state += features of the packed keys, transposed, times their values; and the sums of the features.
void LinearAttentionTiler::addToState(Value count) {
  auto depth = [&](Value) { return count; };
  multiply(Product{b.index(place.keys), 1, place.paddedD, b.index(place.values), place.paddedE, depth},
           b.index(place.paddedD), place.paddedE, b.index(place.state), place.paddedE, /*adds=*/true);
  b.loop(b.index(0), b.index(place.paddedD), lanes, [&](Value d) {
    Value sum = b.loop(b.index(0), count, 1, b.splat(0, lanes), [&](Value key, ValueRange carried) {
      Value feature = load(b.add(b.add(b.mul(key, place.paddedD), d), place.keys));
      return Vectors{arith::AddFOp::create(b, carried[0], feature)};
    })[0];
    Value offset = b.add(d, place.sums);
    store(arith::AddFOp::create(b, load(offset), sum), offset);
  });
}

/// Products of the chunk's queries with its own keys; zero where the key comes later, whatever lies there.
void LinearAttentionTiler::addOwnKeys(const Chunk &chunk) {
  auto depth = [&](Value) { return b.index(kernel.D); };
  multiply(Product{b.index(place.queries), place.paddedD, 1, b.index(place.turned), Scratch::kChunk, depth}, chunk.rows,
           Scratch::kChunk, b.index(place.products), Scratch::kChunk, /*adds=*/false);
  SmallVector<int32_t> numbers(lanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value lane = arith::ConstantOp::create(b, DenseIntElementsAttr::get(b.vectorType(lanes, b.getI32Type()), numbers));
  b.loop(b.index(0), chunk.rows, 1, [&](Value row) {
    b.loop(b.index(0), b.index(Scratch::kChunk), lanes, [&](Value column) {
      Value last = arith::IndexCastOp::create(b, b.getI32Type(), b.sub(b.add(chunk.limit, row), column));
      Value reads = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, lane, b.broadcast(last, lanes));
      Value offset = b.add(b.add(b.mul(row, Scratch::kChunk), column), place.products);
      store(select(reads, load(offset), b.splat(0, lanes)), offset);
    });
  });
}

/// result = (queries x state + own products x own values) / the same with ones for values.
void LinearAttentionTiler::writeResult(const Chunk &chunk) {
  auto features = [&](Value) { return b.index(kernel.D); };
  auto ownKeys = [&](Value row) { // of a tile that begins there
    Value end = b.createOrFold<arith::MaxSIOp>(b.add(b.add(chunk.limit, row), kRows), b.index(0));
    return b.createOrFold<arith::MinSIOp>(end, chunk.keyCount);
  };
  SmallVector<Product> products{
      {b.index(place.queries), place.paddedD, 1, b.index(place.state), place.paddedE, features}};
  if (kernel.causal)
    products.push_back({b.index(place.products), Scratch::kChunk, 1, b.index(place.values), place.paddedE, ownKeys});
  multiply(products, chunk.rows, place.paddedE, b.index(place.output), place.paddedE, /*adds=*/false);

  int64_t width = kernel.heads * kernel.E;
  Value base = b.mul(b.add(b.mul(chunk.group.batch, queries), chunk.firstQuery), width);
  base = b.add(base, b.mul(chunk.group.head, kernel.E));
  b.loop(b.index(0), chunk.rows, 1, [&](Value row) {
    Value sum = b.loop(b.index(0), b.index(place.paddedD), lanes, b.splat(0, lanes), [&](Value d, ValueRange carried) {
      Value feature = load(b.add(b.add(b.mul(row, place.paddedD), d), place.queries));
      return Vectors{vector::FMAOp::create(b, feature, load(b.add(d, place.sums)), carried[0])};
    })[0];
    if (kernel.causal)
      sum = b.loop(b.index(0), b.index(Scratch::kChunk), lanes, sum, [&](Value column, ValueRange carried) {
        Value product = load(b.add(b.add(b.mul(row, Scratch::kChunk), column), place.products));
        return Vectors{arith::AddFOp::create(b, carried[0], product)};
      })[0];
    Value total = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum, arith::FastMathFlags::reassoc);
    Value divisor = b.broadcast(total, lanes), zero = b.splat(0, lanes);
    Value reads = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, divisor, zero);
    Value factor = arith::DivFOp::create(b, b.splat(1, lanes), divisor);
    for (int64_t e = 0; e < kernel.E; e += lanes) {
      Value output = load(b.add(b.add(b.mul(row, place.paddedE), e), place.output));
      Value result = select(reads, arith::MulFOp::create(b, output, factor), zero);
      Value offset = b.add(b.add(base, b.mul(row, width)), e);
      int64_t valid = std::min<int64_t>(lanes, kernel.E - e);
      if (valid == lanes) {
        b.storeVector(result, b.result(0), offset);
        continue;
      }
      auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
      Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
      vector::MaskedStoreOp::create(b, b.result(0), offset, exists, result);
    }
  });
}

LogicalResult tamis::tileLinearAttention(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LinearAttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  LinearAttentionTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

FailureOr<Launch> tamis::linearAttentionLaunch(func::FuncOp function) {
  auto kernel = LinearAttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  return Launch{kernel->batch * kernel->heads, LinearAttentionScratch(*kernel).total * int64_t(sizeof(float))};
}
