// RUN: tamis-opt %s -split-input-file -verify-diagnostics

func.func @constant_c1() {
  // expected-error @below {{has 2 pieces but 1 transposed marks}}
  %w = plan.constant rows ["a", "b"] transposed [false] axis 0 : tensor<4xf32>
  return
}

// -----

func.func @constant_piece() {
  // expected-error @below {{expected a weight's key or a dense constant but found 1 : i64}}
  %w = plan.constant rows [1] transposed [false] axis 0 : tensor<4xf32>
  return
}

// -----

func.func @constant_dynamic() {
  // expected-error @below {{has the dynamic type 'tensor<?xf32>'}}
  %w = plan.constant rows ["a"] transposed [false] axis 0 : tensor<?xf32>
  return
}

// -----

func.func @constant_c2() {
  // expected-error @below {{lies in panels but is 'tensor<4xf32>', not a matrix of f32}}
  %w = plan.constant panels ["a"] transposed [false] axis 0 : tensor<4xf32>
  return
}

// -----

func.func @constant_c2_words() {
  // expected-error @below {{lies in words but is 'tensor<4x4xf32>', not a matrix of integers of 8 or 4 bits}}
  %w = plan.constant words ["a"] transposed [false] axis 0 : tensor<4x4xf32>
  return
}

// -----

func.func @constant_c2_units() {
  // expected-error @below {{lies in units but is 'tensor<4xf16>', not a matrix of f16, f32, or integers of 8 or 4 bits}}
  %w = plan.constant units ["a"] transposed [false] axis 0 : tensor<4xf16>
  return
}

// -----

func.func @view_c1(%x: tensor<2x3xf32>) {
  // expected-error @below {{takes 6 elements but gives 7}}
  %v = plan.view %x : tensor<2x3xf32> -> tensor<7xf32>
  return
}

// -----

module @kernels {
  func.func @copy(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}
func.func @dispatch_c1_types(%x: tensor<5xf32>) {
  // expected-error @below {{calls @copy of type '(tensor<4xf32>) -> tensor<4xf32>'}}
  %y = plan.dispatch @copy(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<5xf32>) -> tensor<5xf32>
  return
}

// -----

module @kernels {
}
func.func @dispatch_c1_missing(%x: tensor<5xf32>) {
  // expected-error @below {{calls @copy but no kernel has that name}}
  %y = plan.dispatch @copy(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @dispatch_c2(%x: tensor<5xf32>) {
  // expected-error @below {{expected a size expression but found "3 +"}}
  %y = plan.dispatch @copy(%x) grid "3 +" scratch "0" sources [] flops "0" bytes "0" : (tensor<5xf32>) -> tensor<5xf32>
  return
}

// -----

func.func @dispatch_c3(%x: tensor<5xf32>) {
  // expected-error @below {{gives 'tensor<5xf32>' in the place of operand 1, which is of another type or none}}
  %y = plan.dispatch @copy(%x) grid "3" scratch "0" sources [] flops "0" bytes "0" in_place [1] : (tensor<5xf32>) -> tensor<5xf32>
  return
}
