// RUN: tamis-opt %s -split-input-file -verify-diagnostics -tamis-form-dispatches
// What is written in place must be read by nobody else.

!pool = tensor<8x2x16x16xf32>
func.func @main(%x: tensor<4x32xf32> {model.name = "x"}, %k: !pool {model.name = "keys.0"},
                %table: tensor<1x8xi32> {model.name = "table"}, %at: tensor<4xi32> {model.name = "at"})
    -> (!pool {model.name = "a"}, !pool {model.name = "b"}) {
  // expected-error @below {{appends to a pool that is no input of the model, or that is read elsewhere, too}}
  %a, %b = cache.append pools(%k, %k) rows(%x, %x) at(%table, %at, %at)
      : (!pool, !pool), tensor<4x32xf32>, tensor<4x32xf32>, tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32> -> !pool, !pool
  return %a, %b : !pool, !pool
}

// -----

!pool = tensor<8x2x16x16xf32>
func.func @main(%x: tensor<4x32xf32> {model.name = "x"}, %k: !pool {model.name = "keys.0"}, %v: !pool {model.name = "values.0"},
                %table: tensor<1x8xi32> {model.name = "table"}, %at: tensor<4xi32> {model.name = "at"})
    -> (!pool {model.name = "a"}, !pool {model.name = "b"}) {
  // expected-error @below {{gives an output that does not take the place of the input it appends to}}
  %a, %b = cache.append pools(%k, %v) rows(%x, %x) at(%table, %at, %at)
      : (!pool, !pool), tensor<4x32xf32>, tensor<4x32xf32>, tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32> -> !pool, !pool
  return %a, %b : !pool, !pool
}

// -----

// expected-error @below {{gives output 0 in the place of an input to which nothing is appended}}
func.func @main(%x: tensor<4x32xf32> {model.name = "x"}) -> (tensor<4x32xf32> {model.name = "y", cache.state = "x"}) {
  %y = model.elementwise abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}
