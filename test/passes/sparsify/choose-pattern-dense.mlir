// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern=dense},tamis-lower-selection,tamis-store-indices))' | FileCheck %s

!q = tensor<1x8x4xf32>

// CHECK-LABEL: func.func @dense
// CHECK-NEXT: model.attention
// CHECK-NEXT: return
func.func @dense(%q: !q) -> !q {
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0 : !q, !q, !q -> !q
  return %o : !q
}
