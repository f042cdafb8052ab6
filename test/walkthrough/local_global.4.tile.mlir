module {
  module @"x86-64-v3" {
    func.func @summarize_score_select(%arg0: memref<1099511627776xf32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xi32>, %arg3: index, %arg4: index, %arg5: index, %arg6: index, %arg7: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 65536>, #model.symbol<"sequence", 1, 65536>], plan.kernel = #plan.kernel<select>} {
      ...
      %0:2 = scf.for %1 = %2 to %3 step %4 iter_args(%5 = %6, %7 = %6) -> (vector<8xf32>, vector<8xf32>) {
        %8 = arith.constant 64 : index
        %9 = arith.muli %1, %8 : index
        %10 = arith.addi %11, %9 : index
        %12 = arith.constant 0 : index
        %13 = vector.load %14[%10] : memref<1099511627776xf32>, vector<8xf32>
        %15 = arith.constant 64 : index
        %16 = arith.muli %1, %15 : index
        %17 = arith.addi %11, %16 : index
        %18 = arith.constant 8 : index
        %19 = arith.addi %17, %18 : index
        %20 = vector.load %14[%19] : memref<1099511627776xf32>, vector<8xf32>
        %21 = arith.addi %22, %1 : index
        %23 = arith.constant 0 : index
        %24 = memref.load %14[%21] : memref<1099511627776xf32>
        %25 = vector.broadcast %24 : f32 to vector<8xf32>
        %26 = vector.fma %25, %13, %5 : vector<8xf32>
        %27 = vector.fma %25, %20, %7 : vector<8xf32>
        scf.yield %26, %27 : vector<8xf32>, vector<8xf32>
      }
      ...
    }
    func.func @sparse_attention(%arg0: memref<1099511627776xi32>, %arg1: memref<1099511627776xf32>, %arg2: memref<1099511627776xf32>, %arg3: memref<1099511627776xf32>, %arg4: memref<1099511627776xf32>, %arg5: index, %arg6: index, %arg7: index, %arg8: index, %arg9: memref<1099511627776xf32>) -> i32 attributes {model.symbols = [#model.symbol<"batch", 1, 65536>, #model.symbol<"sequence", 1, 65536>], plan.kernel = #plan.kernel<sparse_attention>} {
      ...
    }
  }
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "q"}, %arg1: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "k"}, %arg2: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "v"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 65536>, #model.symbol<"sequence", 1, 65536>]} {
    %0 = plan.dispatch @summarize_score_select(%arg0, %arg1) grid "2*batch" scratch "256*floordiv(512*floordiv(min(16, sequence) + 63, 64) + 63, 64) + 256*floordiv(64*floordiv(min(16, sequence) + 63, 64) + 63, 64) + 256*floordiv(64*floordiv(sequence + 63, 64) + 63, 64) + 256*floordiv(max(0, 64*floordiv(min(16, sequence) + 63, 64)) + 127, 64) + 256*floordiv(max(min(2, sequence), min(floordiv(sequence + 15, 16)*min(2, sequence), sequence)) + 127, 64) + 256" sources ["attention"] flops "32*batch*floordiv(sequence + 15, 16)*sequence + 16*batch*sequence" bytes "8*batch*min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 128*batch*sequence + 8*batch" : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x2x1x?xi32, #model.dims<"batch", "2", "1", "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 1">>
    %1 = plan.dispatch @sparse_attention(%0, %arg0, %arg1, %arg2) grid "2*batch*floordiv(sequence + 255, 256)" scratch "6724*floordiv(min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 63, 64) + 6736*floordiv(sequence + 63, 64) + 25412" sources ["attention"] flops "64*batch*min(16*min(1, floordiv(sequence + 15, 16)) + min(floordiv(sequence + 15, 16)*min(2, sequence), sequence), sequence)*sequence" bytes "8*batch*min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 256*batch*sequence + 8*batch" : (tensor<?x2x1x?xi32, #model.dims<"batch", "2", "1", "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 1">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %1 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
