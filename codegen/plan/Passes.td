// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the plan phase.
#ifndef TAMIS_PLAN_PASSES
#define TAMIS_PLAN_PASSES

include "mlir/Pass/PassBase.td"

def PlaceBuffers : Pass<"tamis-place-buffers", "::mlir::ModuleOp"> {
  let summary = "give every result of a dispatch its place in one arena";
  let description = [{
    A result lives from its dispatch to the last one that reads it, through views. Results whose lives do not meet share a
    slot; a slot is as large as the largest of them. Results that the program returns are written straight to the output.

    Requires: tamis-form-dispatches. Leaves: `plan.slots` on the program, `slots` on every dispatch.

    ```mlir
    %1 = plan.dispatch @a(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" : (tensor<4xf32>) -> tensor<4xf32>
    // becomes
    %1 = plan.dispatch @a(%x) grid "1" scratch "0" sources [] flops "0" bytes "0" slots [0] : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let statistics = [Statistic<"numSlots", "slots", "slots of the arena">];
}

#endif
