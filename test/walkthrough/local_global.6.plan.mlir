module {
  module @"x86-64-v3" {
    llvm.func internal @summarize_score_select.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: i64, %arg4: i64, %arg5: i64, %arg6: i64, %arg7: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @summarize_score_select(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
    llvm.func internal @sparse_attention.body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: !llvm.ptr {llvm.noalias}, %arg4: !llvm.ptr {llvm.noalias}, %arg5: i64, %arg6: i64, %arg7: i64, %arg8: i64, %arg9: !llvm.ptr {llvm.noalias}) -> i32 {
      ...
    }
    llvm.func @sparse_attention(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: i64, %arg3: i64, %arg4: !llvm.ptr) -> i32 {
      ...
    }
  }
  func.func @main(%arg0: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "q"}, %arg1: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "k"}, %arg2: tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "v"}) -> (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">> {model.name = "output"}) attributes {model.symbols = [#model.symbol<"batch", 1, 65536>, #model.symbol<"sequence", 1, 65536>], plan.slots = ["8*batch*min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 8*batch"]} {
    %0 = plan.dispatch @summarize_score_select(%arg0, %arg1) grid "2*batch" scratch "256*floordiv(512*floordiv(min(16, sequence) + 63, 64) + 63, 64) + 256*floordiv(64*floordiv(min(16, sequence) + 63, 64) + 63, 64) + 256*floordiv(64*floordiv(sequence + 63, 64) + 63, 64) + 256*floordiv(max(0, 64*floordiv(min(16, sequence) + 63, 64)) + 127, 64) + 256*floordiv(max(min(2, sequence), min(floordiv(sequence + 15, 16)*min(2, sequence), sequence)) + 127, 64) + 256" sources ["attention"] flops "32*batch*floordiv(sequence + 15, 16)*sequence + 16*batch*sequence" bytes "8*batch*min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 128*batch*sequence + 8*batch" slots [0] : (tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x2x1x?xi32, #model.dims<"batch", "2", "1", "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 1">>
    %1 = plan.dispatch @sparse_attention(%0, %arg0, %arg1, %arg2) grid "2*batch*floordiv(sequence + 255, 256)" scratch "6724*floordiv(min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 63, 64) + 6736*floordiv(sequence + 63, 64) + 25412" sources ["attention"] flops "64*batch*min(16*min(1, floordiv(sequence + 15, 16)) + min(floordiv(sequence + 15, 16)*min(2, sequence), sequence), sequence)*sequence" bytes "8*batch*min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 256*batch*sequence + 8*batch" slots [-1] : (tensor<?x2x1x?xi32, #model.dims<"batch", "2", "1", "min(floordiv(sequence + 15, 16)*min(2, sequence), sequence) + 1">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>, tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>) -> tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
    return %1 : tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>
  }
}
