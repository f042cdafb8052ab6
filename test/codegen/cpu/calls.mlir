// RUN: tamis compile %s -o %t.plan --target=x86-64-v2,x86-64-v3,x86-64-v4 -q && %python %S/Inputs/code_facts.py %t.plan | FileCheck %s --implicit-check-not="calls {{[0-9a-f]}}"
// Code calls nothing: no function of libm, none that converts f16 or divides, no memcpy for copies, no memset for fills.

// CHECK: image 1: needs none
// CHECK-NEXT: transpose: calls none
// CHECK: image 2: needs none
// CHECK-NEXT: transpose: calls none
// CHECK: image 3: needs none
// CHECK-NEXT: transpose: calls none
!x = tensor<?x?xf32, #model.dims<"n", "k">>
!t = tensor<?x?xf32, #model.dims<"k", "n">>
!xx = tensor<?x?xf32, #model.dims<"n", "2*k">>
!h = tensor<?x?xf16, #model.dims<"n", "k">>
!b = tensor<?x?xbf16, #model.dims<"n", "k">>
!d = tensor<?x?xf64, #model.dims<"n", "k">>
!i = tensor<?x?xi64, #model.dims<"n", "k">>
!c = tensor<?x?xi8, #model.dims<"n", "k">>
!w = tensor<?x1xf32, #model.dims<"n", "1">>
!q = tensor<?x?x128xf32, #model.dims<"n", "k", "128">>
!l = tensor<?x?x100xf32, #model.dims<"n", "k", "100">>
func.func @main(%x: !x {model.name = "x"}, %i: !i {model.name = "i"}, %q: !q {model.name = "q"})
    -> (!x {model.name = "same"}, !t {model.name = "turned"}, !xx {model.name = "twice"}, !x {model.name = "back"},
        !x {model.name = "zero"}, !d {model.name = "functions"}, !h {model.name = "halves"},
        !b {model.name = "brains"}, !i {model.name = "integers"}, !c {model.name = "bytes"}, !x {model.name = "softmax"},
        !w {model.name = "sums"}, !x {model.name = "product"}, !x {model.name = "activations"}, !l {model.name = "linear"},
        !q {model.name = "norm"})
    attributes {model.symbols = [#model.symbol<"n", 0, 1000>, #model.symbol<"k", 1, 1000>]} {
  // Copies and fills.
  %turned = model.transpose %x [1, 0] : !x -> !t
  %twice = model.concat %x, %x axis 1 : (!x, !x) -> !xx
  %back = model.slice %x ["n - 1", "0"] step [-1, 1] : !x -> !x
  %zeros = model.constant dense<0.0> : tensor<1x1xf32>
  %zero = model.broadcast %zeros : tensor<1x1xf32> -> !x

  // What libm has functions for.
  %d = model.cast %x : !x -> !d
  %d0 = model.elementwise exp %d : (!d) -> !d
  %d1 = model.elementwise log %d0 : (!d) -> !d
  %d2 = model.elementwise erf %d1 : (!d) -> !d
  %d3 = model.elementwise tanh %d2 : (!d) -> !d
  %d4 = model.elementwise sigmoid %d3 : (!d) -> !d
  %d5 = model.elementwise sin %d4 : (!d) -> !d
  %d6 = model.elementwise cos %d5 : (!d) -> !d
  %d7 = model.elementwise rsqrt %d6 : (!d) -> !d
  %d8 = model.elementwise floor %d7 : (!d) -> !d
  %d9 = model.elementwise round %d8 : (!d) -> !d
  %d10 = model.elementwise pow %d9, %d : (!d, !d) -> !d
  %d11 = model.elementwise fmod %d10, %d : (!d, !d) -> !d
  %functions = model.elementwise mod %d11, %d : (!d, !d) -> !d

  // What compilers have functions for.
  %h = model.cast %i : !i -> !h
  %halves = model.elementwise pow %h, %h : (!h, !h) -> !h
  %b = model.cast %d : !d -> !b
  %brains = model.elementwise exp %b : (!b) -> !b
  %i0 = model.elementwise pow %i, %i : (!i, !i) -> !i
  %i1 = model.elementwise mod %i0, %i : (!i, !i) -> !i
  %integers = model.elementwise div %i1, %i : (!i, !i) -> !i
  %bytes = model.cast %halves : !h -> !c

  %softmax = model.softmax %x axis 1 : !x
  %sums = model.reduce sum %x axes [1] : !x -> !w
  %square = model.matmul %x, %turned : !x, !t -> tensor<?x?xf32, #model.dims<"n", "n">>
  %product = model.matmul %square, %x : tensor<?x?xf32, #model.dims<"n", "n">>, !x -> !x
  %a0 = model.activation gelu %x : !x
  %a1 = model.activation gelu_tanh %a0 : !x
  %activations = model.activation silu %a1 : !x
  %attention = model.attention %q, %q, %q heads 4 kv_heads 4 scale 0.18 causal : !q, !q, !q -> !q
  %weight = model.constant dense<0.5> : tensor<128x100xf32>
  %linear = model.linear %attention, %weight : !q, tensor<128x100xf32> -> !l
  %norm = model.norm layer %attention axis 2 epsilon 1.0e-5 : !q -> !q
  return %x, %turned, %twice, %back, %zero, %functions, %halves, %brains, %integers, %bytes, %softmax, %sums,
      %product, %activations, %linear, %norm : !x, !t, !xx, !x, !x, !d, !h, !b, !i, !c, !x, !w, !x, !x, !l, !q
}
