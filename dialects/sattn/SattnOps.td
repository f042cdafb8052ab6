// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the sattn dialect.
#ifndef TAMIS_SATTN_OPS
#define TAMIS_SATTN_OPS

include "dialects/sattn/SattnEstimatePatterns.td"
include "dialects/sattn/SattnGatePatterns.td"
include "dialects/sattn/SattnIndexOps.td"

def Sattn_AttentionOp : Sattn_Op<"attention", [Pure, AttrSizedOperandSegments]> {
  let summary = "attention that reads the keys of a pattern";
  let description = [{
    As `model.attention`, over those of its keys alone that `pattern` keeps.
    A pattern that looks at numbers does not look at keys that the mask leaves out, or to which a float mask adds -1e30 or
    less, which leaves nothing of their weight. The mask is applied to the pairs that are kept, as to all of a dense
    attention: among keys alone that a float mask leaves nothing of, their weights decide.
    Some patterns have `weights` of their own, in the order and of the shapes that their description gives.
    - (C1) as `model.attention`, and `pattern` fits the sizes. - (C2) a pattern that looks at numbers takes no mask but one of
      `B x 1 x 1 x K`. - (C3) the weights that the pattern wants, of the shapes it wants.
    ```mlir
    %o = sattn.attention #sattn.window<size = 128> %q, %k, %v heads 12 kv_heads 12 scale 1.767766952966369e-01
        : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
    ```
  }];
  let arguments = (ins Sattn_PatternInterface:$pattern, Model_FloatTensor:$query, Model_FloatTensor:$key,
                       Model_FloatTensor:$value, Optional<Model_Tensor>:$mask, Variadic<Model_FloatTensor>:$weights,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       F64Attr:$scale, UnitAttr:$causal);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ $pattern $query `,` $key `,` $value (`mask` $mask^)? (`weights` $weights^)? `heads` $heads
                          `kv_heads` $kv_heads `scale` $scale (`causal` $causal^)? attr-dict `:` type($query) `,` type($key)
                          `,` type($value) (`,` type($mask)^)? (`weights` type($weights)^)? `->` type($result) }];
  let extraClassDeclaration = [{
    ::tamis::sattn::AttentionSizes sizes();
  }];
}

/// A number of tokens or items.
def Sattn_Count : ConfinedAttr<I64Attr, [IntNonNegative, IntMaxValue<2147483647>]>;
def Sattn_Width : ConfinedAttr<I64Attr, [IntPositive, IntMaxValue<2147483647>]>;

def Sattn_SummarizeOp : Sattn_Op<"summarize", [Pure, AllElementTypesMatch<["input", "result"]>]> {
  let summary = "one vector for each block of tokens";
  let description = [{
    `input` is `B x S x (heads D)`; `result[b, h, n, :]` is made of `x_t = input[b, t, h D : h D + D]` for the tokens t of
    block n, `[n width, (n + 1) width)`, that exist and that `mask`, bool `B x 1 x 1 x S`, keeps; 0 where there are none.
    - `mean`, `max`, `min`: of each column.
    - `bounds`: the max of all columns, then the min of all. `signs`: of the mean m, max(m, 0) of all columns, then min(m, 0).
      Their product is the largest that m can have with a vector within the bounds (Quest, arXiv 2406.10774).
    - `stack`: the tokens side by side, `x_t` at the columns from `(t - n width) D` on; `stack_reversed`: the last first, at
      those from `((n + 1) width - 1 - t) D` on. Their product is the sum of the products on an antidiagonal (XAttention,
      arXiv 2503.16428).
    - (C1) the result is `B x heads x ceil(S / width) x E`, where E is D, 2 D for `bounds` and `signs`, `width` D for stacks;
      `heads` divides the last axis. - (C2) sizes of `mask` as above.
    ```mlir
    %m = sattn.summarize mean %k heads 12 width 64 : tensor<1x256x384xf32> -> tensor<1x12x4x32xf32>
    ```
  }];
  let arguments = (ins Sattn_SummaryKindAttr:$kind, Model_FloatTensor:$input, Optional<Model_TensorOf<[I1]>>:$mask,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, Sattn_Width:$width);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ custom<Word>($kind) $input (`mask` $mask^)? `heads` $heads `width` $width attr-dict
                          `:` type($input) (`,` type($mask)^)? `->` type($result) }];
}

def Sattn_ScoreOp : Sattn_Op<"score", [Pure, AllElementTypesMatch<["queries", "keys", "result"]>]> {
  let summary = "products of queries and keys, or of their summaries";
  let description = [{
    `result[b, h, i, j]` is the product of vector i of the queries of head h with vector j of the keys of head
    `h / (heads / kv_heads)`. Either operand is a tensor of tokens, `B x S x (heads D)`, or a summary, `B x heads x N x D`.
    With `agreement` it is the number of columns in which both are equal instead.
    With `weights`, `B x N x heads`, the heads are summed to one: `result[b, 0, i, j]` is the sum over h of `weights[b, i, h]`
    times the product, where that is above zero (the indexer of DeepSeek-V3.2).
    - (C1) `heads` is a multiple of `kv_heads`, and both are those of the operands. - (C2) the result is `B x heads x N of the
      queries x N of the keys`, with `weights` `B x 1 x N x N`. - (C3) sizes of `weights` as above.
    ```mlir
    %s = sattn.score %qm, %km heads 12 kv_heads 12 : tensor<1x12x4x32xf32>, tensor<1x12x4x32xf32> -> tensor<1x12x4x4xf32>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$queries, Model_FloatTensor:$keys, Optional<Model_FloatTensor>:$weights,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       UnitAttr:$agreement);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ (`agreement` $agreement^)? $queries `,` $keys (`weights` $weights^)? `heads` $heads `kv_heads` $kv_heads attr-dict
                          `:` type($queries) `,` type($keys) (`weights` type($weights)^)? `->` type($result) }];
}

def Sattn_WeighOp : Sattn_Op<"weigh", [Pure, AllElementTypesMatch<["scores", "result"]>]> {
  let summary = "sums of softmax weights over blocks or diagonals of scores";
  let description = [{
    Row i of `scores`, `B x H x n x m`, stands for the queries `[i W, (i + 1) W)`, column j for the keys `[j W, (j + 1) W)`, as
    far as they exist, where W is `width`. Row i may read column j when, with `causal`, the column's first key is no later
    than the row's last query; and when `mask`, bool `B x 1 x 1 x K`, if given, keeps one of its keys. Each row weighs the
    columns that it may read by the softmax of `scale` times their scores; NaN weighs nothing. Weights are summed over
    `rows` rows next to each other, over all with 0, and
    - `blocks`: over `columns` columns next to each other: `B x H x ceil(n / rows) x ceil(m / columns)`;
    - `diagonals`: over pairs of one distance: item d, of `B x H x ceil(n / rows) x m`, is of the keys that lie d before the one
      at which the query of the row stands.

    `queries` and `keys` are Q and K as size expressions.
    - (C1) n and m are ceil(Q / W) and ceil(K / W), the result has the sizes above. - (C2) sizes of `mask` as above.
    - (C3) `diagonals` want `causal`, a width and columns of 1.
    ```mlir
    %w = sattn.weigh blocks %s scale 2.500000e-01 width 16 rows 8 columns 8 queries "256" keys "256" causal
        : tensor<1x12x16x16xf32> -> tensor<1x12x2x2xf32>
    ```
  }];
  let arguments = (ins Sattn_WeighKindAttr:$kind, Model_FloatTensor:$scores, Optional<Model_TensorOf<[I1]>>:$mask,
                       F64Attr:$scale, Sattn_Width:$width, Sattn_Count:$rows, Sattn_Width:$columns, StrAttr:$queries,
                       StrAttr:$keys, UnitAttr:$causal);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ custom<Word>($kind) $scores (`mask` $mask^)? `scale` $scale `width` $width `rows` $rows
                          `columns` $columns `queries` $queries `keys` $keys (`causal` $causal^)? attr-dict
                          `:` type($scores) (`mask` type($mask)^)? `->` type($result) }];
}

def Sattn_SelectOp : Sattn_Op<"select", [Pure, AttrSizedOperandSegments]> {
  let summary = "the items of each row that fit a budget";
  let description = [{
    `scores` is `B x H x rows x items`. Row i may read item j when `candidates`, if given, hold it; when, with `causal`, the
    item's first key is no later than the row's last query (i.e. `j C <= min((i + 1) R, Q) - 1 + K - Q`); and when `mask`, bool
    `B x 1 x 1 x K`, if given, keeps one of its keys. Of these items `budget` keeps some. The first `sinks` items and the
    `local` items that end with that of the row's last query are kept before all others, if the row may read them, and
    count where the budget is a number of items.
    `queries` and `keys` are Q and K as size expressions.
    - (C1) the result has the rows and items of the scores; R and C that fit Q and K. - (C2) `candidates` have the shape and
      the items of the result. - (C3) sizes of `mask` as above.
    ```mlir
    %i = sattn.select #sattn.budget<count 2.000000e+00> %s queries "256" keys "256" local 1
        : tensor<1x12x4x4xf32> -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
    ```
  }];
  let arguments = (ins Sattn_BudgetAttr:$budget, Model_FloatTensor:$scores, Optional<Sattn_KeyIndex>:$candidates,
                       Optional<Model_TensorOf<[I1]>>:$mask, StrAttr:$queries, StrAttr:$keys,
                       DefaultValuedAttr<Sattn_Count, "0">:$sinks, DefaultValuedAttr<Sattn_Count, "0">:$local,
                       UnitAttr:$causal);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = [{ $budget $scores (`among` $candidates^)? (`mask` $mask^)? `queries` $queries `keys` $keys
                          (`sinks` $sinks^)? (`local` $local^)? (`causal` $causal^)? attr-dict
                          `:` type($scores) (`,` `among` type($candidates)^)? (`mask` type($mask)^)? `->` type($result) }];
}

def Sattn_BandsOp : Sattn_Op<"bands", [Pure]> {
  let summary = "items near the row, and the first ones, in closed form";
  let description = [{
    Query i stands at key i + K - Q, and a row at the items of its queries. It keeps those, `before` more of them below,
    `after` more above, and the first `sinks` items, as far as they exist. Nothing is stored: kernels compute the items of a
    row.
    - (C1) R is positive, and the rows and items of the result fit Q and K.
    ```mlir
    %window = sattn.bands before 127 after 0 sinks 4 queries "256" keys "256"
        : !sattn.index<1 x 1 token, shape ["1", "1", "256"], items "256", capacity "132">
    %own_block = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256"
        : !sattn.index<64 x 64 block, shape ["1", "1", "4"], items "4", capacity "1">
    ```
  }];
  let arguments = (ins Sattn_Count:$before, Sattn_Count:$after, Sattn_Count:$sinks, StrAttr:$queries, StrAttr:$keys);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = [{ `before` $before `after` $after `sinks` $sinks `queries` $queries `keys` $keys attr-dict
                          `:` type($result) }];
}

def Sattn_DiagonalsOp : Sattn_Op<"diagonals", [Pure]> {
  let summary = "the items that lie on diagonals";
  let description = [{
    `distances` has one row, whose items are distances. A row of the result holds the items in which a key lies that is one
    of the distances before where one of the row's queries stands.
    - (C1) `distances` is of tokens, rows of 0, and K items. - (C2) batch and heads of the result are those of `distances`;
      its R is positive, its rows and items fit Q and K.
    ```mlir
    %b = sattn.diagonals %d queries "256" keys "256"
        : !sattn.index<0 x 1 token, shape ["1", "12", "1"], items "256", capacity "9">
        -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "4">
    ```
  }];
  let arguments = (ins Sattn_KeyIndex:$distances, StrAttr:$queries, StrAttr:$keys);
  let results = (outs Sattn_KeyIndex:$result);
  let assemblyFormat = [{ $distances `queries` $queries `keys` $keys attr-dict `:` type($distances) `->` type($result) }];
}

def Sattn_AttendOp : Sattn_Op<"attend", [Pure, AttrSizedOperandSegments]> {
  let summary = "attention over the items of indices";
  let description = [{
    As `model.attention`, over those of its keys alone that one of `indices` at least holds for the row of the query; a key in
    several counts once. Head h of H reads head `h / (H / n)` of an index of n heads, and batch item b item 0 of an index of
    one. The result is a tensor, or the same with the logarithm of the sums of each softmax: a partial result, which
    `merge` takes. `full` gives the numbers of indices that hold full items alone: of their pairs of a query and a key causal
    order and mask leave none out, and the mask adds nothing to them. So who computes need not ask either; what an index that
    is no such holds is an error of whoever wrote it.
    - (C1) as `model.attention`. - (C2) each index has a number of heads that divides `heads`, a batch of one or that of the
      operands, and rows and items that fit queries and keys. - (C3) `full` ascends, and counts indices that there are.
    - (C4) a partial result is of f32 and of the sizes of the operands.
    ```mlir
    %o = sattn.attend %q, %k, %v over %i heads 12 kv_heads 12 scale 1.767766952966369e-01
        : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32>,
          over !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2"> -> tensor<1x256x384xf32>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$query, Model_FloatTensor:$key, Model_FloatTensor:$value,
                       Variadic<Sattn_KeyIndex>:$indices, Optional<Model_Tensor>:$mask,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       F64Attr:$scale, UnitAttr:$causal, OptionalAttr<DenseI64ArrayAttr>:$full);
  let results = (outs AnyTypeOf<[Model_FloatTensor, Sattn_Partial]>:$result);
  let assemblyFormat = [{ $query `,` $key `,` $value `over` $indices (`full` $full^)? (`mask` $mask^)? `heads` $heads
                          `kv_heads` $kv_heads `scale` $scale (`causal` $causal^)? attr-dict `:` type($query) `,` type($key) `,` type($value)
                          `,` `over` type($indices) (`mask` type($mask)^)? `->` type($result) }];
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$query, "::mlir::Value":$key,
                                 "::mlir::Value":$value, "::mlir::ValueRange":$indices, "::mlir::Value":$mask,
                                 "::mlir::IntegerAttr":$heads, "::mlir::IntegerAttr":$kv_heads,
                                 "::mlir::FloatAttr":$scale, "::mlir::UnitAttr":$causal), [{
    build($_builder, $_state, result, query, key, value, indices, mask, heads, kv_heads, scale, causal,
          ::mlir::DenseI64ArrayAttr());
  }]>];
  let extraClassDeclaration = [{
    /// Whether index `i` holds full items alone.
    bool isFull(unsigned i) { return getFull() && ::llvm::is_contained(*getFull(), int64_t(i)); }
  }];
  let hasCanonicalizeMethod = 1;
}

def Sattn_CompactOp : Sattn_Op<"compact", [Pure, AllElementTypesMatch<["input", "result"]>]> {
  let summary = "the tokens of an index next to each other";
  let description = [{
    `result[b, i]` is `input[b, t]` where t is item i of the one row of batch item b, and zero from the number of items on.
    Tokens keep their order: causal order among tokens of one index is that of their new places.
    - (C1) `index` is of tokens, has one row for each batch item, and as many items as `input`, `B x S x F`, has tokens.
    - (C2) the result is `B x capacity x F`.
    ```mlir
    %c = sattn.compact %x by %i : tensor<2x256x384xf32>,
        !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
    ```
  }];
  let arguments = (ins Model_Tensor:$input, Sattn_KeyIndex:$index);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input `by` $index attr-dict `:` type($input) `,` type($index) `->` type($result)";
  let hasFolder = 1;
}

def Sattn_ExpandOp : Sattn_Op<"expand", [Pure, AllElementTypesMatch<["input", "result"]>]> {
  let summary = "compacted tokens back at their places";
  let description = [{
    `result[b, t]` is `input[b, i]` where t is item i of the one row of batch item b, and zero for the tokens that it does not
    hold.
    - (C1) `index` as in `compact`, and as many items as the result, `B x S x F`, has tokens. - (C2) the operand is
      `B x capacity x F`.
    ```mlir
    %x = sattn.expand %c by %i : tensor<2x39x384xf32>,
        !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x256x384xf32>
    ```
  }];
  let arguments = (ins Model_Tensor:$input, Sattn_KeyIndex:$index);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input `by` $index attr-dict `:` type($input) `,` type($index) `->` type($result)";
  let hasFolder = 1;
}

def Sattn_AttendAtOp : Sattn_Op<"attend_at", [Pure]> {
  let summary = "attention of compacted queries over all keys";
  let description = [{
    As `model.attention`, of the queries that `compact` by `positions` leaves: query i stands at the key that is item i of its
    batch item, and with `causal` keeps the keys up to that. From the number of items on the result is zero.
    (Where the keys are compacted by the same index, `model.attention` does: causal order is that of their new places, and
    a mask leaves out those that do not exist.)
    - (C1) as `model.attention`. - (C2) `positions` is an index of tokens, has one row for each batch item, as many items as
      there are keys, and room for as many as there are queries.
    ```mlir
    %o = sattn.attend_at %c, %k, %v at %i heads 12 kv_heads 12 scale 1.767766952966369e-01 causal
        : tensor<2x39x384xf32>, tensor<2x256x384xf32>, tensor<2x256x384xf32>,
          at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$query, Model_FloatTensor:$key, Model_FloatTensor:$value,
                       Sattn_KeyIndex:$positions, Optional<Model_Tensor>:$mask,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       F64Attr:$scale, UnitAttr:$causal);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ $query `,` $key `,` $value `at` $positions (`mask` $mask^)? `heads` $heads `kv_heads` $kv_heads
                          `scale` $scale (`causal` $causal^)? attr-dict `:` type($query) `,` type($key) `,` type($value)
                          `,` `at` type($positions) (`mask` type($mask)^)? `->` type($result) }];
}

def Sattn_LinearAttendOp : Sattn_Op<"linear_attend", [Pure]> {
  let summary = "attention by products of features";
  let description = [{
    `#sattn.linear` over the keys that a query may read: with `causal` those no later than its own; with `mask`, a bool one, those
    it keeps. A float mask multiplies the weights of a key by the power of e. Keys of no weight may hold anything.
    - (C1) as `model.attention`. - (C2) `mask` is `B x 1 x 1 x K`.
    ```mlir
    %o = sattn.linear_attend elu1 %q, %k, %v heads 12 kv_heads 12
        : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
    ```
  }];
  let arguments = (ins Sattn_FeatureMapAttr:$feature, Model_FloatTensor:$query, Model_FloatTensor:$key,
                       Model_FloatTensor:$value, Optional<Model_Tensor>:$mask,
                       ConfinedAttr<I64Attr, [IntPositive]>:$heads, ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads,
                       UnitAttr:$causal);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ custom<Word>($feature) $query `,` $key `,` $value (`mask` $mask^)? `heads` $heads
                          `kv_heads` $kv_heads (`causal` $causal^)? attr-dict `:` type($query) `,` type($key) `,`
                          type($value) (`,` type($mask)^)? `->` type($result) }];
}

def Sattn_MergeOp : Sattn_Op<"merge", [Pure]> {
  let summary = "partial results of attention as one";
  let description = [{
    Each row is the sum of those of `inputs`, weighted by `exp(lse_i) / sum_j exp(lse_j)` where lse is their logarithm: attention
    over all keys that they read. A key that several of them read counts as often. A row that no input has keys for is
    zeros.
    - (C1) one input at least, all of one type. - (C2) the result is of that type too, or the tensor `B x Q x (heads width)`.
    ```mlir
    %o = sattn.merge %x, %y : !sattn.partial<["1", "12", "256", "32"]>, !sattn.partial<["1", "12", "256", "32"]>
        -> tensor<1x256x384xf32>
    ```
  }];
  let arguments = (ins Variadic<Sattn_Partial>:$inputs);
  let results = (outs AnyTypeOf<[Model_FloatTensor, Sattn_Partial]>:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizeMethod = 1;
}

def Sattn_StorePartialOp : Sattn_Op<"store_partial", [Pure]> {
  let summary = "a partial result as a tensor";
  let description = [{
    - (C1) the result is the operand's storage (`!sattn.partial`).
    ```mlir
    %t = sattn.store_partial %x : !sattn.partial<["1", "12", "256", "32"]> -> tensor<1x12x256x33xf32>
    ```
  }];
  let arguments = (ins Sattn_Partial:$input);
  let results = (outs Model_TensorOf<[F32]>:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

def Sattn_LoadPartialOp : Sattn_Op<"load_partial", [Pure]> {
  let summary = "a partial result from its tensor";
  let description = [{
    - (C1) the operand is the result's storage (`!sattn.partial`).
    ```mlir
    %x = sattn.load_partial %t : tensor<1x12x256x33xf32> -> !sattn.partial<["1", "12", "256", "32"]>
    ```
  }];
  let arguments = (ins Model_TensorOf<[F32]>:$input);
  let results = (outs Sattn_Partial:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
}

#endif
