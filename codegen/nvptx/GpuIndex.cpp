// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices made of others on GPUs: a warp a row of the result, whose items it gathers as bits in shared memory.
#include "codegen/nvptx/GpuItemBits.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/LargestSize.h"
#include "codegen/tile/IndexKernel.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using arith::CmpIPredicate;

namespace {
/// Words of shared memory of a set of items where their number is not known: 2^18 items.
constexpr int64_t kMostWords = 8192;
constexpr int64_t kMostShared = 96 * 1024; ///< of a work group

/// A launch with more items than there is room for, with an operand that cannot be read (as tileIndex, Index.h) or with
/// a row that has not the capacity for its items ends with an error.
class GpuIndexTiler {
public:
  GpuIndexTiler(KernelBuilder &builder, const IndexKernel &kernel)
      : b(builder), gpu(builder), kernel(kernel), lane(gpu.index(0)) {
    auto most = largestOf(kernel.items, model::symbolsOf(b.source()));
    int64_t wanted = most ? llvm::divideCeil(std::max<int64_t>(*most, 1), kWarp) : kMostWords + 1;
    fits = wanted <= kMostWords;
    words = llvm::alignTo(std::min(wanted, kMostWords), 4);
    sets = isa<IntersectOp>(kernel.op) && kernel.inputs.size() > 1 ? 2 : 1;
    while (warps > 1 && warps * warpBytes() > kMostShared)
      warps /= 2;
  }

  GpuLaunch launch() {
    GpuLaunch launch;
    launch.grid = DimExpr::floorDiv(kernel.batch * kernel.heads * kernel.rows + (warps - 1), warps);
    launch.threads = warps * kWarp;
    launch.sharedBytes = warps * warpBytes();
    launch.schedule = "one row a warp, " + std::to_string(warps) + " warps";
    return launch;
  }

  void emit() {
    Number thread = gpu.thread(), warp = thread / kWarp, shared = gpu.sharedBase() + warp * warpBytes();
    lane = (thread % kWarp).as(b.getIndexType());
    set.emplace(gpu, shared, lane);
    other.emplace(gpu, shared + (sets - 1) * words * 4, lane);
    if (!fits)
      gpu.trapIf(gpu.index(words * kWarp) < gpu.size(kernel.items));
    Number number = gpu.group() * warps + warp.as(b.getIndexType()), rows = gpu.size(kernel.rows);
    b.branch(number < gpu.size(kernel.batch * kernel.heads * kernel.rows), [&] {
      Number headNumber = number / rows, room = gpu.size(kernel.capacity), items = gpu.size(kernel.items);
      set->clear(items);
      gather(headNumber / kernel.heads, headNumber % kernel.heads, number % rows);
      Number count = set->write(items, number * (room + 1), room);
      gpu.trapIf(room < count);
    });
    b.finish();
  }

private:
  using Values = GpuBuilder::Values;
  /// A row of an operand, of which a lane reads items.
  struct Row {
    Number count;
    std::function<Number(Number)> at; ///< ends the launch where there is no such item
    std::function<Value(Number)> has; ///< whether it holds an item; stored rows by halving
  };

  int64_t warpBytes() const { return sets * words * 4; }

  Row open(const IndexOperand &operand, Number batch, Number head, Number row) {
    return operand.bands ? openBands(operand.bands, row) : openStored(operand, batch, head, row);
  }

  Row openStored(const IndexOperand &operand, Number batch, Number head, Number row) {
    model::Dims shape = operand.type.shapeDims();
    Value buffer = b.bufferOf(operand.source);
    Number number = shape[0].isConstant(1) ? head : batch * gpu.size(shape[1]) + head;
    number = number * gpu.size(shape[2]) + row;
    Number most = gpu.size(operand.type.capacityExpr()), begin = number * (most + 1);
    auto load = [this, buffer](Number offset) {
      return Number(b, b.load(buffer, offset)).as(b.getIndexType()); // no number of items is negative
    };
    Number count = load(begin), limit = gpu.size(operand.type.itemCount());
    gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::ugt, count, most));
    return {count,
            [=, this](Number place) {
              Number item = load(begin + 1 + place);
              gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::uge, item, limit));
              return item;
            },
            [=, this](Number item) {
              Values range = gpu.whileLoop(
                  {gpu.index(0), count}, [&](ValueRange range) { return Number(b, range[0]) < Number(b, range[1]); },
                  [&](ValueRange range) {
                    Number low(b, range[0]), high(b, range[1]), middle = (low + high) / 2;
                    Value isBelow = load(begin + 1 + middle) < item;
                    return Values{gpu.select(isBelow, middle + 1, low), gpu.select(isBelow, high, middle)};
                  });
              Number place(b, range[0]);
              return gpu.ifElse(
                  place < count, [&] { return Values{load(begin + 1 + place) == item}; },
                  [&] { return Values{arith::ConstantIntOp::create(b, 0, 1)}; })[0];
            }};
  }

  /// As IndexTiler::openBands.
  Row openBands(BandsOp bands, Number row) {
    int64_t R = bands.getType().getRows(), C = bands.getType().getColumns();
    Number queries = gpu.size(*DimExpr::parse(bands.getQueries())), keys = gpu.size(*DimExpr::parse(bands.getKeys()));
    Number limit = gpu.size(bands.getType().itemCount()), shift = keys - queries, first = row * R, zero = gpu.index(0);
    Number last = (first + R).minimum(queries) - 1;
    auto itemOf = [&](Number key) { return Number(b, b.createOrFold<arith::FloorDivSIOp>(key, b.index(C))); };
    auto inside = [&](Number item) { return item.maximum(zero).minimum(limit); };
    Number low = inside(itemOf(first + shift) - int64_t(bands.getBefore()));
    Number high = inside(itemOf(last + shift) + (int64_t(bands.getAfter()) + 1)).maximum(low);
    Number sinks = gpu.index(bands.getSinks()).minimum(limit);
    Value meets = low < sinks + 1; // one range
    high = Number(b, gpu.select(meets, high.maximum(sinks), high));
    sinks = sinks.minimum(low);
    return {sinks + (high - low),
            [=, this](Number place) { return Number(b, gpu.select(place < sinks, place, place - sinks + low)); },
            [=, this](Number item) {
              Value isNear = arith::AndIOp::create(b, low < item + 1, item < high);
              return Value(arith::OrIOp::create(b, isNear, item < sinks));
            }};
  }

  void forItems(const Row &row, llvm::function_ref<void(Number)> body) {
    b.loop(lane, row.count, kWarp, [&](Value place) { body(row.at(Number(b, place))); });
  }

  /// The items of a row of the result to the set.
  void gather(Number batch, Number head, Number row) {
    const IndexOperand &operand = kernel.inputs[0];
    auto raise = [&](Number item) { set->raise(item); };
    if (auto share = dyn_cast<ShareOp>(kernel.op)) {
      Number from = gpu.index(0);
      for (auto [number, source] : llvm::enumerate(share.getHeads()))
        if (source)
          from = Number(b, gpu.select(head == int64_t(number), gpu.index(source), from));
      return forItems(open(operand, batch, from, row), raise);
    }
    if (isa<RefineOp>(kernel.op)) {
      int64_t pieces = operand.type.getColumns() / kernel.type.getColumns();
      return forItems(open(operand, batch, head, row), [&](Number item) {
        Number first = item * pieces, end = (first + pieces).minimum(gpu.size(kernel.items));
        b.loop(first, end, 1, [&](Value piece) { raise(Number(b, piece)); });
      });
    }
    if (isa<CoarsenOp>(kernel.op))
      return coarsen(operand, batch, head, row);
    if (isa<TransposeOp>(kernel.op))
      return transpose(operand, batch, head, row);
    for (auto [i, input] : llvm::enumerate(kernel.inputs)) {
      bool isNarrowed = i > 0 && isa<IntersectOp>(kernel.op);
      if (isNarrowed)
        other->clear(gpu.size(kernel.items));
      forItems(open(input, batch, head, row), [&](Number item) { (isNarrowed ? *other : *set).raise(item); });
      if (isNarrowed)
        set->intersect(*other, gpu.size(kernel.items));
    }
  }

  void coarsen(const IndexOperand &operand, Number batch, Number head, Number row) {
    int64_t from = operand.type.getRows(), to = kernel.type.getRows(), joined = from ? to / from : 1;
    int64_t pieces = kernel.type.getColumns() / operand.type.getColumns();
    Number all = gpu.size(operand.type.shapeDims()[2]), begin = to ? row * joined : gpu.index(0);
    Number end = to ? (begin + joined).minimum(all) : all;
    b.loop(begin, end, 1, [&](Value each) {
      forItems(open(operand, batch, head, Number(b, each)), [&](Number item) { set->raise(item / pieces); });
    });
  }

  /// Row `row` holds the rows of the operand that hold the item `row`. The warps of a head look at all its items, each
  /// at some rows, whether they can be read.
  void transpose(const IndexOperand &operand, Number batch, Number head, Number row) {
    Number items = gpu.size(kernel.items), rows = gpu.size(kernel.rows);
    b.loop(gpu.index(0), (items + (kWarp - 1)) / kWarp, 1, [&](Value chunk) {
      Number item = Number(b, chunk) * kWarp + lane;
      Value holds = gpu.ifElse(
          item < items, [&] { return Values{open(operand, batch, head, item).has(row)}; },
          [&] { return Values{arith::ConstantIntOp::create(b, 0, 1)}; })[0];
      set->join(item, holds);
    });
    if (!operand.bands)
      b.loop(gpu.index(0), (items - row + rows - 1).maximum(gpu.index(0)) / rows, 1,
             [&](Value turn) { forItems(open(operand, batch, head, row + Number(b, turn) * rows), [](Number) {}); });
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  const IndexKernel &kernel;
  int64_t words = 0, sets = 1, warps = 4; ///< words: of a set; sets: of a warp
  bool fits = false;                      ///< all items, whatever the sizes are
  Number lane;                            ///< index
  std::optional<GpuItemBits> set, other;
};
} // namespace

FailureOr<GpuLaunch> tamis::tileGpuIndex(func::FuncOp function, const GpuTarget &) {
  auto kernel = IndexKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  GpuIndexTiler tiler(builder, *kernel);
  GpuLaunch launch = tiler.launch();
  tiler.emit();
  return launch;
}
