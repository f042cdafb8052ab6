// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// One case a constraint, named by the op and the constraint's label in its description.

func.func @weight_c1() {
  // expected-error@+1 {{has the dynamic type 'tensor<?xf32, #model.dims<"n">>' but weights are static}}
  %w = model.weight "w" : tensor<?xf32, #model.dims<"n">>
  return
}

// -----

func.func @constant_c1() {
  // expected-error@+1 {{failed to verify that all of {value, result} have same type}}
  %c = "model.constant"() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<3xf32>
  return
}

// -----

func.func @sizes_c1() {
  // expected-error@+1 {{gives 'tensor<3xi64>' but has 2 expressions}}
  %n = model.sizes ["a", "b"] : tensor<3xi64>
  return
}

// -----

func.func @sizes_c1_scalar() {
  // expected-error@+1 {{gives 'tensor<i64>' but has 2 expressions}}
  %n = model.sizes ["a", "b"] : tensor<i64>
  return
}

// -----

func.func @sizes_syntax() {
  // expected-error@+1 {{expected a size expression but found "a/b"}}
  %n = model.sizes ["a/b"] : tensor<1xi64>
  return
}

// -----

func.func @iota_c1() {
  // expected-error@+1 {{gives 'tensor<2x2xi64>' but a vector is wanted}}
  %i = model.iota "0" step "1" : tensor<2x2xi64>
  return
}

// -----

func.func @iota_syntax() {
  // expected-error@+1 {{expected size expressions as start and step}}
  %i = model.iota "0" step "" : tensor<2xi64>
  return
}

// -----

func.func @reshape_c1(%x: tensor<?x4xf32, #model.dims<"n", "4">>) {
  // expected-error@+1 {{takes 4*n elements but gives 2*n}}
  %r = model.reshape %x : tensor<?x4xf32, #model.dims<"n", "4">> -> tensor<2x?xf32, #model.dims<"2", "n">>
  return
}

// -----

func.func @reshape_c2(%x: tensor<4xf32>) {
  // expected-error@+1 {{gives elements of type 'i32' but 'f32' is wanted}}
  %r = model.reshape %x : tensor<4xf32> -> tensor<2x2xi32>
  return
}

// -----

func.func @transpose_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expected a permutation of 2 axes}}
  %t = model.transpose %x [1, 1] : tensor<2x3xf32> -> tensor<3x3xf32>
  return
}

// -----

func.func @transpose_c1_length(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expected a permutation of 2 axes}}
  %t = model.transpose %x [0] : tensor<2x3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @transpose_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives sizes [2, 3] but [3, 2] is wanted}}
  %t = model.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @broadcast_c1(%x: tensor<2x384xf32>) {
  // expected-error@+1 {{cannot broadcast [2, 384] to [batch, 384]}}
  %b = model.broadcast %x : tensor<2x384xf32> -> tensor<?x384xf32, #model.dims<"batch", "384">>
  return
}

// -----

func.func @broadcast_c1_rank(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot broadcast [2, 3] to [3]}}
  %b = model.broadcast %x : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{has 1 starts and 2 steps but 2 axes}}
  %s = model.slice %x ["0"] step [1, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @slice_c1_step(%x: tensor<3xf32>) {
  // expected-error@+1 {{has a step of zero along axis 0}}
  %s = model.slice %x ["0"] step [0] : tensor<3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives 1 axes but takes 2}}
  %s = model.slice %x ["0", "0"] step [1, 1] : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_c2_element(%x: tensor<3xf32>) {
  // expected-error@+1 {{gives elements of type 'f16' but 'f32' is wanted}}
  %s = model.slice %x ["0"] step [1] : tensor<3xf32> -> tensor<2xf16>
  return
}

// -----

func.func @slice_c3(%x: tensor<5xf32>) {
  // expected-error@+1 {{picks 3 elements from 2 by steps of 2 along axis 0, which has 5}}
  %s = model.slice %x ["2"] step [2] : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_c3_overflow(%x: tensor<5xf32>) {
  // expected-error@+1 {{picks 3 elements from 0 by steps of 9223372036854775807 along axis 0, which has 5}}
  %s = model.slice %x ["0"] step [9223372036854775807] : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @concat_c1() {
  // expected-error@+1 {{expected at least one operand}}
  %c = "model.concat"() {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

func.func @concat_c1_element(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{cannot join 'tensor<2xf16>' to 'tensor<2xf32>'}}
  %c = model.concat %a, %b axis 0 : (tensor<2xf32>, tensor<2xf16>) -> tensor<4xf32>
  return
}

// -----

func.func @concat_axis(%a: tensor<2xf32>) {
  // expected-error@+1 {{joins along axis 1 but the operands have 1}}
  %c = model.concat %a axis 1 : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @concat_c2(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{joins sizes 2 and 4 of axis 0}}
  %c = model.concat %a, %b axis 1 : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @concat_c2_sum(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{gives sizes [2, 5] but [2, 6] is wanted}}
  %c = model.concat %a, %a axis 1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @gather_c1(%data: tensor<4xf32>, %at: tensor<2xi64>) {
  // expected-error@+1 {{picks along axis 1 but the data has 1}}
  %g = model.gather %data, %at axis 1 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf32>
  return
}

// -----

func.func @gather_c2(%data: tensor<4x5xf32>, %at: tensor<2x3xi64>) {
  // expected-error@+1 {{gives sizes [4, 2] but [4, 2, 3] is wanted}}
  %g = model.gather %data, %at axis 1 : tensor<4x5xf32>, tensor<2x3xi64> -> tensor<4x2xf32>
  return
}

// -----

func.func @gather_nd_c1(%data: tensor<4x5xf32>, %at: tensor<7x3xi64>) {
  // expected-error@+1 {{cannot index [4, 5] by tuples of [7, 3] after 0 shared axes}}
  %g = model.gather_nd %data, %at batch_dims 0 : tensor<4x5xf32>, tensor<7x3xi64> -> tensor<7xf32>
  return
}

// -----

func.func @gather_nd_c1_shared(%data: tensor<4x5xf32>, %at: tensor<3x1xi64>) {
  // expected-error@+1 {{shares axis 0 of sizes 4 and 3}}
  %g = model.gather_nd %data, %at batch_dims 1 : tensor<4x5xf32>, tensor<3x1xi64> -> tensor<3xf32>
  return
}

// -----

func.func @gather_nd_c1_sizes(%data: tensor<4x5xf32>, %at: tensor<7x1xi64>) {
  // expected-error@+1 {{gives sizes [7] but [7, 5] is wanted}}
  %g = model.gather_nd %data, %at batch_dims 0 : tensor<4x5xf32>, tensor<7x1xi64> -> tensor<7xf32>
  return
}

// -----

func.func @cast_c1(%x: tensor<2xf32>) {
  // expected-error@+1 {{gives sizes [3] but [2] is wanted}}
  %c = model.cast %x : tensor<2xf32> -> tensor<3xf16>
  return
}

// -----

func.func @elementwise_c1(%x: tensor<2xf32>) {
  // expected-error@+1 {{add takes 2 operands but has 1}}
  %y = model.elementwise add %x : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c1_none() {
  // expected-error@+1 {{select takes 3 operands but has 0}}
  %y = "model.elementwise"() {kind = #model.elementwise_kind<select>} : () -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c2(%x: tensor<2xf32>, %y: tensor<2xf16>) {
  // expected-error@+1 {{mul has operand 0 of 'f32' but 'f16' is wanted}}
  %z = model.elementwise mul %x, %y : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c2_condition(%x: tensor<2xf32>) {
  // expected-error@+1 {{select has operand 0 of 'f32' but 'i1' is wanted}}
  %y = model.elementwise select %x, %x, %x : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c3(%x: tensor<2x1xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{gives sizes [3, 2] but [2, 3] is wanted}}
  %z = model.elementwise sub %x, %y : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @elementwise_c3_symbols(%x: tensor<?xf32, #model.dims<"a">>, %y: tensor<?xf32, #model.dims<"b">>) {
  // expected-error@+1 {{cannot broadcast [a] and [b]}}
  %z = model.elementwise add %x, %y : (tensor<?xf32, #model.dims<"a">>, tensor<?xf32, #model.dims<"b">>)
      -> tensor<?xf32, #model.dims<"a">>
  return
}

// -----

func.func @elementwise_c3_bool(%x: tensor<2xf32>) {
  // expected-error@+1 {{gives elements of type 'f32' but 'i1' is wanted}}
  %y = model.elementwise less %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c4(%x: tensor<2xi32>) {
  // expected-error@+1 {{exp is not defined for 'i32'}}
  %y = model.elementwise exp %x : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @elementwise_c4_logical(%x: tensor<2xf32>) {
  // expected-error@+1 {{logical_and is not defined for 'f32'}}
  %y = model.elementwise logical_and %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @elementwise_c4_bool(%x: tensor<2xi1>) {
  // expected-error@+1 {{add is not defined for 'i1'}}
  %y = model.elementwise add %x, %x : (tensor<2xi1>, tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----

func.func @reduce_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{reduces axis 0 after 1 of 2 axes}}
  %y = model.reduce sum %x axes [1, 0] : tensor<2x3xf32> -> tensor<1x1xf32>
  return
}

// -----

func.func @reduce_c1_missing(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{reduces axis 2 after -1 of 2 axes}}
  %y = model.reduce sum %x axes [2] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @reduce_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives sizes [2] but [2, 1] is wanted}}
  %y = model.reduce sum %x axes [1] : tensor<2x3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @softmax_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{works along axis 2 but the operand has 2}}
  %y = model.softmax %x axis 2 : tensor<2x3xf32>
  return
}

// -----

func.func @matmul_c1(%a: tensor<2xf32>, %b: tensor<2x2xf32>) {
  // expected-error@+1 {{multiplies [2] by [2, 2] but matrices are wanted}}
  %c = model.matmul %a, %b : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @matmul_c2(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot multiply [2, 3] by [2, 3]}}
  %c = model.matmul %a, %b : tensor<2x3xf32>, tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @matmul_c2_lead(%a: tensor<2x1x1xf32>, %b: tensor<3x1x1xf32>) {
  // expected-error@+1 {{cannot multiply [2, 1, 1] by [3, 1, 1]}}
  %c = model.matmul %a, %b : tensor<2x1x1xf32>, tensor<3x1x1xf32> -> tensor<2x1x1xf32>
  return
}

// -----

func.func @matmul_c3(%a: tensor<2x2xf32>, %b: tensor<2x2xf16>) {
  // expected-error@+1 {{multiplies 'f32' by 'f16'}}
  %c = model.matmul %a, %b : tensor<2x2xf32>, tensor<2x2xf16> -> tensor<2x2xf32>
  return
}

// -----

func.func @linear_c1(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) {
  // expected-error@+1 {{multiplies rows of 3 by a weight for rows of 4}}
  %y = model.linear %x, %w : tensor<2x3xf32>, tensor<4x3xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @linear_c1_rank(%x: tensor<2x3xf32>, %w: tensor<3xf32>) {
  // expected-error@+1 {{expected a static matrix as weight but found 'tensor<3xf32>'}}
  %y = model.linear %x, %w : tensor<2x3xf32>, tensor<3xf32> -> tensor<2x1xf32>
  return
}

// -----

func.func @linear_c2(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{adds a bias of 'tensor<3xf32>' to 4 columns}}
  %y = model.linear %x, %w bias %b : tensor<2x3xf32>, tensor<3x4xf32>, tensor<3xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @linear_c3(%x: tensor<2x3xf32>, %w: tensor<3x4xf16>) {
  // expected-error@+1 {{gives elements of type 'f16' but 'f32' is wanted}}
  %y = model.linear %x, %w : tensor<2x3xf32>, tensor<3x4xf16> -> tensor<2x4xf32>
  return
}

// -----

func.func @linear_c3_bf16(%x: tensor<2x3xbf16>, %w: tensor<3x4xbf16>, %b: tensor<4xbf16>) {
  // expected-error@+1 {{gives elements of type 'bf16' but 'f32' is wanted}}
  %y = model.linear %x, %w bias %b : tensor<2x3xbf16>, tensor<3x4xbf16>, tensor<4xbf16> -> tensor<2x4xf32>
  return
}

// -----

func.func @linear_c3_f16(%x: tensor<2x3xf16>, %w: tensor<3x4xf16>) {
  // expected-error@+1 {{gives elements of type 'f32' but 'f16' is wanted}}
  %y = model.linear %x, %w : tensor<2x3xf16>, tensor<3x4xf16> -> tensor<2x4xf32>
  return
}

// -----

func.func @norm_axis(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{normalises from axis 2 but the operand has 2}}
  %y = model.norm rms %x axis 2 epsilon 1.0e-5 : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @norm_c1(%x: tensor<2x3xf32>, %g: tensor<2xf32>) {
  // expected-error@+1 {{has a parameter of 'tensor<2xf32>' for slices of [3]}}
  %y = model.norm rms %x scale %g axis 1 epsilon 1.0e-5 : tensor<2x3xf32>, tensor<2xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @norm_c1_dynamic(%x: tensor<?xf32, #model.dims<"n">>) {
  // expected-error@+1 {{normalises over the dynamic sizes [n]}}
  %y = model.norm rms %x axis 0 epsilon 1.0e-5 : tensor<?xf32, #model.dims<"n">> -> tensor<?xf32, #model.dims<"n">>
  return
}

// -----

func.func @norm_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives 'tensor<3x2xf32>' but takes 'tensor<2x3xf32>'}}
  %y = model.norm rms %x axis 1 epsilon 1.0e-5 : tensor<2x3xf32> -> tensor<3x2xf32>
  return
}

// -----

func.func @norm_c3(%x: tensor<2x3xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{has a bias but no scale}}
  %y = "model.norm"(%x, %b) {kind = #model.norm_kind<layer>, axis = 1 : i64, epsilon = 1.0e-5 : f64,
      operandSegmentSizes = array<i32: 1, 0, 1>} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @embedding_c1(%t: tensor<4x?xf32, #model.dims<"4", "n">>, %ids: tensor<2xi64>) {
  // expected-error@+1 {{expected a static matrix as table but found}}
  %e = model.embedding %t, %ids : tensor<4x?xf32, #model.dims<"4", "n">>, tensor<2xi64>
      -> tensor<2x?xf32, #model.dims<"2", "n">>
  return
}

// -----

func.func @embedding_c1_sizes(%t: tensor<4x3xf32>, %ids: tensor<2xi64>) {
  // expected-error@+1 {{gives sizes [2, 4] but [2, 3] is wanted}}
  %e = model.embedding %t, %ids : tensor<4x3xf32>, tensor<2xi64> -> tensor<2x4xf32>
  return
}

// -----

func.func @attention_c1(%q: tensor<1x2x6xf32>, %k: tensor<1x2x6xf32>) {
  // expected-error@+1 {{cannot split [1, 2, 6], [1, 2, 6] and [1, 2, 6] into 3 heads over 2}}
  %o = model.attention %q, %k, %k heads 3 kv_heads 2 scale 1.0
      : tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32> -> tensor<1x2x6xf32>
  return
}

// -----

func.func @attention_c1_width(%q: tensor<1x2x8xf32>, %k: tensor<1x2x8xf32>) {
  // expected-error@+1 {{cannot split [1, 2, 8], [1, 2, 8] and [1, 2, 8] into 4 heads over 2}}
  %o = model.attention %q, %k, %k heads 4 kv_heads 2 scale 1.0
      : tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32> -> tensor<1x2x8xf32>
  return
}

// -----

func.func @attention_c1_overflow(%q: tensor<1x2x0xf32>, %v: tensor<1x2x4xf32>) {
  // expected-error@+1 {{has 4611686018427387904 heads of 4, too many to count}}
  %o = model.attention %q, %q, %v heads 4611686018427387904 kv_heads 1 scale 1.0
      : tensor<1x2x0xf32>, tensor<1x2x0xf32>, tensor<1x2x4xf32> -> tensor<1x2x4xf32>
  return
}

// -----

func.func @attention_c2(%q: tensor<1x2x4xf32>, %k: tensor<1x3x4xf32>) {
  // expected-error@+1 {{has operands of sizes [1, 2, 4], [1, 3, 4] and [1, 2, 4]}}
  %o = model.attention %q, %k, %q heads 2 kv_heads 2 scale 1.0
      : tensor<1x2x4xf32>, tensor<1x3x4xf32>, tensor<1x2x4xf32> -> tensor<1x2x4xf32>
  return
}

// -----

func.func @attention_c2_mask(%q: tensor<1x2x4xf32>, %m: tensor<2x2xi1>) {
  // expected-error@+1 {{has a mask of [2, 2] for scores of [1, 2, 2, 2]}}
  %o = model.attention %q, %q, %q mask %m heads 2 kv_heads 2 scale 1.0
      : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<2x2xi1> -> tensor<1x2x4xf32>
  return
}

// -----

func.func @attention_c2_mask_element(%q: tensor<1x2x4xf32>, %m: tensor<1x1x2x2xi64>) {
  // expected-error@+1 {{has a mask of 'i64' but 'f32' or i1 is wanted}}
  %o = model.attention %q, %q, %q mask %m heads 2 kv_heads 2 scale 1.0
      : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x1x2x2xi64> -> tensor<1x2x4xf32>
  return
}
