// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=mixed}))' | FileCheck %s

// Projections of queries, keys and values, seen through views and sums, and that of the result are attention's; what
// comes behind another layer is not.
// CHECK-LABEL: @main
// CHECK: model.embedding {{.*}}{model.precision = "int8"}
// CHECK: model.linear {{.*}}{model.precision = "bf16"}
// CHECK: model.attention
// CHECK: model.linear {{.*}}{model.precision = "bf16"}
// CHECK: model.linear {{.*}}{model.precision = "int8"}
// CHECK: model.linear {{.*}}{model.precision = "int8"}
func.func @main(%ids: tensor<1x3xi64>, %r: tensor<1x3x24xf32>) -> tensor<1x3x8xf32> {
  %t = model.weight "table" : tensor<5x8xf32>
  %a = model.weight "qkv" : tensor<8x24xf32>
  %b = model.weight "out" : tensor<8x8xf32>
  %c = model.weight "up" : tensor<8x8xf32>
  %d = model.weight "down" : tensor<8x8xf32>
  %0 = model.embedding %t, %ids : tensor<5x8xf32>, tensor<1x3xi64> -> tensor<1x3x8xf32>
  %1 = model.linear %0, %a : tensor<1x3x8xf32>, tensor<8x24xf32> -> tensor<1x3x24xf32>
  %2 = model.elementwise add %1, %r : (tensor<1x3x24xf32>, tensor<1x3x24xf32>) -> tensor<1x3x24xf32>
  %q = model.slice %2 ["0", "0", "0"] step [1, 1, 1] : tensor<1x3x24xf32> -> tensor<1x3x8xf32>
  %k = model.slice %2 ["0", "0", "8"] step [1, 1, 1] : tensor<1x3x24xf32> -> tensor<1x3x8xf32>
  %v = model.slice %2 ["0", "0", "16"] step [1, 1, 1] : tensor<1x3x24xf32> -> tensor<1x3x8xf32>
  %o = model.attention %q, %k, %v heads 2 kv_heads 2 scale 5.0e-01
      : tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32> -> tensor<1x3x8xf32>
  %3 = model.linear %o, %b : tensor<1x3x8xf32>, tensor<8x8xf32> -> tensor<1x3x8xf32>
  %4 = model.elementwise add %3, %0 : (tensor<1x3x8xf32>, tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
  %5 = model.linear %4, %c : tensor<1x3x8xf32>, tensor<8x8xf32> -> tensor<1x3x8xf32>
  %6 = model.activation gelu %5 : tensor<1x3x8xf32>
  %7 = model.linear %6, %d : tensor<1x3x8xf32>, tensor<8x8xf32> -> tensor<1x3x8xf32>
  return %7 : tensor<1x3x8xf32>
}
