// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of any device are judged by: the reference evaluator.
#include "test/codegen/KernelHarness.h"

#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

std::unique_ptr<MLIRContext> tamis::test::createContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<affine::AffineDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                       LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, model::ModelDialect,
                       sattn::SattnDialect, cache::CacheDialect, scf::SCFDialect, vector::VectorDialect>();
  return context;
}

std::vector<HostTensor> KernelHarness::evaluate(llvm::ArrayRef<HostTensor> inputs) {
  auto results = reference::evaluate(kernel, inputs, WeightStore());
  if (results)
    return std::move(*results);
  ADD_FAILURE() << llvm::toString(results.takeError());
  return {};
}

void tamis::test::expectNear(const HostTensor &found, const HostTensor &wanted, double absolute, double relative) {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(found.shape), llvm::ArrayRef<int64_t>(wanted.shape));
  std::vector<double> f = found.numbers(), w = wanted.numbers();
  int64_t wrong = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    bool same = f[i] == w[i] || (std::isnan(f[i]) && std::isnan(w[i])) ||
                std::abs(f[i] - w[i]) <= absolute + relative * std::abs(w[i]);
    if (same)
      continue;
    if (++wrong <= 5)
      ADD_FAILURE() << "element " << i << " of " << w.size() << " is " << f[i] << " but " << w[i] << " is wanted";
  }
  EXPECT_EQ(wrong, 0) << "elements are wrong";
}

void KernelHarness::expectMatch(llvm::ArrayRef<HostTensor> inputs, double absolute, double relative) {
  int32_t status = 0;
  std::vector<HostTensor> found = run(inputs, &status), wanted = evaluate(inputs);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i)
    expectNear(found[i], wanted[i], absolute + rounding(), relative);
}

HostTensor tamis::test::uniform(MLIRContext *context, llvm::ArrayRef<int64_t> shape, std::mt19937 &random, float low,
                                float high) {
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<float> values(*reference::elementCount(shape));
  for (float &value : values)
    value = distribution(random);
  return HostTensor::of<float>(Float32Type::get(context), shape, values);
}
