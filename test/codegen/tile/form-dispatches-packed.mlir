// RUN: tamis-opt %s -tamis-pack-weights -tamis-form-dispatches | FileCheck %s
// A head that is tied to its embedding: both kernels unpack the same constants.

!x = tensor<?x64xf32, #model.dims<"n", "64">>
!y = tensor<?x100xf32, #model.dims<"n", "100">>

// CHECK: module @kernels
// CHECK: func.func @int4_embedding(%{{.*}}: tensor<100x64xui4>, %{{.*}}: tensor<100x2xf16>, %{{.*}}: tensor<100x2xf16>, %{{.*}}: tensor<?xi64
// CHECK-SAME: plan.kernel = #plan.kernel<lookup>
// CHECK: model.dequantize
// CHECK: func.func @int4_linear_gelu_64x100(%{{.*}}: tensor<100x64xui4>
// CHECK-SAME: plan.kernel = #plan.kernel<linear>
// CHECK: model.dequantize
// CHECK: model.linear {{.*}} transposed
// CHECK: model.activation gelu
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[Q:.*]] = plan.constant words ["q"] transposed [false] axis 0 : tensor<100x64xui4>
// CHECK-DAG: %[[S:.*]] = plan.constant units ["s"] transposed [false] axis 0 : tensor<100x2xf16>
// CHECK-DAG: %[[M:.*]] = plan.constant units ["m"] transposed [false] axis 0 : tensor<100x2xf16>
// CHECK: %[[X:.*]] = plan.dispatch @int4_embedding(%[[Q]], %[[S]], %[[M]], %{{[^)]*}})
// CHECK-SAME: bytes "304*n"
// CHECK: plan.dispatch @int4_linear_gelu_64x100(%[[Q]], %[[S]], %[[M]], %[[X]])
// CHECK-SAME: bytes "656*n + 4000"
func.func @main(%ids: tensor<?xi64, #model.dims<"n">>) -> !y attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %q = model.weight "q" : tensor<100x64xui4>
  %s = model.weight "s" : tensor<100x2xf16>
  %m = model.weight "m" : tensor<100x2xf16>
  %w = model.dequantize %q scale %s minimum %m block 32 along 1 : tensor<100x64xui4>, tensor<100x2xf16>
      minimum tensor<100x2xf16> -> tensor<100x64xf32>
  %x = model.embedding %w, %ids : tensor<100x64xf32>, tensor<?xi64, #model.dims<"n">> -> !x
  %0 = model.linear %x, %w transposed : !x, tensor<100x64xf32> -> !y
  %1 = model.activation gelu %0 : !y
  return %1 : !y
}
