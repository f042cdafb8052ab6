// RUN: tamis-opt %s -tamis-raise-embedding | FileCheck %s

!ids = tensor<?x?xi64, #model.dims<"b", "s">>

// CHECK-LABEL: func.func @rows
// CHECK-SAME: %[[IDS:.*]]: tensor
// CHECK: %[[T:.*]] = model.weight "table"
// CHECK-NEXT: %[[E:.*]] = model.embedding %[[T]], %[[IDS]] : tensor<7x4xf32>, {{.*}} -> tensor<?x?x4xf32, #model.dims<"b", "s", "4">>
// CHECK-NEXT: return %[[E]]
func.func @rows(%ids: !ids) -> tensor<?x?x4xf32, #model.dims<"b", "s", "4">> {
  %t = model.weight "table" : tensor<7x4xf32>
  %g = model.gather %t, %ids axis 0 : tensor<7x4xf32>, !ids -> tensor<?x?x4xf32, #model.dims<"b", "s", "4">>
  return %g : tensor<?x?x4xf32, #model.dims<"b", "s", "4">>
}

// CHECK-LABEL: func.func @columns
// CHECK: model.gather
func.func @columns(%ids: tensor<2xi64>) -> tensor<7x2xf32> {
  %t = model.weight "table" : tensor<7x4xf32>
  %g = model.gather %t, %ids axis 1 : tensor<7x4xf32>, tensor<2xi64> -> tensor<7x2xf32>
  return %g : tensor<7x2xf32>
}

// CHECK-LABEL: func.func @computed_table
// CHECK: model.gather
func.func @computed_table(%t: tensor<7x4xf32>, %ids: tensor<2xi64>) -> tensor<2x4xf32> {
  %g = model.gather %t, %ids axis 0 : tensor<7x4xf32>, tensor<2xi64> -> tensor<2x4xf32>
  return %g : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @integers
// CHECK: model.gather
func.func @integers(%ids: tensor<2xi64>) -> tensor<2x2xi64> {
  %t = model.constant dense<[[0, 3], [2, 1]]> : tensor<2x2xi64>
  %g = model.gather %t, %ids axis 0 : tensor<2x2xi64>, tensor<2xi64> -> tensor<2x2xi64>
  return %g : tensor<2x2xi64>
}
