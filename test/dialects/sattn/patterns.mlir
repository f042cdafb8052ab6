// RUN: tamis-opt %s -allow-unregistered-dialect | tamis-opt -allow-unregistered-dialect | FileCheck %s
// Round trip of patterns and budgets: parameters in any order, what is the default is not printed.

// CHECK-LABEL: func.func @window
func.func @window() {
  // CHECK-NEXT: #sattn.window<size = 128>}
  "test.of"() {pattern = #sattn.window<size = 128>} : () -> ()
  // CHECK-NEXT: #sattn.window<size = 128>}
  "test.of"() {pattern = #sattn.window<sinks = 0, size = 128>} : () -> ()
  // CHECK-NEXT: #sattn.window<size = 1, sinks = 4>}
  "test.of"() {pattern = #sattn.window<sinks = 4, size = 1>} : () -> ()
  return
}

// CHECK-LABEL: func.func @local_global
func.func @local_global() {
  // CHECK-NEXT: #sattn.local_global<>}
  "test.of"() {pattern = #sattn.local_global<block = 64, key_tokens = 2>} : () -> ()
  // CHECK-NEXT: #sattn.local_global<key_tokens = 64>}
  "test.of"() {pattern = #sattn.local_global<key_tokens = 64>} : () -> ()
  // CHECK-NEXT: #sattn.local_global<block = 16, key_tokens = 3>}
  "test.of"() {pattern = #sattn.local_global<key_tokens = 3, block = 16>} : () -> ()
  return
}

// CHECK-LABEL: func.func @top_k
func.func @top_k() {
  // CHECK-NEXT: #sattn.top_k<>}
  "test.of"() {pattern = #sattn.top_k<k = 32>} : () -> ()
  // CHECK-NEXT: #sattn.top_k<k = 2147483647>}
  "test.of"() {pattern = #sattn.top_k<k = 2147483647>} : () -> ()
  return
}

// CHECK-LABEL: func.func @fraction
func.func @fraction() {
  // CHECK-NEXT: #sattn.fraction<>}
  "test.of"() {pattern = #sattn.fraction<share = 0.3>} : () -> ()
  // CHECK-NEXT: #sattn.fraction<share = 1.000000e+00>}
  "test.of"() {pattern = #sattn.fraction<share = 1.0>} : () -> ()
  // CHECK-NEXT: #sattn.fraction<share = 1.000000e+00>}
  "test.of"() {pattern = #sattn.fraction<share = 1>} : () -> ()
  // CHECK-NEXT: #sattn.fraction<share = 0.30000000000000004>}
  "test.of"() {pattern = #sattn.fraction<share = 0.30000000000000004>} : () -> ()
  return
}

// CHECK-LABEL: func.func @block_top_k
func.func @block_top_k() {
  // CHECK-NEXT: #sattn.block_top_k<k = 8>}
  "test.of"() {pattern = #sattn.block_top_k<block = 64, k = 8, sinks = 0, local = 1>} : () -> ()
  // CHECK-NEXT: #sattn.block_top_k<block = 16, k = 3, sinks = 2, local = 0>}
  "test.of"() {pattern = #sattn.block_top_k<local = 0, sinks = 2, k = 3, block = 16>} : () -> ()
  // CHECK-NEXT: #sattn.block_top_k<sinks = 1, mass = 7.500000e-01>}
  "test.of"() {pattern = #sattn.block_top_k<mass = 0.75, sinks = 1>} : () -> ()
  // CHECK-NEXT: #sattn.block_top_k<k = 8, similarity = 5.000000e-01>}
  "test.of"() {pattern = #sattn.block_top_k<similarity = 0.5, k = 8>} : () -> ()
  return
}

// CHECK-LABEL: func.func @gate_quantile
func.func @gate_quantile() {
  // CHECK-NEXT: #sattn.gate_quantile<>}
  "test.of"() {pattern = #sattn.gate_quantile<quantile = 0.7, per_head = false>} : () -> ()
  // CHECK-NEXT: #sattn.gate_quantile<quantile = 0.000000e+00, per_head = true>}
  "test.of"() {pattern = #sattn.gate_quantile<per_head = true, quantile = 0.0>} : () -> ()
  return
}

// CHECK-LABEL: func.func @dynamic_gate
func.func @dynamic_gate() {
  // CHECK-NEXT: #sattn.dynamic_gate<>}
  "test.of"() {pattern = #sattn.dynamic_gate<>} : () -> ()
  // CHECK-NEXT: #sattn.dynamic_gate<mass = 9.000000e-01>}
  "test.of"() {pattern = #sattn.dynamic_gate<mass = 0.9>} : () -> ()
  // CHECK-NEXT: #sattn.dynamic_gate<threshold = -1.500000e+00, per_head = true>}
  "test.of"() {pattern = #sattn.dynamic_gate<per_head = true, threshold = -1.5>} : () -> ()
  return
}

// CHECK-LABEL: func.func @token_activation
func.func @token_activation() {
  // CHECK-NEXT: #sattn.token_activation<>}
  "test.of"() {pattern = #sattn.token_activation<share = 0.15>} : () -> ()
  // CHECK-NEXT: #sattn.token_activation<share = 1.000000e+00>}
  "test.of"() {pattern = #sattn.token_activation<share = 1.0>} : () -> ()
  return
}

// CHECK-LABEL: func.func @focus_aware
func.func @focus_aware() {
  // CHECK-NEXT: #sattn.focus_aware<>}
  "test.of"() {pattern = #sattn.focus_aware<>} : () -> ()
  // CHECK-NEXT: #sattn.focus_aware<skip = 0.000000e+00>}
  "test.of"() {pattern = #sattn.focus_aware<skip = 0.0>} : () -> ()
  // CHECK-NEXT: #sattn.focus_aware<threshold = 5.000000e-01>}
  "test.of"() {pattern = #sattn.focus_aware<threshold = 0.5>} : () -> ()
  return
}

// CHECK-LABEL: func.func @linear
func.func @linear() {
  // CHECK-NEXT: #sattn.linear<>}
  "test.of"() {pattern = #sattn.linear<feature = elu1>} : () -> ()
  // CHECK-NEXT: #sattn.linear<feature = relu>}
  "test.of"() {pattern = #sattn.linear<feature = relu>} : () -> ()
  return
}

// CHECK-LABEL: func.func @page_bounds
func.func @page_bounds() {
  // CHECK-NEXT: #sattn.page_bounds<k = 8>}
  "test.of"() {pattern = #sattn.page_bounds<page = 16, k = 8, block = 1, local = 1>} : () -> ()
  // CHECK-NEXT: #sattn.page_bounds<page = 4, k = 3, block = 64, local = 3>}
  "test.of"() {pattern = #sattn.page_bounds<local = 3, block = 64, k = 3, page = 4>} : () -> ()
  return
}

// CHECK-LABEL: func.func @antidiagonal
func.func @antidiagonal() {
  // CHECK-NEXT: #sattn.antidiagonal<>}
  "test.of"() {pattern = #sattn.antidiagonal<block = 128, stride = 16, mass = 0.9, sinks = 1, local = 1>} : () -> ()
  // CHECK-NEXT: #sattn.antidiagonal<block = 64, stride = 8, mass = 5.000000e-01, sinks = 0, local = 2>}
  "test.of"() {pattern = #sattn.antidiagonal<local = 2, sinks = 0, mass = 0.5, stride = 8, block = 64>} : () -> ()
  return
}

// CHECK-LABEL: func.func @vertical_slash
func.func @vertical_slash() {
  // CHECK-NEXT: #sattn.vertical_slash<vertical = 1000, slash = 800>}
  "test.of"() {pattern = #sattn.vertical_slash<vertical = 1000, slash = 800, sinks = 30, local = 30, last = 64, block = 64>} : () -> ()
  // CHECK-NEXT: #sattn.vertical_slash<vertical = 4, slash = 3, sinks = 4, local = 0, last = 1, block = 16>}
  "test.of"() {pattern = #sattn.vertical_slash<block = 16, last = 1, sinks = 4, local = 0, slash = 3, vertical = 4>} : () -> ()
  return
}

// CHECK-LABEL: func.func @indexer
func.func @indexer() {
  // CHECK-NEXT: #sattn.indexer<>}
  "test.of"() {pattern = #sattn.indexer<k = 32, heads = 4, width = 32>} : () -> ()
  // CHECK-NEXT: #sattn.indexer<k = 2048, heads = 64, width = 128>}
  "test.of"() {pattern = #sattn.indexer<width = 128, heads = 64, k = 2048>} : () -> ()
  return
}

// CHECK-LABEL: func.func @ann
func.func @ann() {
  // CHECK-NEXT: #sattn.ann<>}
  "test.of"() {pattern = #sattn.ann<k = 32, method = lsh, tables = 16, bits = 8, seed = 0, parts = 8, centroids = 16, candidates = 128>} : () -> ()
  // CHECK-NEXT: #sattn.ann<k = 8, method = pq, parts = 4, centroids = 32, candidates = 64>}
  "test.of"() {pattern = #sattn.ann<method = pq, k = 8, candidates = 64, parts = 4, centroids = 32>} : () -> ()
  // CHECK-NEXT: #sattn.ann<k = 3, tables = 150, bits = 10, seed = -7>}
  "test.of"() {pattern = #sattn.ann<seed = -7, bits = 10, tables = 150, k = 3>} : () -> ()
  return
}

// CHECK-LABEL: func.func @compressed_selected_window
func.func @compressed_selected_window() {
  // CHECK-NEXT: #sattn.compressed_selected_window<>}
  "test.of"() {pattern = #sattn.compressed_selected_window<block = 64, k = 16, sinks = 1, local = 2, compress = 32, window = 512>} : () -> ()
  // CHECK-NEXT: #sattn.compressed_selected_window<block = 16, k = 3, local = 1, compress = 4, window = 7>}
  "test.of"() {pattern = #sattn.compressed_selected_window<window = 7, compress = 4, local = 1, k = 3, block = 16>} : () -> ()
  return
}

// CHECK-LABEL: func.func @budget
func.func @budget() {
  // CHECK-NEXT: #sattn.budget<count 2.000000e+00>}
  "test.of"() {budget = #sattn.budget<count 2.0>} : () -> ()
  // CHECK-NEXT: #sattn.budget<fraction 3.000000e-01>}
  "test.of"() {budget = #sattn.budget<fraction 3.000000e-01>} : () -> ()
  // CHECK-NEXT: #sattn.budget<mass 1.000000e+00>}
  "test.of"() {budget = #sattn.budget<mass 1.0>} : () -> ()
  // CHECK-NEXT: #sattn.budget<share 9.000000e-01>}
  "test.of"() {budget = #sattn.budget<share 0.9>} : () -> ()
  // CHECK-NEXT: #sattn.budget<threshold -2.500000e+00>}
  "test.of"() {budget = #sattn.budget<threshold -2.5>} : () -> ()
  // CHECK-NEXT: #sattn.budget<threshold -2.000000e+00>}
  "test.of"() {budget = #sattn.budget<threshold -2>} : () -> ()
  // CHECK-NEXT: #sattn.budget<quantile 0.000000e+00>}
  "test.of"() {budget = #sattn.budget<quantile 0.0>} : () -> ()
  return
}
