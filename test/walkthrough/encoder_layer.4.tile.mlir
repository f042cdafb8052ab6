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
        %c0_7 = arith.constant 0 : index
        %c16_8 = arith.constant 16 : index
        %c8 = arith.constant 8 : index
        %9 = scf.for %arg10 = %c0_7 to %c16_8 step %c8 iter_args(%arg11 = %cst) -> (vector<8xf32>) {
          %c0_21 = arith.constant 0 : index
          %55 = arith.addi %4, %arg10 : index
          %56 = vector.load %arg0[%55] : memref<1099511627776xf32>, vector<8xf32>
          %57 = arith.addf %arg11, %56 : vector<8xf32>
          scf.yield %57 : vector<8xf32>
        }
        %10 = arith.addf %cst, %9 : vector<8xf32>
        %11 = arith.addf %10, %cst : vector<8xf32>
        %12 = arith.addf %11, %cst : vector<8xf32>
        %13 = vector.shuffle %12, %12 [4, 5, 6, 7, 0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %14 = arith.addf %12, %13 : vector<8xf32>
        %15 = vector.shuffle %14, %14 [2, 3, 0, 1, 6, 7, 4, 5] : vector<8xf32>, vector<8xf32>
        %16 = arith.addf %14, %15 : vector<8xf32>
        %17 = vector.shuffle %16, %16 [1, 0, 3, 2, 5, 4, 7, 6] : vector<8xf32>, vector<8xf32>
        %18 = arith.addf %16, %17 : vector<8xf32>
        %19 = vector.extract %18[0] : f32 from vector<8xf32>
        %cst_9 = arith.constant 1.600000e+01 : f32
        %20 = arith.divf %19, %cst_9 : f32
        %21 = vector.broadcast %20 : f32 to vector<8xf32>
        %c0_10 = arith.constant 0 : index
        %c16_11 = arith.constant 16 : index
        %c8_12 = arith.constant 8 : index
        %22:2 = scf.for %arg10 = %c0_10 to %c16_11 step %c8_12 iter_args(%arg11 = %cst, %arg12 = %cst) -> (vector<8xf32>, vector<8xf32>) {
          %c0_21 = arith.constant 0 : index
          %55 = arith.addi %4, %arg10 : index
          %56 = vector.load %arg0[%55] : memref<1099511627776xf32>, vector<8xf32>
          %57 = arith.subf %56, %21 : vector<8xf32>
          %58 = arith.mulf %57, %57 fastmath<contract> : vector<8xf32>
          %59 = arith.addf %58, %arg11 fastmath<contract> : vector<8xf32>
          %60 = arith.addf %arg12, %57 : vector<8xf32>
          scf.yield %59, %60 : vector<8xf32>, vector<8xf32>
        }
        %23 = arith.addf %cst, %22#0 : vector<8xf32>
        %24 = arith.addf %cst, %22#1 : vector<8xf32>
        %25 = arith.addf %23, %cst : vector<8xf32>
        %26 = arith.addf %24, %cst : vector<8xf32>
        %27 = arith.addf %25, %cst : vector<8xf32>
        %28 = arith.addf %26, %cst : vector<8xf32>
        %29 = vector.shuffle %27, %27 [4, 5, 6, 7, 0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %30 = arith.addf %27, %29 : vector<8xf32>
        %31 = vector.shuffle %30, %30 [2, 3, 0, 1, 6, 7, 4, 5] : vector<8xf32>, vector<8xf32>
        %32 = arith.addf %30, %31 : vector<8xf32>
        %33 = vector.shuffle %32, %32 [1, 0, 3, 2, 5, 4, 7, 6] : vector<8xf32>, vector<8xf32>
        %34 = arith.addf %32, %33 : vector<8xf32>
        %35 = vector.shuffle %28, %28 [4, 5, 6, 7, 0, 1, 2, 3] : vector<8xf32>, vector<8xf32>
        %36 = arith.addf %28, %35 : vector<8xf32>
        %37 = vector.shuffle %36, %36 [2, 3, 0, 1, 6, 7, 4, 5] : vector<8xf32>, vector<8xf32>
        %38 = arith.addf %36, %37 : vector<8xf32>
        %39 = vector.shuffle %38, %38 [1, 0, 3, 2, 5, 4, 7, 6] : vector<8xf32>, vector<8xf32>
        %40 = arith.addf %38, %39 : vector<8xf32>
        %41 = vector.extract %34[0] : f32 from vector<8xf32>
        %cst_13 = arith.constant 1.600000e+01 : f32
        %42 = arith.divf %41, %cst_13 : f32
        %43 = vector.broadcast %42 : f32 to vector<8xf32>
        %44 = vector.extract %40[0] : f32 from vector<8xf32>
        %cst_14 = arith.constant 1.600000e+01 : f32
        %45 = arith.divf %44, %cst_14 : f32
        %46 = vector.broadcast %45 : f32 to vector<8xf32>
        %47 = arith.mulf %46, %46 : vector<8xf32>
        %48 = arith.subf %43, %47 : vector<8xf32>
        %cst_15 = arith.constant dense<9.99999996E-13> : vector<8xf32>
        %49 = arith.addf %48, %cst_15 : vector<8xf32>
        %50 = vector.extract %49[0] : f32 from vector<8xf32>
        %51 = math.sqrt %50 : f32
        %cst_16 = arith.constant 1.000000e+00 : f32
        %52 = arith.divf %cst_16, %51 : f32
        %53 = vector.broadcast %52 : f32 to vector<8xf32>
        %54 = arith.mulf %46, %53 : vector<8xf32>
        %c16_17 = arith.constant 16 : index
        %c16_18 = arith.constant 16 : index
        %c0_19 = arith.constant 0 : index
        %c16_20 = arith.constant 16 : index
        scf.for %arg10 = %c0_19 to %c16_17 step %c16_20 {
          %c0_21 = arith.constant 0 : index
          %55 = arith.addi %4, %arg10 : index
          %56 = vector.load %arg0[%55] : memref<1099511627776xf32>, vector<8xf32>
          %57 = arith.subf %56, %21 : vector<8xf32>
          %58 = arith.mulf %57, %53 : vector<8xf32>
          %59 = arith.subf %58, %54 : vector<8xf32>
          %60 = vector.load %arg1[%arg10] : memref<1099511627776xf32>, vector<8xf32>
          %61 = vector.load %arg2[%arg10] : memref<1099511627776xf32>, vector<8xf32>
          %62 = arith.mulf %59, %60 fastmath<contract> : vector<8xf32>
          %63 = arith.addf %62, %61 fastmath<contract> : vector<8xf32>
          %64 = arith.addi %4, %arg10 : index
          vector.store %63, %arg3[%64] : memref<1099511627776xf32>, vector<8xf32>
          %c8_22 = arith.constant 8 : index
          %65 = arith.addi %arg10, %c8_22 : index
          %66 = arith.addi %4, %65 : index
          %67 = vector.load %arg0[%66] : memref<1099511627776xf32>, vector<8xf32>
          %68 = arith.subf %67, %21 : vector<8xf32>
          %69 = arith.mulf %68, %53 : vector<8xf32>
          %70 = arith.subf %69, %54 : vector<8xf32>
          %71 = vector.load %arg1[%65] : memref<1099511627776xf32>, vector<8xf32>
          %72 = vector.load %arg2[%65] : memref<1099511627776xf32>, vector<8xf32>
          %73 = arith.mulf %70, %71 fastmath<contract> : vector<8xf32>
          %74 = arith.addf %73, %72 fastmath<contract> : vector<8xf32>
          %75 = arith.addi %4, %65 : index
          vector.store %74, %arg3[%75] : memref<1099511627776xf32>, vector<8xf32>
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
    %15 = plan.dispatch @attention(%12, %14) grid "2*batch*floordiv(sequence + 383, 384)" scratch "116*sequence + 32832" sources ["attention/Softmax", "attention/Add", "attention/Mul", "attention/MatMul", "attention/MatMul_1"] flops "64*batch*sequence*sequence" bytes "260*batch*sequence" : (tensor<?x?x48xf32, #model.dims<"batch", "sequence", "48">>, tensor<?x1x1x?xf32, #model.dims<"batch", "1", "1", "sequence">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %16 = plan.dispatch @linear_add_16x16(%15, %9, %8, %arg0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["output/MatMul", "output/Add", "residual/Add"] flops "528*batch*sequence" bytes "192*batch*sequence + 1088" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %17 = plan.dispatch @layer_norm(%16, %7, %6) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm/Sqrt", "norm/Add", "norm/ReduceMean_1", "norm/Mul", "norm/ReduceMean", "norm/Sub", "norm/Div", "norm/Mul_1", "norm/Add_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %18 = plan.dispatch @linear_gelu_16x32(%17, %5, %4) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["up/MatMul", "up/Add", "gelu/Mul_1", "gelu/Mul", "gelu/Add", "gelu/Erf", "gelu/Div"] flops "1056*batch*sequence" bytes "192*batch*sequence + 2176" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>
    %19 = plan.dispatch @linear_add_32x16(%18, %3, %2, %17) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["down/MatMul", "down/Add", "residual_1/Add"] flops "1040*batch*sequence" bytes "256*batch*sequence + 2112" : (tensor<?x?x32xf32, #model.dims<"batch", "sequence", "32">>, tensor<32x16xf32>, tensor<16xf32>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    %20 = plan.dispatch @layer_norm(%19, %1, %0) grid "floordiv(batch*sequence + 511, 512)" scratch "0" sources ["norm_1"] flops "128*batch*sequence" bytes "128*batch*sequence + 128" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<16xf32>, tensor<16xf32>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %20 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
