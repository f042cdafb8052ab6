// RUN: tamis-opt %s -verify-each=0 -verify-diagnostics -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="top_k(k=9)"}))'
// The pass says so itself, and not the verifier behind it.

!q = tensor<1x8x4xf32>

func.func @main(%q: !q) -> !q {
  // expected-error@+1 {{'sattn.attention' op found a k of 9 but there are 8 keys}}
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0 : !q, !q, !q -> !q
  return %o : !q
}
