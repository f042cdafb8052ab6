// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sets of items as bits in shared memory.
#include "codegen/nvptx/GpuItemBits.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

GpuItemBits::GpuItemBits(GpuBuilder &gpu, Number address, Number lane)
    : gpu(gpu), b(gpu.b), address(address), lane(lane) {}

static Number wordsOf(Number items) {
  return (items + (kWarp - 1)) / kWarp;
}

void GpuItemBits::clear(Number items) {
  gpu.warpBarrier();
  b.loop(lane, wordsOf(items), kWarp,
         [&](Value word) { gpu.storeShared(address + Number(b, word).as(b.getI32Type()) * 4, 0, gpu.i32(0).value()); });
  gpu.warpBarrier();
}

void GpuItemBits::join(Number item, Value isKept) {
  Value bits = gpu.ballot(isKept);
  Value isAny = arith::CmpIOp::create(b, CmpIPredicate::ne, bits, gpu.i32(0));
  Number word = address + (item / kWarp).as(b.getI32Type()) * 4;
  b.branch(arith::AndIOp::create(b, lane == 0, isAny), [&] {
    Value known = gpu.loadShared(word, 0, 1, b.getI32Type())[0];
    gpu.storeShared(word, 0, arith::OrIOp::create(b, known, bits).getResult());
  });
}

void GpuItemBits::raise(Number item) {
  Number place = (item % kWarp).as(b.getI32Type());
  gpu.orShared(address + (item / kWarp).as(b.getI32Type()) * 4, 0, arith::ShLIOp::create(b, gpu.i32(1), place));
}

Value GpuItemBits::has(Number item) {
  Value word = gpu.loadShared(address + (item / kWarp).as(b.getI32Type()) * 4, 0, 1, b.getI32Type())[0];
  Value bit = arith::AndIOp::create(b, arith::ShRUIOp::create(b, word, lane.as(b.getI32Type())), gpu.i32(1));
  return arith::CmpIOp::create(b, CmpIPredicate::ne, bit, gpu.i32(0));
}

void GpuItemBits::intersect(const GpuItemBits &other, Number items) {
  gpu.warpBarrier();
  b.loop(lane, wordsOf(items), kWarp, [&](Value word) {
    Number offset = Number(b, word).as(b.getI32Type()) * 4;
    Value mine = gpu.loadShared(address + offset, 0, 1, b.getI32Type())[0];
    Value its = gpu.loadShared(other.address + offset, 0, 1, b.getI32Type())[0];
    gpu.storeShared(address + offset, 0, arith::AndIOp::create(b, mine, its).getResult());
  });
  gpu.warpBarrier();
}

Number GpuItemBits::write(Number items, Number row, Number room) {
  gpu.warpBarrier();
  Number power(b, arith::ShLIOp::create(b, gpu.i32(1), lane.as(b.getI32Type()))), lanesBelow = power - 1;
  GpuBuilder::Values none{gpu.index(0)};
  Number count(b, b.loop(gpu.index(0), wordsOf(items), 1, none, [&](Value word, ValueRange carried) {
    Number item = Number(b, word) * kWarp + lane, before(b, carried[0]);
    Value isKept = has(item), bits = gpu.ballot(isKept);
    Number place = before + gpu.bitCount(arith::AndIOp::create(b, bits, lanesBelow));
    b.branch(arith::AndIOp::create(b, isKept, place < room),
             [&] { b.store(item.as(b.getI32Type()), b.result(0), row + place + 1); });
    return GpuBuilder::Values{before + gpu.bitCount(bits)};
  })[0]);
  closeStoredRow(gpu, lane, row, count.minimum(room), room);
  return count;
}

void tamis::closeStoredRow(GpuBuilder &gpu, Number lane, Number row, Number count, Number room) {
  KernelBuilder &b = gpu.b;
  b.branch(lane == 0, [&] { b.store(count.as(b.getI32Type()), b.result(0), row); });
  b.loop(count + lane, room, kWarp, [&](Value i) { b.store(gpu.i32(0), b.result(0), row + Number(b, i) + 1); });
}
