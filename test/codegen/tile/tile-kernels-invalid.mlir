// RUN: tamis-opt %s -tamis-form-dispatches "-tamis-tile-kernels=target=x86-64-v9" -verify-diagnostics

// expected-error @below {{unknown cpu target 'x86-64-v9'; known are host, x86-64-v2, x86-64-v3, x86-64-v4}}
module {
  func.func @main(%x: tensor<4xf32> {model.name = "x"}) -> (tensor<4xf32> {model.name = "y"}) {
    return %x : tensor<4xf32>
  }
}
