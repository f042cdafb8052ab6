// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// One case a constraint, named by the op and the constraint's label in its description.

func.func @cumulative_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{works along axis 2 but the operand has 2}}
  %y = model.cumulative sum %x axis 2 : tensor<2x3xf32>
  return
}

// -----

func.func @cumulative_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives max but sum or prod is wanted}}
  %y = model.cumulative max %x axis 1 : tensor<2x3xf32>
  return
}

// -----

func.func @top_k_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{works along axis 2 but the operand has 2}}
  %y = model.top_k %x axis 2 : tensor<2x3xf32> -> tensor<2x3xi64>
  return
}

// -----

func.func @top_k_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{takes 4 of 3 elements}}
  %y = model.top_k %x axis 1 : tensor<2x3xf32> -> tensor<2x4xi64>
  return
}

// -----

func.func @top_k_c2_sizes(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{gives sizes [1, 1] but [2, 1] is wanted}}
  %y = model.top_k %x axis 1 : tensor<2x3xf32> -> tensor<1x1xi64>
  return
}

// -----

func.func @scatter_c1(%data: tensor<4x5xf32>, %at: tensor<7x3xi64>, %new: tensor<7xf32>) {
  // expected-error@+1 {{cannot index [4, 5] by tuples of [7, 3] after 0 shared axes}}
  %s = model.scatter write %data, %at, %new batch_dims 0 : tensor<4x5xf32>, tensor<7x3xi64>, tensor<7xf32>
  return
}

// -----

func.func @scatter_c1_shared(%data: tensor<4x5xf32>, %at: tensor<3x1xi64>, %new: tensor<3xf32>) {
  // expected-error@+1 {{shares axis 0 of sizes 4 and 3}}
  %s = model.scatter write %data, %at, %new batch_dims 1 : tensor<4x5xf32>, tensor<3x1xi64>, tensor<3xf32>
  return
}

// -----

func.func @scatter_c1_updates(%data: tensor<4x5xf32>, %at: tensor<7x1xi64>, %new: tensor<7xf32>) {
  // expected-error@+1 {{has updates of sizes [7] but [7, 5] is wanted}}
  %s = model.scatter write %data, %at, %new batch_dims 0 : tensor<4x5xf32>, tensor<7x1xi64>, tensor<7xf32>
  return
}

// -----

func.func @scatter_c2(%data: tensor<4x5xf32>, %at: tensor<7x2xi64>, %new: tensor<7xf64>) {
  // expected-error@+1 {{has updates of 'f64' but data of 'f32'}}
  %s = model.scatter write %data, %at, %new batch_dims 0 : tensor<4x5xf32>, tensor<7x2xi64>, tensor<7xf64>
  return
}

// -----

func.func @scatter_c2_numbers(%data: tensor<4x5xi1>, %at: tensor<7x2xi64>, %new: tensor<7xi1>) {
  // expected-error@+1 {{joins elements of 'i1' but numbers are wanted}}
  %s = model.scatter sum %data, %at, %new batch_dims 0 : tensor<4x5xi1>, tensor<7x2xi64>, tensor<7xi1>
  return
}
