// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// One case a constraint, named by the attribute, or the type, and the constraint's label in its description.

// expected-error@+1 {{found an index of -1 x 1 token but rows from 0 and columns from 1, both below 2^31, are wanted, and columns of 1 for tokens}}
func.func private @index_c1_rows(!sattn.index<-1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found an index of 1 x 0 block but rows from 0 and columns from 1, both below 2^31, are wanted}}
func.func private @index_c1_columns(!sattn.index<1 x 0 block, shape ["1", "1", "8"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found an index of 1 x 2 token but rows from 0 and columns from 1, both below 2^31, are wanted, and columns of 1 for tokens}}
func.func private @index_c1_token(!sattn.index<1 x 2 token, shape ["1", "1", "8"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found an index of 2147483648 x 1 token}}
func.func private @index_c1_too_large(!sattn.index<2147483648 x 1 token, shape ["1", "1", "1"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found an index of 2 sizes but batch, heads and rows are wanted}}
func.func private @index_c2(!sattn.index<1 x 1 token, shape ["1", "8"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found the size "s/2" but a size expression in canonical form is wanted}}
func.func private @index_c2_syntax(!sattn.index<1 x 1 token, shape ["1", "1", "8"], items "s/2", capacity "1">)

// -----

// expected-error@+1 {{found the size "1 + s" but a size expression in canonical form is wanted, which is "s + 1"}}
func.func private @index_c2_form(!sattn.index<1 x 1 token, shape ["1", "1", "1 + s"], items "8", capacity "1">)

// -----

// expected-error@+1 {{found a count of 0.000000e+00 but a whole number from 1, below 2^31, is wanted}}
func.func private @budget_c1_count() attributes {of = #sattn.budget<count 0.0>}

// -----

// expected-error@+1 {{found a count of 1.500000e+00 but a whole number from 1, below 2^31, is wanted}}
func.func private @budget_c1_count_again() attributes {of = #sattn.budget<count 1.5>}

// -----

// expected-error@+1 {{found a count of 2.147484e+09 but a whole number from 1, below 2^31, is wanted}}
func.func private @budget_c1_count_too_large() attributes {of = #sattn.budget<count 2147483648.0>}

// -----

// expected-error@+1 {{found a fraction of 0.000000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @budget_c1_fraction() attributes {of = #sattn.budget<fraction 0.0>}

// -----

// expected-error@+1 {{found a mass of 1.500000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @budget_c1_mass() attributes {of = #sattn.budget<mass 1.5>}

// -----

// expected-error@+1 {{found a threshold of INF but a finite number is wanted}}
func.func private @budget_c1_threshold() attributes {of = #sattn.budget<threshold 1.0e400>}

// -----

// expected-error@+1 {{found a quantile of 1.000000e+00 but a number from 0 to below 1 is wanted}}
func.func private @budget_c1_quantile() attributes {of = #sattn.budget<quantile 1.0>}

// -----

// expected-error@+1 {{found a quantile of -5.000000e-01 but a number from 0 to below 1 is wanted}}
func.func private @budget_c1_quantile_again() attributes {of = #sattn.budget<quantile -0.5>}

// -----

// expected-error@+1 {{found a window of size 0 with 4 sinks but a size from 1 and sinks from 0, both below 2^31, are wanted}}
func.func private @window_c1_size() attributes {of = #sattn.window<size = 0, sinks = 4>}

// -----

// expected-error@+1 {{found a window of size 3 with -1 sinks but a size from 1 and sinks from 0, both below 2^31, are wanted}}
func.func private @window_c1_sinks() attributes {of = #sattn.window<size = 3, sinks = -1>}

// -----

// expected-error@+1 {{found a window of size 2147483648 with 0 sinks}}
func.func private @window_c1_too_large() attributes {of = #sattn.window<size = 2147483648>}

// -----

// expected-error@+1 {{struct is missing required parameter: size}}
func.func private @window_size() attributes {of = #sattn.window<sinks = 3>}

// -----

// expected-error@+1 {{found blocks of 0 with 2 key tokens but blocks from 1, below 2^31, with key tokens from 1 to the size of a block are wanted}}
func.func private @local_global_c1_block() attributes {of = #sattn.local_global<block = 0>}

// -----

// expected-error@+1 {{found blocks of 64 with 0 key tokens}}
func.func private @local_global_c1_none() attributes {of = #sattn.local_global<key_tokens = 0>}

// -----

// expected-error@+1 {{found blocks of 4 with 5 key tokens}}
func.func private @local_global_c1_more() attributes {of = #sattn.local_global<block = 4, key_tokens = 5>}

// -----

// expected-error@+1 {{found blocks of 2147483648 with 2 key tokens}}
func.func private @local_global_c1_too_large() attributes {of = #sattn.local_global<block = 2147483648>}

// -----

// expected-error@+1 {{found 9223372036854775807 sinks and 9223372036854775807 local blocks of 2}}
func.func private @block_top_k_c1_overflow() attributes {of = #sattn.block_top_k<k = 2, sinks = 9223372036854775807, local = 9223372036854775807>}

// -----

// expected-error@+1 {{found a k of 0 but a number from 1, below 2^31, is wanted}}
func.func private @top_k_c1() attributes {of = #sattn.top_k<k = 0>}

// -----

// expected-error@+1 {{found a k of 2147483648 but a number from 1, below 2^31, is wanted}}
func.func private @top_k_c1_too_large() attributes {of = #sattn.top_k<k = 2147483648>}

// -----

// expected-error@+1 {{found a share of 2.000000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @fraction_c1_whole() attributes {of = #sattn.fraction<share = 2>}

// -----

// expected-error@+1 {{found a share of 0.000000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @fraction_c1() attributes {of = #sattn.fraction<share = 0.0>}

// -----

// expected-error@+1 {{found a share of 1.000001e+00 but a number above 0 and at most 1 is wanted}}
func.func private @fraction_c1_more() attributes {of = #sattn.fraction<share = 1.000001>}

// -----

// expected-error@+1 {{found 2 blocks of 0 but numbers from 1, below 2^31, are wanted}}
func.func private @block_top_k_c1_block() attributes {of = #sattn.block_top_k<block = 0, k = 2>}

// -----

// expected-error@+1 {{found 0 blocks of 64 but numbers from 1, below 2^31, are wanted}}
func.func private @block_top_k_c1_k() attributes {of = #sattn.block_top_k<k = 0>}

// -----

// expected-error@+1 {{found 2 sinks and 1 local blocks of 2 but numbers from 0 are wanted, together at most k}}
func.func private @block_top_k_c1_forced() attributes {of = #sattn.block_top_k<k = 2, sinks = 2>}

// -----

// expected-error@+1 {{found 0 sinks and -1 local blocks of 2 but numbers from 0 are wanted, together at most k}}
func.func private @block_top_k_c1_negative() attributes {of = #sattn.block_top_k<k = 2, local = -1>}

// -----

// expected-error@+1 {{found 2147483648 blocks of 64 but numbers from 1, below 2^31, are wanted}}
func.func private @block_top_k_c1_too_large() attributes {of = #sattn.block_top_k<k = 2147483648>}

// -----

// expected-error@+1 {{found 2 pages of 0 for blocks of 1 queries but numbers from 1, below 2^31, are wanted}}
func.func private @page_bounds_c1_page() attributes {of = #sattn.page_bounds<page = 0, k = 2>}

// -----

// expected-error@+1 {{found 2 pages of 16 for blocks of 0 queries but numbers from 1, below 2^31, are wanted}}
func.func private @page_bounds_c1_block() attributes {of = #sattn.page_bounds<k = 2, block = 0>}

// -----

// expected-error@+1 {{found 0 pages of 16 for blocks of 1 queries but numbers from 1, below 2^31, are wanted}}
func.func private @page_bounds_c1_k() attributes {of = #sattn.page_bounds<k = 0>}

// -----

// expected-error@+1 {{found 3 local pages of 2 but a number from 0 to k is wanted}}
func.func private @page_bounds_c1_local() attributes {of = #sattn.page_bounds<k = 2, local = 3>}

// -----

// expected-error@+1 {{found blocks of 24 with a stride of 16 but numbers from 1, below 2^31, are wanted, and blocks of a multiple of the stride}}
func.func private @antidiagonal_c1() attributes {of = #sattn.antidiagonal<block = 24>}

// -----

// expected-error@+1 {{found blocks of 128 with a stride of 0 but numbers from 1}}
func.func private @antidiagonal_c1_zero() attributes {of = #sattn.antidiagonal<stride = 0>}

// -----

// expected-error@+1 {{found a mass of 1.100000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @antidiagonal_c2() attributes {of = #sattn.antidiagonal<mass = 1.1>}

// -----

// expected-error@+1 {{found 1 sinks and -1 local blocks but numbers from 0, below 2^31, are wanted}}
func.func private @antidiagonal_c3() attributes {of = #sattn.antidiagonal<local = -1>}

// -----

// expected-error@+1 {{found 100 columns and 0 diagonals by the last 64 queries for blocks of 64 but numbers from 1, below 2^31, are wanted}}
func.func private @vertical_slash_c1() attributes {of = #sattn.vertical_slash<vertical = 100, slash = 0>}

// -----

// expected-error@+1 {{found 30 sinks of 20 columns and 30 local diagonals of 100 but numbers from 0 to as many are wanted}}
func.func private @vertical_slash_c2() attributes {of = #sattn.vertical_slash<vertical = 20, slash = 100>}

// -----

func.func @vertical_slash_c3(%q: tensor<1x8x4xf32>) {
  // expected-error@+1 {{found attention without causal order but vertical_slash wants it: the last queries see every distance}}
  %o = sattn.attention #sattn.vertical_slash<vertical = 100, slash = 100> %q, %q, %q heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

// expected-error@+1 {{found a k of 32 by 0 heads of 32 but numbers from 1, below 2^31, are wanted}}
func.func private @indexer_c1() attributes {of = #sattn.indexer<heads = 0>}

// -----

func.func @indexer_c2(%q: tensor<1x8x4xf32>, %w: tensor<4x8xf32>, %i: tensor<4x4xf32>, %h: tensor<4x2xf32>) {
  // expected-error@+1 {{found a k of 9 but there are 8 keys}}
  %o = sattn.attention #sattn.indexer<k = 9, heads = 2, width = 4> %q, %q, %q weights %w, %i, %h
      heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> weights tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x2xf32>
      -> tensor<1x8x4xf32>
  return
}

// -----

func.func @indexer_weights(%q: tensor<1x8x4xf32>, %w: tensor<4x8xf32>) {
  // expected-error@+1 {{has 1 weights but #sattn.indexer<k = 8, heads = 2, width = 4> wants 3}}
  %o = sattn.attention #sattn.indexer<k = 8, heads = 2, width = 4> %q, %q, %q weights %w heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> weights tensor<4x8xf32> -> tensor<1x8x4xf32>
  return
}

// -----

// expected-error@+1 {{found 2 blocks and a mass of 5.000000e-01 but one of them is wanted, and a mass above 0 and at most 1}}
func.func private @block_top_k_c2_both() attributes {of = #sattn.block_top_k<k = 2, mass = 0.5>}

// -----

// expected-error@+1 {{found 0 blocks and a mass of 1.500000e+00 but one of them is wanted, and a mass above 0 and at most 1}}
func.func private @block_top_k_c2() attributes {of = #sattn.block_top_k<mass = 1.5>}

// -----

// expected-error@+1 {{found a k of 32 by 0 tables but numbers from 1, below 2^31, are wanted}}
func.func private @ann_c1() attributes {of = #sattn.ann<tables = 0>}

// -----

// expected-error@+1 {{found hashes of 25 bits but 1 to 24 are wanted}}
func.func private @ann_c2() attributes {of = #sattn.ann<bits = 25>}

// -----

func.func @ann_c3(%q: tensor<1x8x4xf32>) {
  // expected-error@+1 {{found a k of 9 but there are 8 keys}}
  %o = sattn.attention #sattn.ann<k = 9> %q, %q, %q heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @local_global_c2(%q: tensor<1x8x4xf32>, %k: tensor<1x?x4xf32, #model.dims<"1", "t", "4">>) {
  // expected-error@+1 {{found 8 queries and t keys but local_global wants as many of both}}
  %o = sattn.attention #sattn.local_global<> %q, %k, %k heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x?x4xf32, #model.dims<"1", "t", "4">>, tensor<1x?x4xf32, #model.dims<"1", "t", "4">>
      -> tensor<1x8x4xf32>
  return
}

// -----

func.func @top_k_c2(%q: tensor<1x8x4xf32>) {
  // expected-error@+1 {{found a k of 9 but there are 8 keys}}
  %o = sattn.attention #sattn.top_k<k = 9> %q, %q, %q heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

// expected-error@+1 {{found a quantile of 1.000000e+00 but a number from 0 to below 1 is wanted}}
func.func private @gate_quantile_c1() attributes {of = #sattn.gate_quantile<quantile = 1.0>}

// -----

// expected-error@+1 {{found a quantile of -1.000000e-01 but a number from 0 to below 1 is wanted}}
func.func private @gate_quantile_c1_negative() attributes {of = #sattn.gate_quantile<quantile = -0.1>}

// -----

// expected-error@+1 {{found a mass of 0.000000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @dynamic_gate_c1_mass() attributes {of = #sattn.dynamic_gate<mass = 0.0>}

// -----

// expected-error@+1 {{found a mass and a threshold but one of them is wanted}}
func.func private @dynamic_gate_c1_both() attributes {of = #sattn.dynamic_gate<mass = 0.5, threshold = 0.5>}

// -----

// expected-error@+1 {{found a threshold of INF but a finite number is wanted}}
func.func private @dynamic_gate_c1_threshold() attributes {of = #sattn.dynamic_gate<threshold = 1.0e999>}

// -----

// expected-error@+1 {{found a share of 1.500000e+00 but a number above 0 and at most 1 is wanted}}
func.func private @token_activation_c1() attributes {of = #sattn.token_activation<share = 1.5>}

// -----

func.func @token_activation_c2(%q: tensor<1x8x4xf32>, %k: tensor<1x7x4xf32>, %w: tensor<1x4xf32>) {
  // expected-error@+1 {{found 8 queries and 7 keys but token_activation wants as many of both}}
  %o = sattn.attention #sattn.token_activation<> %q, %k, %k weights %w heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x7x4xf32>, tensor<1x7x4xf32> weights tensor<1x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

// expected-error@+1 {{found a skip of 1.000000e+00 but a number from 0 to below 1 is wanted}}
func.func private @focus_aware_c1_skip() attributes {of = #sattn.focus_aware<skip = 1.0>}

// -----

// expected-error@+1 {{found a threshold of 0.000000e+00 but a number above 0 and below 1 is wanted}}
func.func private @focus_aware_c1_threshold() attributes {of = #sattn.focus_aware<threshold = 0.0>}

// -----

// expected-error@+1 {{found a skip and a threshold but one of them is wanted}}
func.func private @focus_aware_c1_both() attributes {of = #sattn.focus_aware<skip = 0.5, threshold = 0.5>}

// -----

func.func @focus_aware_c2(%q: tensor<1x8x4xf32>, %k: tensor<1x9x4xf32>, %w: tensor<3x4xf32>, %b: tensor<1xf32>) {
  // expected-error@+1 {{found 8 queries and 9 keys but focus_aware wants as many of both}}
  %o = sattn.attention #sattn.focus_aware<> %q, %k, %k weights %w, %b heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x9x4xf32>, tensor<1x9x4xf32> weights tensor<3x4xf32>, tensor<1xf32> -> tensor<1x8x4xf32>
  return
}

// -----

// expected-error@+1 {{found a similarity of 1.500000e+00 but a number from 0 to 1 is wanted}}
func.func private @block_top_k_c3() attributes {of = #sattn.block_top_k<k = 2, similarity = 1.5>}

// -----

// expected-error@+1 {{found 8 parts of 0 centroids for 128 candidates but numbers from 1, below 2^31, are wanted}}
func.func private @ann_c4() attributes {of = #sattn.ann<centroids = 0>}

// -----

// expected-error@+1 {{found 8 candidates but no less than the k of 32 are wanted}}
func.func private @ann_c4_candidates() attributes {of = #sattn.ann<method = pq, candidates = 8>}

// -----

func.func @ann_c5(%q: tensor<1x64x10xf32>, %w: tensor<1x4x16x2xf32>) -> tensor<1x64x10xf32> {
  // expected-error@+1 {{found 4 parts but a number that divides the 10 columns of a head is wanted}}
  %o = sattn.attention #sattn.ann<method = pq, parts = 4> %q, %q, %q weights %w heads 1 kv_heads 1 scale 1.0
      : tensor<1x64x10xf32>, tensor<1x64x10xf32>, tensor<1x64x10xf32> weights tensor<1x4x16x2xf32> -> tensor<1x64x10xf32>
  return %o : tensor<1x64x10xf32>
}

// -----

// expected-error@+1 {{found 16 blocks of 64, means of 48 and a window of 512 but numbers from 1, below 2^31, are wanted, and blocks of a multiple of what a mean is of}}
func.func private @compressed_selected_window_c1() attributes {of = #sattn.compressed_selected_window<compress = 48>}

// -----

// expected-error@+1 {{found 1 sinks and 2 local blocks of 2 but numbers from 0 are wanted, together at most k}}
func.func private @compressed_selected_window_c1_forced() attributes {of = #sattn.compressed_selected_window<k = 2>}

// -----

func.func @compressed_selected_window_c2(%q: tensor<1x5x8xf32>, %k: tensor<1x6x8xf32>, %g: tensor<8x3xf32>, %b: tensor<3xf32>) -> tensor<1x5x8xf32> {
  // expected-error@+1 {{found 5 queries and 6 keys but compressed_selected_window wants as many of both}}
  %o = sattn.attention #sattn.compressed_selected_window<> %q, %k, %k weights %g, %b heads 1 kv_heads 1 scale 1.0
      : tensor<1x5x8xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32> weights tensor<8x3xf32>, tensor<3xf32> -> tensor<1x5x8xf32>
  return %o : tensor<1x5x8xf32>
}
