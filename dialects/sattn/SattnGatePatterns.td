// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns that learn which tokens matter: a gate scores each of them, whoever reads it.
#ifndef TAMIS_SATTN_GATE_PATTERNS
#define TAMIS_SATTN_GATE_PATTERNS

include "dialects/sattn/SattnPatterns.td"

/// A number that may be left out.
def Sattn_OptionalNumber : OptionalParameter<"::std::optional<::llvm::APFloat>", "a number, or none"> {
  let comparator = "$_lhs.has_value() == $_rhs.has_value() && (!$_lhs || $_lhs->bitwiseIsEqual(*$_rhs))";
  let printer = "$_printer.printFloat(*$_self)";
  let parser = [{[&]() -> ::mlir::FailureOr<::std::optional<::llvm::APFloat>> {
    double value;
    if ($_parser.parseFloat(value))
      return ::mlir::failure();
    return ::std::optional<::llvm::APFloat>(::llvm::APFloat(value));
  }()}];
}

def Sattn_GateQuantileAttr : Sattn_Pattern<"GateQuantile", "gate_quantile", ["weights", "fit"]> {
  let summary = "the own key, and the tokens whose gate is above a quantile";
  let description = [{
    A gate scores each token by its key, of all heads: the product with the weight `gate`, `G x (kv_heads D)`. G is 1, a gate
    for all heads, or with `per_head` `kv_heads`, a gate for each head of keys and the queries that read it. A query keeps
    the key at which it stands and the keys of the tokens whose score is above the `quantile` of all (as `#sattn.budget`
    defines it). Tokens that a key mask leaves out take no part in the quantile and are not chosen; what is chosen does not
    depend on who reads it, so that causal order limits pairs alone. A bias would change nothing, and there is none.
    Keys are linear in the hidden state, and so is the gate. `fit` finds it by regression of the logarithm of what a
    token receives of dense attention.
    - (C1) `quantile` is from 0 to below 1.
  }];
  let parameters = (ins Sattn_Number<"0.7">:$quantile, DefaultValuedParameter<"bool", "false">:$per_head);
}

def Sattn_DynamicGateAttr : Sattn_Pattern<"DynamicGate", "dynamic_gate", ["weights", "fit"]> {
  let summary = "the own key, and as many tokens as hold the mass of a gate";
  let description = [{
    As `gate_quantile`, but how many tokens are kept follows the input: the fewest whose softmax of the gate's scores sums to
    `mass` or more, 0.9 when nothing is said; or those with a score of `threshold` or more.
    - (C1) `mass` is above 0 and at most 1, `threshold` a number; one of them at most is given.
  }];
  let parameters = (ins Sattn_OptionalNumber:$mass, Sattn_OptionalNumber:$threshold,
                        DefaultValuedParameter<"bool", "false">:$per_head);
}

def Sattn_TokenActivationAttr : Sattn_Pattern<"TokenActivation", "token_activation", ["weights", "fit"]> {
  let summary = "attention among the active tokens alone";
  let description = [{
    A gate of one row, as that of `gate_quantile`, scores each token. The best of them are active, the whole part of `share`
    times the number of tokens, but at least one, of those that a key mask keeps. Active tokens attend among themselves, in
    causal order of their places where that is asked for. The result of every other token is zero: a residual passes its
    input through.
    - (C1) `share` is above 0 and at most 1. - (C2) as many queries as keys.
  }];
  let parameters = (ins Sattn_Number<"0.15">:$share);
}

def Sattn_FocusAwareAttr : Sattn_Pattern<"FocusAware", "focus_aware", ["attend", "weights", "fit"]> {
  let summary = "attention of the tokens in focus, scaled by how much they are";
  let description = [{
    The focus of token t is the sigmoid of `bias + sum_j focus[j] q[t + j - 1]`, j from 0 to 2, with q its queries of all
    heads, and zeros before the first and behind the last, and for tokens that a key mask leaves out, so that padding
    changes nothing: a convolution of width 3. (The mean over the channels of a
    convolution is such a convolution, with the mean of its weights.) Weights are `focus`, `3 x (heads D)`, and `bias`, `1`.
    It scales the queries before attention, and the result after it. Tokens out of focus need no attention: their result
    is zero. They are those with a focus below `threshold`; else all but the whole part of `1 - skip` times the number of
    tokens, at least one, with the largest focus, where `skip` is 0.63 when nothing is said. Focus is compared before the
    sigmoid, which makes large numbers equal. Tokens that a key mask leaves out are out of focus, too. Nothing is left out of the
    keys.
    - (C1) `skip` is from 0 to below 1, `threshold` above 0 and below 1; one of them at most is given. - (C2) as many
      queries as keys.
  }];
  let parameters = (ins Sattn_OptionalNumber:$skip, Sattn_OptionalNumber:$threshold);
}

#endif
