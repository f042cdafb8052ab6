// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=int8}))' | FileCheck %s --check-prefix=ALL
// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-assign-precision{policy=@%S/Inputs/policy.json}))' \
// RUN:   | FileCheck %s --check-prefix=RULES
// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-assign-precision))' | FileCheck %s --check-prefix=NONE

// The first rule that fits holds: layer.0.head is a layer of layer.0. Behind views a weight keeps its key. What has no
// weight of its own, or is not of f32, is no layer.
// ALL-LABEL: @main
// ALL: model.embedding {{.*}}{model.precision = "int8"}
// ALL-COUNT-3: model.linear {{.*}}{model.precision = "int8"}
// ALL: model.linear
// ALL-NOT: model.precision
// RULES-LABEL: @main
// RULES: model.embedding {{.*}}{model.precision = "int8"}
// RULES: model.linear {{.*}}{model.precision = "int4(group=32)"}
// RULES: model.linear {{.*}}{model.precision = "int4(group=32)"}
// RULES-NOT: model.precision
// NONE-LABEL: @main
// NONE-NOT: model.precision
func.func @main(%ids: tensor<3xi64>, %m: tensor<8x8xf32>) -> tensor<3x8xf32> {
  %t = model.weight "table" : tensor<5x8xf32>
  %a = model.weight "layer.0.dense" : tensor<8x8xf32>
  %b = model.weight "layer.0.head" : tensor<8x8xf32>
  %c = model.weight "layer.1.head" : tensor<8x8xf32>
  %0 = model.embedding %t, %ids : tensor<5x8xf32>, tensor<3xi64> -> tensor<3x8xf32>
  %1 = model.linear %0, %a : tensor<3x8xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  %turned = model.transpose %b [1, 0] : tensor<8x8xf32> -> tensor<8x8xf32>
  %2 = model.linear %1, %turned : tensor<3x8xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  %3 = model.linear %2, %c : tensor<3x8xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  %4 = model.linear %3, %m : tensor<3x8xf32>, tensor<8x8xf32> -> tensor<3x8xf32>
  return %4 : tensor<3x8xf32>
}
