// RUN: tamis-opt %s -split-input-file -tamis-place-buffers | FileCheck %s
// Slots of results, from the lives of values.

// Three results in a chain: the first is dead when the third is made. The last goes straight to the output.
// CHECK-LABEL: func.func @main
// CHECK-SAME: plan.slots = ["16*n", "16*n"]
// CHECK: @k(%{{.*}}) {{.*}} slots [0]
// CHECK: @k(%{{.*}}) {{.*}} slots [1]
// CHECK: @k(%{{.*}}) {{.*}} slots [0]
// CHECK: @k(%{{.*}}) {{.*}} slots [-1]
!t = tensor<?x4xf32, #model.dims<"n", "4">>
func.func @main(%x: !t) -> !t attributes {model.symbols = [#model.symbol<"n", 1, 9>]} {
  %0 = plan.dispatch @k(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!t) -> !t
  %1 = plan.dispatch @k(%0) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!t) -> !t
  %2 = plan.dispatch @k(%1) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!t) -> !t
  %3 = plan.dispatch @k(%2) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!t) -> !t
  return %3 : !t
}

// -----

// A value read through a view lives as long as the view's readers: it shares with nothing here.
// CHECK-LABEL: func.func @main
// CHECK-SAME: plan.slots = ["24", "24"]
// CHECK: @k(%{{.*}}) {{.*}} slots [0]
// CHECK: @f(%{{.*}}) {{.*}} slots [1]
// CHECK: @g(%{{.*}}, %{{.*}}) {{.*}} slots [-1]
func.func @main(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  %0 = plan.dispatch @k(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %v = plan.view %0 : tensor<2x3xf32> -> tensor<6xf32>
  %1 = plan.dispatch @f(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<2x3xf32>) -> tensor<6xf32>
  %2 = plan.dispatch @g(%v, %1) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  return %2 : tensor<6xf32>
}

// -----

// A returned value that is read later too is written to the output and read from there.
// CHECK-LABEL: func.func @main
// CHECK-SAME: plan.slots = []
// CHECK: @k(%{{.*}}) {{.*}} slots [-2]
// CHECK: @k(%{{.*}}) {{.*}} slots [-1]
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = plan.dispatch @k(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<4xf32>) -> tensor<4xf32>
  %1 = plan.dispatch @k(%0) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<4xf32>) -> tensor<4xf32>
  return %1, %0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// A smaller value takes a larger free slot; a slot grows only when no free one is large enough.
// CHECK-LABEL: func.func @main
// CHECK-SAME: plan.slots = ["64", "32"]
// CHECK: @a(%{{.*}}) {{.*}} slots [0]
// CHECK: @b(%{{.*}}) {{.*}} slots [1]
// CHECK: @c(%{{.*}}) {{.*}} slots [0]
// CHECK: @d(%{{.*}}) {{.*}} slots [-1]
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = plan.dispatch @a(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<4xf32>) -> tensor<16xf32>
  %1 = plan.dispatch @b(%0) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<16xf32>) -> tensor<8xf32>
  %2 = plan.dispatch @c(%1) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<8xf32>) -> tensor<2xf32>
  %3 = plan.dispatch @d(%2) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<2xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// Values of two dynamic sizes take turns in one slot: each counts once, however often.
// CHECK-LABEL: func.func @main
// CHECK-SAME: plan.slots = ["max(16*n, 4*m)", "max(16*n, 4*m)"]
!n = tensor<?x4xf32, #model.dims<"n", "4">>
!m = tensor<?xf32, #model.dims<"m">>
func.func @main(%x: !n) -> !n attributes {model.symbols = [#model.symbol<"n", 1, 9>, #model.symbol<"m", 1, 9>]} {
  %0 = plan.dispatch @k(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!n) -> !n
  %1 = plan.dispatch @l(%0) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!n) -> !m
  %2 = plan.dispatch @l(%1) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!m) -> !m
  %3 = plan.dispatch @k(%2) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!m) -> !n
  %4 = plan.dispatch @k(%3) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!n) -> !n
  %5 = plan.dispatch @l(%4) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!n) -> !m
  %6 = plan.dispatch @l(%5) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!m) -> !m
  %7 = plan.dispatch @k(%6) grid "1" scratch "0" sources [] flops "0" bytes "0" : (!m) -> !n
  return %7 : !n
}
