// RUN: tamis-opt %s -tamis-raise-norms -canonicalize | FileCheck %s

!x = tensor<?x8xf32, #model.dims<"n", "8">>
!m = tensor<?x1xf32, #model.dims<"n", "1">>

// CHECK-LABEL: func.func @layer
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-DAG: %[[G:.*]] = model.weight "scale"
// CHECK-DAG: %[[B:.*]] = model.weight "bias"
// CHECK: %[[Y:.*]] = model.norm layer %[[X]] scale %[[G]] bias %[[B]] axis 1 epsilon 9.99{{.*}}E-6 :
// CHECK-NEXT: return %[[Y]]
func.func @layer(%x: !x) -> !x {
  %m = model.reduce mean %x axes [1] : !x -> !m
  %d = model.elementwise sub %x, %m : (!x, !m) -> !x
  %two = model.constant dense<2.0> : tensor<f32>
  %sq = model.elementwise pow %d, %two : (!x, tensor<f32>) -> !x
  %v = model.reduce mean %sq axes [1] : !x -> !m
  %eps = model.constant dense<1.0e-5> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (!m, tensor<f32>) -> !m
  %s = model.elementwise sqrt %ve : (!m) -> !m
  %n = model.elementwise div %d, %s : (!x, !m) -> !x
  %g = model.weight "scale" : tensor<8xf32>
  %b = model.weight "bias" : tensor<8xf32>
  %ng = model.elementwise mul %n, %g : (!x, tensor<8xf32>) -> !x
  %y = model.elementwise add %ng, %b : (!x, tensor<8xf32>) -> !x
  return %y : !x
}

// d * d, epsilon first, a product with the reciprocal; x - mean(x) in two ops.
// CHECK-LABEL: func.func @layer_other_spelling
// CHECK: %[[Y:.*]] = model.norm layer %{{.*}} axis 1 epsilon 1.250000e-01 :
// CHECK-NEXT: return %[[Y]]
func.func @layer_other_spelling(%x: !x) -> !x {
  %m = model.reduce mean %x axes [1] : !x -> !m
  %d = model.elementwise sub %x, %m : (!x, !m) -> !x
  %d2 = model.elementwise sub %x, %m : (!x, !m) -> !x
  %sq = model.elementwise mul %d, %d : (!x, !x) -> !x
  %v = model.reduce mean %sq axes [1] : !x -> !m
  %eps = model.constant dense<0.125> : tensor<1xf32>
  %ve = model.elementwise add %eps, %v : (tensor<1xf32>, !m) -> !m
  %s = model.elementwise sqrt %ve : (!m) -> !m
  %i = model.elementwise reciprocal %s : (!m) -> !m
  %y = model.elementwise mul %d2, %i : (!x, !m) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @rms
// CHECK: %[[G:.*]] = model.weight "scale"
// CHECK-NEXT: %[[Y:.*]] = model.norm rms %{{.*}} scale %[[G]] axis 1 epsilon 1.250000e-01 :
// CHECK-NEXT: return %[[Y]]
func.func @rms(%x: !x) -> !x {
  %two = model.constant dense<2.0> : tensor<f32>
  %sq = model.elementwise pow %x, %two : (!x, tensor<f32>) -> !x
  %v = model.reduce mean %sq axes [1] : !x -> !m
  %eps = model.constant dense<0.125> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (!m, tensor<f32>) -> !m
  %i = model.elementwise rsqrt %ve : (!m) -> !m
  %n = model.elementwise mul %i, %x : (!m, !x) -> !x
  %g = model.weight "scale" : tensor<8xf32>
  %y = model.elementwise mul %g, %n : (tensor<8xf32>, !x) -> !x
  return %y : !x
}

// Gemma keeps its scale less one.
// CHECK-LABEL: func.func @rms_one_plus_scale
// CHECK: %[[G:.*]] = model.elementwise add
// CHECK: model.norm rms %{{.*}} scale %[[G]]
func.func @rms_one_plus_scale(%x: !x) -> !x {
  %n = model.norm rms %x axis 1 epsilon 0.125 : !x -> !x
  %g = model.weight "scale" : tensor<8xf32>
  %one = model.constant dense<1.0> : tensor<f32>
  %g1 = model.elementwise add %g, %one : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
  %y = model.elementwise mul %n, %g1 : (!x, tensor<8xf32>) -> !x
  return %y : !x
}

// A summand and then a factor is no scale and bias.
// CHECK-LABEL: func.func @bias_then_factor
// CHECK-DAG: %[[ONES:.*]] = model.constant dense<1.0{{.*}}> : tensor<8xf32>
// CHECK: %[[N:.*]] = model.norm layer %{{.*}} scale %[[ONES]] bias
// CHECK: model.elementwise mul %[[N]]
func.func @bias_then_factor(%x: !x) -> !x {
  %n = model.norm layer %x axis 1 epsilon 0.125 : !x -> !x
  %g = model.weight "scale" : tensor<8xf32>
  %b = model.weight "bias" : tensor<8xf32>
  %nb = model.elementwise add %n, %b : (!x, tensor<8xf32>) -> !x
  %y = model.elementwise mul %nb, %g : (!x, tensor<8xf32>) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @mean_over_first_axis
// CHECK-NOT: model.norm
func.func @mean_over_first_axis(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %sq = model.elementwise mul %x, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %v = model.reduce mean %sq axes [0] : tensor<4x8xf32> -> tensor<1x8xf32>
  %eps = model.constant dense<0.125> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
  %i = model.elementwise rsqrt %ve : (tensor<1x8xf32>) -> tensor<1x8xf32>
  %y = model.elementwise mul %x, %i : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @divides_another_value
// CHECK-NOT: model.norm
func.func @divides_another_value(%x: !x, %z: !x) -> !x {
  %sq = model.elementwise mul %x, %x : (!x, !x) -> !x
  %v = model.reduce mean %sq axes [1] : !x -> !m
  %eps = model.constant dense<0.125> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (!m, tensor<f32>) -> !m
  %i = model.elementwise rsqrt %ve : (!m) -> !m
  %y = model.elementwise mul %z, %i : (!x, !m) -> !x
  return %y : !x
}

// x over its standard deviation, but not less its mean.
// CHECK-LABEL: func.func @divides_what_is_not_centred
// CHECK-NOT: model.norm
func.func @divides_what_is_not_centred(%x: !x) -> !x {
  %m = model.reduce mean %x axes [1] : !x -> !m
  %d = model.elementwise sub %x, %m : (!x, !m) -> !x
  %sq = model.elementwise mul %d, %d : (!x, !x) -> !x
  %v = model.reduce mean %sq axes [1] : !x -> !m
  %eps = model.constant dense<0.125> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (!m, tensor<f32>) -> !m
  %s = model.elementwise sqrt %ve : (!m) -> !m
  %y = model.elementwise div %x, %s : (!x, !m) -> !x
  return %y : !x
}
