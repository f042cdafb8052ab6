// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The shape program gives what the expressions mean, and computes nothing twice.
#include "codegen/plan/ShapeProgram.h"

#include "llvm/Support/MathExtras.h"
#include <gtest/gtest.h>
#include <random>

using namespace tamis;

namespace {

std::vector<int64_t> run(const ShapeProgram &program, llvm::ArrayRef<int64_t> symbols) {
  std::vector<int64_t> registers;
  for (const plan::SizeInst &inst : program.instructions()) {
    int64_t a = registers.empty() ? 0 : registers[inst.a()], b = registers.empty() ? 0 : registers[inst.b()];
    switch (inst.op()) {
    case plan::SizeOp_Constant: registers.push_back(inst.imm()); break;
    case plan::SizeOp_Symbol: registers.push_back(symbols[inst.imm()]); break;
    case plan::SizeOp_Add: registers.push_back(a + b); break;
    case plan::SizeOp_Sub: registers.push_back(a - b); break;
    case plan::SizeOp_Mul: registers.push_back(a * b); break;
    case plan::SizeOp_FloorDiv: registers.push_back(llvm::divideFloorSigned(a, b)); break;
    case plan::SizeOp_CeilDiv: registers.push_back(llvm::divideCeilSigned(a, b)); break;
    case plan::SizeOp_Max: registers.push_back(std::max(a, b)); break;
    case plan::SizeOp_Min: registers.push_back(std::min(a, b)); break;
    case plan::SizeOp_AlignUp: registers.push_back(llvm::alignTo(a, inst.imm())); break;
    }
  }
  return registers;
}

const std::vector<std::string> kNames = {"batch", "sequence", "past"};

DimExpr randomExpr(std::mt19937 &random, int depth) {
  auto pick = [&](int n) { return int(random() % n); };
  if (depth == 0)
    return pick(2) ? DimExpr::symbol(kNames[pick(3)]) : DimExpr(pick(7) - 2);
  DimExpr a = randomExpr(random, depth - 1), b = randomExpr(random, depth - 1);
  switch (pick(6)) {
  case 0: return a + b;
  case 1: return a - b;
  case 2: return a * b;
  case 3: return DimExpr::max(a, b);
  case 4: return DimExpr::min(a, b);
  default: return DimExpr::floorDiv(a, DimExpr(pick(5) + 1));
  }
}

TEST(ShapeProgram, AgreesWithTheExpressions) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    ShapeProgram program(kNames);
    std::vector<DimExpr> exprs;
    std::vector<uint32_t> registers;
    for (int i = 0; i < 3; ++i) {
      exprs.push_back(randomExpr(random, 1 + round % 3));
      registers.push_back(program.compile(exprs.back()));
    }
    std::vector<int64_t> symbols = {int64_t(random() % 9), int64_t(random() % 9), int64_t(random() % 9)};
    auto values = run(program, symbols);
    for (int i = 0; i < 3; ++i) {
      auto expected = exprs[i].evaluate([&](llvm::StringRef name) -> std::optional<int64_t> {
        return symbols[std::find(kNames.begin(), kNames.end(), name) - kNames.begin()];
      });
      ASSERT_TRUE(expected);
      EXPECT_EQ(values[registers[i]], *expected) << exprs[i].str();
      // The text form means the same.
      auto parsed = DimExpr::parse(exprs[i].str());
      ASSERT_TRUE(parsed) << exprs[i].str();
      EXPECT_EQ(parsed->str(), exprs[i].str());
    }
  }
}

TEST(ShapeProgram, SharesRegisters) {
  ShapeProgram program(kNames);
  DimExpr size = DimExpr::symbol("batch") * DimExpr::symbol("sequence") * 4;
  auto first = program.compile(size);
  size_t length = program.instructions().size();
  EXPECT_EQ(program.compile(size), first);
  EXPECT_EQ(program.instructions().size(), length);
  auto aligned = program.alignUp(first, 64);
  EXPECT_EQ(run(program, {3, 5, 0})[aligned], 64);
}

} // namespace
