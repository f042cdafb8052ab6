// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cache dialect: keys and values of earlier tokens, in pages.
#ifndef TAMIS_CACHE_OPS
#define TAMIS_CACHE_OPS

include "dialects/model/ModelBase.td"

def Cache_Dialect : Dialect {
  let name = "cache";
  let cppNamespace = "::tamis::cache";
  let summary = "keys and values of earlier tokens, in pages";
  let description = [{
    Tokens of several texts are read in one run, side by side in one axis. Of token t, `texts[t]` says which text it
    belongs to and `positions[t]` where it stands there. Its key and value lie in slot `positions[t] % P` of the page
    `table[texts[t], positions[t] / P]`, in *pools* of pages of P tokens, one pool for all texts:

    | pool | sizes | |
    |---|---|---|
    | keys | `[pages, kv_heads, D, P]` | f32, or i8 with scales; tokens last, so that one vector holds a number of several |
    | values | `[pages, kv_heads, P, E]` | f32, or i8 with scales |
    | scales of keys, of values | `[pages, kv_heads, P]` | f32, beside pools of i8: the number is `scale * integer` |
    | bounds of keys | `[pages, kv_heads, 2, D]` | f32, where a program selects by them: no key that was appended is below the first or above the second |

    Pages may be shared by texts. Ops have value semantics: `append` gives new pools. A plan writes them where the old ones
    lie (docs/rationale/cache.md), which is why a program must not read a pool after it has appended to it.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
}

class Cache_Op<string opMnemonic, list<Trait> traits = []> : Op<Cache_Dialect, opMnemonic, traits> {
  let hasVerifier = 1;
}
def Cache_Pool : Model_TensorOf<[F32, I8]>;
def Cache_Numbers : Model_TensorOf<[I32]>;

def Cache_AppendOp : Cache_Op<"append", [Pure]> {
  let summary = "write the keys and values of new tokens to their places";
  let description = [{
    `key` is `T x (kv_heads D)`, `value` `T x (kv_heads E)`. The pools, of keys, of values, where they are of i8 of the
    scales of both, and of bounds where there are any, come back with the tokens written. Bounds are of the keys as given;
    those of a page begin with its first slot, and only grow. A row of i8 is divided by a 127th of its largest magnitude and
    rounded to nearest, ties to even; a head of a token is a row. A text or a page that is none, or a position beyond the
    table, is an error at run time; of two tokens at one place either may stay.
    - (C1) two pools of f32, or two of i8 and two of their scales, of the sizes above, and one of bounds or none; results
      as the pools.
    - (C2) `table` is `texts x places`, `texts` and `positions` are vectors of T. - (C3) key and value are as wide as heads
      of the pools are.
    ```mlir
    %k, %v = cache.append pools(%keys, %values) rows(%key, %value) at(%table, %texts, %positions)
        : (tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>, tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>),
          tensor<?x192xf32, #model.dims<"tokens", "192">>, tensor<?x192xf32, #model.dims<"tokens", "192">>,
          tensor<?x?xi32, #model.dims<"texts", "places">>, tensor<?xi32, #model.dims<"tokens">>,
          tensor<?xi32, #model.dims<"tokens">>
        -> tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>, tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>
    ```
  }];
  let arguments = (ins Variadic<Cache_Pool>:$pools, Model_FloatTensor:$key, Model_FloatTensor:$value,
                       Cache_Numbers:$table, Cache_Numbers:$texts, Cache_Numbers:$positions);
  let results = (outs Variadic<Cache_Pool>:$results);
  let assemblyFormat = [{ `pools` `(` $pools `)` `rows` `(` $key `,` $value `)` `at` `(` $table `,` $texts `,` $positions `)` attr-dict
                          `:` `(` type($pools) `)` `,` type($key) `,` type($value) `,` type($table) `,` type($texts) `,` type($positions)
                          `->` type($results) }];
  let builders = [OpBuilder<(ins "::mlir::ValueRange":$pools, "::mlir::Value":$key, "::mlir::Value":$value,
                                 "::mlir::Value":$table, "::mlir::Value":$texts, "::mlir::Value":$positions)>];
}

def Cache_AttendOp : Cache_Op<"attend", [Pure, AttrSizedOperandSegments]> {
  let summary = "attention of new tokens over the pages of their texts";
  let description = [{
    `query` is `T x (heads D)`. Token t reads the tokens of its text up to its own position, itself among them; head h reads
    key head `h / (heads / kv_heads)`. Scores are `scale q.k`, weights their softmax. The result is `T x (heads E)`.

    A result `T x parts x heads x (E + 1)` holds partial results: part s reads the pages in the table's
    places from `s * ceil(places / parts)` on, as many; behind each row is the logarithm of the sum of its exponentials, minus infinity
    and a row of zeros where there are none. `cache.merge` joins them.

    With `index`, of `cache.select`, a token whose row of it begins with a number n from 0 on reads the pages in the n places
    behind it alone, which ascend; parts are of these places then, `ceil(n / parts)` each.
    - (C1) pools but bounds, `table`, `texts` and `positions` as of `cache.append`; `index` as `cache.select` gives it. - (C2) `heads` is a multiple of the pools' and the
      query is `heads` times as wide as a key. - (C3) the result has one of the two forms.
    ```mlir
    %o = cache.attend %query pools(%k, %v) at(%table, %texts, %positions) heads 9 scale 1.250000e-01
        : tensor<?x576xf32, #model.dims<"tokens", "576">>, (tensor<?x3x64x32xf32, #model.dims<"pages", "3", "64", "32">>,
          tensor<?x3x32x64xf32, #model.dims<"pages", "3", "32", "64">>), tensor<?x?xi32, #model.dims<"texts", "places">>,
          tensor<?xi32, #model.dims<"tokens">>, tensor<?xi32, #model.dims<"tokens">>
        -> tensor<?x576xf32, #model.dims<"tokens", "576">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$query, Variadic<Cache_Pool>:$pools, Cache_Numbers:$table, Cache_Numbers:$texts,
                       Cache_Numbers:$positions, Optional<Cache_Numbers>:$index, ConfinedAttr<I64Attr, [IntPositive]>:$heads,
                       F64Attr:$scale);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ $query `pools` `(` $pools `)` `at` `(` $table `,` $texts `,` $positions `)` (`index` $index^)? `heads` $heads
                          `scale` $scale attr-dict `:` type($query) `,` `(` type($pools) `)` `,` type($table) `,` type($texts) `,`
                          type($positions) (`,` type($index)^)? `->` type($result) }];
}

def Cache_SelectOp : Cache_Op<"select", [Pure]> {
  let summary = "the pages that may hold the best keys of each new token";
  let description = [{
    Of a token that is alone of its text among its neighbours, and whose text has more than `count` pages: the first page, the
    last two, and of the others those of the largest bounds of `q.k`, as many as make `count` together; of equal bounds the
    first. A bound is the largest over the heads that share a key head, of the sum over d of the larger of `q[d] lowest[d]` and
    `q[d] highest[d]`. Other tokens read all pages: prompts are read together, and short texts are short.

    The result is `T x kv_heads x (count + 1)`: how many, -1 for all, and their places in the table, ascending; what is behind
    them is unspecified. Source: Tang et al., "Quest", 2024, arXiv:2406.10774; there, each head picks for itself.
    - (C1) `query` is `heads` times as wide as a bound, and `heads` a multiple of the bounds' heads. - (C2) `table`, `texts` and
      `positions` as of `cache.append`. - (C3) the result is as above, and `count` 4 at least.
    ```mlir
    %i = cache.select %query bounds %bounds at(%table, %texts, %positions) heads 9 count 64 page 16
        : tensor<?x576xf32, #model.dims<"tokens", "576">>, tensor<?x3x2x64xf32, #model.dims<"pages", "3", "2", "64">>,
          tensor<?x?xi32, #model.dims<"texts", "places">>, tensor<?xi32, #model.dims<"tokens">>, tensor<?xi32, #model.dims<"tokens">>
        -> tensor<?x3x65xi32, #model.dims<"tokens", "3", "65">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$query, Cache_Pool:$bounds, Cache_Numbers:$table, Cache_Numbers:$texts,
                       Cache_Numbers:$positions, ConfinedAttr<I64Attr, [IntPositive]>:$heads,
                       ConfinedAttr<I64Attr, [IntPositive]>:$count, ConfinedAttr<I64Attr, [IntPositive]>:$page);
  let results = (outs Cache_Numbers:$result);
  let assemblyFormat = [{ $query `bounds` $bounds `at` `(` $table `,` $texts `,` $positions `)` `heads` $heads `count` $count `page` $page
                          attr-dict `:` type($query) `,` type($bounds) `,` type($table) `,` type($texts) `,` type($positions) `->`
                          type($result) }];
}

def Cache_MergeOp : Cache_Op<"merge", [Pure]> {
  let summary = "partial results of attention as one";
  let description = [{
    The operand is `T x parts x heads x (E + 1)`, as `cache.attend` gives it, the result `T x (heads E)`: the sum of the parts'
    rows, each weighted by its share of all exponentials; zeros where all are empty.
    - (C1) sizes as above.
    ```mlir
    %o = cache.merge %parts : tensor<?x4x9x65xf32, #model.dims<"tokens", "4", "9", "65">>
        -> tensor<?x576xf32, #model.dims<"tokens", "576">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$input);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}

#endif
