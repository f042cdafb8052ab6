// RUN: tamis-opt %s -tamis-graph | FileCheck %s
// A one-layer encoder as written by torch's newer exporter, opset 23: attention is an op on split heads, with a bool
// mask.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[IDS:.*]]: tensor<?x?xi64, {{.*}}> {{.*}}, %[[MASK:.*]]: tensor<?x?xi64, {{.*}}> {{.*}}, %[[TYPES:.*]]: tensor
// CHECK-DAG: %[[WORDS:.*]] = model.embedding %{{.*}}, %[[IDS]]
// CHECK-DAG: %[[KINDS:.*]] = model.embedding %{{.*}}, %[[TYPES]]
// CHECK: %[[E:.*]] = model.elementwise add %[[WORDS]], %[[KINDS]]
// CHECK: %[[POSITIONS:.*]] = model.slice %{{.*}} ["0", "0"] step [1, 1] : tensor<8x8xf32> -> tensor<?x8xf32, #model.dims<"sequence", "8">>
// CHECK: %[[SUM:.*]] = model.elementwise add %[[E]], %[[POSITIONS]]
// CHECK: %[[X:.*]] = model.norm layer %[[SUM]] scale
// CHECK-DAG: %[[KEEP:.*]] = model.cast %[[MASK]]
// CHECK-DAG: %[[M:.*]] = model.reshape %[[KEEP]] : {{.*}} -> tensor<?x1x1x?xi1, 
// CHECK-DAG: %[[WQKV:.*]] = model.concat %{{.*}}, %{{.*}}, %{{.*}} axis 1 : {{.*}} -> tensor<8x24xf32>
// CHECK-DAG: %[[BQKV:.*]] = model.concat %{{.*}}, %{{.*}}, %{{.*}} axis 0 : {{.*}} -> tensor<24xf32>
// CHECK-DAG: %[[QKV:.*]] = model.linear %[[X]], %[[WQKV]] bias %[[BQKV]]
// CHECK-DAG: %[[Q:.*]] = model.slice %[[QKV]] ["0", "0", "0"]
// CHECK-DAG: %[[K:.*]] = model.slice %[[QKV]] ["0", "0", "8"]
// CHECK-DAG: %[[V:.*]] = model.slice %[[QKV]] ["0", "0", "16"]
// CHECK: %[[A:.*]] = model.attention %[[Q]], %[[K]], %[[V]] mask %[[M]] heads 2 kv_heads 2 scale {{5.0+e-01|0.4999999.*}} :
// CHECK-NOT: {{reshape|transpose}}
// CHECK: %[[O:.*]] = model.linear %[[A]], %{{.*}} bias
// CHECK-NOT: {{reshape|transpose}}
// CHECK: %[[R1:.*]] = model.elementwise add %[[O]], %[[X]]
// CHECK: %[[N1:.*]] = model.norm layer %[[R1]] scale
// CHECK: %[[UP:.*]] = model.linear %[[N1]], %{{.*}} bias
// CHECK-NEXT: %[[G:.*]] = model.activation gelu %[[UP]]
// CHECK: %[[DOWN:.*]] = model.linear %[[G]], %{{.*}} bias
// CHECK-NEXT: %[[R2:.*]] = model.elementwise add %[[DOWN]], %[[N1]]
// CHECK: %[[Y:.*]] = model.norm layer %[[R2]] scale
// CHECK-NEXT: return %[[Y]]

!t_b_s_i64 = tensor<?x?xi64, #model.dims<"batch", "sequence">>
!t_b_s_8 = tensor<?x?x8xf32, #model.dims<"batch", "sequence", "8">>
!t_1_s_i64 = tensor<1x?xi64, #model.dims<"1", "sequence">>
!t_1_s_8 = tensor<1x?x8xf32, #model.dims<"1", "sequence", "8">>
!t_b_s_i1 = tensor<?x?xi1, #model.dims<"batch", "sequence">>
!t_b_i64 = tensor<?xi64, #model.dims<"batch">>
!t_s_i64 = tensor<?xi64, #model.dims<"sequence">>
!t_b_1_1_i64 = tensor<?x1x1xi64, #model.dims<"batch", "1", "1">>
!t_b_1_1_1_i64 = tensor<?x1x1x1xi64, #model.dims<"batch", "1", "1", "1">>
!t_1_1_s_i64 = tensor<1x1x?xi64, #model.dims<"1", "1", "sequence">>
!t_1_1_s_1_i64 = tensor<1x1x?x1xi64, #model.dims<"1", "1", "sequence", "1">>
!t_1_1_1_s_i64 = tensor<1x1x1x?xi64, #model.dims<"1", "1", "1", "sequence">>
!t_1_1_s_1_i1 = tensor<1x1x?x1xi1, #model.dims<"1", "1", "sequence", "1">>
!t_b_1_1_s_i64 = tensor<?x1x1x?xi64, #model.dims<"batch", "1", "1", "sequence">>
!t_b_1_1_s_1_i64 = tensor<?x1x1x?x1xi64, #model.dims<"batch", "1", "1", "sequence", "1">>
!t_b_1_1_s_2_i64 = tensor<?x1x1x?x2xi64, #model.dims<"batch", "1", "1", "sequence", "2">>
!t_b_1_1_s_i1 = tensor<?x1x1x?xi1, #model.dims<"batch", "1", "1", "sequence">>
!t_b_1_s_s_i1 = tensor<?x1x?x?xi1, #model.dims<"batch", "1", "sequence", "sequence">>
!t_b_s_2_4 = tensor<?x?x2x4xf32, #model.dims<"batch", "sequence", "2", "4">>
!t_b_2_s_4 = tensor<?x2x?x4xf32, #model.dims<"batch", "2", "sequence", "4">>
!t_b_s_16 = tensor<?x?x16xf32, #model.dims<"batch", "sequence", "16">>

func.func @main(%ids: !t_b_s_i64 {model.name = "input_ids"}, %mask: !t_b_s_i64 {model.name = "attention_mask"}, %types: !t_b_s_i64 {model.name = "token_type_ids"}) -> (!t_b_s_8 {model.name = "last_hidden_state"}) attributes {model.symbols = [#model.symbol<"batch", 1, 64>, #model.symbol<"sequence", 1, 8>]} {
  %v1 = model.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi64>
  %v2 = model.slice %v1 ["0", "0"] step [1, 1] : tensor<1x8xi64> -> !t_1_s_i64
  %v3 = model.weight "word" : tensor<11x8xf32>
  %v4 = model.gather %v3, %ids axis 0 : tensor<11x8xf32>, !t_b_s_i64 -> !t_b_s_8
  %v5 = model.weight "type" : tensor<2x8xf32>
  %v6 = model.gather %v5, %types axis 0 : tensor<2x8xf32>, !t_b_s_i64 -> !t_b_s_8
  %v7 = model.elementwise add %v4, %v6 : (!t_b_s_8, !t_b_s_8) -> !t_b_s_8
  %v8 = model.weight "pos" : tensor<8x8xf32>
  %v9 = model.gather %v8, %v2 axis 0 : tensor<8x8xf32>, !t_1_s_i64 -> !t_1_s_8
  %v10 = model.elementwise add %v7, %v9 : (!t_b_s_8, !t_1_s_8) -> !t_b_s_8
  %v11 = model.weight "ln0.g" : tensor<8xf32>
  %v12 = model.weight "ln0.b" : tensor<8xf32>
  %v13 = model.norm layer %v10 scale %v11 bias %v12 axis 2 epsilon 1.0e-12 : !t_b_s_8, tensor<8xf32>, tensor<8xf32> -> !t_b_s_8
  %v14 = model.cast %mask : !t_b_s_i64 -> !t_b_s_i1
  %v15 = model.iota "0" step "1" : !t_b_i64
  %v16 = model.iota "0" step "1" : !t_s_i64
  %v17 = model.reshape %v15 : !t_b_i64 -> !t_b_1_1_i64
  %v18 = model.reshape %v17 : !t_b_1_1_i64 -> !t_b_1_1_1_i64
  %v19 = model.reshape %v16 : !t_s_i64 -> !t_1_1_s_i64
  %v20 = model.reshape %v19 : !t_1_1_s_i64 -> !t_1_1_s_1_i64
  %v21 = model.reshape %v19 : !t_1_1_s_i64 -> !t_1_1_1_s_i64
  %v22 = model.constant dense<true> : tensor<i1>
  %v23 = model.constant dense<0> : tensor<i64>
  %v24 = model.elementwise greater_equal %v20, %v23 : (!t_1_1_s_1_i64, tensor<i64>) -> !t_1_1_s_1_i1
  %v25 = model.elementwise logical_and %v22, %v24 : (tensor<i1>, !t_1_1_s_1_i1) -> !t_1_1_s_1_i1
  %v26 = model.broadcast %v18 : !t_b_1_1_1_i64 -> !t_b_1_1_s_i64
  %v27 = model.reshape %v26 : !t_b_1_1_s_i64 -> !t_b_1_1_s_1_i64
  %v28 = model.broadcast %v21 : !t_1_1_1_s_i64 -> !t_b_1_1_s_i64
  %v29 = model.reshape %v28 : !t_b_1_1_s_i64 -> !t_b_1_1_s_1_i64
  %v30 = model.concat %v27, %v29 axis 4 : (!t_b_1_1_s_1_i64, !t_b_1_1_s_1_i64) -> !t_b_1_1_s_2_i64
  %v31 = model.gather_nd %v14, %v30 batch_dims 0 : !t_b_s_i1, !t_b_1_1_s_2_i64 -> !t_b_1_1_s_i1
  %v32 = model.elementwise logical_and %v25, %v31 : (!t_1_1_s_1_i1, !t_b_1_1_s_i1) -> !t_b_1_s_s_i1
  %v33 = model.weight "l0.q.w" : tensor<8x8xf32>
  %v34 = model.matmul %v13, %v33 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v35 = model.weight "l0.q.b" : tensor<8xf32>
  %v36 = model.elementwise add %v34, %v35 : (!t_b_s_8, tensor<8xf32>) -> !t_b_s_8
  %v37 = model.weight "l0.k.w" : tensor<8x8xf32>
  %v38 = model.matmul %v13, %v37 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v39 = model.weight "l0.k.b" : tensor<8xf32>
  %v40 = model.elementwise add %v38, %v39 : (!t_b_s_8, tensor<8xf32>) -> !t_b_s_8
  %v41 = model.weight "l0.v.w" : tensor<8x8xf32>
  %v42 = model.matmul %v13, %v41 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v43 = model.weight "l0.v.b" : tensor<8xf32>
  %v44 = model.elementwise add %v42, %v43 : (!t_b_s_8, tensor<8xf32>) -> !t_b_s_8
  %v45 = model.reshape %v36 : !t_b_s_8 -> !t_b_s_2_4
  %v46 = model.transpose %v45 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v47 = model.reshape %v44 : !t_b_s_8 -> !t_b_s_2_4
  %v48 = model.transpose %v47 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v49 = model.reshape %v40 : !t_b_s_8 -> !t_b_s_2_4
  %v50 = model.transpose %v49 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v51 = model.transpose %v46 [0, 2, 1, 3] : !t_b_2_s_4 -> !t_b_s_2_4
  %v52 = model.reshape %v51 : !t_b_s_2_4 -> !t_b_s_8
  %v53 = model.transpose %v50 [0, 2, 1, 3] : !t_b_2_s_4 -> !t_b_s_2_4
  %v54 = model.reshape %v53 : !t_b_s_2_4 -> !t_b_s_8
  %v55 = model.transpose %v48 [0, 2, 1, 3] : !t_b_2_s_4 -> !t_b_s_2_4
  %v56 = model.reshape %v55 : !t_b_s_2_4 -> !t_b_s_8
  %v57 = model.attention %v52, %v54, %v56 mask %v32 heads 2 kv_heads 2 scale 0.5 : !t_b_s_8, !t_b_s_8, !t_b_s_8, !t_b_1_s_s_i1 -> !t_b_s_8
  %v58 = model.reshape %v57 : !t_b_s_8 -> !t_b_s_2_4
  %v59 = model.transpose %v58 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v60 = model.transpose %v59 [0, 2, 1, 3] : !t_b_2_s_4 -> !t_b_s_2_4
  %v61 = model.reshape %v60 : !t_b_s_2_4 -> !t_b_s_8
  %v62 = model.weight "l0.o.w" : tensor<8x8xf32>
  %v63 = model.matmul %v61, %v62 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v64 = model.weight "l0.o.b" : tensor<8xf32>
  %v65 = model.elementwise add %v63, %v64 : (!t_b_s_8, tensor<8xf32>) -> !t_b_s_8
  %v66 = model.elementwise add %v65, %v13 : (!t_b_s_8, !t_b_s_8) -> !t_b_s_8
  %v67 = model.weight "l0.ln1.g" : tensor<8xf32>
  %v68 = model.weight "l0.ln1.b" : tensor<8xf32>
  %v69 = model.norm layer %v66 scale %v67 bias %v68 axis 2 epsilon 1.0e-12 : !t_b_s_8, tensor<8xf32>, tensor<8xf32> -> !t_b_s_8
  %v70 = model.weight "l0.f1.w" : tensor<8x16xf32>
  %v71 = model.matmul %v69, %v70 : !t_b_s_8, tensor<8x16xf32> -> !t_b_s_16
  %v72 = model.weight "l0.f1.b" : tensor<16xf32>
  %v73 = model.elementwise add %v71, %v72 : (!t_b_s_16, tensor<16xf32>) -> !t_b_s_16
  %v74 = model.activation gelu %v73 : !t_b_s_16
  %v75 = model.weight "l0.f2.w" : tensor<16x8xf32>
  %v76 = model.matmul %v74, %v75 : !t_b_s_16, tensor<16x8xf32> -> !t_b_s_8
  %v77 = model.weight "l0.f2.b" : tensor<8xf32>
  %v78 = model.elementwise add %v76, %v77 : (!t_b_s_8, tensor<8xf32>) -> !t_b_s_8
  %v79 = model.elementwise add %v78, %v69 : (!t_b_s_8, !t_b_s_8) -> !t_b_s_8
  %v80 = model.weight "l0.ln2.g" : tensor<8xf32>
  %v81 = model.weight "l0.ln2.b" : tensor<8xf32>
  %v82 = model.norm layer %v79 scale %v80 bias %v81 axis 2 epsilon 1.0e-12 : !t_b_s_8, tensor<8xf32>, tensor<8xf32> -> !t_b_s_8
  return %v82 : !t_b_s_8
}

