module {
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "hidden_states"}, %arg1: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "attention_mask"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>]} {
    %0 = model.constant dense<-3.40282347E+38> : tensor<f32>
    %1 = model.constant dense<0.000000e+00> : tensor<f32>
    %2 = model.weight "query.weight" : tensor<16x16xf32>
    %3 = model.weight "query.bias" : tensor<16xf32>
    %4 = model.weight "key.weight" : tensor<16x16xf32>
    %5 = model.weight "key.bias" : tensor<16xf32>
    %6 = model.weight "value.weight" : tensor<16x16xf32>
    %7 = model.weight "value.bias" : tensor<16xf32>
    %8 = model.concat %2, %4, %6 axis 1 : (tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x48xf32>
    %9 = model.concat %3, %5, %7 axis 0 : (tensor<16xf32>, tensor<16xf32>, tensor<16xf32>) -> tensor<48xf32>
    %10 = model.linear %arg0, %8 bias %9 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x48xf32>, tensor<48xf32> -> tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>
    %11 = model.slice %10 ["0", "0", "0"] step [1, 1, 1] : tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %12 = model.slice %10 ["0", "0", "16"] step [1, 1, 1] : tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %13 = model.slice %10 ["0", "0", "32"] step [1, 1, 1] : tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %14 = model.cast %arg1 : tensor<?x?xi64, #model.dims<"batch", "sequence">> -> tensor<?x?xi1, #model.dims<"batch", "sequence">>
    %15 = model.elementwise select %14, %1, %0 : (tensor<?x?xi1, #model.dims<"batch", "sequence">>, tensor<f32>, tensor<f32>) -> tensor<?x?xf32, #model.dims<"batch", "sequence">>
    %16 = model.reshape %15 : tensor<?x?xf32, #model.dims<"batch", "sequence">> -> tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>
    %17 = model.attention %11, %12, %13 mask %16 heads 2 kv_heads 2 scale 0.35355338454246521 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %18 = model.weight "output.weight" : tensor<16x16xf32>
    %19 = model.weight "output.bias" : tensor<16xf32>
    %20 = model.linear %17, %18 bias %19 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x16xf32>, tensor<16xf32> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %21 = model.elementwise add %20, %arg0 : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %22 = model.weight "norm.scale" : tensor<16xf32>
    %23 = model.weight "norm.bias" : tensor<16xf32>
    %24 = model.norm layer %21 scale %22 bias %23 axis 2 epsilon 9.999999960041972E-13 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %25 = model.weight "up.weight" : tensor<16x32xf32>
    %26 = model.weight "up.bias" : tensor<32xf32>
    %27 = model.linear %24, %25 bias %26 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x32xf32>, tensor<32xf32> -> tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
    %28 = model.activation gelu %27 : tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
    %29 = model.weight "down.weight" : tensor<32x16xf32>
    %30 = model.weight "down.bias" : tensor<16xf32>
    %31 = model.linear %28, %29 bias %30 : tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>, tensor<32x16xf32>, tensor<16xf32> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %32 = model.elementwise add %31, %24 : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %33 = model.weight "norm_1.scale" : tensor<16xf32>
    %34 = model.weight "norm_1.bias" : tensor<16xf32>
    %35 = model.norm layer %32 scale %33 bias %34 axis 2 epsilon 9.999999960041972E-13 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %35 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
