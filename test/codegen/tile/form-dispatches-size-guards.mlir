// RUN: tamis-opt %s -pass-pipeline='builtin.module(tamis-form-dispatches)' | FileCheck %s
// A side of a select by sizes has no work groups where it is not used; what both sides need always has.

!x = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>

// CHECK-LABEL: func.func @main
func.func @main(%x: !x) -> !x attributes {model.symbols = [#model.symbol<"b", 1, 4>, #model.symbol<"s", 1, 512>]} {
  // CHECK: %[[SHARED:.*]] = plan.dispatch @attention(%{{.*}}) grid "{{[^m]*}}" scratch
  %shared = model.attention %x, %x, %x heads 4 kv_heads 4 scale 1.0 : !x, !x, !x -> !x
  // Two in a row for short inputs.
  // CHECK: %[[A:.*]] = plan.dispatch @attention(%[[SHARED]]) grid "{{[^"]*}}*min(1, max(-s + 100, 0))" {{.*}} flops "{{[^"]*}}*min(1, max(-s + 100, 0))
  // CHECK: %[[B:.*]] = plan.dispatch @attention(%[[A]]) grid "{{[^"]*}}*min(1, max(-s + 100, 0))"
  %a = model.attention %shared, %shared, %shared heads 4 kv_heads 4 scale 1.0 : !x, !x, !x -> !x
  %b = model.attention %a, %a, %a heads 4 kv_heads 4 scale 1.0 : !x, !x, !x -> !x
  // CHECK: %[[C:.*]] = plan.dispatch @attention_2(%[[SHARED]]) grid "{{[^"]*}}*min(1, max(0, s - 99))"
  %c = model.attention %shared, %shared, %shared heads 4 kv_heads 4 scale 2.0 : !x, !x, !x -> !x
  %n = model.sizes ["s"] : tensor<i64>
  %limit = model.constant dense<100> : tensor<i64>
  %short = model.elementwise less %n, %limit : (tensor<i64>, tensor<i64>) -> tensor<i1>
  // CHECK: plan.dispatch @less_select(%[[B]], %[[C]]) grid "{{[^m]*}}" scratch
  %y = model.elementwise select %short, %b, %c : (tensor<i1>, !x, !x) -> !x
  return %y : !x
}
