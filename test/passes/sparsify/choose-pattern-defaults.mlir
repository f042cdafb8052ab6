// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern=local_global}))' | FileCheck %s
// A pattern whose parameters all have defaults needs no parentheses.

!q = tensor<1x8x4xf32>

// CHECK-LABEL: func.func @defaults
// CHECK-NEXT: sattn.attention #sattn.local_global<>
func.func @defaults(%q: !q) -> !q {
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0 : !q, !q, !q -> !q
  return %o : !q
}
