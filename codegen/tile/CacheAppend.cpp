// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// New tokens to their pages: keys with tokens last, values with tokens first, both rounded where the cache holds bytes.
#include "codegen/tile/CacheTilers.h"
#include "codegen/tile/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

namespace {
class AppendTiler {
public:
  AppendTiler(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), places(builder, kernel), math(builder), lanes(target.lanes) {}

  Value emit() {
    Value fine = arith::ConstantIntOp::create(b, 0, 1);
    Value fault = b.loop(b.begin(), b.end(), 1, {fine}, [&](Value head, ValueRange before) {
      return b.loop(b.index(0), places.tokens(), 1, before,
                    [&](Value token, ValueRange carried) { return Vectors{writeToken(head, token, carried[0])}; });
    })[0];
    return arith::ExtUIOp::create(b, b.getI32Type(), fault);
  }

private:
  using Vectors = SmallVector<Value>;

  Value writeToken(Value head, Value token, Value fault) {
    const cache::PoolSizes &s = kernel.sizes;
    Value text = places.text(token), position = places.position(token), none = b.index(-1);
    Value page = places.choose(
        places.isOutside(text, position), b.getIndexType(), [&] { return none; },
        [&] { return places.page(text, b.divFloor(position, b.index(s.page))); });
    Value isWrong = places.isNoPage(page), slot = b.rem(position, b.index(s.page));
    b.branch(
        isWrong, [] {},
        [&] {
          Value line = b.add(b.mul(page, s.heads), head);
          Value key = rowOf(kernel.key, token, head, s.keyWidth),
                value = rowOf(kernel.value, token, head, s.valueWidth);
          if (s.hasBounds)
            widenBounds(key, line, slot);
          if (s.isByte) {
            Value at = b.add(b.mul(line, s.page), slot);
            Value inverse = unitOf(kernel.key, key, s.keyWidth, b.result(2), at);
            writeKey(key, line, slot, inverse);
            inverse = unitOf(kernel.value, value, s.valueWidth, b.result(3), at);
            writeValue(value, line, slot, inverse);
          } else {
            writeKey(key, line, slot, {});
            writeValue(value, line, slot, {});
          }
        });
    return arith::OrIOp::create(b, fault, isWrong);
  }

  Value rowOf(const RowRange &range, Value token, Value head, int64_t width) {
    return b.add(b.add(b.mul(token, range.rowStride), b.mul(head, width)), range.firstColumn);
  }

  Value load(const RowRange &range, Value row, int64_t column, int64_t width) {
    Value buffer = b.argument(range.source.getArgNumber()), offset = b.add(row, column);
    if (column + lanes <= width)
      return b.loadVector(buffer, offset, lanes);
    return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists(width - column),
                                        b.splat(0, lanes));
  }
  Value exists(int64_t count) {
    return vector::ConstantMaskOp::create(b, VectorType::get({int64_t(lanes)}, b.getI1Type()),
                                          ArrayRef<int64_t>{count});
  }

  /// Stores what an integer of the row stands for, and gives its inverse.
  Value unitOf(const RowRange &range, Value row, int64_t width, Value scales, Value at) {
    Value largest = b.splat(0, lanes);
    for (int64_t column = 0; column < width; column += lanes)
      largest = arith::MaximumFOp::create(b, largest, math::AbsFOp::create(b, load(range, row, column, width)));
    Value most = vector::ReductionOp::create(b, vector::CombiningKind::MAXIMUMF, largest);
    auto number = [&](double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value))); };
    b.store(arith::MulFOp::create(b, most, number(1 / 127.0f)), scales, at);
    Value isAny = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, most, number(0));
    return arith::SelectOp::create(b, isAny, arith::DivFOp::create(b, number(127), most), number(0));
  }

  /// Integers of [-127, 127] as i8; of NaN, which the row's scale is too then, any.
  Value rounded(Value numbers, Value inverse) {
    Value scaled = arith::MulFOp::create(b, numbers, b.broadcast(inverse, lanes));
    Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, scaled, scaled);
    scaled = arith::SelectOp::create(b, isNumber, scaled, b.splat(0, lanes));
    scaled = math::RoundEvenOp::create(b, math.atMost(math.atLeast(scaled, -127), 127));
    Value wide = arith::FPToSIOp::create(b, b.vectorType(lanes, b.getI32Type()), scaled);
    return arith::TruncIOp::create(b, b.vectorType(lanes, b.getI8Type()), wide);
  }

  /// The first token of a page is both bounds.
  void widenBounds(Value row, Value line, Value slot) {
    const cache::PoolSizes &s = kernel.sizes;
    Value bounds = b.result(s.isByte ? 4 : 2), base = b.mul(line, 2 * s.keyWidth);
    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slot, b.index(0));
    for (int64_t column = 0; column < s.keyWidth; column += lanes) {
      int64_t valid = std::min<int64_t>(lanes, s.keyWidth - column);
      Value key = load(kernel.key, row, column, s.keyWidth);
      for (int64_t isHigh : {0, 1}) {
        Value at = b.add(base, isHigh * s.keyWidth + column), mask = exists(valid);
        Value before = vector::MaskedLoadOp::create(b, b.vectorType(lanes), bounds, at, mask, b.splat(0, lanes));
        Value wide = isHigh ? arith::MaximumFOp::create(b, before, key).getResult()
                            : arith::MinimumFOp::create(b, before, key).getResult();
        wide = arith::SelectOp::create(b, isFirst, key, wide);
        vector::MaskedStoreOp::create(b, bounds, at, mask, wide);
      }
    }
  }

  /// One number after the other: they lie a page's tokens apart.
  void writeKey(Value row, Value line, Value slot, Value inverse) {
    const cache::PoolSizes &s = kernel.sizes;
    Value base = b.add(b.mul(line, s.keyWidth * s.page), slot);
    for (int64_t column = 0; column < s.keyWidth; column += lanes) {
      Value numbers = load(kernel.key, row, column, s.keyWidth);
      if (inverse)
        numbers = rounded(numbers, inverse);
      for (int64_t i = 0; i < std::min<int64_t>(lanes, s.keyWidth - column); ++i)
        b.store(vector::ExtractOp::create(b, numbers, i), b.result(0), b.add(base, (column + i) * s.page));
    }
  }

  void writeValue(Value row, Value line, Value slot, Value inverse) {
    const cache::PoolSizes &s = kernel.sizes;
    Value base = b.mul(b.add(b.mul(line, s.page), slot), s.valueWidth);
    for (int64_t column = 0; column < s.valueWidth; column += lanes) {
      Value numbers = load(kernel.value, row, column, s.valueWidth), offset = b.add(base, column);
      if (inverse)
        numbers = rounded(numbers, inverse);
      if (column + lanes <= s.valueWidth)
        b.storeVector(numbers, b.result(1), offset);
      else
        for (int64_t i = 0; i < s.valueWidth - column; ++i)
          b.store(vector::ExtractOp::create(b, numbers, i), b.result(1), b.add(offset, i));
    }
  }

  KernelBuilder &b;
  const CacheKernel &kernel;
  CachePlaces places;
  VectorMath math;
  unsigned lanes;
};
} // namespace

Value tamis::tileCacheAppend(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target) {
  return AppendTiler(builder, kernel, target).emit();
}
