// RUN: tamis compile %s -o %t.plan --target=x86-64-v3,x86-64-v4 -q && %python %S/Inputs/code_facts.py %t.plan | FileCheck %s
// The accumulators of matrix products and attention stay in registers: a tile of one row too many uses the stack in every
// step. That a loop has many multiply-adds tells that it is the right one. Image 1 is for x86-64-v4, 2 for v3.

// CHECK: image 1:
// CHECK: attention{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
// CHECK: attention{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
// CHECK: linear_gelu{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
// CHECK: image 2:
// CHECK: attention{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
// CHECK: attention{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
// CHECK: linear_gelu{{.*}}: loops of up to {{[1-9][0-9]+}} multiply-adds, spills none
!x = tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
!y = tensor<?x?x1536xf32, #model.dims<"b", "s", "1536">>
!m = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
func.func @main(%x: !x {model.name = "x"}, %m: !m {model.name = "m"}) -> (!y {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"b", 1, 64>, #model.symbol<"s", 1, 512>]} {
  %w = model.constant dense<0.5> : tensor<384x1536xf32>
  %b = model.constant dense<0.25> : tensor<1536xf32>
  %0 = model.attention %x, %x, %x mask %m heads 12 kv_heads 12 scale 0.18 : !x, !x, !x, !m -> !x
  %1 = model.attention %0, %0, %0 heads 6 kv_heads 6 scale 0.12 : !x, !x, !x -> !x
  %2 = model.linear %1, %w bias %b : !x, tensor<384x1536xf32>, tensor<1536xf32> -> !y
  %3 = model.activation gelu %2 : !y
  return %3 : !y
}
