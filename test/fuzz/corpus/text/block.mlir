#d = #model.dims<"b", "s", "8">
func.func @main(%x: tensor<?x?x8xf32, #d> {model.name = "x"}) -> (tensor<?x?x8xf32, #d> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"b", 1, 4>, #model.symbol<"s", 1, 64>]} {
  %0 = model.norm rms %x axis 2 epsilon 1.0e-5 : tensor<?x?x8xf32, #d> -> tensor<?x?x8xf32, #d>
  %1 = sattn.attention #sattn.local_global<block = 4, key_tokens = 2> %0, %0, %0 heads 2 kv_heads 2 scale 0.5
      : tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d> -> tensor<?x?x8xf32, #d>
  %2 = model.activation gelu %1 : tensor<?x?x8xf32, #d>
  %y = model.elementwise add %2, %x : (tensor<?x?x8xf32, #d>, tensor<?x?x8xf32, #d>) -> tensor<?x?x8xf32, #d>
  return %y : tensor<?x?x8xf32, #d>
}
