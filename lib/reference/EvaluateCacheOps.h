// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the cache dialect; private to the evaluator.
#pragma once

#include "dialects/cache/CacheDialect.h"
#include "lib/reference/EvaluateOps.h"

namespace tamis::reference {

llvm::Error evaluateOp(cache::AppendOp op, const Scope &scope, llvm::MutableArrayRef<HostTensor> results);
llvm::Error evaluateOp(cache::AttendOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(cache::SelectOp op, const Scope &scope, HostTensor &result);
llvm::Error evaluateOp(cache::MergeOp op, const Scope &scope, HostTensor &result);

} // namespace tamis::reference
