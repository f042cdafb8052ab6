// RUN: tamis-opt %s -split-input-file -verify-diagnostics

func.func @append_c1(%k: tensor<8x2x16x32xf32>, %v: tensor<8x2x16x16xf32>, %r: tensor<4x32xf32>, %table: tensor<1x8xi32>,
                     %t: tensor<4xi32>) {
  // expected-error @below {{expected pools of keys [pages, heads, width, page]}}
  %a, %b = cache.append pools(%k, %v) rows(%r, %r) at(%table, %t, %t)
      : (tensor<8x2x16x32xf32>, tensor<8x2x16x16xf32>), tensor<4x32xf32>, tensor<4x32xf32>, tensor<1x8xi32>, tensor<4xi32>,
        tensor<4xi32> -> tensor<8x2x16x32xf32>, tensor<8x2x16x16xf32>
  return
}

// -----

func.func @append_c1_results(%k: tensor<8x2x16x16xf32>, %r: tensor<4x32xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{gives pools of other types than it takes}}
  %a, %b = cache.append pools(%k, %k) rows(%r, %r) at(%table, %t, %t)
      : (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<4x32xf32>, tensor<4x32xf32>, tensor<1x8xi32>, tensor<4xi32>,
        tensor<4xi32> -> tensor<8x2x16x16xf32>, tensor<9x2x16x16xf32>
  return
}

// -----

func.func @append_c2(%k: tensor<8x2x16x16xf32>, %r: tensor<4x32xf32>, %table: tensor<1x8xi32>, %t: tensor<3xi32>) {
  // expected-error @below {{expected a table of two axes and a text and a position for each of 4 tokens}}
  %a, %b = cache.append pools(%k, %k) rows(%r, %r) at(%table, %t, %t)
      : (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<4x32xf32>, tensor<4x32xf32>, tensor<1x8xi32>, tensor<3xi32>,
        tensor<3xi32> -> tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>
  return
}

// -----

func.func @append_c3(%k: tensor<8x2x16x16xf32>, %r: tensor<4x30xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{expected keys of 32 and values of 32 columns, as the pools hold, but found [4, 30] and [4, 30]}}
  %a, %b = cache.append pools(%k, %k) rows(%r, %r) at(%table, %t, %t)
      : (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<4x30xf32>, tensor<4x30xf32>, tensor<1x8xi32>, tensor<4xi32>,
        tensor<4xi32> -> tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>
  return
}

// -----

func.func @attend_c1(%q: tensor<4x64xf32>, %k: tensor<8x2x16x16xi8>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{or of i8 with two of their scales [pages, heads, page]}}
  %o = cache.attend %q pools(%k, %k) at(%table, %t, %t) heads 4 scale 1.0
      : tensor<4x64xf32>, (tensor<8x2x16x16xi8>, tensor<8x2x16x16xi8>), tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32>
      -> tensor<4x64xf32>
  return
}

// -----

func.func @attend_c2(%q: tensor<4x48xf32>, %k: tensor<8x2x16x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{expected a multiple of 2 heads of 16 columns but found 3 heads and queries of 48}}
  %o = cache.attend %q pools(%k, %k) at(%table, %t, %t) heads 3 scale 1.0
      : tensor<4x48xf32>, (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32>
      -> tensor<4x48xf32>
  return
}

// -----

func.func @attend_c3(%q: tensor<4x64xf32>, %k: tensor<8x2x16x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{gives sizes [4, 2, 4, 16] but [4, 64] or [4, parts, 4, 17] is wanted}}
  %o = cache.attend %q pools(%k, %k) at(%table, %t, %t) heads 4 scale 1.0
      : tensor<4x64xf32>, (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32>
      -> tensor<4x2x4x16xf32>
  return
}

// -----

func.func @merge_c1(%p: tensor<4x2x4x17xf32>) {
  // expected-error @below {{takes sizes [4, 2, 4, 17] and gives [4, 68] but}}
  %o = cache.merge %p : tensor<4x2x4x17xf32> -> tensor<4x68xf32>
  return
}

// -----

func.func @attend_c1_bounds(%q: tensor<4x64xf32>, %k: tensor<8x2x16x16xf32>, %b: tensor<8x2x2x16xf32>, %table: tensor<1x8xi32>,
                            %t: tensor<4xi32>) {
  // expected-error @below {{takes bounds, which it does not read}}
  %o = cache.attend %q pools(%k, %k, %b) at(%table, %t, %t) heads 4 scale 1.0
      : tensor<4x64xf32>, (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>, tensor<8x2x2x16xf32>), tensor<1x8xi32>, tensor<4xi32>,
        tensor<4xi32> -> tensor<4x64xf32>
  return
}

// -----

func.func @attend_c1_index(%q: tensor<4x64xf32>, %k: tensor<8x2x16x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>,
                           %i: tensor<4x3x5xi32>) {
  // expected-error @below {{expected an index [4, 2, count + 1] of 4 pages or more but found [4, 3, 5]}}
  %o = cache.attend %q pools(%k, %k) at(%table, %t, %t) index %i heads 4 scale 1.0
      : tensor<4x64xf32>, (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32>,
        tensor<4x3x5xi32> -> tensor<4x64xf32>
  return
}

// -----

func.func @select_c1(%q: tensor<4x64xf32>, %b: tensor<8x2x2x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{expected queries of 6 heads and bounds [pages, heads, 2, width] but found [4, 64] and [8, 2, 2, 16]}}
  %i = cache.select %q bounds %b at(%table, %t, %t) heads 6 count 4 page 16
      : tensor<4x64xf32>, tensor<8x2x2x16xf32>, tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32> -> tensor<4x2x5xi32>
  return
}

// -----

func.func @select_c2(%q: tensor<4x64xf32>, %b: tensor<8x2x2x16xf32>, %table: tensor<1x8xi32>, %t: tensor<3xi32>) {
  // expected-error @below {{expected a table of two axes and a text and a position for each of 4 tokens}}
  %i = cache.select %q bounds %b at(%table, %t, %t) heads 4 count 4 page 16
      : tensor<4x64xf32>, tensor<8x2x2x16xf32>, tensor<1x8xi32>, tensor<3xi32>, tensor<3xi32> -> tensor<4x2x5xi32>
  return
}

// -----

func.func @select_c3(%q: tensor<4x64xf32>, %b: tensor<8x2x2x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>) {
  // expected-error @below {{gives an index of 6 numbers a row but 5 are wanted}}
  %i = cache.select %q bounds %b at(%table, %t, %t) heads 4 count 4 page 16
      : tensor<4x64xf32>, tensor<8x2x2x16xf32>, tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32> -> tensor<4x2x6xi32>
  return
}
