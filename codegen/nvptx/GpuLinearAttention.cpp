// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear attention on GPUs: a warp has 32 columns of a head's values, a lane the state of one of them in registers, to
// which keys are added in order.
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/LinearAttentionKernel.h"
#include "codegen/tile/VectorMath.h"

using namespace mlir;
using namespace tamis;

/// Columns of a query; more would not fit the registers.
static constexpr int64_t kMostWidth = 128;

namespace {
class GpuLinearAttentionTiler {
public:
  GpuLinearAttentionTiler(KernelBuilder &builder, const LinearAttentionKernel &kernel)
      : b(builder), gpu(builder), math(builder), kernel(kernel), lane(gpu.thread().as(b.getIndexType())),
        queries(gpu.size(kernel.queries)), keys(gpu.size(kernel.keys)), batch(lane), head(lane), column(lane),
        shared(gpu.sharedBase()) {}

  static int64_t slices(const LinearAttentionKernel &kernel) { return llvm::divideCeil(kernel.E, kWarp); }
  /// Features of one token.
  static int64_t sharedBytes(const LinearAttentionKernel &kernel) { return llvm::alignTo(kernel.D, kWarp) * 4; }

  void emit() {
    int64_t slices = GpuLinearAttentionTiler::slices(kernel);
    Number row = gpu.group() / slices, zero = gpu.index(0);
    batch = row / kernel.heads;
    head = row % kernel.heads;
    column = gpu.group() % slices * kWarp + lane;
    Values state(kernel.D + steps(), gpu.f32(0));
    if (!kernel.causal)
      state = addKeys(zero, keys, state);
    state.push_back(zero); // the first key that is not in it
    b.loop(zero, queries, 1, state, [&](Value number, ValueRange before) {
      Number query(b, number), done(b, before.back());
      Values now(before.drop_back());
      if (kernel.causal) { // query i stands at key i + keys - queries
        Number end = (query + (keys - queries) + 1).minimum(keys).maximum(zero);
        now = addKeys(done, end, now);
        done = end;
      }
      write(query, now);
      now.push_back(done);
      return now;
    });
    b.finish();
  }

private:
  using Values = SmallVector<Value>;
  int64_t steps() const { return llvm::divideCeil(kernel.D, kWarp); }

  Value featureOf(Value x) {
    if (kernel.feature == sattn::FeatureMap::relu)
      return math.atLeast(x, 0);
    Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, gpu.f32(0));
    return gpu.select(isPositive, gpu.add(x, gpu.f32(1)), math.exp(x));
  }

  /// The features of a token times a weight, each lane's, which all lanes find in shared memory; zeros behind them.
  Values stage(const ColumnRange &range, Number start, Value weight) {
    Values features;
    gpu.warpBarrier(); // nobody reads those before
    for (int64_t step = 0; step < steps(); ++step) {
      Number d = lane + step * kWarp;
      Value x = b.load(b.bufferOf(range.source), start + d.minimum(gpu.index(kernel.D - 1)));
      x = featureOf(x);
      if (weight)
        x = gpu.mul(x, weight);
      features.push_back(gpu.select(d < kernel.D, x, gpu.f32(0)));
      gpu.storeShared(shared + d.as(b.getI32Type()) * 4, 0, features.back());
    }
    gpu.warpBarrier();
    return features;
  }

  void forEachFeature(llvm::function_ref<void(int64_t d, Value feature)> body) {
    for (int64_t d = 0; d < kernel.D; d += 4)
      for (auto [i, feature] : llvm::enumerate(gpu.loadShared(shared, d * 4, 4, b.getF32Type())))
        if (d + int64_t(i) < kernel.D)
          body(d + i, feature);
  }

  /// What the mask leaves of a key; null without one.
  Value weightOf(Number key) {
    if (!kernel.mask)
      return {};
    Value mask = b.load(b.bufferOf(kernel.mask.source), kernel.mask.perBatch ? batch * keys + key : key);
    if (!kernel.mask.isBool)
      return math.exp(mask);
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(mask.getType()));
    return gpu.select(arith::CmpIOp::create(b, arith::CmpIPredicate::ne, mask, zero), gpu.f32(1), gpu.f32(0));
  }

  /// state: [D], and the lane's sums of features.
  Values addKeys(Number first, Number end, ValueRange state) {
    return b.loop(first, end, 1, state, [&](Value number, ValueRange before) {
      Number key(b, number), keyHead = head / kernel.groupSize;
      Value weight = weightOf(key);
      auto add = [&] {
        Values next(before);
        Values own = stage(kernel.key, startOf(kernel.key, keys, key, keyHead, kernel.D), weight);
        for (auto [sum, feature] : llvm::zip(MutableArrayRef(next).drop_front(kernel.D), own))
          sum = gpu.add(sum, feature);
        Number from = startOf(kernel.value, keys, key, keyHead, kernel.E) + column.minimum(gpu.index(kernel.E - 1));
        Value value = b.load(b.bufferOf(kernel.value.source), from);
        forEachFeature([&](int64_t d, Value feature) { next[d] = gpu.fma(feature, value, next[d]); });
        return next;
      };
      if (!weight)
        return add();
      // Keys of no weight may hold anything.
      Value counts = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, weight, gpu.f32(0));
      return gpu.ifElse(counts, add, [&] { return Values(before); });
    });
  }

  void write(Number query, ArrayRef<Value> state) {
    Values own = stage(kernel.query, startOf(kernel.query, queries, query, head, kernel.D), {});
    Value sum = gpu.f32(0), total = sum;
    for (auto [feature, ofKeys] : llvm::zip(own, state.drop_front(kernel.D)))
      sum = gpu.fma(feature, ofKeys, sum);
    sum = gpu.acrossLanes(sum, kWarp, [&](Value x, Value y) { return gpu.add(x, y); });
    forEachFeature([&](int64_t d, Value feature) { total = gpu.fma(feature, state[d], total); });
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, gpu.f32(0));
    Value result = gpu.select(isEmpty, gpu.f32(0), gpu.div(total, sum));
    b.branch(column < kernel.E, [&] {
      b.store(result, b.result(0), ((batch * queries + query) * kernel.heads + head) * kernel.E + column);
    });
  }

  Number startOf(const ColumnRange &range, Number tokens, Number token, Number ofHead, int64_t width) {
    return (batch * tokens + token) * range.rowStride + ofHead * width + range.firstColumn;
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  VectorMath math;
  const LinearAttentionKernel &kernel;
  Number lane, queries, keys, batch, head, column, shared;
};
} // namespace

FailureOr<GpuLaunch> tamis::tileGpuLinearAttention(func::FuncOp function, const GpuTarget &target) {
  auto kernel = LinearAttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  if (kernel->D > kMostWidth)
    return function.emitOpError() << "has heads of " << kernel->D << " columns but up to " << kMostWidth
                                  << " are wanted for " << target.name;
  GpuLaunch launch;
  launch.grid = kernel->batch * kernel->heads * GpuLinearAttentionTiler::slices(*kernel);
  launch.threads = kWarp;
  launch.sharedBytes = GpuLinearAttentionTiler::sharedBytes(*kernel);
  launch.schedule = "32 columns of a head's values a warp";
  KernelBuilder builder(function);
  GpuLinearAttentionTiler(builder, *kernel).emit();
  return launch;
}
