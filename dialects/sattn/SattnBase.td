// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sattn dialect: its type, budgets and base classes.
#ifndef TAMIS_SATTN_BASE
#define TAMIS_SATTN_BASE

include "dialects/model/ModelBase.td"
include "dialects/sattn/SattnEnums.td"

def Sattn_Dialect : Dialect {
  let name = "sattn";
  let cppNamespace = "::tamis::sattn";
  let summary = "what attention reads, before how";
  let description = [{
    Attention that reads some of the keys. A *pattern* (`#sattn.window<...>`, ...) says which, as an attribute of
    `sattn.attention`; lowering it writes the selection out as ops: keys and queries are summarised (`summarize`), scored
    (`score`), picked (`select`), and `attend` reads what was picked. What was picked is a value of its own, `!sattn.index`,
    that can be joined, shared and counted.

    Four numbers stay independent of each other: the queries that choose together (rows of an index), the keys that are
    chosen together (its columns), the tile that a kernel computes, and the page in which keys lie.

    Rules for all of it: causal order and masks come first; a row that keeps no key gives zeros; weights are the softmax
    over the keys that are kept; of equal scores the one of the lower index wins; NaN is below every number.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::tamis::model::ModelDialect"];
}

class Sattn_EnumAttr<EnumAttrInfo info, string attrMnemonic> : EnumAttr<Sattn_Dialect, info, attrMnemonic> {
  let assemblyFormat = "`<` $value `>`";
}
def Sattn_SummaryKindAttr : Sattn_EnumAttr<Sattn_SummaryKind, "summary_kind">;
def Sattn_FeatureMapAttr : Sattn_EnumAttr<Sattn_FeatureMap, "feature_map">;
def Sattn_WeighKindAttr : Sattn_EnumAttr<Sattn_WeighKind, "weigh_kind">;

class Sattn_Attr<string name, string attrMnemonic, list<Trait> traits = []> : AttrDef<Sattn_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

/// A number that is no size, whole or not; its default value makes it optional.
class Sattn_Number<string defaultNumber = ""> : AttrOrTypeParameter<"::llvm::APFloat", "a number"> {
  let comparator = "$_lhs.bitwiseIsEqual($_rhs)";
  let printer = "$_printer.printFloat($_self)";
  let parser = [{[&]() -> ::mlir::FailureOr<::llvm::APFloat> {
    bool isNegative = ::mlir::succeeded($_parser.parseOptionalMinus());
    int64_t whole;
    double value;
    if (auto parsed = $_parser.parseOptionalInteger(whole); parsed.has_value()) {
      if (*parsed)
        return ::mlir::failure();
      value = double(whole);
    } else if ($_parser.parseFloat(value)) {
      return ::mlir::failure();
    }
    return ::llvm::APFloat(isNegative ? -value : value);
  }()}];
  let defaultValue = !if(!empty(defaultNumber), "", "::llvm::APFloat(" # defaultNumber # ")");
}

/// A word of an enumeration; its default makes it optional.
class Sattn_Choice<EnumAttrInfo choices, string defaultWord> : EnumParameter<choices> {
  let defaultValue = choices.cppType # "::" # defaultWord;
}

def Sattn_BudgetAttr : Sattn_Attr<"Budget", "budget"> {
  let summary = "how many items of a row are kept";
  let description = [{
    Of the n items that a row may read, with scores s:
    - `count` k: the k largest; all when n is less.
    - `fraction` f: as `count` of the whole part of f times the number of all items of the index, but at least one.
    - `mass` m: the fewest largest whose softmax weights sum to m or more.
    - `share` m: the fewest largest that make the sum of what is kept m or more of the sum of all, forced ones among both;
      scores below zero and NaN count as zero.
    - `threshold` t: those with s >= t.
    - `quantile` q: those above the q quantile of the row, that is those with s > v where v is the item at place
      floor(q (n - 1)) of the row in ascending order.
    - (C1) `count` is a whole number from 1; `fraction`, `mass` and `share` are above 0 and at most 1, `quantile` from 0 to below 1;
      a threshold is a number.
    ```mlir
    #sattn.budget<fraction 3.000000e-01>
    ```
  }];
  let parameters = (ins EnumParameter<Sattn_BudgetKind>:$kind, Sattn_Number<>:$value);
  let assemblyFormat = "`<` $kind $value `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{ double number() const { return getValue().convertToDouble(); } }];
}

def Sattn_KeyIndex : TypeDef<Sattn_Dialect, "KeyIndex"> {
  let mnemonic = "index";
  let summary = "which items of keys each row of queries reads";
  let description = [{
    For each batch item b, head h and row i a set of at most `capacity` items, ascending. Row i stands for the queries
    `[i R, (i + 1) R)` and item j for the keys `[j C, (j + 1) C)`, as far as they exist; an R of 0 makes one row of all
    queries. `shape` is batch, heads and rows, where one head may stand for a group of heads, or for all; `items` is their
    number. A `token` is one key, a `block` C keys next to each other, a `page` a block whose place in memory a table
    gives.

    A stored index is a tensor `shape x (capacity + 1)` of i32: the number of items, the items, and rubbish up to capacity.
    - (C1) R is not negative, C is positive, and one for tokens. - (C2) `shape` has three sizes; all are size expressions.
    ```mlir
    !sattn.index<64 x 64 block, shape ["b", "12", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "8">
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, EnumParameter<Sattn_Unit>:$unit,
                        ArrayRefParameter<"::mlir::StringAttr">:$shape, "::mlir::StringAttr":$items,
                        "::mlir::StringAttr":$capacity);
  let assemblyFormat = "`<` $rows `x` $columns $unit `,` `shape` `[` $shape `]` `,` `items` $items `,` `capacity` $capacity `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Batch, heads and rows.
    ::tamis::model::Dims shapeDims() const;
    ::tamis::DimExpr itemCount() const;
    ::tamis::DimExpr capacityExpr() const;
    /// The tensor that holds it.
    ::mlir::RankedTensorType storage() const;
    static KeyIndexType get(::mlir::MLIRContext *context, int64_t rows, int64_t columns, Unit unit,
                         ::llvm::ArrayRef<::tamis::DimExpr> shape, const ::tamis::DimExpr &items,
                         const ::tamis::DimExpr &capacity);
  }];
}

def Sattn_Partial : TypeDef<Sattn_Dialect, "Partial"> {
  let mnemonic = "partial";
  let summary = "attention over some of the keys, with what it takes to go on";
  let description = [{
    For each batch item, head and query the softmax over some keys times their values, and the logarithm of the sum of the
    exponentials of the scores, base e: -infinity, and zeros, where there is no key. Partial results of disjoint keys
    merge to that of all of them (`sattn.merge`), as the blocks of FlashAttention do (arXiv 2205.14135).
    `shape` is batch, heads, queries and the width of a value. All numbers are f32.

    A stored partial result is a tensor `batch x heads x queries x (width + 1)`, the logarithm behind each row.
    - (C1) `shape` has four sizes, size expressions, and the second and last are numbers.
    ```mlir
    !sattn.partial<["b", "12", "s", "32"]>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$shape);
  let assemblyFormat = "`<` `[` $shape `]` `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    ::tamis::model::Dims shapeDims() const;
    /// The tensor that holds it.
    ::mlir::RankedTensorType storage() const;
    /// The tensor of attention: `batch x queries x (heads width)`.
    ::mlir::RankedTensorType whole() const;
    static PartialType get(::mlir::MLIRContext *context, ::llvm::ArrayRef<::tamis::DimExpr> shape);
  }];
}

class Sattn_Op<string opMnemonic, list<Trait> traits = []> : Op<Sattn_Dialect, opMnemonic, traits> {
  let hasVerifier = 1;
}

#endif
