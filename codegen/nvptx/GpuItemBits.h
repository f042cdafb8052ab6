// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sets of items on a GPU, as a warp gathers them for a row of an index.
#pragma once

#include "codegen/nvptx/GpuBuilder.h"

namespace tamis {

/// A set of items, one bit each, in the shared memory of one warp, whose lanes emit and run all of this together. Item
/// i is bit i % 32 of word i / 32.
class GpuItemBits {
public:
  /// `address`: i32, of the first word; `lane`: index.
  GpuItemBits(GpuBuilder &gpu, Number address, Number lane);

  /// No item of [0, items) is in the set.
  void clear(Number items);
  /// Adds the lanes' items, which are 32 that begin at a multiple of that, where `isKept`.
  void join(Number item, mlir::Value isKept);
  /// Adds one item, by any lanes in any order. Between this and has() or write() clear() or GpuBuilder::warpBarrier().
  void raise(Number item);
  /// Whether the lane's item, of 32 as above, is in the set.
  mlir::Value has(Number item);
  /// Keeps what another set holds, too.
  void intersect(const GpuItemBits &other, Number items);
  /// The items of [0, items), ascending, as row of a stored index that begins at `row` of the first result and has
  /// `room` for so many; zeros behind them. Gives how many there are, of which the first `room` are written.
  Number write(Number items, Number row, Number room);

private:
  GpuBuilder &gpu;
  KernelBuilder &b;
  Number address, lane;
};

/// Ends a row of a stored index, of `count` items: their number, and zeros behind them. Lanes as above.
void closeStoredRow(GpuBuilder &gpu, Number lane, Number row, Number count, Number room);

} // namespace tamis
