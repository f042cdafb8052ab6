// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the sattn dialect from index to index, and to and from memory.
#ifndef TAMIS_SATTN_INDEX_OPS
#define TAMIS_SATTN_INDEX_OPS

include "dialects/sattn/SattnPatterns.td"

def Sattn_UnionOp : Sattn_Op<"union", [Pure]> {
  let summary = "the items that one of several indices holds";
  let description = [{
    - (C1) one input at least; all have the rows, columns, unit, shape and items of the result.
    ```mlir
    %u = sattn.union %i, %j : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">,
        !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
        -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "3">
    ```
  }];
  let arguments = (ins Variadic<Sattn_KeyIndex>:$inputs);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
  /// No more items than all of them have, and no more than there are.
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$inputs)>];
}

def Sattn_IntersectOp : Sattn_Op<"intersect", [Pure]> {
  let summary = "the items that each of several indices holds";
  let description = [{
    - (C1) one input at least; all have the rows, columns, unit, shape and items of the result.
    ```mlir
    %u = sattn.intersect %i, %j : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">,
        !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
        -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">
    ```
  }];
  let arguments = (ins Variadic<Sattn_KeyIndex>:$inputs);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
  /// As many items as the smallest has.
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$inputs)>];
}

def Sattn_RefineOp : Sattn_Op<"refine", [Pure]> {
  let summary = "the same keys, as smaller items";
  let description = [{
    Item j becomes the items that cut its keys, as far as they exist: of a block smaller blocks or tokens, of a page the block
    that it is. `keys` is K as a size expression.
    - (C1) the columns of the result divide those of the operand; rows and shape are the same. - (C2) the items of both fit
      K.
    ```mlir
    %r = sattn.refine %i keys "256" : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
        -> !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$input, StrAttr:$keys);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$input `keys` $keys attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "int64_t":$columns, "::tamis::sattn::Unit":$unit,
                                 "const ::tamis::DimExpr &":$keys)>];
}

def Sattn_CoarsenOp : Sattn_Op<"coarsen", [Pure]> {
  let summary = "the same items, for rows of more queries, or as larger items";
  let description = [{
    A row of the result holds the items of all rows of the operand whose queries it covers; with rows of 0, one row holds
    those of all. Where its columns are more, it holds the larger items that a key of those is in; `keys` is K as a size
    expression then.
    - (C1) the result's rows are 0 or a multiple of the operand's, its columns a multiple; batch and heads are the same.
      - (C2) without `keys` columns, unit and items are the same; with them, the items of both fit K.
    ```mlir
    %all = sattn.coarsen %i : !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "2">
        -> !sattn.index<0 x 1 token, shape ["1", "12", "1"], items "256", capacity "8">
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$input, OptionalAttr<StrAttr>:$keys);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$input (`keys` $keys^)? attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input),
                            [{ build($_builder, $_state, result, input, ::mlir::StringAttr()); }]>];
  let extraClassDeclaration = [{
    /// Whether items stay as they are.
    bool keepsItems() { return getType().getColumns() == getInput().getType().getColumns(); }
  }];
}

def Sattn_TransposeOp : Sattn_Op<"transpose", [Pure]> {
  let summary = "which rows read each item";
  let description = [{
    Rows and items change places: row j of the result holds i where row i of the operand holds j. Rows stand for keys then,
    and items for queries.
    - (C1) the result's rows are the operand's columns, its columns the operand's rows, from 1, its rows as many as the
      operand's items and its items as many as the operand's rows; batch and heads are the same.
    ```mlir
    %t = sattn.transpose %i : !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
        -> !sattn.index<16 x 64 block, shape ["1", "12", "16"], items "4", capacity "4">
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$input);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  /// An item may be in every row.
  let builders = [OpBuilder<(ins "::mlir::Value":$input)>];
}

def Sattn_ShareOp : Sattn_Op<"share", [Pure]> {
  let summary = "heads read the index of others";
  let description = [{
    Head h of the result holds what head `heads[h]` of the operand holds; all batch items what its one holds, if it has one.
    The operand may be of another layer. It is written out, where `attend` could read for itself, so that a pass can
    introduce it, and kernels that want one index a head can have it.
    - (C1) the result differs in batch and heads alone, and in batch only where the operand's is one. - (C2) `heads` are as
      many as the result has, numbers of heads of the operand.
    ```mlir
    %s = sattn.share %i heads [0, 0, 1, 1] : !sattn.index<64 x 64 block, shape ["1", "2", "4"], items "4", capacity "2">
        -> !sattn.index<64 x 64 block, shape ["1", "4", "4"], items "4", capacity "2">
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$input, DenseI64ArrayAttr:$heads);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$input `heads` $heads attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "const ::tamis::DimExpr &":$batch,
                                 "::llvm::ArrayRef<int64_t>":$heads)>];
}

def Sattn_StoreIndexOp : Sattn_Op<"store_index", [Pure]> {
  let summary = "an index as a tensor";
  let description = [{
    - (C1) the result is the operand's storage (`!sattn.index`).
    ```mlir
    %t = sattn.store_index %i
        : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2"> -> tensor<1x12x4x3xi32>
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$input);
  let results = (outs Model_TensorOf<[I32]>:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def Sattn_LoadIndexOp : Sattn_Op<"load_index", [Pure]> {
  let summary = "an index from its tensor";
  let description = [{
    What the tensor holds beyond the items, or outside of their range, is an error of whoever wrote it: kernels read no
    item that is not there.
    - (C1) the operand is the result's storage (`!sattn.index`).
    ```mlir
    %i = sattn.load_index %t
        : tensor<1x12x4x3xi32> -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
    ```
  }];
  let arguments = (ins Model_TensorOf<[I32]>:$input);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

#endif
