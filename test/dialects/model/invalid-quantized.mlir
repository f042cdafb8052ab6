// RUN: tamis-opt %s -split-input-file -verify-diagnostics

func.func @quantize_c1(%x: tensor<4x6xf32>, %s: tensor<4xf32>) {
  // expected-error@+1 {{has scales of [4] for an operand of [4, 6]}}
  %q = model.quantize %x scale %s : tensor<4x6xf32>, tensor<4xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_c1_blocks(%x: tensor<4x6xf32>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{has scales of [4, 2] for an operand of [4, 6]}}
  %q = model.quantize %x scale %s block 2 along 1 : tensor<4x6xf32>, tensor<4x2xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_c2_sizes(%x: tensor<4x6xf32>, %s: tensor<f32>, %z: tensor<6xi8>) {
  // expected-error@+1 {{has zero points of [6] beside scales of []}}
  %q = model.quantize %x scale %s zero_point %z : tensor<4x6xf32>, tensor<f32>, tensor<6xi8> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_c2_element(%x: tensor<4x6xf32>, %s: tensor<f32>, %z: tensor<ui8>) {
  // expected-error@+1 {{has zero points of 'ui8' for elements of 'i8'}}
  %q = model.quantize %x scale %s zero_point %z : tensor<4x6xf32>, tensor<f32>, tensor<ui8> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_c2_float(%x: tensor<4x6xf32>, %s: tensor<f32>, %z: tensor<f8E5M2>) {
  // expected-error@+1 {{has zero points of 'f8E5M2' for elements of 'f8E5M2', which have none}}
  %q = model.quantize %x scale %s zero_point %z : tensor<4x6xf32>, tensor<f32>, tensor<f8E5M2> -> tensor<4x6xf8E5M2>
  return
}

// -----

func.func @dequantize_c3(%x: tensor<4x6xi8>, %s: tensor<f32>) {
  // expected-error@+1 {{gives sizes [6, 4] but [4, 6] is wanted}}
  %q = model.dequantize %x scale %s : tensor<4x6xi8>, tensor<f32> -> tensor<6x4xf32>
  return
}

// -----

func.func @dequantize_c4(%x: tensor<4x6xi8>, %s: tensor<4x6xf32>) {
  // expected-error@+1 {{has blocks of 0 along axis 1 of an operand of 2 axes}}
  %q = model.dequantize %x scale %s block 0 along 1 : tensor<4x6xi8>, tensor<4x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @dequantize_c4_axis(%x: tensor<4x6xi8>, %s: tensor<4x6xf32>) {
  // expected-error@+1 {{has blocks of 2 along axis 2 of an operand of 2 axes}}
  %q = model.dequantize %x scale %s block 2 along 2 : tensor<4x6xi8>, tensor<4x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @integer_linear_c1(%x: tensor<4x6xi8>, %w: tensor<5x3xi8>) {
  // expected-error@+1 {{multiplies rows of 6 by a weight for rows of 5}}
  %y = model.integer_linear %x, %w : tensor<4x6xi8>, tensor<5x3xi8> -> tensor<4x3xi32>
  return
}

// -----

func.func @integer_linear_c2(%x: tensor<4x6xi8>, %w: tensor<6x3xi8>, %z: tensor<6xi8>) {
  // expected-error@+1 {{has an input zero point of 'tensor<6xi8>' for rows of [4, 1] of 'i8'}}
  %y = model.integer_linear %x, %w input_zero_point %z : tensor<4x6xi8>, tensor<6x3xi8>, tensor<6xi8> -> tensor<4x3xi32>
  return
}

// -----

func.func @integer_linear_c3(%x: tensor<4x6xi8>, %w: tensor<6x3xi4>, %z: tensor<3xi8>) {
  // expected-error@+1 {{has a weight zero point of 'tensor<3xi8>' for 3 columns of 'i4'}}
  %y = model.integer_linear %x, %w weight_zero_point %z : tensor<4x6xi8>, tensor<6x3xi4> weight tensor<3xi8> -> tensor<4x3xi32>
  return
}

// -----

func.func @integer_linear_c4(%x: tensor<4x6xi8>, %w: tensor<6x3xi8>) {
  // expected-error@+1 {{gives sizes [4, 6] but [4, 3] is wanted}}
  %y = model.integer_linear %x, %w : tensor<4x6xi8>, tensor<6x3xi8> -> tensor<4x6xi32>
  return
}

// -----

func.func @narrow_arithmetic(%x: tensor<4xi4>) {
  // expected-error@+1 {{operand #0 must be variadic of ranked tensor}}
  %y = model.elementwise neg %x : (tensor<4xi4>) -> tensor<4xi4>
  return
}

// -----

func.func @quantize_c3(%x: tensor<4x6xf32>, %s: tensor<f32>) {
  // expected-error@+1 {{gives sizes [4] but [4, 6] is wanted}}
  %q = model.quantize %x scale %s : tensor<4x6xf32>, tensor<f32> -> tensor<4xi8>
  return
}

// -----

func.func @quantize_c4(%x: tensor<4x6xf32>, %s: tensor<4x6xf32>) {
  // expected-error@+1 {{has blocks of -1 along axis 1 of an operand of 2 axes}}
  %q = model.quantize %x scale %s block -1 along 1 : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @dequantize_c1(%x: tensor<4x6xi8>, %s: tensor<2x4x6xf32>) {
  // expected-error@+1 {{has scales of [2, 4, 6] for an operand of [4, 6]}}
  %q = model.dequantize %x scale %s : tensor<4x6xi8>, tensor<2x4x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @dequantize_c2(%x: tensor<4x6xi8>, %s: tensor<f32>, %z: tensor<ui8>) {
  // expected-error@+1 {{has zero points of 'ui8' for elements of 'i8'}}
  %q = model.dequantize %x scale %s zero_point %z : tensor<4x6xi8>, tensor<f32>, tensor<ui8> -> tensor<4x6xf32>
  return
}

// -----

func.func @quantize_rows_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expected rows but found a single number}}
  %q, %s, %z = model.quantize_rows %x : tensor<f32> -> tensor<ui8>, tensor<f32>, tensor<ui8>
  return
}

// -----

func.func @quantize_rows_c2(%x: tensor<4x6xf32>) {
  // expected-error@+1 {{gives sizes [6, 4] but [4, 6] is wanted}}
  %q, %s, %z = model.quantize_rows %x : tensor<4x6xf32> -> tensor<6x4xui8>, tensor<4x1xf32>, tensor<4x1xui8>
  return
}

// -----

func.func @quantize_rows_c2_scale(%x: tensor<4x6xf32>) {
  // expected-error@+1 {{gives scales of [4] but [4, 1] is wanted}}
  %q, %s, %z = model.quantize_rows %x : tensor<4x6xf32> -> tensor<4x6xui8>, tensor<4xf32>, tensor<4x1xui8>
  return
}

// -----

func.func @dequantize_c5(%x: tensor<4x6xi8>, %s: tensor<4x2xf32>, %m: tensor<4x1xf32>) {
  // expected-error@+1 {{has minima of 'tensor<4x1xf32>' beside scales of 'tensor<4x2xf32>'}}
  %q = model.dequantize %x scale %s minimum %m block 3 along 1 : tensor<4x6xi8>, tensor<4x2xf32> minimum tensor<4x1xf32> -> tensor<4x6xf32>
  return
}
