func.func @main(%x: tensor<?x4xf32, #model.dims<"n", "4">> {model.name = "x"})
    -> (tensor<?x2xf32, #model.dims<"2*n", "2">> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 9>]} {
  %c = model.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = model.elementwise mul %x, %c : (tensor<?x4xf32, #model.dims<"n", "4">>, tensor<4xf32>) -> tensor<?x4xf32, #model.dims<"n", "4">>
  %1 = model.softmax %0 axis 1 : tensor<?x4xf32, #model.dims<"n", "4">>
  %y = model.reshape %1 : tensor<?x4xf32, #model.dims<"n", "4">> -> tensor<?x2xf32, #model.dims<"2*n", "2">>
  return %y : tensor<?x2xf32, #model.dims<"2*n", "2">>
}
