// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns: attributes that say which keys attention reads. One source file a pattern in dialects/sattn/patterns.
#ifndef TAMIS_SATTN_PATTERNS
#define TAMIS_SATTN_PATTERNS

include "dialects/sattn/SattnBase.td"
include "mlir/IR/Interfaces.td"

def Sattn_PatternInterface : AttrInterface<"PatternAttrInterface"> {
  let cppNamespace = "::tamis::sattn";
  let description = [{
    What every pattern tells of itself. Its meaning is given twice: by `keep` and `attend` in plain loops over numbers, for
    one head; by `lower` as ops. Tests compare them. Parameters that count are below 2^31.
  }];
  let methods = [
    InterfaceMethod<"Parameters that fit this attention; says what was found and what is allowed.",
      "::llvm::LogicalResult", "fits",
      (ins "const ::tamis::sattn::AttentionSizes &":$sizes,
           "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError)>,
    InterfaceMethod<"Whether what is kept depends on the queries and keys, and not on their places alone.",
      "bool", "readsNumbers", (ins)>,
    InterfaceMethod<"Marks the pairs that one head keeps; attention applies its mask to them.", "void", "keep",
      (ins "const ::tamis::sattn::HeadInputs &":$head, "::tamis::sattn::KeptPairs &":$kept)>,
    InterfaceMethod<"Writes the ops that take the attention's place; what they compute.", "::mlir::Value", "lower",
      (ins "::tamis::sattn::PatternBuilder &":$builder)>,
    InterfaceMethod<"No more pairs than this are multiplied for one head, what selects them apart.",
      "int64_t", "pairBound", (ins "int64_t":$queries, "int64_t":$keys, "bool":$causal)>,
    InterfaceMethod<"What one head computes of the pairs it keeps, queries x value width: attention over them, unless a "
      "pattern means something else.", "void", "attend",
      (ins "const ::tamis::sattn::HeadInputs &":$head, "const ::tamis::sattn::KeptPairs &":$kept,
           "::llvm::MutableArrayRef<double>":$result), "", [{ ::tamis::sattn::attendKept(head, kept, result); }]>,
    InterfaceMethod<"The weights it has of its own, in the order of the operands; most have none.",
      "::llvm::SmallVector<::tamis::sattn::PatternWeight>", "weights",
      (ins "const ::tamis::sattn::AttentionSizes &":$sizes), "", [{ return {}; }]>,
    InterfaceMethod<"Fits its weights to dense attention, by least squares over samples, all of one attention; one vector a "
      "weight, empty when there is no sample.",
      "::std::vector<::std::vector<double>>", "fit",
      (ins "::llvm::ArrayRef<::tamis::sattn::AttentionInputs>":$samples), "", [{ return {}; }]>,
  ];
}

/// `overrides`: methods with a default that it has an answer of its own to.
class Sattn_Pattern<string name, string attrMnemonic, list<string> overrides = []>
    : Sattn_Attr<name, attrMnemonic, [DeclareAttrInterfaceMethods<Sattn_PatternInterface, overrides>]> {
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Sattn_WindowAttr : Sattn_Pattern<"Window", "window"> {
  let summary = "keys near the query, and the first ones";
  let description = [{
    Query i, which stands at key i + K - Q, keeps the keys less than `size` away from it (with `causal` the last `size` up to
    its own) and the first `sinks` keys.
    Longformer (arXiv 2004.05150), StreamingLLM (arXiv 2309.17453: 4 sinks).
    - (C1) `size` is positive, `sinks` not negative.
  }];
  let parameters = (ins "int64_t":$size, DefaultValuedParameter<"int64_t", "0">:$sinks);
}

def Sattn_LocalGlobalAttr : Sattn_Pattern<"LocalGlobal", "local_global"> {
  let summary = "the own block, and the key tokens of every block";
  let description = [{
    Queries and keys are cut into blocks of `block`. A query keeps the keys of its own block and the key tokens of all
    blocks: of each block the `key_tokens` keys with the largest product with the mean query of that block. With `causal` only
    the key tokens of earlier blocks come before it. Tokens that a key mask leaves out take no part in the mean and are
    no key tokens.
    - (C1) `block` and `key_tokens` are positive, `key_tokens` is at most `block`. - (C2) as many queries as keys.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "64">:$block, DefaultValuedParameter<"int64_t", "2">:$key_tokens);
}

def Sattn_TopKAttr : Sattn_Pattern<"TopK", "top_k"> {
  let summary = "the best keys of each query";
  let description = [{
    A query keeps the `k` keys with the largest scores among those it may read, all when there are fewer.
    - (C1) `k` is positive. - (C2) it is no more than there are keys, where their number is fixed.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "32">:$k);
}

def Sattn_FractionAttr : Sattn_Pattern<"Fraction", "fraction"> {
  let summary = "a share of the keys, the best of each query";
  let description = [{
    As `top_k` of the whole part of `share` times the number of keys, but at least one.
    - (C1) `share` is above 0 and at most 1.
  }];
  let parameters = (ins Sattn_Number<"0.3">:$share);
}

def Sattn_BlockTopKAttr : Sattn_Pattern<"BlockTopK", "block_top_k"> {
  let summary = "the best blocks of keys of each block of queries";
  let description = [{
    Blocks of `block` queries keep the `k` blocks of `block` keys whose mean has the largest product with their mean. The first
    `sinks` blocks and the `local` blocks that end with the own one are kept first and count. With `causal` only blocks that
    begin no later than the last of the queries come into question. Tokens that a key mask leaves out take no part in
    the means, blocks without any other are not kept.
    With `mass` in place of `k`, the fewest blocks are kept that hold that share of the softmax of the products times the
    scale, over the blocks that come into question; what is kept first counts.
    A mean says little of tokens that differ. With `similarity`, a block of keys whose tokens have a mean cosine below it, over
    all pairs of them and each with itself, is kept by every query that may read it: it comes last in the choice, and weighs
    nothing there. A block of queries of such tokens keeps all blocks. A token of zeros has a cosine of 0 with all.
    MInference's block-sparse heads (arXiv 2407.02490), MoBA (arXiv 2502.13189), SpargeAttn's `topk`, `cdfthreshd` and
    `simthreshd1` (arXiv 2502.18137).
    - (C1) `block` and `k` are positive; `sinks` and `local` not negative and together at most `k`. - (C2) without a `k`, `mass`
      is above 0 and at most 1. - (C3) `similarity` is from 0 to 1.
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "64">:$block, DefaultValuedParameter<"int64_t", "0">:$k,
                        DefaultValuedParameter<"int64_t", "0">:$sinks, DefaultValuedParameter<"int64_t", "1">:$local,
                        Sattn_Number<"0.0">:$mass, Sattn_Number<"0.0">:$similarity);
  let extraClassDeclaration = [{
  private:
    ::mlir::Value lowerBySimilarity(::tamis::sattn::PatternBuilder &builder, ::mlir::Value &always) const;

  public:
  }];
}

def Sattn_LinearAttr : Sattn_Pattern<"Linear", "linear", ["attend"]> {
  let summary = "a product of features in place of the exponential";
  let description = [{
    A query gives `sum_j w_ij v_j / sum_j w_ij` over the keys that it may read, where `w_ij = phi(q_i) . phi(k_j)`, and zeros
    where that sum is none. `feature` is phi, which is never negative: `elu1` is elu(x) + 1, `relu` is max(x, 0). What a
    float mask adds to a key multiplies its weights by the power of e, as in a softmax. All keys are read, in a time that
    grows with queries and keys and not with their product.
    The attention's scale takes no part: the published formula has none, weights are trained without it, and with `relu` it
    would cancel out.
    Katharopoulos et al. 2020 (arXiv 2006.16236).
  }];
  let parameters = (ins Sattn_Choice<Sattn_FeatureMap, "elu1">:$feature);
}

#endif
