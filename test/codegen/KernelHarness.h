// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles one kernel for one CPU target, runs it as the runtime would, and compares it with the reference evaluator.
#pragma once

#include "codegen/cpu/CompileKernels.h"
#include "codegen/schedule/Schedule.h"
#include "lib/reference/HostTensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>

namespace tamis::runtime {
class CodeImage;
}

namespace tamis::test {

using reference::HostTensor;

/// How a kind of kernel is launched and tiled: linearLaunch and tileLinear, and so on.
struct KernelMaker {
  std::function<llvm::FailureOr<Launch>(mlir::func::FuncOp)> launch;
  std::function<llvm::LogicalResult(mlir::func::FuncOp, const CpuTarget &)> tile;
  /// The bytes of the buffer of an argument; by default those of the tensor. Linear kernels pack their weights here.
  std::function<std::vector<char>(mlir::func::FuncOp, unsigned argument, const HostTensor &)> buffer = {};
  /// Results that take the bytes of the argument of the same number: the first ones. Their buffers begin as those do.
  unsigned inPlace = 0;
};

/// Whether this machine can run code for the target.
bool canRun(const CpuTarget &target);

/// A context with every dialect that kernels use.
std::unique_ptr<mlir::MLIRContext> createContext();

/// One compiled kernel. Failures of the kernel under test are GoogleTest failures.
class KernelHarness {
public:
  /// `ir`: one func.func in model form. Null, after a test failure, when it cannot be parsed, tiled or compiled.
  static std::unique_ptr<KernelHarness> create(llvm::StringRef ir, llvm::StringRef targetName,
                                               const KernelMaker &maker);
  ~KernelHarness();

  /// Runs all work groups, in ranges of random length and random order. Every buffer ends at an inaccessible page and
  /// scratch holds NaN before each range; results hold NaN (0xFF bytes) before the first.
  /// Gives the results; `status` receives the highest value a range returned.
  std::vector<HostTensor> run(llvm::ArrayRef<HostTensor> inputs, int32_t *status = nullptr);

  /// The results of the reference evaluator.
  std::vector<HostTensor> evaluate(llvm::ArrayRef<HostTensor> inputs);

  /// Runs both and fails the test where |found - wanted| > absolute + relative * |wanted|. NaN matches NaN, infinities
  /// match themselves.
  void expectMatch(llvm::ArrayRef<HostTensor> inputs, double absolute, double relative);

  mlir::MLIRContext *context() { return mlirContext.get(); }
  const KernelImage &image() const { return compiled; }

private:
  KernelHarness();
  /// What the device's operands add to the absolute error of numbers of about one, where they are narrower than f32.
  double rounding() const;
  std::unique_ptr<mlir::MLIRContext> mlirContext;
  mlir::OwningOpRef<mlir::ModuleOp> module; // in model form
  mlir::func::FuncOp kernel;
  KernelMaker maker;
  Launch launch;
  KernelImage compiled;
  std::unique_ptr<runtime::CodeImage> code;
  struct Device;
  std::shared_ptr<Device> device; // what runs the kernel where that is no CPU
  std::mt19937 random{1};
};

/// Fails the test where the tensors differ by more than expectMatch allows.
void expectNear(const HostTensor &found, const HostTensor &wanted, double absolute, double relative);

/// f32 numbers, uniform in [low, high).
HostTensor uniform(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape, std::mt19937 &random, float low = -1,
                   float high = 1);

/// A suite that runs once a target: x86-64-v2, v3, v4 and host, those that this machine can run. Instantiate with
/// INSTANTIATE_KERNEL_TEST(Suite).
class KernelTest : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override;
  std::string target() const { return GetParam(); }
  std::mt19937 random{7};
};

/// Tests that TAMIS_TEST_TARGETS is defined for run for other targets (nvptx/GpuKernelHarness.cpp).
#ifndef TAMIS_TEST_TARGETS
#define TAMIS_TEST_TARGETS "x86-64-v2", "x86-64-v3", "x86-64-v4", "host"
#endif
#define INSTANTIATE_KERNEL_TEST(Suite)                                                                                 \
  INSTANTIATE_TEST_SUITE_P(Targets, Suite, testing::Values(TAMIS_TEST_TARGETS), [](const auto &info) {                 \
    std::string name = info.param;                                                                                     \
    name.erase(std::remove(name.begin(), name.end(), '-'), name.end());                                                \
    return name;                                                                                                       \
  })

} // namespace tamis::test
