// RUN: tamis-opt %s -tamis-raise-activations -canonicalize | FileCheck %s

!x = tensor<?x8xf32, #model.dims<"n", "8">>
!c = tensor<f32>

// CHECK-LABEL: func.func @gelu_torchscript
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: %[[Y:.*]] = model.activation gelu %[[X]]
// CHECK-NEXT: return %[[Y]]
func.func @gelu_torchscript(%x: !x) -> !x {
  %r2 = model.constant dense<1.41421354> : !c
  %d = model.elementwise div %x, %r2 : (!x, !c) -> !x
  %e = model.elementwise erf %d : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %e, %one : (!x, !c) -> !x
  %p = model.elementwise mul %x, %a : (!x, !x) -> !x
  %half = model.constant dense<0.5> : !c
  %y = model.elementwise mul %p, %half : (!x, !c) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @gelu_dynamo
// CHECK-NEXT: %[[Y:.*]] = model.activation gelu %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @gelu_dynamo(%x: !x) -> !x {
  %r2 = model.constant dense<0.707106769> : !c
  %d = model.elementwise mul %r2, %x : (!c, !x) -> !x
  %e = model.elementwise erf %d : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %one, %e : (!c, !x) -> !x
  %half = model.constant dense<0.5> : !c
  %h = model.elementwise mul %half, %a : (!c, !x) -> !x
  %y = model.elementwise mul %x, %h : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @gelu_halved
// CHECK-NEXT: %[[Y:.*]] = model.activation gelu %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @gelu_halved(%x: !x) -> !x {
  %half = model.constant dense<0.5> : !c
  %xh = model.elementwise mul %x, %half : (!x, !c) -> !x
  %r2 = model.constant dense<1.41421354> : !c
  %d = model.elementwise div %x, %r2 : (!x, !c) -> !x
  %e = model.elementwise erf %d : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %e, %one : (!x, !c) -> !x
  %y = model.elementwise mul %xh, %a : (!x, !x) -> !x
  return %y : !x
}

// erf(x / 1.5) is another function.
// CHECK-LABEL: func.func @not_gelu
// CHECK-NOT: model.activation
func.func @not_gelu(%x: !x) -> !x {
  %r2 = model.constant dense<1.5> : !c
  %d = model.elementwise div %x, %r2 : (!x, !c) -> !x
  %e = model.elementwise erf %d : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %e, %one : (!x, !c) -> !x
  %p = model.elementwise mul %x, %a : (!x, !x) -> !x
  %half = model.constant dense<0.5> : !c
  %y = model.elementwise mul %p, %half : (!x, !c) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @gelu_of_another_value
// CHECK-NOT: model.activation
func.func @gelu_of_another_value(%x: !x, %z: !x) -> !x {
  %r2 = model.constant dense<1.41421354> : !c
  %d = model.elementwise div %z, %r2 : (!x, !c) -> !x
  %e = model.elementwise erf %d : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %e, %one : (!x, !c) -> !x
  %p = model.elementwise mul %x, %a : (!x, !x) -> !x
  %half = model.constant dense<0.5> : !c
  %y = model.elementwise mul %p, %half : (!x, !c) -> !x
  return %y : !x
}

// 0.5 x (1 + tanh(0.79788 (x + 0.044715 x^3)))
// CHECK-LABEL: func.func @gelu_tanh
// CHECK-NEXT: %[[Y:.*]] = model.activation gelu_tanh %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @gelu_tanh(%x: !x) -> !x {
  %three = model.constant dense<3.0> : !c
  %cube = model.elementwise pow %x, %three : (!x, !c) -> !x
  %c3 = model.constant dense<0.044715> : !c
  %t3 = model.elementwise mul %cube, %c3 : (!x, !c) -> !x
  %in = model.elementwise add %x, %t3 : (!x, !x) -> !x
  %c1 = model.constant dense<0.797884583> : !c
  %u = model.elementwise mul %in, %c1 : (!x, !c) -> !x
  %t = model.elementwise tanh %u : (!x) -> !x
  %one = model.constant dense<1.0> : !c
  %a = model.elementwise add %t, %one : (!x, !c) -> !x
  %half = model.constant dense<0.5> : !c
  %xh = model.elementwise mul %x, %half : (!x, !c) -> !x
  %y = model.elementwise mul %xh, %a : (!x, !x) -> !x
  return %y : !x
}

// x 0.79788 (1 + 0.044715 x x)
// CHECK-LABEL: func.func @gelu_fast
// CHECK-NEXT: %[[Y:.*]] = model.activation gelu_tanh %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @gelu_fast(%x: !x) -> !x {
  %c1 = model.constant dense<0.797884583> : !c
  %x1 = model.elementwise mul %x, %c1 : (!x, !c) -> !x
  %c3 = model.constant dense<0.044715> : !c
  %x3 = model.elementwise mul %x, %c3 : (!x, !c) -> !x
  %x2 = model.elementwise mul %x3, %x : (!x, !x) -> !x
  %one = model.constant dense<1.0> : !c
  %in = model.elementwise add %x2, %one : (!x, !c) -> !x
  %u = model.elementwise mul %x1, %in : (!x, !x) -> !x
  %t = model.elementwise tanh %u : (!x) -> !x
  %a = model.elementwise add %t, %one : (!x, !c) -> !x
  %half = model.constant dense<0.5> : !c
  %xh = model.elementwise mul %x, %half : (!x, !c) -> !x
  %y = model.elementwise mul %xh, %a : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @silu
// CHECK-NEXT: %[[Y:.*]] = model.activation silu %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @silu(%x: !x) -> !x {
  %s = model.elementwise sigmoid %x : (!x) -> !x
  %y = model.elementwise mul %x, %s : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @quick_gelu
// CHECK-NEXT: %[[Y:.*]] = model.activation quick_gelu %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @quick_gelu(%x: !x) -> !x {
  %c = model.constant dense<1.702> : !c
  %u = model.elementwise mul %x, %c : (!x, !c) -> !x
  %s = model.elementwise sigmoid %u : (!x) -> !x
  %y = model.elementwise mul %s, %x : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @gated_by_another
// CHECK-NOT: model.activation
func.func @gated_by_another(%x: !x, %z: !x) -> !x {
  %s = model.elementwise sigmoid %z : (!x) -> !x
  %y = model.elementwise mul %x, %s : (!x, !x) -> !x
  return %y : !x
}

// The value itself may be a product.
// CHECK-LABEL: func.func @silu_of_product
// CHECK-NEXT: %[[P:.*]] = model.elementwise mul
// CHECK-NEXT: %[[Y:.*]] = model.activation silu %[[P]]
// CHECK-NEXT: return %[[Y]]
func.func @silu_of_product(%x: !x, %z: !x) -> !x {
  %p = model.elementwise mul %x, %z : (!x, !x) -> !x
  %s = model.elementwise sigmoid %p : (!x) -> !x
  %y = model.elementwise mul %p, %s : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @relu2
// CHECK-NEXT: %[[Y:.*]] = model.activation relu2 %{{.*}}
// CHECK-NEXT: return %[[Y]]
func.func @relu2(%x: !x) -> !x {
  %zero = model.constant dense<0.0> : !c
  %r = model.elementwise maximum %x, %zero : (!x, !c) -> !x
  %y = model.elementwise mul %r, %r : (!x, !x) -> !x
  return %y : !x
}

// CHECK-LABEL: func.func @clamp_at_one
// CHECK: model.elementwise maximum
func.func @clamp_at_one(%x: !x) -> !x {
  %one = model.constant dense<1.0> : !c
  %y = model.elementwise maximum %x, %one : (!x, !c) -> !x
  return %y : !x
}
