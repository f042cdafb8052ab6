module {
  module @"x86-64-v3" {
    llvm.func internal @linear_16x48.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: i64, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @linear_16x48(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @cast_select.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: i64, %arg3: i64, %arg4: i64, %arg5: i64, %arg6: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @cast_select(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @attention.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: i64, %arg4: i64, %arg5: i64, %arg6: i64, %arg7: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @attention(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @linear_add_16x16.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: !llvm.ptr {llvm.noalias}, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: i64, %arg9: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @linear_add_16x16(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @layer_norm.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: i64, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @layer_norm(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @linear_gelu_16x32.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: i64, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @linear_gelu_16x32(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @linear_add_32x16.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: !llvm.ptr {llvm.noalias}, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: i64, %arg9: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @linear_add_32x16(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
  }
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "hidden_states"}, %arg1: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "attention_mask"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.slots = ["192*batch*sequence", "64*batch*sequence", "64*batch*sequence"]} {
    %0 = plan.constant rows ["norm_1.bias"] transposed [false] axis 0 : tensor<16xf32>
    %1 = plan.constant rows ["norm_1.scale"] transposed [false] axis 0 : tensor<16xf32>
    %2 = plan.constant rows ["down.bias"] transposed [false] axis 0 : tensor<16xf32>
    %3 = plan.constant panels ["down.weight"] transposed [false] axis 0 : tensor<32x16xf32>
    %4 = plan.constant rows ["up.bias"] transposed [false] axis 0 : tensor<32xf32>
    %5 = plan.constant panels ["up.weight"] transposed [false] axis 0 : tensor<16x32xf32>
    %6 = plan.constant rows ["norm.bias"] transposed [false] axis 0 : tensor<16xf32>
    %7 = plan.constant rows ["norm.scale"] transposed [false] axis 0 : tensor<16xf32>
    %8 = plan.constant rows ["output.bias"] transposed [false] axis 0 : tensor<16xf32>
    %9 = plan.constant panels ["output.weight"] transposed [false] axis 0 : tensor<16x16xf32>
    %10 = plan.constant rows ["query.bias", "key.bias", "value.bias"] transposed [false, false, false] axis 0 : tensor<48xf32>
    %11 = plan.constant panels ["query.weight", "key.weight", "value.weight"] transposed [false, false, false] axis 1 : tensor<16x48xf32>
    %12 = plan.dispatch @linear_16x48(%arg0, %11, %10) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["query/MatMul", "query/Add", "key/MatMul", "key/Add", "value/MatMul", "value/Add"] flops "1536*batch*sequence" bytes "256*batch*sequence + 3264" slots [0] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x48xf32>, tensor<48xf32>) -> tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>
    %13 = plan.dispatch @cast_select(%arg1) grid "floordiv(batch*sequence + 4095, 4096)" scratch "0" sources ["mask/Cast", "mask/Where"] flops "batch*sequence" bytes "12*batch*sequence + 8" slots [1] : (tensor<?x?xi64, #model.dims<"batch", "sequence">>) -> tensor<?x?xf32, #model.dims<"batch", "sequence">>
    %14 = plan.view %13 : tensor<?x?xf32, #model.dims<"batch", "sequence">> -> tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>
    %15 = plan.dispatch @attention(%12, %14) grid "2*batch*floordiv(sequence + 383, 384)" scratch "116*sequence + 32832" sources ["attention/Softmax", "attention/Add", "attention/Mul", "attention/MatMul", "attention/MatMul_1"] flops "64*batch*sequence*sequence" bytes "260*batch*sequence" slots [2] : (tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>, tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %16 = plan.dispatch @linear_add_16x16(%15, %9, %8, %arg0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["output/MatMul", "output/Add", "residual/Add"] flops "528*batch*sequence" bytes "192*batch*sequence + 1088" slots [0] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %17 = plan.dispatch @layer_norm(%16, %7, %6) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm/Sqrt", "norm/Add", "norm/ReduceMean_1", "norm/Mul", "norm/ReduceMean", "norm/Sub", "norm/Div", "norm/Mul_1", "norm/Add_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" slots [2] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %18 = plan.dispatch @linear_gelu_16x32(%17, %5, %4) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["up/MatMul", "up/Add", "gelu/Mul_1", "gelu/Mul", "gelu/Add", "gelu/Erf", "gelu/Div"] flops "1056*batch*sequence" bytes "192*batch*sequence + 2176" slots [0] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
    %19 = plan.dispatch @linear_add_32x16(%18, %3, %2, %17) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["down/MatMul", "down/Add", "residual_1/Add"] flops "1040*batch*sequence" bytes "256*batch*sequence + 2112" slots [1] : (tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>, tensor<32x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %20 = plan.dispatch @layer_norm(%19, %1, %0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" slots [-1] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %20 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
