// RUN: not nvptx-kernels %s 2>&1 | FileCheck %s
// What there is no code for is told kernel by kernel, all of them.

// CHECK: error: {{.*}}has heads of 256 columns but up to 128 are wanted
// CHECK: error: {{.*}}of f16 has 20 rows and 64 columns of weights, but multiples of 8, rows first, are wanted
// CHECK: error: {{.*}}expected a kernel that carries plan.kernel
// CHECK: 3 kernels cannot be compiled for 'sm_80'
!h = tensor<1x4x256xf32>
func.func @wide(%q: !h) -> !h attributes {plan.kernel = #plan.kernel<attention>} {
  %0 = model.attention %q, %q, %q heads 1 kv_heads 1 scale 0.0625 : !h, !h, !h -> !h
  return %0 : !h
}
func.func @odd(%x: tensor<4x20xf16>, %w: tensor<20x64xf16>) -> tensor<4x64xf16> attributes {plan.kernel = #plan.kernel<linear>} {
  %0 = model.linear %x, %w : tensor<4x20xf16>, tensor<20x64xf16> -> tensor<4x64xf16>
  return %0 : tensor<4x64xf16>
}
func.func @none(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = model.activation relu %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
