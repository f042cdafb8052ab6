// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of single numbers; private to the evaluator.
#pragma once

#include "dialects/model/ModelDialect.h"

namespace tamis::reference {

// Floats are computed in f64 and rounded once by the caller, which for + - * / and the square root gives what the
// narrower type itself would give. Integers are computed in 64 bits and wrap; the caller keeps the low bits. A kind
// that the verifier rejects for the number of operands or the element type must not come here.

double unary(model::ElementwiseKind kind, double x);
int64_t unary(model::ElementwiseKind kind, int64_t x);
double binary(model::ElementwiseKind kind, double a, double b);
int64_t binary(model::ElementwiseKind kind, int64_t a, int64_t b);
uint64_t unary(model::ElementwiseKind kind, uint64_t x); ///< of u64; the others without a sign fit int64_t
uint64_t binary(model::ElementwiseKind kind, uint64_t a, uint64_t b);

double activate(model::ActivationKind kind, double x);

} // namespace tamis::reference
