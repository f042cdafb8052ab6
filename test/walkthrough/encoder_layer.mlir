// One layer of a transformer encoder, 16 wide, with 2 heads and 32 wide inside: spelt out, as exporters write it.
// make_weights.py writes its weights to encoder_layer.safetensors, where the compiler looks for them.

!mask = tensor<?x?xi64, #model.dims<"batch", "sequence">>
!mask4 = tensor<?x1x1x?xi64, #model.dims<"batch", "1", "1", "sequence">>
!keep = tensor<?x1x1x?xi1, #model.dims<"batch", "1", "1", "sequence">>
!tokens = tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
!inner = tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
!split = tensor<?x?x2x8xf32, #model.dims<"batch", "sequence", "2", "8">>
!heads = tensor<?x2x?x8xf32, #model.dims<"batch", "2", "sequence", "8">>
!columns = tensor<?x2x8x?xf32, #model.dims<"batch", "2", "8", "sequence">>
!scores = tensor<?x2x?x?xf32, #model.dims<"batch", "2", "sequence", "sequence">>

func.func @main(%x: !tokens {model.name = "hidden_states"}, %mask: !mask {model.name = "attention_mask"})
    -> (!tokens {model.name = "output"})
    attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>]} {
  // The projections, [batch, sequence, 16] each, and their heads.
  %wq = model.weight "query.weight" : tensor<16x16xf32>
  %bq = model.weight "query.bias" : tensor<16xf32>
  %q0 = model.matmul %x, %wq : !tokens, tensor<16x16xf32> -> !tokens loc("query/MatMul")
  %q1 = model.elementwise add %q0, %bq : (!tokens, tensor<16xf32>) -> !tokens loc("query/Add")
  %q2 = model.reshape %q1 : !tokens -> !split loc("query/Reshape")
  %q = model.transpose %q2 [0, 2, 1, 3] : !split -> !heads loc("query/Transpose")
  %wk = model.weight "key.weight" : tensor<16x16xf32>
  %bk = model.weight "key.bias" : tensor<16xf32>
  %k0 = model.matmul %x, %wk : !tokens, tensor<16x16xf32> -> !tokens loc("key/MatMul")
  %k1 = model.elementwise add %k0, %bk : (!tokens, tensor<16xf32>) -> !tokens loc("key/Add")
  %k2 = model.reshape %k1 : !tokens -> !split loc("key/Reshape")
  %k = model.transpose %k2 [0, 2, 3, 1] : !split -> !columns loc("key/Transpose")
  %wv = model.weight "value.weight" : tensor<16x16xf32>
  %bv = model.weight "value.bias" : tensor<16xf32>
  %v0 = model.matmul %x, %wv : !tokens, tensor<16x16xf32> -> !tokens loc("value/MatMul")
  %v1 = model.elementwise add %v0, %bv : (!tokens, tensor<16xf32>) -> !tokens loc("value/Add")
  %v2 = model.reshape %v1 : !tokens -> !split loc("value/Reshape")
  %v = model.transpose %v2 [0, 2, 1, 3] : !split -> !heads loc("value/Transpose")

  // softmax(q k / sqrt 8 + mask) v; a padded key gets the lowest number there is.
  %scale = model.constant dense<0.35355338> : tensor<f32>
  %s0 = model.matmul %q, %k : !heads, !columns -> !scores loc("attention/MatMul")
  %s1 = model.elementwise mul %s0, %scale : (!scores, tensor<f32>) -> !scores loc("attention/Mul")
  %m0 = model.reshape %mask : !mask -> !mask4 loc("mask/Unsqueeze")
  %keep = model.cast %m0 : !mask4 -> !keep loc("mask/Cast")
  %zero = model.constant dense<0.0> : tensor<f32>
  %lowest = model.constant dense<-3.40282347E+38> : tensor<f32>
  %m1 = model.elementwise select %keep, %zero, %lowest : (!keep, tensor<f32>, tensor<f32>)
      -> tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">> loc("mask/Where")
  %s2 = model.elementwise add %s1, %m1
      : (!scores, tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>) -> !scores loc("attention/Add")
  %p = model.softmax %s2 axis 3 : !scores loc("attention/Softmax")
  %o0 = model.matmul %p, %v : !scores, !heads -> !heads loc("attention/MatMul_1")
  %o1 = model.transpose %o0 [0, 2, 1, 3] : !heads -> !split loc("attention/Transpose")
  %o2 = model.reshape %o1 : !split -> !tokens loc("attention/Reshape")
  %wo = model.weight "output.weight" : tensor<16x16xf32>
  %bo = model.weight "output.bias" : tensor<16xf32>
  %o3 = model.matmul %o2, %wo : !tokens, tensor<16x16xf32> -> !tokens loc("output/MatMul")
  %o4 = model.elementwise add %o3, %bo : (!tokens, tensor<16xf32>) -> !tokens loc("output/Add")
  %h0 = model.elementwise add %o4, %x : (!tokens, !tokens) -> !tokens loc("residual/Add")

  // The norm, from its parts: (h - mean) / sqrt(variance + epsilon) * scale + bias.
  %mean = model.reduce mean %h0 axes [2]
      : !tokens -> tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">> loc("norm/ReduceMean")
  %d = model.elementwise sub %h0, %mean
      : (!tokens, tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">>) -> !tokens loc("norm/Sub")
  %d2 = model.elementwise mul %d, %d : (!tokens, !tokens) -> !tokens loc("norm/Mul")
  %var = model.reduce mean %d2 axes [2]
      : !tokens -> tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">> loc("norm/ReduceMean_1")
  %epsilon = model.constant dense<1.0e-12> : tensor<f32>
  %var1 = model.elementwise add %var, %epsilon : (tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">>, tensor<f32>)
      -> tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">> loc("norm/Add")
  %dev = model.elementwise sqrt %var1 : (tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">>)
      -> tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">> loc("norm/Sqrt")
  %n0 = model.elementwise div %d, %dev
      : (!tokens, tensor<?x?x1xf32, #model.dims<"batch", "sequence", "1">>) -> !tokens loc("norm/Div")
  %ng = model.weight "norm.scale" : tensor<16xf32>
  %nb = model.weight "norm.bias" : tensor<16xf32>
  %n1 = model.elementwise mul %n0, %ng : (!tokens, tensor<16xf32>) -> !tokens loc("norm/Mul_1")
  %h = model.elementwise add %n1, %nb : (!tokens, tensor<16xf32>) -> !tokens loc("norm/Add_1")

  // The feed-forward half: 16 to 32, GELU by its formula, back to 16, residual and norm.
  %wi = model.weight "up.weight" : tensor<16x32xf32>
  %bi = model.weight "up.bias" : tensor<32xf32>
  %i0 = model.matmul %h, %wi : !tokens, tensor<16x32xf32> -> !inner loc("up/MatMul")
  %i = model.elementwise add %i0, %bi : (!inner, tensor<32xf32>) -> !inner loc("up/Add")
  %root2 = model.constant dense<1.41421354> : tensor<f32>
  %one = model.constant dense<1.0> : tensor<f32>
  %half = model.constant dense<0.5> : tensor<f32>
  %g0 = model.elementwise div %i, %root2 : (!inner, tensor<f32>) -> !inner loc("gelu/Div")
  %g1 = model.elementwise erf %g0 : (!inner) -> !inner loc("gelu/Erf")
  %g2 = model.elementwise add %g1, %one : (!inner, tensor<f32>) -> !inner loc("gelu/Add")
  %g3 = model.elementwise mul %i, %g2 : (!inner, !inner) -> !inner loc("gelu/Mul")
  %g = model.elementwise mul %g3, %half : (!inner, tensor<f32>) -> !inner loc("gelu/Mul_1")
  %wd = model.weight "down.weight" : tensor<32x16xf32>
  %bd = model.weight "down.bias" : tensor<16xf32>
  %f0 = model.matmul %g, %wd : !inner, tensor<32x16xf32> -> !tokens loc("down/MatMul")
  %f1 = model.elementwise add %f0, %bd : (!tokens, tensor<16xf32>) -> !tokens loc("down/Add")
  %f = model.elementwise add %f1, %h : (!tokens, !tokens) -> !tokens loc("residual_1/Add")
  %lg = model.weight "norm_1.scale" : tensor<16xf32>
  %lb = model.weight "norm_1.bias" : tensor<16xf32>
  %y = model.norm layer %f scale %lg bias %lb axis 2 epsilon 9.9999999600419720e-13
      : !tokens, tensor<16xf32>, tensor<16xf32> -> !tokens loc("norm_1")
  return %y : !tokens
}
