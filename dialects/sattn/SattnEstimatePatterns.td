// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns that estimate where scores are large before they read keys.
#ifndef TAMIS_SATTN_ESTIMATE_PATTERNS
#define TAMIS_SATTN_ESTIMATE_PATTERNS

include "dialects/sattn/SattnPatterns.td"

def Sattn_PageBoundsAttr : Sattn_Pattern<"PageBounds", "page_bounds"> {
  let summary = "the pages that may hold the best keys of each query";
  let description = [{
    Keys are cut into pages of `page`; of each page and column the largest and smallest number is known. A query keeps the
    `k` pages with the largest bound, the sum over columns d of max(q_d min_d, q_d max_d), which no product with a key of
    the page exceeds. The `local` pages that end with the own one are kept first and count. Blocks of `block` queries choose
    together, by their mean. With `causal` only pages that begin no later than the last of the queries come into question.
    Tokens that a key mask leaves out take no part in bounds and means, pages without any other are not kept.
    Quest (arXiv 2406.10774: pages of 16, queries one by one).
    - (C1) `page`, `k` and `block` are positive; `local` is not negative and at most `k`.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "16">:$page, "int64_t":$k,
                        DefaultValuedParameter<"int64_t", "1">:$block, DefaultValuedParameter<"int64_t", "1">:$local);
}

def Sattn_AntidiagonalAttr : Sattn_Pattern<"Antidiagonal", "antidiagonal"> {
  let summary = "the blocks that hold most of what antidiagonals estimate";
  let description = [{
    Queries and keys are cut into strides of `stride`; the products on the antidiagonal of a cell of stride x stride, summed,
    times the scale and divided by the stride, estimate the cell. Each row of cells is weighed by softmax over those
    it may read, and weights are summed over blocks of `block` queries and keys. A block of queries keeps the fewest
    blocks of keys that hold `mass` of the weight of all; the first `sinks` blocks and the `local` blocks that end with the
    own one are kept first, and their weight counts. With `causal` only cells and blocks that begin no later than the last
    of the queries come into question. Tokens that a key mask leaves out add nothing to an antidiagonal, cells and
    blocks without any other are not read.
    XAttention (arXiv 2503.16428: blocks of 128, strides of 8 or 16, a mass of 0.9).
    - (C1) `block` and `stride` are positive, `block` is a multiple of `stride`. - (C2) `mass` is above 0 and at most 1.
    - (C3) `sinks` and `local` are not negative.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "128">:$block, DefaultValuedParameter<"int64_t", "16">:$stride,
                        Sattn_Number<"0.9">:$mass, DefaultValuedParameter<"int64_t", "1">:$sinks,
                        DefaultValuedParameter<"int64_t", "1">:$local);
}

def Sattn_VerticalSlashAttr : Sattn_Pattern<"VerticalSlash", "vertical_slash"> {
  let summary = "the keys and the distances that the last queries weigh most";
  let description = [{
    The softmax weights of the `last` queries are summed over keys, and over distances of query and key. Every query keeps the
    `vertical` keys with the largest sums, the first `sinks` before all others. Of the `slash` distances with the largest
    sums, the nearest `local` before all others, each block of `block` queries keeps the blocks of `block` keys in which a
    key lies that is one of the distances before one of its queries. Keys that a key mask leaves out weigh nothing and
    are none of the `vertical`.
    MInference's vertical-slash heads (arXiv 2407.02490: the last 64 queries, 30 sinks, 30 local distances; 1000 and 4096,
    or 30 and 800, and others).
    - (C1) `vertical`, `slash`, `last` and `block` are positive. - (C2) `sinks` are at most `vertical`, `local` at most `slash`,
      none is negative. - (C3) causal order: no query but the last sees all distances.
  }];
  let parameters = (ins "int64_t":$vertical, "int64_t":$slash, DefaultValuedParameter<"int64_t", "30">:$sinks,
                        DefaultValuedParameter<"int64_t", "30">:$local, DefaultValuedParameter<"int64_t", "64">:$last,
                        DefaultValuedParameter<"int64_t", "64">:$block);
}

def Sattn_IndexerAttr : Sattn_Pattern<"Indexer", "indexer", ["weights", "fit"]> {
  let summary = "the best keys of each query by a small learned indexer";
  let description = [{
    A query t keeps the `k` keys s with the largest index score among those it may read, the same for all heads of attention:
    the sum over `heads` index heads j of w[t, j] ReLU(qI[t, j] . kI[s]), where qI, kI and w are the features of all heads of
    the query, the key and the query times the weights `query`, (heads of attention x its width) x (`heads` `width`), `key`,
    (key heads x width of attention) x `width`, and `head`, (heads of attention x its width) x `heads`. They come from a
    model that was trained with them. Else `fit` brings the products near to those of all heads of attention, summed, by
    alternating least squares: two index heads with weights of either sign make up for the ReLU, and others have none.
    The lightning indexer of DeepSeek-V3.2 (64 heads of 128, 2048 keys), which rotates positions and quantizes beside.
    - (C1) `k`, `heads` and `width` are positive. - (C2) `k` is no more than there are keys, where their number is fixed.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "32">:$k, DefaultValuedParameter<"int64_t", "4">:$heads,
                        DefaultValuedParameter<"int64_t", "32">:$width);
}

def Sattn_AnnAttr : Sattn_Pattern<"Ann", "ann", ["weights", "fit"]> {
  let summary = "the best keys of each query among its approximate nearest neighbours";
  let description = [{
    Approximate nearest-neighbour search proposes candidates. A query keeps the `k` candidates with the largest products among
    those that it may read; of fewer candidates all, and of none none. `method` is one of
    - `lsh`, locality-sensitive hashing: `bits` hyperplanes through zero make a hash of `bits` bits, on which side of each a
      vector lies, in each of `tables` tables. A key that has the hash of the query in one table at least is a candidate.
      Hyperplanes are the same for all heads; the components of their normals are 1 and -1, drawn from `seed`. A vector in a
      hyperplane lies on the side of those below zero.
    - `pq`, product quantization: the columns of a key are cut into `parts`, of each of which the nearest of `centroids` codewords
      takes the place, the first of several. The `candidates` keys, of those that the query may read, whose codewords have the
      largest product with it are candidates. The weight `codebook`, `kv_heads x parts x centroids x (D / parts)`, holds the
      codewords; `fit` finds them by k-means over the keys of the samples.

    Random hyperplanes: Charikar 2002; for attention, MagicPIG (arXiv 2410.16179: 10 bits, 150 tables). Product quantization:
    Jegou et al. 2011; for attention, PQCache (arXiv 2407.12820).
    - (C1) `k` and `tables` are positive. - (C2) `bits` is 1 to 24. - (C3) `k` is no more than there are keys, where their
      number is fixed. - (C4) `parts` and `centroids` are positive, `candidates` is at least `k`. - (C5) with `pq`, `parts` divides D.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "32">:$k, Sattn_Choice<Sattn_AnnMethod, "lsh">:$method,
                        DefaultValuedParameter<"int64_t", "16">:$tables, DefaultValuedParameter<"int64_t", "8">:$bits,
                        DefaultValuedParameter<"int64_t", "0">:$seed, DefaultValuedParameter<"int64_t", "8">:$parts,
                        DefaultValuedParameter<"int64_t", "16">:$centroids,
                        DefaultValuedParameter<"int64_t", "128">:$candidates);
}

def Sattn_CompressedSelectedWindowAttr
    : Sattn_Pattern<"CompressedSelectedWindow", "compressed_selected_window", ["attend", "weights", "fit"]> {
  let summary = "a gated sum of attention to means of all keys, to the best blocks and to near keys";
  let description = [{
    Three attentions of their own, each multiplied by a gate of the query and the head, are added:
    - compressed: to the means of keys and values of blocks of `compress` tokens, with `causal` those of the blocks before the
      one of the query;
    - selected: blocks of `block` queries, all heads that share a key head together, keep `k` blocks of `block` keys: the first
      `sinks`, the `local` that end with the own one, and of the others those that the means of `compress` queries weigh
      most, summed over the block. They weigh the means of `compress` keys, with `causal` of the blocks that begin no later
      than theirs ends, by the softmax of their products times the scale; a mean is that of the heads, too;
    - window: the keys less than `window` away, with `causal` the last `window` up to the own one.

    Gates are the sigmoid of the query's features of all heads times the weight `gate`, `(heads D) x (3 heads)`, plus `bias`,
    `3 heads`: column 3 h + b is of head h and branch b. `fit` finds the best constants, as the bias.
    Tokens that a key mask leaves out take no part in means; blocks without any other are not read.
    Native Sparse Attention (arXiv 2502.11089), whose selection is of each query and whose compression learns and overlaps
    (blocks of 32 every 16, 16 of 64 with 1 first and 2 local, a window of 512); means as in its Flash Linear Attention form.
    - (C1) `block`, `k`, `compress` and `window` are positive, `compress` divides `block`; `sinks` and `local` are not negative and
      together at most `k`. - (C2) as many queries as keys.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "64">:$block, DefaultValuedParameter<"int64_t", "16">:$k,
                        DefaultValuedParameter<"int64_t", "1">:$sinks, DefaultValuedParameter<"int64_t", "2">:$local,
                        DefaultValuedParameter<"int64_t", "32">:$compress,
                        DefaultValuedParameter<"int64_t", "512">:$window);
  let extraClassDeclaration = [{
    /// The pairs of the selected branch, and of the window.
    void keepSelected(const ::tamis::sattn::HeadInputs &head, ::tamis::sattn::KeptPairs &kept) const;
    void keepNear(const ::tamis::sattn::HeadInputs &head, ::tamis::sattn::KeptPairs &kept) const;
  }];
}

#endif
