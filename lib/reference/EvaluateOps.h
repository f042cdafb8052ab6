// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One function an op, grouped in files as the ops' .td files; private to the evaluator.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/reference/HostTensor.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

namespace tamis::reference {

/// What an op may read: values computed so far, and the sizes.
struct Scope {
  const WeightStore &weights;
  llvm::StringMap<int64_t> symbols;
  llvm::DenseMap<mlir::Value, HostTensor> computed{}; ///< by results and arguments
  /// Results of `model.weight`: the bytes stay where they are.
  llvm::DenseMap<mlir::Value, const WeightStore::Weight *> mapped{};

  TensorView view(mlir::Value value) const;
  /// Nothing when a symbol is unknown or the value overflows.
  std::optional<int64_t> evaluate(const DimExpr &expr) const;
  std::optional<int64_t> evaluate(llvm::StringRef expr) const;
};

/// `model.gather (model.mlir:12:8): message`.
llvm::Error fail(mlir::Operation *op, const llvm::Twine &message);

/// Calls `visit(i, source)` for each element i of `shape` in row-major order, `source` the sum of `start` and the
/// products of its index with `strides`.
void forEachElement(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> strides, int64_t start,
                    llvm::function_ref<void(int64_t i, int64_t source)> visit);
/// Elements from one index of an axis to the next, row-major.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);
/// Strides that read a tensor of `from` as one of `to` by NumPy's broadcasting rule.
llvm::SmallVector<int64_t> broadcastStrides(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

// Each fills `result`, which comes with its type and zeros.
llvm::Error evaluateOp(model::ConstantOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::SizesOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::IotaOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::ReshapeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::TransposeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::BroadcastOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::SliceOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::ConcatOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::GatherOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::GatherNdOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::CumulativeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::TopKOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::ScatterOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::CastOp op, const Scope &scope, HostTensor &result);

llvm::Error evaluateOp(model::ElementwiseOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::ActivationOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::ReduceOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::SoftmaxOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::MatmulOp op, const Scope &scope, HostTensor &result);

llvm::Error evaluateOp(model::LinearOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::NormOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::EmbeddingOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::QuantizeOp op, const Scope &scope, HostTensor &result);
/// Three results: bytes, scales, zero points.
llvm::Error evaluateOp(model::QuantizeRowsOp op, const Scope &scope, llvm::MutableArrayRef<HostTensor> results);
llvm::Error evaluateOp(model::DequantizeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::IntegerLinearOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(model::AttentionOp op, const Scope &scope, HostTensor &result);

// An index, and a partial result, is its storage: `result` has the type that `!sattn.index` says, or `!sattn.partial`.
llvm::Error evaluateOp(sattn::AttentionOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::SummarizeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::ScoreOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::WeighOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::SelectOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::BandsOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::CoarsenOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::DiagonalsOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::AttendOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::CompactOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::ExpandOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::AttendAtOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::UnionOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::IntersectOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::RefineOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::TransposeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::ShareOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::MergeOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::StorePartialOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::LoadPartialOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::LinearAttendOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::StoreIndexOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(sattn::LoadIndexOp op, const Scope &scope, HostTensor &result);

} // namespace tamis::reference
