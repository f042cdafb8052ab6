module {
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "q"}, %arg1: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "k"}, %arg2: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "v"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 65536>, #model.symbol<"sequence", 1, 65536>]} {
    %0 = model.attention %arg0, %arg1, %arg2 heads 2 kv_heads 2 scale 0.35355339059327373 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %0 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
