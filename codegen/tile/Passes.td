// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the tile phase: tensors become kernels over grids of work groups.
#ifndef TAMIS_TILE_PASSES
#define TAMIS_TILE_PASSES

include "mlir/Pass/PassBase.td"

def FormDispatches : Pass<"tamis-form-dispatches", "::mlir::ModuleOp"> {
  let summary = "group the model's ops into kernels and dispatch them in order";
  let description = [{
    Each group becomes a function of the module `@kernels` and a `plan.dispatch`. A linear takes with it the activation,
    residual and other elementwise ops that follow it, an attention the column ranges it reads, a norm or softmax the
    elementwise ops around it; what is left is grouped into maps that compute every element from their operands. Equal
    groups share one kernel. Weights become `plan.constant`, those of linears in panels; reshapes become `plan.view`. Where a
    `select` compares sizes, what its other side alone needs has a grid of 0.

    Requires: the graph phase. Leaves: no `model` op outside of `@kernels`.

    ```mlir
    %0 = model.linear %x, %w bias %b : ...
    %1 = model.activation gelu %0 : ...
    // becomes
    %1 = plan.dispatch @linear_gelu_384x1536(%x, %w, %b) grid ... sources [...] : ...
    ```
  }];
  let options = [Option<"rowsApart", "rows-apart", "bool", "false",
                        "quantize rows in kernels of their own, not in those of linears, as GPUs do">];
  let dependentDialects = ["::tamis::plan::PlanDialect"];
  let statistics = [Statistic<"numDispatches", "dispatches", "dispatches formed">,
                    Statistic<"numKernels", "kernels", "different kernels among them">];
}

def LowerQuantization : Pass<"tamis-lower-quantization", "::mlir::ModuleOp"> {
  let summary = "write quantize and dequantize as the arithmetic they are";
  let description = [{
    `model.quantize` becomes a division, a rounding, an addition and a cast that saturates; `model.dequantize` a
    subtraction of integers, a cast and a product. Scales of blocks are spread over them. The numbers are exactly those of
    the ops.

    Requires: nothing. Leaves: `model.dequantize` of weights that kernels unpack themselves (codegen/tile/PackedWeight.h),
    and else none of both ops. Narrow floats are errors.

    ```mlir
    %q = model.quantize %x scale %s : tensor<4x384xf32>, tensor<f32> -> tensor<4x384xi8>
    // becomes
    %0 = model.elementwise div %x, %s : ...
    %1 = model.elementwise round %0 : ...
    %q = model.cast %1 : tensor<4x384xf32> -> tensor<4x384xi8>
    ```
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numLowered", "lowered", "ops written as arithmetic">];
}

def PackWeights : Pass<"tamis-pack-weights", "::mlir::ModuleOp"> {
  let summary = "bring dequantized weights into the form that kernels unpack";
  let description = [{
    The weight of a linear, or the table of an embedding, that follows from one `model.dequantize` of known integers of 4
    or 8 bits, or from several joined, becomes one dequantize of its own with an output a row: transpositions and
    concatenations move before it, scales that were widened from f16 are read as f16, one scale a row is a block. Others
    stay.

    Requires: the graph phase. Leaves: such weights in the form of codegen/tile/PackedWeight.h.

    ```mlir
    %a = model.dequantize %0 scale %1 block 32 along 1 : tensor<64x96xi4>, tensor<64x3xf16> -> tensor<64x96xf32>
    %b = model.dequantize %2 scale %3 block 32 along 1 : tensor<32x96xi4>, tensor<32x3xf16> -> tensor<32x96xf32>
    %w = model.concat %a, %b axis 0 : ...
    // becomes
    %q = model.concat %0, %2 axis 0 : ...
    %s = model.concat %1, %3 axis 0 : ...
    %w = model.dequantize %q scale %s block 32 along 1 : tensor<96x96xi4>, tensor<96x3xf16> -> tensor<96x96xf32>
    ```
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numPacked", "packed", "weights that kernels unpack">];
}

def TileKernels : Pass<"tamis-tile-kernels", "::mlir::ModuleOp"> {
  let summary = "turn kernels of tensors into loops over vectors, for one target";
  let description = [{
    Adds a module named after the target to the program, with the tiled form of every function of `@kernels`: flat
    buffers, sizes, a range of work groups (codegen/tile/KernelBuilder.h).

    Requires: tamis-form-dispatches. Leaves: `@kernels` as it was, for the next target; `tamis-drop-kernels` removes it.

    ```mlir
    module @kernels { func.func @linear_gelu_384x1536(%x: tensor<...>, ...) -> tensor<...> { ... } }
    // gains
    module @"x86-64-v3" { func.func @linear_gelu_384x1536(%x: memref<...>, ..., %begin: index, ...) -> i32 { ... } }
    ```
  }];
  let options = [Option<"target", "target", "std::string", "\"x86-64-v3\"", "CPU level or name">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect"];
}

def DropKernels : Pass<"tamis-drop-kernels", "::mlir::ModuleOp"> {
  let summary = "remove the kernels' tensor form";
  let description = [{
    Removes the module `@kernels` once every target has its own.

    Requires: tamis-tile-kernels for each target. Leaves: the program and one module a target.

    ```mlir
    module @kernels { ... }
    // is gone
    ```
  }];
}

#endif
