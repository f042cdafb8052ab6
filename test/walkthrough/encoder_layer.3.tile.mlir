module {
  module @"x86-64-v3" {
    func.func @linear_16x48(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: index, %arg5: index, %arg6: index, %arg7: index, %arg8: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<linear>} {
      ...
    }
    func.func @cast_select(%arg0: memref<1099511627776xi64>, %arg1: memref<1099511627776xf32>, %arg2: index, %arg3: index, %arg4: index, %arg5: index, %arg6: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<map>} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %0 = arith.muli %arg2, %arg3 : index
      %c4096 = arith.constant 4096 : index
      %1 = arith.muli %arg4, %c4096 : index
      %2 = arith.muli %arg5, %c4096 : index
      %3 = arith.minsi %2, %0 : index
      %c1_0 = arith.constant 1 : index
      %c0_1 = arith.constant 0 : index
      %cst = arith.constant 0.000000e+00 : f32
      %cst_2 = arith.constant -3.40282347E+38 : f32
      scf.for %arg7 = %1 to %3 step %c1_0 {
        %4 = memref.load %arg0[%arg7] : memref<1099511627776xi64>
        %c0_i64 = arith.constant 0 : i64
        %5 = arith.cmpi ne, %4, %c0_i64 : i64
        %6 = arith.select %5, %cst, %cst_2 : f32
        memref.store %6, %arg1[%arg7] : memref<1099511627776xf32>
      }
      %c0_i32 = arith.constant 0 : i32
      return %c0_i32 : i32
    }
    func.func @attention(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: index, %arg4: index, %arg5: index, %arg6: index, %arg7: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<attention>} {
      ...
    }
    func.func @linear_add_16x16(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: memref<1099511627776xf32>, %arg5: index, %arg6: index, %arg7: index, %arg8: index, %arg9: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<linear>} {
      ...
    }
    func.func @layer_norm(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: index, %arg5: index, %arg6: index, %arg7: index, %arg8: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<rows>} {
      %c16 = arith.constant 16 : index
      %c512 = arith.constant 512 : index
      %0 = arith.muli %arg6, %c512 : index
      %1 = arith.muli %arg7, %c512 : index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %2 = arith.muli %arg4, %arg5 : index
      %3 = arith.minsi %1, %2 : index
      %c1_0 = arith.constant 1 : index
      scf.for %arg9 = %0 to %3 step %c1_0 {
        %4 = arith.muli %arg9, %c16 : index
        %c0_1 = arith.constant 0 : index
        %5 = arith.remui %arg9, %arg5 : index
        %6 = arith.divui %arg9, %arg5 : index
        %c1_2 = arith.constant 1 : index
        %c1_3 = arith.constant 1 : index
        %c0_4 = arith.constant 0 : index
        %7 = arith.remui %arg9, %arg5 : index
        %8 = arith.divui %arg9, %arg5 : index
        %c1_5 = arith.constant 1 : index
        %c1_6 = arith.constant 1 : index
        %cst = arith.constant dense<0.000000e+00> : vector<8xf32>
        %cst_7 = arith.constant 1.600000e+01 : f32
        %c0_8 = arith.constant 0 : index
        %c0_9 = arith.constant 0 : index
        %c16_10 = arith.constant 16 : index
        %c8 = arith.constant 8 : index
        %9:4 = scf.for %arg10 = %c0_9 to %c16_10 step %c8 iter_args(%arg11 = %cst, %arg12 = %cst, %arg13 = %cst, %arg14 = %cst) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
          %c0_21 = arith.constant 0 : index
          %26 = arith.addi %4, %arg10 : index
          %27 = vector.load %arg0[%26] : memref<1099511627776xf32>, vector<8xf32>
          %28 = arith.addf %arg11, %27 : vector<8xf32>
          scf.yield %28, %arg12, %arg13, %arg14 : vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>
        }
        %10 = arith.addf %9#1, %9#3 : vector<8xf32>
        %11 = arith.addf %9#0, %9#2 : vector<8xf32>
        %12 = arith.addf %11, %10 : vector<8xf32>
        %13 = vector.reduction <add>, %12 fastmath<reassoc> : vector<8xf32> into f32
        %14 = arith.divf %13, %cst_7 : f32
        %15 = vector.broadcast %14 : f32 to vector<8xf32>
        %c0_11 = arith.constant 0 : index
        %c0_12 = arith.constant 0 : index
        %c16_13 = arith.constant 16 : index
        %c8_14 = arith.constant 8 : index
        %16:4 = scf.for %arg10 = %c0_12 to %c16_13 step %c8_14 iter_args(%arg11 = %cst, %arg12 = %cst, %arg13 = %cst, %arg14 = %cst) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
          %c0_21 = arith.constant 0 : index
          %26 = arith.addi %4, %arg10 : index
          %27 = vector.load %arg0[%26] : memref<1099511627776xf32>, vector<8xf32>
          %28 = arith.subf %27, %15 : vector<8xf32>
          %29 = arith.mulf %28, %28 fastmath<contract> : vector<8xf32>
          %30 = arith.addf %29, %arg11 fastmath<contract> : vector<8xf32>
          scf.yield %30, %arg12, %arg13, %arg14 : vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>
        }
        %17 = arith.addf %16#1, %16#3 : vector<8xf32>
        %18 = arith.addf %16#0, %16#2 : vector<8xf32>
        %19 = arith.addf %18, %17 : vector<8xf32>
        %20 = vector.reduction <add>, %19 fastmath<reassoc> : vector<8xf32> into f32
        %21 = arith.divf %20, %cst_7 : f32
        %cst_15 = arith.constant 9.99999996E-13 : f32
        %22 = arith.addf %21, %cst_15 : f32
        %cst_16 = arith.constant 1.000000e+00 : f32
        %23 = math.sqrt %22 : f32
        %24 = arith.divf %cst_16, %23 : f32
        %25 = vector.broadcast %24 : f32 to vector<8xf32>
        %c0_17 = arith.constant 0 : index
        %c16_18 = arith.constant 16 : index
        %c16_19 = arith.constant 16 : index
        %c16_20 = arith.constant 16 : index
        scf.for %arg10 = %c0_17 to %c16_18 step %c16_20 {
          %c0_21 = arith.constant 0 : index
          %26 = arith.addi %4, %arg10 : index
          %27 = vector.load %arg0[%26] : memref<1099511627776xf32>, vector<8xf32>
          %28 = arith.subf %27, %15 : vector<8xf32>
          %29 = arith.mulf %28, %25 : vector<8xf32>
          %30 = vector.load %arg1[%arg10] : memref<1099511627776xf32>, vector<8xf32>
          %31 = vector.load %arg2[%arg10] : memref<1099511627776xf32>, vector<8xf32>
          %32 = arith.mulf %29, %30 fastmath<contract> : vector<8xf32>
          %33 = arith.addf %32, %31 fastmath<contract> : vector<8xf32>
          %34 = arith.addi %4, %arg10 : index
          vector.store %33, %arg3[%34] : memref<1099511627776xf32>, vector<8xf32>
          %c8_22 = arith.constant 8 : index
          %35 = arith.addi %arg10, %c8_22 : index
          %36 = arith.addi %4, %35 : index
          %37 = vector.load %arg0[%36] : memref<1099511627776xf32>, vector<8xf32>
          %38 = arith.subf %37, %15 : vector<8xf32>
          %39 = arith.mulf %38, %25 : vector<8xf32>
          %40 = vector.load %arg1[%35] : memref<1099511627776xf32>, vector<8xf32>
          %41 = vector.load %arg2[%35] : memref<1099511627776xf32>, vector<8xf32>
          %42 = arith.mulf %39, %40 fastmath<contract> : vector<8xf32>
          %43 = arith.addf %42, %41 fastmath<contract> : vector<8xf32>
          %44 = arith.addi %4, %35 : index
          vector.store %43, %arg3[%44] : memref<1099511627776xf32>, vector<8xf32>
        }
      }
      %c0_i32 = arith.constant 0 : i32
      return %c0_i32 : i32
    }
    func.func @linear_gelu_16x32(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: index, %arg5: index, %arg6: index, %arg7: index, %arg8: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<linear>} {
      ...
    }
    func.func @linear_add_32x16(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: memref<1099511627776xf32>, %arg5: index, %arg6: index, %arg7: index, %arg8: index, %arg9: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>], plan.kernel = #plan.kernel<linear>} {
      ...
    }
  }
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "hidden_states"}, %arg1: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "attention_mask"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 8>, #model.symbol<"sequence", 1, 64>]} {
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
    %12 = plan.dispatch @linear_16x48(%arg0, %11, %10) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["query/MatMul", "query/Add", "key/MatMul", "key/Add", "value/MatMul", "value/Add"] flops "1536*batch*sequence" bytes "256*batch*sequence + 3264" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x48xf32>, tensor<48xf32>) -> tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>
    %13 = plan.dispatch @cast_select(%arg1) grid "floordiv(batch*sequence + 4095, 4096)" scratch "0" sources ["mask/Cast", "mask/Where"] flops "batch*sequence" bytes "12*batch*sequence + 8" : (tensor<?x?xi64, #model.dims<"batch", "sequence">>) -> tensor<?x?xf32, #model.dims<"batch", "sequence">>
    %14 = plan.view %13 : tensor<?x?xf32, #model.dims<"batch", "sequence">> -> tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>
    %15 = plan.dispatch @attention(%12, %14) grid "2*batch*floordiv(sequence + 511, 512)" scratch "112*sequence + 26112" sources ["query/MatMul", "query/Add", "key/MatMul", "key/Add", "value/MatMul", "value/Add", "attention/Softmax", "attention/Add", "attention/Mul", "attention/MatMul", "attention/MatMul_1"] flops "64*batch*sequence*sequence" bytes "260*batch*sequence" : (tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>, tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %16 = plan.dispatch @linear_add_16x16(%15, %9, %8, %arg0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["output/MatMul", "output/Add", "residual/Add"] flops "528*batch*sequence" bytes "192*batch*sequence + 1088" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %17 = plan.dispatch @layer_norm(%16, %7, %6) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm/Sqrt", "norm/Add", "norm/ReduceMean_1", "norm/Mul", "norm/ReduceMean", "norm/Sub", "norm/Div", "norm/Mul_1", "norm/Add_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %18 = plan.dispatch @linear_gelu_16x32(%17, %5, %4) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["up/MatMul", "up/Add", "gelu/Mul_1", "gelu/Mul", "gelu/Add", "gelu/Erf", "gelu/Div"] flops "1056*batch*sequence" bytes "192*batch*sequence + 2176" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
    %19 = plan.dispatch @linear_add_32x16(%18, %3, %2, %17) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["down/MatMul", "down/Add", "residual_1/Add"] flops "1040*batch*sequence" bytes "256*batch*sequence + 2112" : (tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>, tensor<32x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %20 = plan.dispatch @layer_norm(%19, %1, %0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %20 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
