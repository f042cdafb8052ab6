// RUN: tamis-opt %s -verify-diagnostics -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="budget(count 3.0)"}))'

!q = tensor<1x8x4xf32>

// expected-error@+1 {{found the attention 'budget(count 3.0)' but dense or a pattern is wanted; there are ann, antidiagonal, block_top_k, }}
func.func @main(%q: !q) -> !q {
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0 : !q, !q, !q -> !q
  return %o : !q
}
