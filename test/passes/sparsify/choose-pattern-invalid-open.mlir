// RUN: tamis-opt %s -verify-diagnostics -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="window(size=3"}))'

!q = tensor<1x8x4xf32>

// expected-error@+1 {{found the attention 'window(size=3' but dense or a pattern is wanted, such as window(size=128, sinks=4): expected ')' at its end}}
func.func @main(%q: !q) -> !q {
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0 : !q, !q, !q -> !q
  return %o : !q
}
