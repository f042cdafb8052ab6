// RUN: tamis-opt %s -tamis-graph | FileCheck %s
// A one-layer encoder as written by torch's older exporter, opset 17: the mask is gathered from the flat attention
// mask by batch * length + position, scores are scaled.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[IDS:.*]]: tensor<?x?xi64, {{.*}}> {{.*}}, %[[MASK:.*]]: tensor<?x?xi64, {{.*}}> {{.*}}, %[[TYPES:.*]]: tensor
// CHECK-DAG: %[[WORDS:.*]] = model.embedding %{{.*}}, %[[IDS]]
// CHECK-DAG: %[[KINDS:.*]] = model.embedding %{{.*}}, %[[TYPES]]
// CHECK: %[[E:.*]] = model.elementwise add %[[WORDS]], %[[KINDS]]
// CHECK: %[[POSITIONS:.*]] = model.slice %{{.*}} ["0", "0"] step [1, 1] : tensor<8x8xf32> -> tensor<?x8xf32, #model.dims<"sequence", "8">>
// CHECK: %[[SUM:.*]] = model.elementwise add %[[E]], %[[POSITIONS]]
// CHECK: %[[X:.*]] = model.norm layer %[[SUM]] scale
// CHECK-DAG: %[[KEEP:.*]] = model.cast %[[MASK]]
// CHECK-DAG: %[[ADDED:.*]] = model.elementwise select %[[KEEP]], %{{.*}}, %{{.*}} -> tensor<?x?xf32, #model.dims<"batch", "sequence">>
// CHECK-DAG: %[[M:.*]] = model.reshape %[[ADDED]] : {{.*}} -> tensor<?x1x1x?xf32, 
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
!t_b_1_i64 = tensor<?x1xi64, #model.dims<"batch", "1">>
!t_b_1_1_i64 = tensor<?x1x1xi64, #model.dims<"batch", "1", "1">>
!t_b_1_1_1_i64 = tensor<?x1x1x1xi64, #model.dims<"batch", "1", "1", "1">>
!t_1_1_1_s_i64 = tensor<1x1x1x?xi64, #model.dims<"1", "1", "1", "sequence">>
!t_1_1_s_1_i64 = tensor<1x1x?x1xi64, #model.dims<"1", "1", "sequence", "1">>
!t_1_1_s_1_i1 = tensor<1x1x?x1xi1, #model.dims<"1", "1", "sequence", "1">>
!t_bs_1_i1 = tensor<?x1xi1, #model.dims<"batch*sequence", "1">>
!t_b_1_1_s_i64 = tensor<?x1x1x?xi64, #model.dims<"batch", "1", "1", "sequence">>
!t_b_1_1_s_1_i1 = tensor<?x1x1x?x1xi1, #model.dims<"batch", "1", "1", "sequence", "1">>
!t_bs_i1 = tensor<?xi1, #model.dims<"batch*sequence">>
!t_b_1_1_s_i1 = tensor<?x1x1x?xi1, #model.dims<"batch", "1", "1", "sequence">>
!t_b_1_s_s_i1 = tensor<?x1x?x?xi1, #model.dims<"batch", "1", "sequence", "sequence">>
!t_b_1_s_s = tensor<?x1x?x?xf32, #model.dims<"batch", "1", "sequence", "sequence">>
!t_b_s_2_4 = tensor<?x?x2x4xf32, #model.dims<"batch", "sequence", "2", "4">>
!t_b_2_s_4 = tensor<?x2x?x4xf32, #model.dims<"batch", "2", "sequence", "4">>
!t_b_2_4_s = tensor<?x2x4x?xf32, #model.dims<"batch", "2", "4", "sequence">>
!t_b_2_s_s = tensor<?x2x?x?xf32, #model.dims<"batch", "2", "sequence", "sequence">>
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
  %v17 = model.reshape %v15 : !t_b_i64 -> !t_b_1_i64
  %v18 = model.reshape %v17 : !t_b_1_i64 -> !t_b_1_1_i64
  %v19 = model.reshape %v18 : !t_b_1_1_i64 -> !t_b_1_1_1_i64
  %v20 = model.reshape %v16 : !t_s_i64 -> !t_1_1_1_s_i64
  %v21 = model.reshape %v16 : !t_s_i64 -> !t_1_1_s_1_i64
  %v22 = model.constant dense<0> : tensor<i64>
  %v23 = model.elementwise greater_equal %v21, %v22 : (!t_1_1_s_1_i64, tensor<i64>) -> !t_1_1_s_1_i1
  %v24 = model.cast %v23 : !t_1_1_s_1_i1 -> !t_1_1_s_1_i1
  %v25 = model.constant dense<true> : tensor<i1>
  %v26 = model.elementwise logical_and %v25, %v24 : (tensor<i1>, !t_1_1_s_1_i1) -> !t_1_1_s_1_i1
  %v27 = model.reshape %v14 : !t_b_s_i1 -> !t_bs_1_i1
  %v28 = model.sizes ["sequence"] : tensor<i64>
  %v29 = model.elementwise mul %v19, %v28 : (!t_b_1_1_1_i64, tensor<i64>) -> !t_b_1_1_1_i64
  %v30 = model.elementwise add %v20, %v29 : (!t_1_1_1_s_i64, !t_b_1_1_1_i64) -> !t_b_1_1_s_i64
  %v31 = model.gather %v27, %v30 axis 0 : !t_bs_1_i1, !t_b_1_1_s_i64 -> !t_b_1_1_s_1_i1
  %v32 = model.reshape %v31 : !t_b_1_1_s_1_i1 -> !t_bs_i1
  %v33 = model.reshape %v32 : !t_bs_i1 -> !t_b_1_1_s_i1
  %v34 = model.cast %v33 : !t_b_1_1_s_i1 -> !t_b_1_1_s_i1
  %v35 = model.elementwise logical_and %v26, %v34 : (!t_1_1_s_1_i1, !t_b_1_1_s_i1) -> !t_b_1_s_s_i1
  %v36 = model.broadcast %v35 : !t_b_1_s_s_i1 -> !t_b_1_s_s_i1
  %v37 = model.constant dense<0.0> : tensor<f32>
  %v38 = model.constant dense<-3.40282347E+38> : tensor<f32>
  %v39 = model.elementwise select %v36, %v37, %v38 : (!t_b_1_s_s_i1, tensor<f32>, tensor<f32>) -> !t_b_1_s_s
  %v40 = model.weight "l0.q.w" : tensor<8x8xf32>
  %v41 = model.matmul %v13, %v40 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v42 = model.weight "l0.q.b" : tensor<8xf32>
  %v43 = model.elementwise add %v42, %v41 : (tensor<8xf32>, !t_b_s_8) -> !t_b_s_8
  %v44 = model.weight "l0.k.w" : tensor<8x8xf32>
  %v45 = model.matmul %v13, %v44 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v46 = model.weight "l0.k.b" : tensor<8xf32>
  %v47 = model.elementwise add %v46, %v45 : (tensor<8xf32>, !t_b_s_8) -> !t_b_s_8
  %v48 = model.weight "l0.v.w" : tensor<8x8xf32>
  %v49 = model.matmul %v13, %v48 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v50 = model.weight "l0.v.b" : tensor<8xf32>
  %v51 = model.elementwise add %v50, %v49 : (tensor<8xf32>, !t_b_s_8) -> !t_b_s_8
  %v52 = model.reshape %v43 : !t_b_s_8 -> !t_b_s_2_4
  %v53 = model.transpose %v52 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v54 = model.reshape %v51 : !t_b_s_8 -> !t_b_s_2_4
  %v55 = model.transpose %v54 [0, 2, 1, 3] : !t_b_s_2_4 -> !t_b_2_s_4
  %v56 = model.reshape %v47 : !t_b_s_8 -> !t_b_s_2_4
  %v57 = model.transpose %v56 [0, 2, 3, 1] : !t_b_s_2_4 -> !t_b_2_4_s
  %v58 = model.matmul %v53, %v57 : !t_b_2_s_4, !t_b_2_4_s -> !t_b_2_s_s
  %v59 = model.constant dense<0.5> : tensor<f32>
  %v60 = model.elementwise mul %v58, %v59 : (!t_b_2_s_s, tensor<f32>) -> !t_b_2_s_s
  %v61 = model.elementwise add %v60, %v39 : (!t_b_2_s_s, !t_b_1_s_s) -> !t_b_2_s_s
  %v62 = model.softmax %v61 axis 3 : !t_b_2_s_s
  %v63 = model.matmul %v62, %v55 : !t_b_2_s_s, !t_b_2_s_4 -> !t_b_2_s_4
  %v64 = model.transpose %v63 [0, 2, 1, 3] : !t_b_2_s_4 -> !t_b_s_2_4
  %v65 = model.reshape %v64 : !t_b_s_2_4 -> !t_b_s_8
  %v66 = model.weight "l0.o.w" : tensor<8x8xf32>
  %v67 = model.matmul %v65, %v66 : !t_b_s_8, tensor<8x8xf32> -> !t_b_s_8
  %v68 = model.weight "l0.o.b" : tensor<8xf32>
  %v69 = model.elementwise add %v68, %v67 : (tensor<8xf32>, !t_b_s_8) -> !t_b_s_8
  %v70 = model.elementwise add %v69, %v13 : (!t_b_s_8, !t_b_s_8) -> !t_b_s_8
  %v71 = model.weight "l0.ln1.g" : tensor<8xf32>
  %v72 = model.weight "l0.ln1.b" : tensor<8xf32>
  %v73 = model.norm layer %v70 scale %v71 bias %v72 axis 2 epsilon 1.0e-12 : !t_b_s_8, tensor<8xf32>, tensor<8xf32> -> !t_b_s_8
  %v74 = model.weight "l0.f1.w" : tensor<8x16xf32>
  %v75 = model.matmul %v73, %v74 : !t_b_s_8, tensor<8x16xf32> -> !t_b_s_16
  %v76 = model.weight "l0.f1.b" : tensor<16xf32>
  %v77 = model.elementwise add %v76, %v75 : (tensor<16xf32>, !t_b_s_16) -> !t_b_s_16
  %v78 = model.constant dense<1.41421354> : tensor<f32>
  %v79 = model.elementwise div %v77, %v78 : (!t_b_s_16, tensor<f32>) -> !t_b_s_16
  %v80 = model.elementwise erf %v79 : (!t_b_s_16) -> !t_b_s_16
  %v81 = model.constant dense<1.0> : tensor<f32>
  %v82 = model.elementwise add %v80, %v81 : (!t_b_s_16, tensor<f32>) -> !t_b_s_16
  %v83 = model.elementwise mul %v77, %v82 : (!t_b_s_16, !t_b_s_16) -> !t_b_s_16
  %v84 = model.constant dense<0.5> : tensor<f32>
  %v85 = model.elementwise mul %v83, %v84 : (!t_b_s_16, tensor<f32>) -> !t_b_s_16
  %v86 = model.weight "l0.f2.w" : tensor<16x8xf32>
  %v87 = model.matmul %v85, %v86 : !t_b_s_16, tensor<16x8xf32> -> !t_b_s_8
  %v88 = model.weight "l0.f2.b" : tensor<8xf32>
  %v89 = model.elementwise add %v88, %v87 : (tensor<8xf32>, !t_b_s_8) -> !t_b_s_8
  %v90 = model.elementwise add %v89, %v73 : (!t_b_s_8, !t_b_s_8) -> !t_b_s_8
  %v91 = model.weight "l0.ln2.g" : tensor<8xf32>
  %v92 = model.weight "l0.ln2.b" : tensor<8xf32>
  %v93 = model.norm layer %v90 scale %v91 bias %v92 axis 2 epsilon 1.0e-12 : !t_b_s_8, tensor<8xf32>, tensor<8xf32> -> !t_b_s_8
  return %v93 : !t_b_s_8
}

