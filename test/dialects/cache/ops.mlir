// RUN: tamis-opt %s | tamis-opt | FileCheck %s

// The examples of the ops' descriptions parse and print as they stand there.

// CHECK-LABEL: @append
func.func @append(%keys: tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>,
                  %values: tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>,
                  %key: tensor<?x192xf32, #model.dims<"tokens", "192">>,
                  %value: tensor<?x192xf32, #model.dims<"tokens", "192">>,
                  %table: tensor<?x?xi32, #model.dims<"texts", "places">>,
                  %texts: tensor<?xi32, #model.dims<"tokens">>, %positions: tensor<?xi32, #model.dims<"tokens">>) {
  // CHECK: cache.append pools(%{{.*}}, %{{.*}}) rows(%{{.*}}, %{{.*}}) at(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<
  %k, %v = cache.append pools(%keys, %values) rows(%key, %value) at(%table, %texts, %positions)
      : (tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>, tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>),
        tensor<?x192xf32, #model.dims<"tokens", "192">>, tensor<?x192xf32, #model.dims<"tokens", "192">>,
        tensor<?x?xi32, #model.dims<"texts", "places">>, tensor<?xi32, #model.dims<"tokens">>,
        tensor<?xi32, #model.dims<"tokens">>
      -> tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>, tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>
  return
}

// CHECK-LABEL: @attend
func.func @attend(%query: tensor<?x576xf32, #model.dims<"tokens", "576">>,
                  %k: tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>,
                  %v: tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>,
                  %table: tensor<?x?xi32, #model.dims<"texts", "places">>,
                  %texts: tensor<?xi32, #model.dims<"tokens">>, %positions: tensor<?xi32, #model.dims<"tokens">>) {
  // CHECK: cache.attend %{{.*}} pools(%{{.*}}, %{{.*}}) at(%{{.*}}, %{{.*}}, %{{.*}}) heads 9 scale 1.250000e-01 : tensor<
  %o = cache.attend %query pools(%k, %v) at(%table, %texts, %positions) heads 9 scale 1.250000e-01
      : tensor<?x576xf32, #model.dims<"tokens", "576">>, (tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>,
        tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>), tensor<?x?xi32, #model.dims<"texts", "places">>,
        tensor<?xi32, #model.dims<"tokens">>, tensor<?xi32, #model.dims<"tokens">>
      -> tensor<?x576xf32, #model.dims<"tokens", "576">>
  return
}

// CHECK-LABEL: @merge
func.func @merge(%parts: tensor<?x4x9x65xf32, #model.dims<"tokens", "4", "9", "65">>) {
  // CHECK: cache.merge %{{.*}} : tensor<
  %o = cache.merge %parts : tensor<?x4x9x65xf32, #model.dims<"tokens", "4", "9", "65">>
      -> tensor<?x576xf32, #model.dims<"tokens", "576">>
  return
}

// CHECK-LABEL: @select
func.func @select(%query: tensor<?x576xf32, #model.dims<"tokens", "576">>,
                  %bounds: tensor<?x3x2x64xf32, #model.dims<"pages", "3", "2", "64">>,
                  %table: tensor<?x?xi32, #model.dims<"texts", "places">>,
                  %texts: tensor<?xi32, #model.dims<"tokens">>, %positions: tensor<?xi32, #model.dims<"tokens">>) {
  // CHECK: cache.select %{{.*}} bounds %{{.*}} at(%{{.*}}, %{{.*}}, %{{.*}}) heads 9 count 64 page 16 : tensor<
  %i = cache.select %query bounds %bounds at(%table, %texts, %positions) heads 9 count 64 page 16
      : tensor<?x576xf32, #model.dims<"tokens", "576">>, tensor<?x3x2x64xf32, #model.dims<"pages", "3", "2", "64">>,
        tensor<?x?xi32, #model.dims<"texts", "places">>, tensor<?xi32, #model.dims<"tokens">>, tensor<?xi32, #model.dims<"tokens">>
      -> tensor<?x3x65xi32, #model.dims<"tokens", "3", "65">>
  return
}

// CHECK-LABEL: @attend_index
func.func @attend_index(%q: tensor<4x64xf32>, %k: tensor<8x2x16x16xf32>, %table: tensor<1x8xi32>, %t: tensor<4xi32>,
                        %i: tensor<4x2x5xi32>) {
  // CHECK: cache.attend %{{.*}} pools(%{{.*}}, %{{.*}}) at(%{{.*}}, %{{.*}}, %{{.*}}) index %{{.*}} heads 4
  %o = cache.attend %q pools(%k, %k) at(%table, %t, %t) index %i heads 4 scale 1.0
      : tensor<4x64xf32>, (tensor<8x2x16x16xf32>, tensor<8x2x16x16xf32>), tensor<1x8xi32>, tensor<4xi32>, tensor<4xi32>,
        tensor<4x2x5xi32> -> tensor<4x64xf32>
  return
}
