// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plan dialect: the compiled program, before it is written to a file.
#ifndef TAMIS_PLAN_OPS
#define TAMIS_PLAN_OPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::tamis::plan";
  let summary = "the compiled program: constants, dispatches, buffers";
  let description = [{
    A program is the `func.func` of the model in which only `plan` ops remain. It runs from top to bottom: each
    `plan.dispatch` runs the work groups of one kernel, after those of the dispatch before it. Values are still tensors;
    `plan.slots` of the function and `slots` of each dispatch say where their bytes lie, once buffers are placed.
    Kernels are functions of the modules beside it, one module a target (and one, `@kernels`, before tiling), and carry
    `plan.kernel = #plan.kernel<kind>`.
  }];
  let useDefaultAttributePrinterParser = 1;
}

class Plan_Enum<string name, string summary, list<string> words>
    : I32EnumAttr<name, summary, !foreach(i, !range(!size(words)), I32EnumAttrCase<words[i], i>)> {
  let cppNamespace = "::tamis::plan";
  let genSpecializedAttr = 0;
}
def Plan_KernelKind : Plan_Enum<"KernelKind", "how a kernel is generated", [
  "linear", "attention", "sparse_attention", "linear_attention", "merge", "select", "index", "compaction", "lines", "rows", "map",
  "lookup", "cache"]>;
def Plan_Layout : Plan_Enum<"Layout", "how a constant lies in memory", ["rows", "panels", "words", "units"]>;
def Plan_LayoutAttr : EnumAttr<Plan_Dialect, Plan_Layout, "layout"> { let assemblyFormat = "`<` $value `>`"; }

def Plan_KernelAttr : AttrDef<Plan_Dialect, "Kernel"> {
  let mnemonic = "kernel";
  let summary = "how a kernel is generated";
  let description = [{ `#plan.kernel<linear>`: the kind, which names the generator in codegen/tile. }];
  let parameters = (ins EnumParameter<Plan_KernelKind>:$kind);
  let assemblyFormat = "`<` $kind `>`";
}

class Plan_Op<string opMnemonic, list<Trait> traits = []> : Op<Plan_Dialect, opMnemonic, traits>;

def Plan_ConstantOp : Plan_Op<"constant", [Pure]> {
  let summary = "bytes of the plan's weight section";
  let description = [{
    `pieces` are joined along `axis`; each is the key of a weight or a dense constant. A piece marked in `transposed` is a
    matrix that is stored the other way round. `layout`: `rows` is row-major; `panels` is the form that linear kernels
    read, blocks of 48 columns, each with all rows one after the other, the last filled up with zeros. `words` and
    `units` are what kernels read that unpack weights in registers, of matrices with an output a row: blocks of 48 rows, of
    integers the words of 32 bits that hold 8 or 4 of a row, of scales and zero points one number (codegen/tile/PackWords.h).
    - (C1) as many `transposed` marks as pieces. - (C2) `panels` needs a matrix of f32 or bf16, or of integers of 8
    or 4 bits, `words` one of such integers, `units` one of them or of f16 or f32.
    ```mlir
    %w = plan.constant panels ["q.weight", "k.weight"] transposed [true, true] axis 1 : tensor<384x768xf32>
    ```
  }];
  let arguments = (ins Plan_LayoutAttr:$layout, ArrayAttr:$pieces, DenseBoolArrayAttr:$transposed, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "custom<Word>($layout) $pieces `transposed` $transposed `axis` $axis attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Plan_ViewOp : Plan_Op<"view", [Pure]> {
  let summary = "the same bytes under another type";
  let description = [{
    Costs nothing at run time.
    - (C1) same number of elements, same element type.
    ```mlir
    %v = plan.view %x : tensor<2x3xf32> -> tensor<6xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Plan_DispatchOp : Plan_Op<"dispatch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run all work groups of a kernel";
  let description = [{
    `grid` is the number of work groups, `scratch` the bytes each thread needs, `flops` and `bytes` the cost of the whole:
    size expressions. `sources` are the nodes of the source model that the kernel computes.
    `slots`, once buffers are placed, names for each result its slot of the arena, or -1 - k when it is written straight
    to output k. `in_place` has for each result the number of the operand whose bytes it takes, or -1; its slot says nothing then.
    - (C1) the kernel exists and its operand and result types are those of the dispatch. - (C2) the four are size expressions.
    - (C3) `in_place` names an operand of the result's type for each result, or -1.
    ```mlir
    %y = plan.dispatch @linear_gelu(%x, %w, %b) grid "32" scratch "0" sources ["/intermediate/dense/MatMul", "/intermediate/Gelu"]
        flops "4718592" bytes "2396160"
        : (tensor<4x384xf32>, tensor<384x1536xf32>, tensor<1536xf32>) -> tensor<4x1536xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs, StrAttr:$grid, StrAttr:$scratch,
                       StrArrayAttr:$sources, StrAttr:$flops,
                       StrAttr:$bytes, OptionalAttr<DenseI64ArrayAttr>:$slots,
                       OptionalAttr<DenseI64ArrayAttr>:$in_place);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{ $kernel `(` $inputs `)` `grid` $grid `scratch` $scratch `sources` $sources `flops` $flops `bytes` $bytes (`slots` $slots^)? (`in_place` $in_place^)? attr-dict
                          `:` functional-type($inputs, $results) }];
  let hasVerifier = 1;
}

#endif
