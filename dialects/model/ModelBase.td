// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model dialect: its attributes, enumerations and base class of ops.
#ifndef TAMIS_MODEL_BASE
#define TAMIS_MODEL_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Model_Dialect : Dialect {
  let name = "model";
  let cppNamespace = "::tamis::model";
  let summary = "a transformer as its paper writes it";
  let description = [{
    Tensors in, tensors out, no memory and no order but that of data. A model is a `func.func` whose arguments and
    results carry `model.name` (the name of the input or output) and which lists its dynamic sizes:

    ```mlir
    func.func @main(%ids: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "input_ids"})
        -> (tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">> {model.name = "last_hidden_state"})
        attributes {model.symbols = [#model.symbol<"batch", 1, 64>, #model.symbol<"sequence", 1, 512>]}
    ```

    - (C1) `model.symbols` is a list of `#model.symbol` with distinct names, on a function.

    Every `?` of a type is spelt out by `#model.dims`, so equal sizes have equal types and no op carries shapes as
    data. Weights are named, not stored: `model.weight "encoder.weight"` refers to a mapped file.
    Numbers follow IEEE 754 in the element type; reductions have no defined order.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::func::FuncDialect"];
  let hasOperationAttrVerify = 1;
}

class Model_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<Model_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Model_DimsAttr : Model_Attr<"Dims", "dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding, ["verifyEncoding"]>]> {
  let summary = "the sizes of a tensor, by name";
  let description = [{
    One text an axis, each a polynomial over the model's symbols in canonical form (`lib/support/DimExpr.h`).
    - (C1) as many texts as the tensor has axes.
    - (C2) a text is a plain number exactly where the axis is static, and that number.
    - (C3) at least one axis is dynamic; a static tensor carries no `#model.dims`.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$exprs);
  let assemblyFormat = "`<` $exprs `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The expressions, parsed.
    ::llvm::SmallVector<::tamis::DimExpr> dims() const;
  }];
}

def Model_SymbolAttr : Model_Attr<"Symbol", "symbol"> {
  let summary = "a dynamic size and its range";
  let description = [{ Both bounds are included: `#model.symbol<"batch", 1, 64>`. - (C1) 0 <= min <= max. }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$min, "int64_t":$max);
  let assemblyFormat = "`<` $name `,` $min `,` $max `>`";
  let genVerifyDecl = 1;
}

class Model_Enum<string name, string summary, list<string> words>
    : I32EnumAttr<name, summary, !foreach(i, !range(!size(words)), I32EnumAttrCase<words[i], i>)> {
  let cppNamespace = "::tamis::model";
  let genSpecializedAttr = 0;
}
class Model_EnumAttr<EnumAttrInfo info, string attrMnemonic> : EnumAttr<Model_Dialect, info, attrMnemonic> {
  let assemblyFormat = "`<` $value `>`"; // ops write the bare word: lib/support/EnumWord.h
}

// Names follow ONNX and torch where they agree. "not", "and", "or", "xor" are C++ words, hence the prefix.
def Model_ElementwiseKind : Model_Enum<"ElementwiseKind", "what an elementwise op computes", [
  // one operand
  "neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "erf", "tanh", "sigmoid", "sin", "cos", "floor", "ceil",
  "round", "sign", "isnan", "isinf", "logical_not",
  // two operands
  "add", "sub", "mul", "div", "pow", "mod", "fmod", "minimum", "maximum", "logical_and", "logical_or", "logical_xor",
  "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
  // three operands
  "select"]>;
def Model_ElementwiseKindAttr : Model_EnumAttr<Model_ElementwiseKind, "elementwise_kind">;

def Model_ActivationKind : Model_Enum<"ActivationKind", "an activation function", [
  "relu", "relu2", "gelu", "gelu_tanh", "quick_gelu", "silu"]>;
def Model_ActivationKindAttr : Model_EnumAttr<Model_ActivationKind, "activation_kind">;

def Model_NormKind : Model_Enum<"NormKind", "a normalisation", ["layer", "rms"]>;
def Model_NormKindAttr : Model_EnumAttr<Model_NormKind, "norm_kind">;

def Model_ReduceKind : Model_Enum<"ReduceKind", "a reduction", ["sum", "mean", "max", "min", "prod"]>;
def Model_ReduceKindAttr : Model_EnumAttr<Model_ReduceKind, "reduce_kind">;

def Model_ScatterKind : Model_Enum<"ScatterKind", "how updates join what is there", ["write", "sum", "prod", "max", "min"]>;
def Model_ScatterKindAttr : Model_EnumAttr<Model_ScatterKind, "scatter_kind">;

// The element types that the compiler, the plan file and the reference evaluator all know.
defvar Model_Floats = [F16, BF16, F32, F64];
defvar Model_Integers = [I8, I16, I32, I64, UI8, UI16, UI32, UI64];
// Those that only move, are cast, quantized and dequantized. 4 bits take a byte each, but in packed weights.
defvar Model_Narrow = [F8E4M3FN, F8E5M2, I<4>, UI<4>];

// Without a name two `?` could not be told apart, and no plan could compute their sizes.
def Model_NamedSizes : CPred<
    "::llvm::cast<::mlir::ShapedType>($_self).hasStaticShape() || ::llvm::isa_and_nonnull<::tamis::model::DimsAttr>("
    "::llvm::cast<::mlir::RankedTensorType>($_self).getEncoding())">;
class Model_TensorOf<list<Type> elements>
    : RankedTensorOf<elements, [Model_NamedSizes], "ranked tensor with static or named sizes">;
def Model_Tensor : Model_TensorOf<!listconcat(Model_Floats, [I1], Model_Integers, Model_Narrow)>;
def Model_ComputedTensor : Model_TensorOf<!listconcat(Model_Floats, [I1], Model_Integers)>;
def Model_FloatTensor : Model_TensorOf<Model_Floats>;
def Model_IndexTensor : Model_TensorOf<[I64, I32]>;
def Model_MatrixTensor : Model_TensorOf<!listconcat(Model_Floats, [I32])>;
def Model_NumberTensor : Model_TensorOf<!listconcat(Model_Floats, Model_Integers)>;

class Model_Op<string opMnemonic, list<Trait> traits = []> : Op<Model_Dialect, opMnemonic, traits> {
  let hasVerifier = 1;
}

#endif
